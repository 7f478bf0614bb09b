/// The one way in which parsers of this area touch content: forwards and backwards, never past an end, never without a budget.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inspect/bytes.hpp"
#include "media/io.hpp"
#include "media/result.hpp"

namespace media::inspect {

/// An `Errc::corrupt` that names the place: "<what> at byte <at>".
Error corrupt_at(std::string_view what, std::uint64_t at);

/// A position in content, with a window of bytes read ahead.
///
/// What a file states is never believed: no allocation depends on it, every read is checked against the innermost
/// limit (`Within`), and a probe as a whole may take kMaxSteps steps and read kMaxBytesRead bytes before it gives up as
/// `corrupt`. The window grows while reading goes on in order and shrinks after a jump, so that hopping over
/// payloads costs a small read for each.
///
/// Thread-safety: none; it has a position.
class Cursor {
 public:
  static constexpr std::size_t kWindowBytes = 64 * 1024;
  static constexpr std::uint32_t kMaxSteps = 100'000;
  static constexpr std::uint64_t kMaxBytesRead = 64ULL << 20U;

  explicit Cursor(const ByteReader& content) : content_(content), size_(content.size()), limit_(size_) {}
  Cursor(const Cursor&) = delete;
  Cursor& operator=(const Cursor&) = delete;

  [[nodiscard]] std::uint64_t position() const noexcept { return position_; }
  /// Bytes of the whole content.
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  /// Where the innermost `Within` ends, or the content.
  [[nodiscard]] std::uint64_t limit() const noexcept { return limit_; }
  [[nodiscard]] std::uint64_t remaining() const noexcept { return limit_ - position_; }

  /// Moves to an absolute position up to the limit. `what` names, for the message, the thing that would lie outside.
  Result<void> seek(std::uint64_t to, std::string_view what);
  Result<void> skip(std::uint64_t count, std::string_view what);

  /// A copy of the next N bytes; moves past them.
  template <std::size_t N>
  Result<Record<N>> take(std::string_view what) {
    static_assert(N <= kWindowBytes);
    MEDIA_TRY_ASSIGN(const Bytes bytes, ahead(N, what));
    position_ += N;
    return Record<N>(bytes);
  }

  /// `count` bytes from the position on (at most kWindowBytes) without moving. Valid until the next call.
  Result<Bytes> ahead(std::size_t count, std::string_view what);
  /// At least one byte, as many as a window holds and the limit allows; empty at the limit. Valid until the next call.
  Result<Bytes> some();

  /// To be called for each chunk, box, block: bounds the work that a file can ask for.
  Result<void> step();

  /// Narrows the limit to `end` (never widens it) for the life of this object: what is inside a box cannot leave it.
  class Within {
   public:
    Within(Cursor& cursor, std::uint64_t end) noexcept : cursor_(cursor), outer_(cursor.limit_) {
      if (end < cursor_.limit_) cursor_.limit_ = end < cursor_.position_ ? cursor_.position_ : end;
    }
    ~Within() { cursor_.limit_ = outer_; }
    Within(const Within&) = delete;
    Within& operator=(const Within&) = delete;

   private:
    Cursor& cursor_;
    std::uint64_t outer_;
  };

 private:
  Error outside(std::string_view what) const;
  /// Makes the window hold `count` bytes from the position on; the caller has checked the limit.
  Result<void> fill(std::size_t count);
  [[nodiscard]] std::size_t buffered() const noexcept;

  const ByteReader& content_;
  std::uint64_t size_;
  std::uint64_t limit_;
  std::uint64_t position_ = 0;
  std::vector<std::byte> window_;
  std::uint64_t window_begin_ = 0;
  std::size_t read_ahead_ = 4096;
  std::uint32_t steps_ = 0;
  std::uint64_t bytes_read_ = 0;
};

}  // namespace media::inspect
