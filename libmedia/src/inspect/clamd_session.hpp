/// One connection to clamd, on which one command follows the other.
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/unique_fd.hpp"
#include "inspect/clamd_reply.hpp"
#include "media/io.hpp"
#include "media/result.hpp"

namespace media::inspect {

/// Where it listens.
struct ClamdAddress {
  std::string path{};  ///< Of a socket file; empty: TCP.
  std::string host{};  ///< An address of this machine.
  std::uint16_t port = 0;
};
/// `invalid_argument` for what ClamdOptions::address does not take.
Result<ClamdAddress> parse_clamd_address(std::string_view text);

/// Thread-safety: none; it has a state.
class ClamdSession {
 public:
  using Deadline = std::chrono::steady_clock::time_point;

  /// Errors: `unavailable`.
  static Result<std::unique_ptr<ClamdSession>> open(const ClamdAddress& address, Deadline deadline);
  ClamdSession(const ClamdSession&) = delete;
  ClamdSession& operator=(const ClamdSession&) = delete;
  ~ClamdSession() = default;

  /// Errors: `unavailable`, `corrupt` (an answer that is none).
  Result<ClamdReply> ping(Deadline deadline);
  /// Sends the content and takes the answer, which may come before the content's end. Errors: those of `ping`, and the content's own.
  Result<ClamdReply> scan(const ByteReader& content, Deadline deadline);

  /// For one that was idle: has clamd closed it, or said something unasked?
  [[nodiscard]] bool is_stale() const noexcept;
  /// The connection broke while content was sent: what clamd does where it is too much for it, the answer often lost with the connection.
  [[nodiscard]] bool broke_while_sending() const noexcept { return broke_while_sending_; }

 private:
  explicit ClamdSession(UniqueFd fd) noexcept : fd_(std::move(fd)) {}

  enum class Sent : std::uint8_t { all, answered, broken };
  Result<Sent> send(std::span<const std::byte> bytes, Deadline deadline);
  Result<Sent> send_content(const ByteReader& content, Deadline deadline);
  Result<ClamdReply> receive(Deadline deadline);

  UniqueFd fd_;
  std::uint32_t commands_ = 0;
  bool broke_while_sending_ = false;
  bool spoilt_ = false;  ///< It waits for the rest of a content that will not come.
};

}  // namespace media::inspect
