#include "http/request_body.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace media::http {
namespace {
constexpr std::size_t kChunkBuffer = std::size_t{32} * 1024;
using std::chrono::steady_clock;
}  // namespace

RequestBody::RequestBody(Connection connection, const Head& head, std::uint64_t default_limit, const BodyPace& pace)
    : connection_(connection),
      chunked_(head.chunked),
      remaining_(head.content_length.value_or(0)),
      announced_(remaining_),
      must_say_continue_(head.expects_continue),
      finished_(!head.has_body()),
      limit_(default_limit),
      pace_(pace),
      begun_(steady_clock::now()) {}

Error RequestBody::fail(Errc code, int status, std::string message) {
  failure_ = HeadFailure{status, message};
  error_ = {code, "request body: " + std::move(message)};
  return error_;
}

Result<void> RequestBody::check_limit(std::uint64_t total) {
  if (total > limit_) return fail(Errc::too_large, 413, "it may have " + std::to_string(limit_) + " bytes here");
  return {};
}

Result<void> RequestBody::limit(std::uint64_t bytes) {
  limit_ = bytes;
  if (failure_) return error_;
  if (hidden_) return {};
  return check_limit(std::max(announced_, received_));
}

void RequestBody::pace(const BodyPace& pace) { pace_ = pace; }

void RequestBody::cancel() noexcept {
  cancelled_ = true;
  // Wakes whoever polls the socket for more to read; the answer can still be written.
  ::shutdown(connection_.socket, SHUT_RD);
}

Result<void> RequestBody::say_continue() {
  constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  must_say_continue_ = false;
  // Nothing else is on its way to the client now, so its socket has room for these few bytes unless it is gone.
  if (::send(connection_.socket, kContinue.data(), kContinue.size(), MSG_NOSIGNAL | MSG_DONTWAIT) !=
      static_cast<ssize_t>(kContinue.size())) {
    return fail(Errc::io, 0, "the client is gone");
  }
  return {};
}

Result<void> RequestBody::wait_readable() {
  const auto before = steady_clock::now();
  const bool paced = pace_.bytes_per_second > 0 && pace_.window.count() > 0;
  if (paced && waited_ >= pace_.window) {
    const auto seconds = std::chrono::duration<double>(waited_).count();
    if (static_cast<double>(window_bytes_) < seconds * static_cast<double>(pace_.bytes_per_second)) {
      return fail(Errc::expired, 408, "it came more slowly than " + std::to_string(pace_.bytes_per_second) + " bytes a second");
    }
    waited_ = {};
    window_bytes_ = 0;
  }
  auto until = begun_ + pace_.total - before;
  if (until.count() <= 0) return fail(Errc::expired, 408, "it took longer than " + std::to_string(pace_.total.count() / 1000) + " seconds");
  if (paced) until = std::min<steady_clock::duration>(until, pace_.window - waited_);
  const auto wait_ms = std::clamp<std::int64_t>(std::chrono::ceil<std::chrono::milliseconds>(until).count(), 1, 60'000);
  pollfd poll_for{connection_.socket, POLLIN, 0};
  const int ready = ::poll(&poll_for, 1, static_cast<int>(wait_ms));
  if (ready < 0 && errno != EINTR) return fail(Errc::io, 0, "poll failed");
  waited_ += steady_clock::now() - before;
  return {};
}

Result<std::size_t> RequestBody::take(std::span<std::byte> into) {
  if (cancelled_) return fail(Errc::cancelled, 409, "another request took over");
  if (const std::string_view buffered = connection_.inbox.view(); !buffered.empty()) {
    const std::size_t count = std::min(buffered.size(), into.size());
    std::memcpy(into.data(), buffered.data(), count);
    connection_.inbox.consume(count);
    must_say_continue_ = false;  // it did not wait to be told
    return count;
  }
  if (must_say_continue_) MEDIA_TRY(say_continue());
  while (true) {
    const ssize_t got = ::recv(connection_.socket, into.data(), into.size(), MSG_DONTWAIT);
    if (got > 0) {
      window_bytes_ += static_cast<std::uint64_t>(got);
      return static_cast<std::size_t>(got);
    }
    if (got == 0) {
      if (cancelled_) return fail(Errc::cancelled, 409, "another request took over");
      if (connection_.cut) return fail(Errc::cancelled, 0, "the server stops");
      return fail(Errc::invalid_argument, 400, "it ended before it was complete");
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return fail(Errc::io, 0, "the client is gone");
    MEDIA_TRY(wait_readable());
  }
}

Result<void> RequestBody::receive_into_inbox() {
  std::array<std::byte, kChunkBuffer> buffer;  // NOLINT: filled by take, up to what it says
  MEDIA_TRY_ASSIGN(const std::size_t got, take(buffer));
  connection_.inbox.append({reinterpret_cast<const char*>(buffer.data()), got});
  return {};
}

Result<std::size_t> RequestBody::read_sized(std::span<std::byte> into) {
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, into.size()));
  MEDIA_TRY_ASSIGN(const std::size_t got, take(into.first(count)));
  remaining_ -= got;
  finished_ = remaining_ == 0;
  return got;
}

Result<std::size_t> RequestBody::read_chunked(std::span<std::byte> into) {
  while (true) {
    std::size_t consumed = 0;
    const auto event = decoder_.next(connection_.inbox.view(), consumed);
    connection_.inbox.consume(consumed);
    switch (event) {
      case ChunkDecoder::Event::need_more:
        MEDIA_TRY(receive_into_inbox());
        break;
      case ChunkDecoder::Event::malformed:
        return fail(Errc::invalid_argument, 400, "its chunks are malformed");
      case ChunkDecoder::Event::end:
        finished_ = true;
        return std::size_t{0};
      case ChunkDecoder::Event::data: {
        MEDIA_TRY(check_limit(received_ + decoder_.data_left()));
        const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(decoder_.data_left(), into.size()));
        MEDIA_TRY_ASSIGN(const std::size_t got, take(into.first(count)));
        decoder_.took(got);
        return got;
      }
    }
  }
}

Result<std::size_t> RequestBody::read(std::span<std::byte> into) {
  if (failure_) return error_;
  if (finished_ || hidden_ || into.empty()) return std::size_t{0};
  MEDIA_TRY(check_limit(announced_));
  MEDIA_TRY_ASSIGN(const std::size_t got, chunked_ ? read_chunked(into) : read_sized(into));
  received_ += got;
  return got;
}

bool RequestBody::drop_buffered() {
  Inbox& inbox = connection_.inbox;
  if (failure_ || must_say_continue_) return finished_ && !failure_;
  while (!finished_) {
    if (!chunked_) {
      const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, inbox.view().size()));
      inbox.consume(count);
      remaining_ -= count;
      finished_ = remaining_ == 0;
      return finished_;
    }
    std::size_t consumed = 0;
    const auto event = decoder_.next(inbox.view(), consumed);
    inbox.consume(consumed);
    if (event == ChunkDecoder::Event::end) {
      finished_ = true;
    } else if (event == ChunkDecoder::Event::data && !inbox.empty()) {
      const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(decoder_.data_left(), inbox.view().size()));
      inbox.consume(count);
      decoder_.took(count);
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace media::http
