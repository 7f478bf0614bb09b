// Connections, and who owns each at the moment.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "http/adaptive_mutex.hpp"
#include "http/chunked.hpp"
#include "http/descriptor.hpp"
#include "http/head.hpp"
#include "http/inbox.hpp"
#include "http/listener.hpp"
#include "http/output.hpp"
#include "http/request_body.hpp"
#include "http/router.hpp"

namespace media::http {

using SteadyTime = std::chrono::steady_clock::time_point;

/// One request and its answer. It does not know which thread it runs on, and the answer is sent in a step of its own: an answer that comes
/// later than its handler's return (a parked long poll) needs nothing else here.
struct Exchange {
  Exchange(RequestBody::Connection connection, Head head_of_it, std::uint64_t body_limit, const BodyPace& pace)
      : head(std::move(head_of_it)), body(connection, head, body_limit, pace) {}

  [[nodiscard]] int slow_body_status() const noexcept {
    return match.route != nullptr ? match.route->options.slow_body_status : RouteOptions().slow_body_status;
  }

  Head head;  ///< Its path, query and fields have moved into `request`.
  Request request;
  Router::Match match;
  RequestBody body;
  ChunkScan chunks;  ///< While the loop collects the body.
  SteadyTime begun = std::chrono::steady_clock::now();
  int status = 0;
  std::size_t head_bytes = 0;  ///< Of the answer.
  bool keep_alive = false;     ///< Decided with the answer.
  bool admitted = false;       ///< The admit hook has been asked.
  std::string wait_key;        ///< While it waits.
  bool linger = false;         ///< The client may still be sending: do not reset it before it has read the answer.
};

struct Connection {
  enum class State {
    idle,        ///< Waits for the first byte of a request.
    head,        ///< Has a part of a head.
    collecting,  ///< Has the head and a part of the body.
    waiting,     ///< Its handler has no answer yet.
    running,     ///< Belongs to a pool's thread, or waits for one. Not armed in epoll.
    writing,     ///< Waits for the client to take more of the answer.
    lingering,   ///< The answer is out; what the client still sends is thrown away for a moment.
  };
  static constexpr std::size_t kStates = 7;

  Connection(Descriptor from, const HeadLimits& limits, std::atomic<std::size_t>& buffered)
      : socket(std::move(from)), inbox(buffered), scanner(limits) {}

  Descriptor socket;
  std::string remote_address;
  std::uint16_t remote_port = 0;
  Inbox inbox;
  HeadScanner scanner;
  std::unique_ptr<Exchange> exchange;
  Output output;
  State state = State::idle;
  SteadyTime deadline{};
  std::uint64_t mark = 0;  ///< Progress at the start of the current window.
  std::list<Connection>::iterator self;
};

/// All connections, by state. Within a state they are in the order of their deadlines, because a state has one time-out.
///
/// The loop owns every connection that is not `running`, a pool's thread owns a running one; whoever owns it may call the functions that
/// take it, and gives up ownership by doing so.
/// Thread-safety: all functions may be called concurrently, because one mutex guards the lists. It is held for a list operation and an
/// epoll_ctl, never for input or output.
class ConnectionTable {
 public:
  explicit ConnectionTable(int epoll) : epoll_(epoll) {}

  /// A new connection, in state idle, not armed. Throws std::bad_alloc only.
  Connection& add(Descriptor socket, Peer peer, const HeadLimits& limits, std::atomic<std::size_t>& buffered);
  /// Arms it for what its state waits for. False where the kernel refuses: the caller still owns it and closes it.
  bool park(Connection& connection, Connection::State state, SteadyTime deadline);
  void set_running(Connection& connection);
  /// As set_running, for a connection whose event has not come: it is disarmed, so that none comes while a pool's thread has it.
  void take_back(Connection& connection);
  /// The state of a connection whose event has come. Whoever parked it did so under the mutex: past it the loop sees all that they wrote,
  /// which the kernel's queue of events alone does not promise in the terms of C++.
  [[nodiscard]] Connection::State take_over(const Connection& connection) const;
  /// Closes the socket; with `reset`, so that the client sees a broken connection and not an end. The memory stays until `bury`, because
  /// the loop may hold an event for it.
  void close(Connection& connection, bool reset);
  /// For the loop between two batches of events: frees what was closed.
  void bury();

  /// Those of the loop's whose deadline has passed, soonest first within each state.
  std::vector<Connection*> expired(SteadyTime now);
  std::vector<Connection*> in_state(Connection::State state);
  /// The idle connection that has waited longest; null for none.
  Connection* oldest_idle();
  /// The soonest deadline of the loop's connections; the maximum for none.
  SteadyTime next_deadline() const;
  /// Ends both directions of every running connection's socket: whoever waits on it wakes up.
  void shut_running();
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] std::size_t count(Connection::State state) const;
  [[nodiscard]] std::size_t count_from(const std::string& address) const;

 private:
  std::list<Connection>& list_of(Connection::State state) { return lists_[static_cast<std::size_t>(state)]; }
  void move(Connection& connection, Connection::State state);

  const int epoll_;
  mutable AdaptiveMutex mutex_;
  std::array<std::list<Connection>, Connection::kStates> lists_;
  std::list<Connection> closed_;
  std::unordered_map<std::string, std::size_t> by_address_;
};

}  // namespace media::http
