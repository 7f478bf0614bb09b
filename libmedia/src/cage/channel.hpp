/// Messages over the one socket between the library and a worker.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <utility>
#include <vector>

#include "cage/wire.hpp"
#include "core/unique_fd.hpp"
#include "media/result.hpp"

namespace media::cage {

/// A descriptor that becomes readable once a stop is asked for, so that poll(2) can wait for that too.
///
/// Thread-safety: made, polled and destroyed by one thread; the stop may come from any.
class StopSignal {
 public:
  /// Errors: `unavailable` (no descriptors left), `io`.
  static Result<StopSignal> open(const std::stop_token& stop);
  /// -1 where no stop can come.
  [[nodiscard]] int descriptor() const noexcept { return descriptor_.get(); }

 private:
  struct Wake {
    int descriptor;
    void operator()() const noexcept;
  };
  StopSignal() = default;
  UniqueFd descriptor_;
  // Behind a pointer because a stop_callback does not move; declared last: it must be gone before its descriptor is.
  std::unique_ptr<std::stop_callback<Wake>> callback_;
};

/// How long to wait for the other side.
struct Patience {
  std::chrono::steady_clock::time_point until = std::chrono::steady_clock::time_point::max();
  int stop_descriptor = -1;
};

/// Why bytes did not come or go.
enum class Trouble {
  closed,   ///< The other side is gone.
  late,     ///< `Patience::until` has passed.
  stopped,  ///< The stop descriptor became readable.
  failed,   ///< The operating system reported something else; or the bytes make no sense.
};

struct Message {
  MessageKind kind = MessageKind::hello;
  std::vector<std::byte> payload;
};

/// A value, or the trouble that stands in its way. Not a Result: the pool makes its errors from what it knows of the process.
template <class T>
using Received = tl::expected<T, Trouble>;

/// One end of a stream socket. Does not own the descriptor.
///
/// Thread-safety: none; one conversation at a time.
class Channel {
 public:
  explicit Channel(int socket) : socket_(socket) {}

  /// Sends a whole message, and a copy of `descriptor` where that is not -1. Blocks while the socket's buffer is full,
  /// which cannot happen to the library: it sends one small message, and only to a worker that has answered the last.
  Received<void> send(MessageKind kind, std::span<const std::byte> payload, int descriptor = -1) const;
  /// Bytes without a head: an output.
  Received<void> send_raw(std::span<const std::byte> bytes) const;
  /// Whole messages only: an end in the middle of one is `closed`, nonsense is `failed`. A descriptor that comes along goes into
  /// `descriptor`; without one it is thrown away by the kernel, so a worker cannot fill the library's table.
  Received<Message> receive(const Patience& patience, UniqueFd* descriptor = nullptr) const;
  Received<void> receive_raw(std::span<std::byte> into, const Patience& patience) const;
  /// True where the other side is gone or has said something that nobody asked for.
  [[nodiscard]] bool disturbed() const;

 private:
  Received<void> receive_bytes(std::span<std::byte> into, const Patience& patience, UniqueFd* descriptor) const;
  Received<void> wait_readable(const Patience& patience) const;
  int socket_;
};

}  // namespace media::cage
