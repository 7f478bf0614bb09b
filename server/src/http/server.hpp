/// The server: one loop that accepts, parks and times, pools of threads that run handlers, and limits on everything.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "http/message.hpp"
#include "http/router.hpp"
#include "media/result.hpp"

namespace media::http {

struct ServerOptions {
  std::string host = "127.0.0.1";  ///< An address, or a name that resolves to one.
  std::uint16_t port = 0;          ///< 0: a free one.
  std::string name = "mediad";     ///< For the Server field.

  std::size_t max_head_bytes = 64 * 1024;
  std::size_t max_target_bytes = 8 * 1024;
  std::size_t max_header_count = 100;
  /// From the first byte of a head to its last.
  std::chrono::milliseconds head_timeout{std::chrono::seconds(10)};
  /// A connection between requests, or before its first one.
  std::chrono::milliseconds idle_timeout{std::chrono::seconds(60)};

  std::uint64_t default_body_limit = 1024 * 1024;  ///< Until the route sets its own (Body::limit).
  BodyPace body_pace;
  /// The loop itself collects this much of a body (or all of it) before a thread is taken, so that slow senders of small bodies hold none.
  std::size_t body_prebuffer_bytes = 32 * 1024;
  /// All that the loop holds for heads and bodies that are not with a thread yet; above it large heads are refused with 503 and bodies
  /// get their thread at once.
  std::size_t max_buffered_bytes = 32 * 1024 * 1024;

  /// A client that takes less than this, averaged over a window, while an answer waits for it is cut.
  std::uint64_t min_write_bytes_per_second = 1024;
  std::chrono::milliseconds write_window{std::chrono::seconds(15)};

  /// Above it the connection idle longest gives way, else the new one is told 503.
  std::size_t max_connections = 8192;
  /// From one address; above it a new one is told 429. 0: as many as there is room for.
  std::size_t max_connections_per_address = 0;
  /// Addresses that this does not count for, because many clients stand behind them. Called by the loop: it must be quick.
  std::function<bool(std::string_view address)> is_shared_address{};
  std::size_t reader_threads = 16;  ///< Threads start when there is work for them.
  /// Threads that read bodies at their clients' pace; and as many for requests whose body is there already, which are not to wait for
  /// those.
  std::size_t body_threads = 32;
  std::size_t reader_queue = 2048;  ///< Requests waiting for a thread; above it 503.
  std::size_t body_queue = 256;
  /// A request that has waited for a thread for so long is told 503.
  std::chrono::milliseconds queue_patience{std::chrono::seconds(10)};
  std::chrono::seconds retry_after{1};
  /// Answers that are not there yet (`Response::wait_for`), at most; a request beyond it may not wait.
  std::size_t max_waiting = 256;
  std::chrono::milliseconds wait_tick{std::chrono::seconds(1)};
};

/// One finished exchange. `method` and `path` are empty where the head could not be read.
struct AccessRecord {
  std::string_view method;
  std::string_view path;
  std::string_view route;  ///< The pattern that matched; empty for none.
  int status = 0;          ///< As sent; 0 where the connection broke before an answer.
  bool complete = false;   ///< False where the answer was cut.
  std::uint64_t body_bytes_sent = 0;
  std::uint64_t body_bytes_received = 0;
  std::chrono::microseconds duration{0};  ///< From the head's last byte to the answer's.
  std::string_view request_id;
  std::string_view remote_address;
  const Request* request = nullptr;  ///< For what it was, and what the hooks put into it; never null in a hook.
};

/// What the application says about requests and answers. All but `admit` are called from several threads at once, the loop's included: they
/// must be quick.
struct Hooks {
  /// Makes every failure's answer, the server's own (400, 404, 405, 408, 411, 413, 414, 415, 431, 500, 501, 503, 505) included, and the
  /// bodies of 4xx and 5xx answers that have none. The server adds Allow and Retry-After. Empty: a line of text.
  std::function<Response(int status, std::string message, const Request& request)> error;
  /// Asked before a handler runs, on the handler's thread and before the client is told to continue with its body: the answer that it
  /// gives goes out in the handler's place. May block as a handler may.
  std::function<std::optional<Response>(Request& request, const Route& route)> admit;
  /// Runs the route's handler, and what is to be around it, on the same thread. Absent: the handler alone is run.
  std::function<Response(Request& request, const Route& route)> handle;
  /// Has the last word on every answer that goes out, failures included. `route` is null where none matched.
  std::function<void(const Request& request, const Route* route, Response& response)> dress;
  std::function<void(const AccessRecord&)> access;
  /// An exception came out of a handler, or it made an answer that cannot be sent. `what` is for a log, never for the client.
  std::function<void(std::string_view what, const Request& request)> fault;
};

/// Thread-safety: `wake`, `port` and `stats` may be called from any thread; `stop` from any but the server's own.
class Server {
 public:
  /// Binds, starts the loop and returns: requests are answered from then on. SIGPIPE is ignored from here on in the whole process,
  /// because sendfile(2) has no other way to be told. Errors: `invalid_argument` (host), `denied`, `already_exists` (the port is taken),
  /// `io`.
  static Result<std::unique_ptr<Server>> start(ServerOptions options, Router router, Hooks hooks = {});
  /// Stops with no grace.
  ~Server();

  [[nodiscard]] std::uint16_t port() const noexcept;

  struct Stats {
    std::size_t connections = 0;
    std::size_t idle = 0;     ///< Parked between requests.
    std::size_t running = 0;  ///< With a thread or waiting for one.
    std::size_t queued = 0;   ///< Waiting for a thread.
    std::size_t waiting = 0;  ///< Parked until their answer is there.
    std::size_t buffered_bytes = 0;
    std::uint64_t accepted = 0;
    std::uint64_t requests = 0;
    std::uint64_t refused = 0;  ///< 503 or 429 by the loop, or no room for the connection.
  };
  [[nodiscard]] Stats stats() const;

  /// Asks those that wait for `key` again. Any thread, the handlers' too.
  void wake(std::string_view key);
  /// Takes no new connections, closes idle ones, tells heads that arrive meanwhile 503, lets requests whose head is in (uploads included)
  /// finish within `grace`, then cuts what is left. Returns when the last handler has returned; a second call does nothing.
  void stop(std::chrono::milliseconds grace);

 private:
  class Loop;
  explicit Server(std::unique_ptr<Loop> loop);
  std::unique_ptr<Loop> loop_;
};

}  // namespace media::http
