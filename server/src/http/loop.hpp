// The loop behind Server, and what the pools' threads do for it.
#pragma once

#include <atomic>
#include <mutex>
#include <new>
#include <thread>
#include <unordered_set>
#include <vector>

#include "http/connection.hpp"
#include "http/engine.hpp"
#include "http/listener.hpp"
#include "http/server.hpp"
#include "http/thread_pool.hpp"

namespace media::http {

/// loop.cpp holds what the loop's thread does (accept, receive, time), exchanges.cpp what becomes of a request.
///
/// Thread-safety: that of Server. Connections pass between the loop and the pools through ConnectionTable.
class Server::Loop {
 public:
  Loop(ServerOptions options, Router router, Hooks hooks, Listener listener, Descriptor epoll, Descriptor wake);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  [[nodiscard]] Result<void> begin();
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  [[nodiscard]] Stats stats() const;
  void wake_waiting(std::string_view key);
  void stop(std::chrono::milliseconds grace);

 private:
  // The loop's thread.
  void run();
  [[nodiscard]] int wait_milliseconds() const;
  void accept_some();
  void accept_one(Descriptor socket, Peer peer);
  void pause_accepting();
  void on_event(Connection& connection);
  void receive(Connection& connection);
  void advance(Connection& connection);
  bool begin_exchange(Connection& connection);
  [[nodiscard]] bool wants_more_body(Connection& connection) const;
  /// Whether all of the body has arrived, so that reading it waits for nobody.
  [[nodiscard]] static bool has_whole_body(Exchange& exchange, std::string_view arrived);
  void dispatch(Connection& connection);
  /// Tells those that have waited for a thread for too long.
  void refuse_late(ThreadPool& pool);
  void park(Connection& connection, Connection::State state, SteadyTime deadline);
  void on_deadline(Connection& connection);
  [[nodiscard]] bool taken_enough(Connection& connection) const;
  /// Bytes of the answer that the client's side has acknowledged.
  [[nodiscard]] static std::uint64_t delivered(const Connection& connection);
  void take_returned();
  void take_wakes();
  [[nodiscard]] bool is_crowded(const std::string& address, std::size_t allowance) const;
  void begin_drain();
  void call_the_last();
  void cut_everything();
  /// Answers with a failure without a handler, and closes.
  void refuse(Connection& connection, const HeadFailure& failure);

  // Any thread that owns the connection.
  void start_exchange(Connection& connection, Head head);
  void run_exchange(Connection& connection, Engine& engine);
  /// Has a waiting connection's handler asked again, on a pool's thread.
  void ask_again(Connection& connection);
  /// Parks an exchange whose handler has no answer yet; `wakes` is how many wake-ups there had been when it was asked.
  [[nodiscard]] bool may_wait_on(const Exchange& exchange) const;
  void wait(Connection& connection, const std::string& key, std::uint64_t wakes);
  Response answer(Exchange& exchange);
  Response call_handler(Exchange& exchange);
  Response failure_response(int status, std::string message, const Request& request);
  /// The answer with all that goes out being valid, and a body where a failure has none.
  Response presentable(Response response, const Request& request);
  /// The answer as the application's hook leaves it, also where the hook fails; without fields that cannot go out.
  Response dressed(Response response, const Exchange& exchange);
  void send_answer(Connection& connection, Engine& engine, Response response);
  void go_on_writing(Connection& connection);
  void finish(Connection& connection, bool complete);
  void report(const Connection& connection, bool complete);
  void wake();
  /// Runs what may allocate. Memory can only run out while the connection is still owned here, for giving it up is the last step of
  /// everything.
  template <class Action>
  void guarded(Connection& connection, Action action) {
    try {
      action();
    } catch (const std::bad_alloc&) {
      table_.close(connection, true);
    }
  }

  const ServerOptions options_;
  const HeadLimits head_limits_;
  const Router router_;
  const Hooks hooks_;
  Listener listener_;
  const std::uint16_t port_;
  Descriptor epoll_;
  Descriptor wake_;
  ConnectionTable table_;
  Engine engine_;  ///< The loop's own.
  std::vector<char> scratch_;

  std::atomic<std::size_t> buffered_{0};
  std::atomic<std::uint64_t> accepted_{0};
  std::atomic<std::uint64_t> requests_{0};
  std::atomic<std::uint64_t> refused_{0};

  std::mutex returned_mutex_;
  std::vector<Connection*> returned_;  ///< Kept alive, with the next request in their inbox already.

  std::mutex wakes_mutex_;
  std::unordered_set<std::string> wakes_;  ///< Keys whose waiting connections are to be asked again.
  std::atomic<std::uint64_t> wake_count_{0};

  std::mutex stop_mutex_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> cut_{false};
  std::atomic<SteadyTime> drain_until_{};
  std::atomic<SteadyTime> last_call_at_{SteadyTime::max()};  ///< From then on nobody may wait for anything.
  bool draining_ = false;
  std::atomic<bool> last_call_{false};
  SteadyTime accept_again_{};
  bool accepting_ = true;
  std::thread thread_;
  // Last, so that their threads end before anything that they use.
  ThreadPool readers_;
  bool work_waits_ = false;  ///< In the readers' queue, when it was last looked at.
  ThreadPool bodies_;
  ThreadPool whole_bodies_;
};

}  // namespace media::http
