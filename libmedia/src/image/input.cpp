#include "image/input.hpp"

#include <algorithm>
#include <cstring>
#include <new>

namespace media::image {

bool Input::refill() noexcept {
  used_ = have_ = 0;
  if (error_) return false;
  try {
    auto got = reader_.read_at(offset_, buffer_);
    if (!got) {
      error_ = std::move(got).error();
      return false;
    }
    have_ = *got;
  } catch (const std::bad_alloc&) {
    error_ = Error{Errc::unavailable, {}};
    return false;
  }
  offset_ += have_;
  return have_ > 0;
}

std::span<const std::byte> Input::next() noexcept {
  if (used_ == have_ && !refill()) return {};
  const std::span<const std::byte> out(buffer_.data() + used_, have_ - used_);
  used_ = have_;
  return out;
}

std::size_t Input::read(std::span<std::byte> into) noexcept {
  std::size_t done = 0;
  while (done < into.size()) {
    if (used_ == have_ && !refill()) break;
    const std::size_t count = std::min(into.size() - done, have_ - used_);
    std::memcpy(into.data() + done, buffer_.data() + used_, count);
    used_ += count;
    done += count;
  }
  return done;
}

void Input::skip(std::uint64_t bytes) noexcept {
  const auto buffered = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, have_ - used_));
  used_ += buffered;
  bytes -= buffered;
  if (bytes > 0) {
    // Past the end of the content is no error here: the next read finds nothing.
    offset_ = bytes > reader_.size() || offset_ > reader_.size() - bytes ? reader_.size() : offset_ + bytes;
    used_ = have_ = 0;
  }
}

}  // namespace media::image
