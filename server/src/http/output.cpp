#include "http/output.hpp"

#include <sys/sendfile.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace media::http {
namespace {
/// Text up to this size joins the text before it, so that head and body of a small answer leave in one packet.
constexpr std::size_t kJoinBelow = std::size_t{16} * 1024;
constexpr std::size_t kReadAhead = std::size_t{256} * 1024;
}  // namespace

void Output::append(std::string_view text) {
  if (text.empty()) return;
  if (!empty() && queue_.back().reader == nullptr && queue_.back().text.size() + text.size() <= 2 * kJoinBelow) {
    queue_.back().text.append(text);
  } else {
    queue_.push_back({std::string(text), nullptr, 0, 0});
  }
}

void Output::append(Piece piece) {
  if (piece.reader == nullptr && piece.text.size() <= kJoinBelow) {
    append(std::string_view(piece.text));
  } else if (piece.reader != nullptr && piece.length <= kJoinBelow && join_content(piece)) {
    return;
  } else if (piece.size() > 0) {
    queue_.push_back(std::move(piece));
  }
}

bool Output::join_content(const Piece& piece) {
  std::array<std::byte, kJoinBelow> content;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled below
  const auto into = std::span(content).first(static_cast<std::size_t>(piece.length));
  const auto got = piece.reader->read_at(piece.offset, into);
  if (!got || *got != into.size()) return false;  // sending it fails in the same way, and that is where it is dealt with
  append(std::string_view(reinterpret_cast<const char*>(into.data()), into.size()));
  return true;
}

void Output::clear() {
  queue_.clear();
  queue_.shrink_to_fit();
  front_ = 0;
  front_done_ = 0;
  std::vector<std::byte>().swap(read_ahead_);
  read_begin_ = 0;
  sent_ = 0;
}

Output::Step Output::send_text(int socket, std::string_view text, bool more_follows) {
  while (true) {
    const ssize_t sent = ::send(socket, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT | (more_follows ? MSG_MORE : 0));
    if (sent >= 0) return {Outcome::done, static_cast<std::uint64_t>(sent)};
    if (errno == EINTR) continue;
    return {errno == EAGAIN || errno == EWOULDBLOCK ? Outcome::blocked : Outcome::failed, 0};
  }
}

Output::Step Output::send_window(int socket, const FileWindow& window, std::uint64_t offset, std::uint64_t length) {
  if (offset >= window.length) return {Outcome::failed, 0};
  auto position = static_cast<off_t>(window.offset + offset);
  const std::uint64_t count = std::min(length, window.length - offset);
  while (true) {
    const ssize_t sent = ::sendfile(socket, window.descriptor, &position, static_cast<std::size_t>(count));
    if (sent > 0) return {Outcome::done, static_cast<std::uint64_t>(sent)};
    if (sent == 0) return {Outcome::failed, 0};  // the file got shorter than the length that was announced
    if (errno == EINTR) continue;
    return {errno == EAGAIN || errno == EWOULDBLOCK ? Outcome::blocked : Outcome::failed, 0};
  }
}

Output::Step Output::send_content(int socket, const Piece& piece, bool more_follows) {
  if (read_begin_ == read_ahead_.size()) {
    const std::uint64_t left = piece.length - front_done_;
    read_ahead_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(left, kReadAhead)));
    read_begin_ = 0;
    const auto got = piece.reader->read_at(piece.offset + front_done_, read_ahead_);
    // Short means truncated, because pieces end where contents end. Nothing of a doubtful read goes out.
    if (!got || *got != read_ahead_.size()) return {Outcome::failed, 0};
  }
  const auto rest = std::span(read_ahead_).subspan(read_begin_);
  const Step step = send_text(socket, {reinterpret_cast<const char*>(rest.data()), rest.size()}, more_follows);
  read_begin_ += static_cast<std::size_t>(step.bytes);
  return step;
}

Output::Step Output::send_front(int socket, std::uint64_t at_most) {
  const Piece& piece = queue_[front_];
  const bool more_follows = front_ + 1 < queue_.size();
  if (piece.reader == nullptr) return send_text(socket, std::string_view(piece.text).substr(front_done_), more_follows);
  if (const auto* const memory = dynamic_cast<const MemoryReader*>(piece.reader.get())) {
    const auto bytes = memory->bytes();
    if (piece.offset + piece.length > bytes.size()) return {Outcome::failed, 0};
    const auto rest =
        bytes.subspan(static_cast<std::size_t>(piece.offset + front_done_), static_cast<std::size_t>(piece.length - front_done_));
    return send_text(socket, {reinterpret_cast<const char*>(rest.data()), rest.size()}, more_follows);
  }
  if (const auto window = piece.reader->window()) {
    return send_window(socket, *window, piece.offset + front_done_, std::min(piece.length - front_done_, at_most));
  }
  return send_content(socket, piece, more_follows);
}

Output::Outcome Output::pump(int socket, std::uint64_t slice) {
  std::uint64_t in_slice = 0;
  while (!empty()) {
    if (in_slice >= slice) return Outcome::blocked;
    const Step step = send_front(socket, slice - in_slice);
    if (step.outcome != Outcome::done) return step.outcome;
    in_slice += step.bytes;
    sent_ += step.bytes;
    front_done_ += step.bytes;
    if (front_done_ == queue_[front_].size()) {
      queue_[front_] = Piece();  // lets go of the content, and of large texts, at once
      ++front_;
      front_done_ = 0;
      read_ahead_.clear();
      read_begin_ = 0;
    }
  }
  return Outcome::done;
}

}  // namespace media::http
