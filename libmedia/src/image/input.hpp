/// A reader's bytes in order, for codecs that pull.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "media/io.hpp"
#include "media/result.hpp"

namespace media::image {

/// Reads in pieces of 64 KiB. Nothing is thrown, because callers stand in callbacks of C libraries; what went wrong is
/// kept in `error`.
///
/// Thread-safety: none; it has a position.
class Input {
 public:
  explicit Input(const ByteReader& reader) : reader_(reader), buffer_(std::size_t{64} << 10U) {}

  /// The bytes from the position on, at least one; the position moves past them. Empty at the end and after an error.
  std::span<const std::byte> next() noexcept;
  /// Fills `into` and says how many bytes came; fewer only at the end or after an error.
  std::size_t read(std::span<std::byte> into) noexcept;
  /// Moves the position on.
  void skip(std::uint64_t bytes) noexcept;
  /// Bytes handed out or skipped so far.
  [[nodiscard]] std::uint64_t position() const noexcept { return offset_ - (have_ - used_); }
  [[nodiscard]] const std::optional<Error>& error() const noexcept { return error_; }

 private:
  bool refill() noexcept;

  const ByteReader& reader_;
  std::vector<std::byte> buffer_;
  std::uint64_t offset_ = 0;  ///< In the reader, of the end of the buffer.
  std::size_t used_ = 0;
  std::size_t have_ = 0;
  std::optional<Error> error_;
};

}  // namespace media::image
