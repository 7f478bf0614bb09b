// The chunked transfer coding (RFC 9112 section 7.1), as a machine that is fed what has arrived.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace media::http {

/// Strict where a second reader could differ: lines end with CR LF, sizes are plain hexadecimal digits. Extensions and trailers are
/// checked for length and control characters, and dropped.
class ChunkDecoder {
 public:
  enum class Event {
    need_more,  ///< All input was taken in.
    data,       ///< `data_left()` bytes of payload come next.
    end,        ///< The body is over; the next byte belongs to the next request.
    malformed,
  };
  /// Takes framing off the front of `input` and says how far it got through `consumed`.
  Event next(std::string_view input, std::size_t& consumed);
  /// Payload bytes of the current chunk that are still to come. Whoever takes some tells `took`.
  [[nodiscard]] std::uint64_t data_left() const noexcept { return data_left_; }
  void took(std::uint64_t bytes) noexcept;

 private:
  enum class State { size, extension, size_line_end, data, data_return, data_line_end, trailer, end, malformed };
  Event step(char c);

  State state_ = State::size;
  std::uint64_t data_left_ = 0;
  std::size_t digits_ = 0;
  std::size_t line_length_ = 0;
  std::size_t trailer_length_ = 0;
  bool after_return_ = false;
};

/// Follows a chunked body while it arrives, and takes nothing of it.
class ChunkScan {
 public:
  /// True once the body has come to its end, or to where it is malformed. `arrived` is all of it so far; it only grows between calls.
  bool is_over(std::string_view arrived);

 private:
  ChunkDecoder decoder_;
  std::size_t seen_ = 0;
  bool over_ = false;
};

}  // namespace media::http
