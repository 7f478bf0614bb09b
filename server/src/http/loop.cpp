#include "http/loop.hpp"

#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <system_error>

namespace media::http {
namespace {

using State = Connection::State;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kNudgeTick{1};
/// So many requests are handed over before somebody is woken for them.
constexpr int kBatch = 16;
constexpr std::size_t kScratch = std::size_t{64} * 1024;
constexpr milliseconds kLongestWait{1000};
/// So long before the end of a drain those who wait are answered.
constexpr milliseconds kLastCall{1000};
constexpr milliseconds kDrainTick{50};
constexpr milliseconds kAcceptPause{100};
constexpr int kAcceptsPerTurn = 64;
/// Heads up to this size are taken in even where all that is buffered is at its limit: or nobody could be told so.
constexpr std::size_t kAlwaysBuffered = 4 * 1024;
/// Connections above the limit that may be told 503; the rest is closed without a word.
constexpr std::size_t kToldOfOverload = 64;
/// The same for connections above the limit of their address.
constexpr std::size_t kToldOfCrowd = 16;

HeadLimits limits_of(const ServerOptions& options) { return {options.max_head_bytes, options.max_target_bytes, options.max_header_count}; }

}  // namespace

Server::Loop::Loop(ServerOptions options, Router router, Hooks hooks, Listener listener, Descriptor epoll, Descriptor wake)
    : options_(std::move(options)),
      head_limits_(limits_of(options_)),
      router_(std::move(router)),
      hooks_(std::move(hooks)),
      listener_(std::move(listener)),
      port_(listener_.port),
      epoll_(std::move(epoll)),
      wake_(std::move(wake)),
      table_(epoll_.get()),
      scratch_(kScratch),
      readers_(options_.reader_threads, options_.reader_queue, std::max(2U, std::thread::hardware_concurrency())),
      bodies_(options_.body_threads, options_.body_queue, options_.body_threads),
      whole_bodies_(options_.body_threads, options_.body_queue, options_.body_threads) {}

Server::Loop::~Loop() { stop(milliseconds(0)); }

Result<void> Server::Loop::begin() {
  for (const Descriptor* descriptor : {&listener_.socket, &wake_}) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = const_cast<Descriptor*>(descriptor);
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor->get(), &event) != 0) {
      return Error{Errc::io, "epoll_ctl: " + std::generic_category().message(errno)};
    }
  }
  // sendfile(2) to a client that is gone raises it, and has no flag against that.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error& error) {
    return Error{Errc::unavailable, std::string("start the server's thread: ") + error.what()};
  }
  return {};
}

void Server::Loop::stop(milliseconds grace) {
  const std::lock_guard lock(stop_mutex_);
  if (!thread_.joinable()) return;
  const SteadyTime now = steady_clock::now();
  drain_until_ = now + grace;
  last_call_at_ = now + grace - std::min<milliseconds>(grace / 4, kLastCall);
  stopping_ = true;
  wake();
  thread_.join();
  bodies_.stop();
  whole_bodies_.stop();
  readers_.stop();
}

void Server::Loop::wake() {
  const std::uint64_t one = 1;
  // Can only fail where the counter is full, and then the loop is about to wake anyway.
  [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof one);
}

Server::Stats Server::Loop::stats() const {
  Stats stats;
  stats.connections = table_.size();
  stats.idle = table_.count(State::idle);
  stats.running = table_.count(State::running);
  stats.queued = readers_.queued() + bodies_.queued() + whole_bodies_.queued();
  stats.waiting = table_.count(State::waiting);
  stats.buffered_bytes = buffered_;
  stats.accepted = accepted_;
  stats.requests = requests_;
  stats.refused = refused_;
  return stats;
}

void Server::Loop::run() {
  std::array<epoll_event, 256> events{};
  while (true) {
    table_.bury();
    if (stopping_ && !draining_) begin_drain();
    if (draining_ && steady_clock::now() >= last_call_at_.load()) call_the_last();
    if (draining_ && steady_clock::now() >= drain_until_.load()) cut_everything();
    if (draining_ && table_.size() == 0) return;
    const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), wait_milliseconds());
    readers_.begin_batch();
    bodies_.begin_batch();
    whole_bodies_.begin_batch();
    for (int i = 0; i < count; ++i) {
      if (i % kBatch == kBatch - 1) {
        readers_.end_batch();
        bodies_.end_batch();
        whole_bodies_.end_batch();
        readers_.begin_batch();
        bodies_.begin_batch();
        whole_bodies_.begin_batch();
      }
      void* source = events[static_cast<std::size_t>(i)].data.ptr;
      if (source == &listener_.socket) {
        accept_some();
      } else if (source == &wake_) {
        std::uint64_t ignored = 0;
        [[maybe_unused]] const ssize_t got = ::read(wake_.get(), &ignored, sizeof ignored);
      } else {
        auto& connection = *static_cast<Connection*>(source);
        // Without a socket it was closed meanwhile, in this very batch.
        if (connection.socket) guarded(connection, [&] { on_event(connection); });
      }
    }
    take_returned();
    take_wakes();
    readers_.end_batch();
    bodies_.end_batch();
    whole_bodies_.end_batch();
    work_waits_ = readers_.nudge();
    for (ThreadPool* pool : {&readers_, &bodies_, &whole_bodies_}) refuse_late(*pool);
    for (Connection* connection : table_.expired(steady_clock::now())) {
      guarded(*connection, [&] { on_deadline(*connection); });
    }
    if (!accepting_ && !draining_ && steady_clock::now() >= accept_again_) {
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = &listener_.socket;
      accepting_ = ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, listener_.socket.get(), &event) == 0;
    }
  }
}

int Server::Loop::wait_milliseconds() const {
  milliseconds longest = draining_ ? kDrainTick : kLongestWait;
  if (!accepting_) longest = std::min(longest, kAcceptPause);
  const SteadyTime next = table_.next_deadline();
  const SteadyTime now = steady_clock::now();
  if (next <= now) return 0;
  if (work_waits_) longest = std::min(longest, kNudgeTick);
  if (next - now > longest) return static_cast<int>(longest.count());
  return static_cast<int>(std::chrono::ceil<milliseconds>(next - now).count());
}

void Server::Loop::accept_some() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    Peer peer;
    Descriptor socket = accept_from(listener_, peer);
    if (socket) {
      accept_one(std::move(socket), std::move(peer));
      continue;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) return;
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      Connection* idle = table_.oldest_idle();
      if (idle == nullptr) return pause_accepting();
      table_.close(*idle, false);
    }
    // Anything else (ECONNABORTED and the network errors that Linux passes through) concerns one connection that is gone.
  }
}

/// The connection stays in the backlog; without a pause the loop would be woken for it over and over.
void Server::Loop::pause_accepting() {
  epoll_event event{};
  event.data.ptr = &listener_.socket;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, listener_.socket.get(), &event);
  accepting_ = false;
  accept_again_ = steady_clock::now() + kAcceptPause;
}

void Server::Loop::accept_one(Descriptor socket, Peer peer) {
  ++accepted_;
  if (is_crowded(peer.address, kToldOfCrowd)) {
    ++refused_;
    return;
  }
  const bool crowded = is_crowded(peer.address, 0);
  bool overloaded = false;
  if (table_.size() >= options_.max_connections) {
    if (Connection* idle = table_.oldest_idle()) {
      table_.close(*idle, false);
    } else if (table_.size() >= options_.max_connections + kToldOfOverload) {
      ++refused_;
      return;
    } else {
      overloaded = true;
    }
  }
  Connection& connection = table_.add(std::move(socket), std::move(peer), head_limits_, buffered_);
  guarded(connection, [&] {
    if (crowded) return refuse(connection, {429, "too many connections from this address"});
    if (overloaded) return refuse(connection, {503, "too many connections"});
    park(connection, State::idle, steady_clock::now() + options_.idle_timeout);
  });
}

bool Server::Loop::is_crowded(const std::string& address, std::size_t allowance) const {
  const std::size_t limit = options_.max_connections_per_address;
  if (limit == 0 || table_.count_from(address) < limit + allowance) return false;
  return !options_.is_shared_address || !options_.is_shared_address(address);
}

void Server::Loop::park(Connection& connection, State state, SteadyTime deadline) {
  if (!table_.park(connection, state, deadline)) table_.close(connection, true);
}

void Server::Loop::on_event(Connection& connection) {
  const State state = table_.take_over(connection);
  if (state == State::waiting) return finish(connection, false);
  if (state == State::writing) {
    table_.set_running(connection);
    if (!readers_.submit_continuation([this, &connection](Engine&) { guarded(connection, [&] { go_on_writing(connection); }); }))
      finish(connection, false);
    return;
  }
  receive(connection);
}

void Server::Loop::receive(Connection& connection) {
  const ssize_t got = ::recv(connection.socket.get(), scratch_.data(), scratch_.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
    return park(connection, connection.state, connection.deadline);
  }
  if (got <= 0) {
    // A client that has sent a part of a body and no more may still read; every other one has nothing to be told.
    if (got == 0 && connection.state == State::collecting)
      return refuse(connection, {400, "request body: it ended before it was complete"});
    return table_.close(connection, false);
  }
  if (connection.state == State::lingering) return park(connection, State::lingering, connection.deadline);
  connection.inbox.append({scratch_.data(), static_cast<std::size_t>(got)});
  advance(connection);
}

void Server::Loop::advance(Connection& connection) {
  if (!connection.exchange && !begin_exchange(connection)) return;
  if (!wants_more_body(connection)) return dispatch(connection);
  if (connection.state != State::collecting) {
    connection.mark = connection.inbox.view().size();
    connection.deadline = steady_clock::now() + options_.body_pace.window;
  }
  park(connection, State::collecting, connection.deadline);
}

/// False where the head is not complete, or was refused.
bool Server::Loop::begin_exchange(Connection& connection) {
  const auto now = steady_clock::now();
  auto outcome = connection.scanner.scan(connection.inbox.view());
  if (const auto* failure = std::get_if<HeadFailure>(&outcome)) {
    refuse(connection, *failure);
    return false;
  }
  const auto* found = std::get_if<HeadScanner::Found>(&outcome);
  if (found == nullptr) {
    if (connection.inbox.empty()) {
      park(connection, State::idle, now + options_.idle_timeout);
    } else if (buffered_ > options_.max_buffered_bytes && connection.inbox.view().size() > kAlwaysBuffered) {
      refuse(connection, {503, "too many unfinished requests"});
    } else {
      park(connection, State::head, connection.state == State::head ? connection.deadline : now + options_.head_timeout);
    }
    return false;
  }
  auto parsed = parse_head(connection.inbox.view().substr(found->begin, found->end - found->begin), head_limits_);
  connection.inbox.consume(found->end);
  connection.scanner = HeadScanner(head_limits_);
  if (const auto* failure = std::get_if<HeadFailure>(&parsed)) {
    refuse(connection, *failure);
    return false;
  }
  start_exchange(connection, std::get<Head>(std::move(parsed)));
  if (stopping_) {
    refuse(connection, {503, "the server is stopping"});
    return false;
  }
  return true;
}

/// Whether the loop should go on to collect the body before a thread is taken for it.
bool Server::Loop::wants_more_body(Connection& connection) const {
  Exchange& exchange = *connection.exchange;
  const Router::Match& match = exchange.match;
  const bool read_by_route = match.route != nullptr && match.route->options.accepts_body && exchange.head.has_body();
  if (!read_by_route || exchange.head.expects_continue || buffered_ > options_.max_buffered_bytes) return false;
  const std::string_view body = connection.inbox.view();
  return body.size() < options_.body_prebuffer_bytes && !has_whole_body(exchange, body);
}

bool Server::Loop::has_whole_body(Exchange& exchange, std::string_view arrived) {
  return exchange.head.chunked ? exchange.chunks.is_over(arrived) : arrived.size() >= *exchange.head.content_length;
}

void Server::Loop::dispatch(Connection& connection) {
  Exchange& exchange = *connection.exchange;
  const Route* route = exchange.match.route;
  const bool slow = route != nullptr && route->options.accepts_body && exchange.head.has_body() && route->options.pool == Pool::bodies;
  table_.set_running(connection);
  ThreadPool& of_bodies = slow && has_whole_body(exchange, connection.inbox.view()) ? whole_bodies_ : bodies_;
  ThreadPool& pool = slow ? of_bodies : readers_;
  const auto run = [this, &connection](Engine& engine) { guarded(connection, [&] { run_exchange(connection, engine); }); };
  const auto too_late = [this, &connection] {
    guarded(connection, [&] { refuse(connection, {503, "no thread was free for the request in time"}); });
  };
  if (!pool.submit(run, too_late)) refuse(connection, {503, "too many requests are waiting"});
}

void Server::Loop::refuse_late(ThreadPool& pool) {
  for (const auto& too_late : pool.expired(options_.queue_patience)) too_late();
}

void Server::Loop::on_deadline(Connection& connection) {
  switch (connection.state) {
    case State::idle:
    case State::lingering:
      return table_.close(connection, false);
    case State::head:
      return refuse(connection, {408, "the head of the request took longer than " + std::to_string(options_.head_timeout.count()) + " ms"});
    case State::collecting:
      if (!taken_enough(connection)) return refuse(connection, {connection.exchange->slow_body_status(), "the body came too slowly"});
      return park(connection, State::collecting, steady_clock::now() + options_.body_pace.window);
    case State::writing:
      if (!taken_enough(connection)) return finish(connection, false);
      return park(connection, State::writing, steady_clock::now() + options_.write_window);
    case State::waiting:
      return ask_again(connection);
    case State::running:
      return;
  }
}

void Server::Loop::ask_again(Connection& connection) {
  table_.take_back(connection);
  if (!readers_.submit_continuation(
          [this, &connection](Engine& engine) { guarded(connection, [&] { run_exchange(connection, engine); }); }))
    finish(connection, false);
}

void Server::Loop::wake_waiting(std::string_view key) {
  ++wake_count_;
  // Whoever is about to wait looks at the count once more.
  if (table_.count(State::waiting) == 0) return;
  {
    const std::lock_guard lock(wakes_mutex_);
    wakes_.emplace(key);
  }
  wake();
}

void Server::Loop::take_wakes() {
  std::unordered_set<std::string> keys;
  {
    const std::lock_guard lock(wakes_mutex_);
    keys.swap(wakes_);
  }
  if (keys.empty()) return;
  for (Connection* connection : table_.in_state(State::waiting)) {
    if (keys.contains(connection->exchange->wait_key)) guarded(*connection, [&] { ask_again(*connection); });
  }
}

/// What waits in the kernel's buffer has not been taken by anybody.
std::uint64_t Server::Loop::delivered(const Connection& connection) {
  int waiting = 0;
  if (::ioctl(connection.socket.get(), SIOCOUTQ, &waiting) != 0) waiting = 0;
  return connection.output.sent() - std::min(connection.output.sent(), static_cast<std::uint64_t>(waiting));
}

/// Whether the window that is over brought what the pace asks for.
bool Server::Loop::taken_enough(Connection& connection) const {
  const bool writing = connection.state == State::writing;
  const std::uint64_t progress = writing ? delivered(connection) : connection.inbox.view().size();
  const std::uint64_t rate = writing ? options_.min_write_bytes_per_second : options_.body_pace.bytes_per_second;
  const milliseconds window = writing ? options_.write_window : options_.body_pace.window;
  const std::uint64_t gained = progress - std::min(progress, connection.mark);
  connection.mark = progress;
  return gained >= rate * static_cast<std::uint64_t>(window.count()) / 1000;
}

void Server::Loop::take_returned() {
  std::vector<Connection*> batch;
  {
    const std::lock_guard lock(returned_mutex_);
    batch.swap(returned_);
  }
  for (Connection* connection : batch) {
    guarded(*connection, [&] { advance(*connection); });
  }
}

void Server::Loop::begin_drain() {
  draining_ = true;
  accept_some();  // who is in the backlog has connected, and is told rather than reset
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, listener_.socket.get(), nullptr);
  listener_.socket.reset();
  for (Connection* connection : table_.in_state(State::idle)) {
    char first = 0;
    const bool request_is_there = ::recv(connection->socket.get(), &first, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
    if (!request_is_there) table_.close(*connection, false);
  }
  // Asked again they may wait no longer, and say how things stand; but who waits for something that is being made gets it if there is time.
  for (Connection* connection : table_.in_state(State::waiting)) {
    if (connection->exchange->request.kept.has_value()) continue;
    guarded(*connection, [&] { ask_again(*connection); });
  }
}

/// What is being made will not be there in time: whoever waits for it is told to come back, rather than cut.
void Server::Loop::call_the_last() {
  last_call_ = true;
  for (Connection* connection : table_.in_state(State::waiting)) {
    guarded(*connection, [&] { ask_again(*connection); });
  }
}

void Server::Loop::cut_everything() {
  cut_ = true;
  for (const State state : {State::idle, State::head, State::collecting, State::lingering}) {
    for (Connection* connection : table_.in_state(state)) table_.close(*connection, true);
  }
  for (const State state : {State::writing, State::waiting}) {
    for (Connection* connection : table_.in_state(state)) finish(*connection, false);
  }
  table_.shut_running();
}

}  // namespace media::http
