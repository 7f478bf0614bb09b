// A client that says exactly what a test wants to be said, and servers for it to say it to.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/descriptor.hpp"
#include "http/http.hpp"

namespace test {

using namespace std::chrono_literals;

struct Reply {
  int status = 0;  ///< 0: the connection ended before a head was complete.
  std::string head;
  std::string body;
  bool complete = false;  ///< The body has its whole Content-Length.

  [[nodiscard]] std::optional<std::string> field(std::string_view name) const;
  [[nodiscard]] std::size_t count(std::string_view name) const;
};

/// One connection over a plain socket. Every wait has a limit; what runs into it throws.
class Client {
 public:
  /// `receive_buffer` of 0 leaves the kernel's choice.
  explicit Client(std::uint16_t port, int receive_buffer = 0);

  /// Sends all of it; false where the other side no longer takes it.
  bool send(std::string_view text);
  Reply read_reply(bool head_only = false, std::chrono::milliseconds limit = 10s);
  /// `send` and `read_reply`.
  Reply ask(std::string_view request) {
    send(request);
    return read_reply(request.starts_with("HEAD"));
  }
  /// Everything until the other side closes.
  std::string read_to_end(std::chrono::milliseconds limit = 10s);
  /// Whether the other side closes (or resets) within `limit`; what it sends before is thrown away.
  bool closed_within(std::chrono::milliseconds limit);
  /// Says that nothing more will be sent.
  void finish_sending();
  /// Goes away without a goodbye (RST).
  void vanish();
  [[nodiscard]] int socket() const noexcept { return socket_.get(); }

 private:
  /// False at the end of the stream.
  bool receive(std::chrono::steady_clock::time_point until);

  media::http::Descriptor socket_;
  std::string buffer_;
  bool was_reset_ = false;
};

/// "GET path HTTP/1.1" with a Host and further fields ("A: b\r\n").
std::string get(std::string_view path, std::string_view fields = "", std::string_view method = "GET");
/// With a body and its Content-Length.
std::string put(std::string_view path, std::string_view body, std::string_view fields = "", std::string_view method = "PUT");

/// What the hooks of a TestServer saw.
struct Access {
  std::string method, path, route;
  int status = 0;
  bool complete = false;
  std::uint64_t sent = 0, received = 0;
};

/// A server with routes of many kinds: see http_client.cpp.
class TestServer {
 public:
  explicit TestServer(media::http::ServerOptions options = {}, const std::function<void(media::http::Router&)>& more = {});
  ~TestServer();

  [[nodiscard]] std::uint16_t port() const { return server_->port(); }
  media::http::Server& operator*() { return *server_; }
  media::http::Server* operator->() { return server_.get(); }
  std::vector<Access> accesses();
  std::vector<std::string> faults();
  /// Waits until so many exchanges are finished.
  std::vector<Access> wait_for_accesses(std::size_t count);

 private:
  std::mutex mutex_;
  std::vector<Access> accesses_;
  std::vector<std::string> faults_;
  std::unique_ptr<media::http::Server> server_;
};

/// Tries until it holds, for at most ten seconds.
bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds limit = 10s);
/// Resident memory of this process in bytes.
std::size_t resident_bytes();
std::size_t open_descriptors();

}  // namespace test
