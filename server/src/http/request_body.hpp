// The body of the request that a connection is at.
#pragma once

#include <atomic>
#include <chrono>
#include <optional>
#include <string>

#include "http/chunked.hpp"
#include "http/head.hpp"
#include "http/inbox.hpp"
#include "http/message.hpp"

namespace media::http {

/// Body over a socket and what was received from it already.
class RequestBody final : public Body {
 public:
  struct Connection {
    int socket;
    Inbox& inbox;
    const std::atomic<bool>& cut;  ///< The server has closed the socket by itself.
  };
  RequestBody(Connection connection, const Head& head, std::uint64_t default_limit, const BodyPace& pace);

  Result<std::size_t> read(std::span<std::byte> into) override;
  Result<void> limit(std::uint64_t bytes) override;
  void pace(const BodyPace& pace) override;
  void cancel() noexcept override;
  [[nodiscard]] std::uint64_t received() const noexcept override { return received_; }

  /// Makes the body look empty to a handler that accepts none. What came is dealt with by `drop_buffered`.
  void hide() noexcept { hidden_ = true; }
  /// Reads on over what has arrived already, without waiting, and says whether that was the end of the body: only then may the connection
  /// carry another request.
  bool drop_buffered();
  /// What went wrong, with the status to answer; status 0 where nobody is left to be answered.
  [[nodiscard]] const std::optional<HeadFailure>& failure() const noexcept { return failure_; }

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;

  Error fail(Errc code, int status, std::string message);
  Result<void> check_limit(std::uint64_t total);
  Result<void> say_continue();
  Result<void> wait_readable();
  /// At least one byte from inbox or socket, up to the span.
  Result<std::size_t> take(std::span<std::byte> into);
  Result<void> receive_into_inbox();
  Result<std::size_t> read_sized(std::span<std::byte> into);
  Result<std::size_t> read_chunked(std::span<std::byte> into);

  Connection connection_;
  bool chunked_;
  std::uint64_t remaining_;  ///< Of a body with a Content-Length.
  std::uint64_t announced_;
  bool must_say_continue_;
  bool finished_;
  bool hidden_ = false;
  std::atomic<bool> cancelled_{false};
  ChunkDecoder decoder_;
  std::uint64_t limit_;
  std::uint64_t received_ = 0;
  BodyPace pace_;
  SteadyTime begun_;
  std::chrono::steady_clock::duration waited_{
      0};  ///< In the current window; only waiting for the client counts, not the handler's own work.
  std::uint64_t window_bytes_ = 0;
  std::optional<HeadFailure> failure_;
  Error error_;
};

}  // namespace media::http
