#include "inspect/cursor.hpp"

#include <algorithm>
#include <cassert>

namespace media::inspect {
namespace {
constexpr std::size_t kReadAfterJump = 1024;
constexpr std::uint64_t kShortHop = 4096;  // up to here, reading on costs less than a system call for each hop
}  // namespace

Error corrupt_at(std::string_view what, std::uint64_t at) {
  return Error{Errc::corrupt, std::string(what) + " at byte " + std::to_string(at)};
}

Error Cursor::outside(std::string_view what) const {
  if (limit_ == size_)
    return Error{Errc::corrupt, "the content ends early: " + std::string(what) + " at byte " + std::to_string(position_) +
                                    " needs more than its " + std::to_string(size_) + " bytes"};
  return corrupt_at(std::string(what) + " runs past the end of what holds it", position_);
}

Result<void> Cursor::seek(std::uint64_t to, std::string_view what) {
  if (to > limit_) return outside(what);
  position_ = to;
  return {};
}

Result<void> Cursor::skip(std::uint64_t count, std::string_view what) {
  if (count > remaining()) return outside(what);
  position_ += count;
  return {};
}

Result<void> Cursor::step() {
  if (++steps_ > kMaxSteps) return Error{Errc::corrupt, "the file has more than " + std::to_string(kMaxSteps) + " parts"};
  return {};
}

std::size_t Cursor::buffered() const noexcept {
  if (position_ < window_begin_ || position_ >= window_begin_ + window_.size()) return 0;
  return static_cast<std::size_t>(window_begin_ + window_.size() - position_);
}

Result<void> Cursor::fill(std::size_t count) {
  assert(count <= kWindowBytes && count <= remaining());
  if (buffered() >= count) return {};
  // In order (the position is in the window or shortly behind it): read more at once. After a jump: start small again.
  const bool in_order = position_ >= window_begin_ && position_ <= window_begin_ + window_.size() + kShortHop;
  if (!window_.empty()) read_ahead_ = in_order ? std::min(read_ahead_ * 2, kWindowBytes) : kReadAfterJump;
  const std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(std::max(count, read_ahead_), size_ - position_));
  if (bytes_read_ + wanted > kMaxBytesRead) {
    return Error{Errc::corrupt, "the headers are spread over more than " + std::to_string(kMaxBytesRead >> 20U) + " MiB"};
  }
  window_.resize(wanted);
  window_begin_ = position_;
  auto got = content_.read_at(position_, window_);
  if (!got) {
    window_.clear();
    return std::move(got).error();
  }
  bytes_read_ += *got;
  window_.resize(*got);
  if (*got < count) return Error{Errc::corrupt, "the content got shorter while it was read"};
  return {};
}

Result<Bytes> Cursor::ahead(std::size_t count, std::string_view what) {
  if (count > remaining()) return outside(what);
  MEDIA_TRY(fill(count));
  return Bytes(window_).subspan(static_cast<std::size_t>(position_ - window_begin_), count);
}

Result<Bytes> Cursor::some() {
  if (remaining() == 0) return Bytes{};
  MEDIA_TRY(fill(1));
  const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(buffered(), remaining()));
  return Bytes(window_).subspan(static_cast<std::size_t>(position_ - window_begin_), count);
}

}  // namespace media::inspect
