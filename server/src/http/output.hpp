// Bytes on their way to a client: what could not be sent yet waits here, not in a thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "http/message.hpp"

namespace media::http {

/// A queue of text and stretches of contents, sent as far as the socket takes them. A content with a window goes by sendfile(2),
/// a small one with the text before it.
///
/// Thread-safety: none; a connection has one owner at a time.
class Output {
 public:
  enum class Outcome {
    done,
    blocked,  ///< The socket is full, or the slice is used up: go on when it is writable.
    failed,   ///< The client is gone, or the content could not be read: the connection must be broken, not ended.
  };

  void append(std::string_view text);
  void append(Piece piece);
  /// Sends at most about `slice` bytes, so that one fast client with one large content does not keep a thread for itself.
  Outcome pump(int socket, std::uint64_t slice);
  void clear();

  [[nodiscard]] bool empty() const noexcept { return front_ == queue_.size(); }
  /// Handed to the kernel since the last `clear`.
  [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }

 private:
  struct Step {
    Outcome outcome;
    std::uint64_t bytes;
  };
  /// Reads a small content at once, to go out with the text before it: one packet, one system call. False where it cannot be read.
  bool join_content(const Piece& piece);
  Step send_text(int socket, std::string_view text, bool more_follows);
  Step send_window(int socket, const FileWindow& window, std::uint64_t offset, std::uint64_t length);
  Step send_content(int socket, const Piece& piece, bool more_follows);
  Step send_front(int socket, std::uint64_t at_most);

  std::vector<Piece> queue_;
  std::size_t front_ = 0;
  std::uint64_t front_done_ = 0;       ///< Bytes of the front piece that are out.
  std::vector<std::byte> read_ahead_;  ///< Read from a content without a window, not sent yet: contents are read once and in order.
  std::size_t read_begin_ = 0;
  std::uint64_t sent_ = 0;
};

}  // namespace media::http
