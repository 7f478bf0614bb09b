#include "http/connection.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

namespace media::http {
namespace {
using State = Connection::State;
constexpr std::array kTimedStates{State::idle, State::head, State::collecting, State::waiting, State::writing, State::lingering};

std::uint32_t events_of(State state) {
  if (state == State::writing) return EPOLLOUT;
  // What a waiting client sends is its next request, which has time; only that it goes away matters.
  return state == State::waiting ? EPOLLRDHUP : EPOLLIN;
}
}  // namespace

void ConnectionTable::move(Connection& connection, State state) {
  auto& to = list_of(state);
  to.splice(to.end(), list_of(connection.state), connection.self);
  connection.state = state;
}

Connection& ConnectionTable::add(Descriptor socket, Peer peer, const HeadLimits& limits, std::atomic<std::size_t>& buffered) {
  std::list<Connection> one;
  one.emplace_back(std::move(socket), limits, buffered);
  one.front().self = one.begin();
  one.front().remote_address = std::move(peer.address);
  one.front().remote_port = peer.port;
  const std::lock_guard lock(mutex_);
  auto& idle = list_of(State::idle);
  // A deadline is set by park; until then it must not look expired.
  one.front().deadline = SteadyTime::max();
  ++by_address_[one.front().remote_address];
  idle.splice(idle.end(), one);
  return idle.back();
}

bool ConnectionTable::park(Connection& connection, State state, SteadyTime deadline) {
  epoll_event event{};
  event.events = events_of(state) | static_cast<std::uint32_t>(EPOLLONESHOT);
  event.data.ptr = &connection;
  const std::lock_guard lock(mutex_);
  // First the state, then the arming: the loop looks at the state of a connection whose event it gets, and an armed one can have its event
  // at once. Both under the lock, because in the loop's list it may be found expired.
  const State before = connection.state;
  connection.deadline = deadline;
  move(connection, state);
  if (::epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.socket.get(), &event) == 0 ||
      ::epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.socket.get(), &event) == 0) {
    return true;
  }
  move(connection, before);
  return false;
}

Connection::State ConnectionTable::take_over(const Connection& connection) const {
  const std::lock_guard lock(mutex_);
  return connection.state;
}

void ConnectionTable::set_running(Connection& connection) {
  const std::lock_guard lock(mutex_);
  move(connection, State::running);
}

void ConnectionTable::take_back(Connection& connection) {
  // Removed, for one that is armed for nothing would still be told of a hang-up.
  ::epoll_ctl(epoll_, EPOLL_CTL_DEL, connection.socket.get(), nullptr);
  set_running(connection);
}

void ConnectionTable::close(Connection& connection, bool reset) {
  if (reset) {
    const linger hard{1, 0};
    ::setsockopt(connection.socket.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  }
  // Removed by name: a child process between fork and exec may hold a copy of the descriptor, and then closing would not do it.
  ::epoll_ctl(epoll_, EPOLL_CTL_DEL, connection.socket.get(), nullptr);
  connection.exchange.reset();
  connection.output.clear();
  connection.inbox.consume(connection.inbox.view().size());
  Descriptor socket;
  {
    const std::lock_guard lock(mutex_);
    socket = std::move(connection.socket);
    closed_.splice(closed_.end(), list_of(connection.state), connection.self);
    const auto count = by_address_.find(connection.remote_address);
    if (--count->second == 0) by_address_.erase(count);
  }
}

void ConnectionTable::bury() {
  std::list<Connection> dead;
  const std::lock_guard lock(mutex_);
  dead.swap(closed_);
}

std::vector<Connection*> ConnectionTable::expired(SteadyTime now) {
  std::vector<Connection*> found;
  const std::lock_guard lock(mutex_);
  for (const State state : kTimedStates) {
    for (Connection& connection : list_of(state)) {
      if (connection.deadline > now) break;
      found.push_back(&connection);
    }
  }
  return found;
}

std::vector<Connection*> ConnectionTable::in_state(State state) {
  std::vector<Connection*> found;
  const std::lock_guard lock(mutex_);
  for (Connection& connection : list_of(state)) found.push_back(&connection);
  return found;
}

Connection* ConnectionTable::oldest_idle() {
  const std::lock_guard lock(mutex_);
  auto& idle = list_of(State::idle);
  return idle.empty() ? nullptr : &idle.front();
}

SteadyTime ConnectionTable::next_deadline() const {
  const std::lock_guard lock(mutex_);
  SteadyTime soonest = SteadyTime::max();
  for (const State state : kTimedStates) {
    const auto& list = lists_[static_cast<std::size_t>(state)];
    if (!list.empty()) soonest = std::min(soonest, list.front().deadline);
  }
  return soonest;
}

void ConnectionTable::shut_running() {
  const std::lock_guard lock(mutex_);
  for (Connection& connection : list_of(State::running)) ::shutdown(connection.socket.get(), SHUT_RDWR);
}

std::size_t ConnectionTable::size() const {
  const std::lock_guard lock(mutex_);
  std::size_t sum = 0;
  for (const auto& list : lists_) sum += list.size();
  return sum;
}

std::size_t ConnectionTable::count(State state) const {
  const std::lock_guard lock(mutex_);
  return lists_[static_cast<std::size_t>(state)].size();
}

std::size_t ConnectionTable::count_from(const std::string& address) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_address_.find(address);
  return found == by_address_.end() ? 0 : found->second;
}

}  // namespace media::http
