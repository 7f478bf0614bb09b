#include "http/chunked.hpp"

#include <algorithm>

#include "http/text.hpp"

namespace media::http {
namespace {
constexpr std::size_t kMaxDigits = 15;  // 60 bits: no overflow, and more than anybody sends
constexpr std::size_t kMaxExtension = 256;
constexpr std::size_t kMaxTrailers = 8 * 1024;

bool is_control(char c) {
  const auto code = static_cast<unsigned char>(c);
  return (code < 0x20 && c != '\t') || code == 0x7F;
}
}  // namespace

void ChunkDecoder::took(std::uint64_t bytes) noexcept {
  data_left_ -= bytes;
  if (data_left_ == 0) state_ = State::data_return;
}

ChunkDecoder::Event ChunkDecoder::next(std::string_view input, std::size_t& consumed) {
  consumed = 0;
  while (true) {
    if (state_ == State::data) return Event::data;
    if (state_ == State::end) return Event::end;
    if (state_ == State::malformed) return Event::malformed;
    if (consumed == input.size()) return Event::need_more;
    if (step(input[consumed++]) == Event::malformed) state_ = State::malformed;
  }
}

ChunkDecoder::Event ChunkDecoder::step(char c) {
  switch (state_) {
    case State::size:
      if (const int value = hex_value(c); value >= 0) {
        if (++digits_ > kMaxDigits) return Event::malformed;
        data_left_ = data_left_ << 4U | static_cast<std::uint64_t>(value);
        return Event::need_more;
      }
      if (digits_ == 0) return Event::malformed;
      if (c != ';' && c != '\r') return Event::malformed;
      state_ = c == ';' ? State::extension : State::size_line_end;
      line_length_ = 0;
      return Event::need_more;
    case State::extension:
      if (c == '\r') {
        state_ = State::size_line_end;
      } else if (is_control(c) || ++line_length_ > kMaxExtension) {
        return Event::malformed;
      }
      return Event::need_more;
    case State::size_line_end:
      if (c != '\n') return Event::malformed;
      state_ = data_left_ > 0 ? State::data : State::trailer;
      line_length_ = 0;
      return Event::need_more;
    case State::data_return:
      if (c != '\r') return Event::malformed;
      state_ = State::data_line_end;
      return Event::need_more;
    case State::data_line_end:
      if (c != '\n') return Event::malformed;
      state_ = State::size;
      digits_ = 0;
      return Event::need_more;
    case State::trailer:
      if (++trailer_length_ > kMaxTrailers || after_return_ != (c == '\n')) return Event::malformed;
      after_return_ = c == '\r';
      if (c == '\n') {
        if (line_length_ == 0) state_ = State::end;
        line_length_ = 0;
      } else if (c != '\r') {
        if (is_control(c)) return Event::malformed;
        ++line_length_;
      }
      return Event::need_more;
    case State::data:
    case State::end:
    case State::malformed:
      break;
  }
  return Event::malformed;
}

bool ChunkScan::is_over(std::string_view arrived) {
  while (!over_) {
    std::size_t consumed = 0;
    const auto event = decoder_.next(arrived.substr(seen_), consumed);
    seen_ += consumed;
    if (event != ChunkDecoder::Event::data) {
      over_ = event != ChunkDecoder::Event::need_more;
      break;
    }
    if (seen_ == arrived.size()) return false;
    const auto taken = std::min<std::uint64_t>(decoder_.data_left(), arrived.size() - seen_);
    decoder_.took(taken);
    seen_ += static_cast<std::size_t>(taken);
  }
  return over_;
}

}  // namespace media::http
