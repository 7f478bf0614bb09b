/// Where single contents that arrive at the same time become one group.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <span>

namespace media {

struct Entering;

/// Whoever comes while fewer than `kLeaders` groups are under way takes everybody who waits along. A group costs two waits for the disk
/// however many are in it, and one wake-up for each; without it, uploads that were woken together by one sync would ask for the next one by
/// one, and each but the last get a commit of its own.
///
/// Thread-safety: all of it, under one mutex, without which a group works.
class Entrance {
 public:
  /// Has `enter_all` called, on this thread or another caller's, with a group that `entering` is in; `enter_all` leaves each one's outcome
  /// in it.
  void enter(Entering& entering, const std::function<void(std::span<Entering* const>)>& enter_all);

 private:
  /// Two: while one waits for the disk the other's transaction has the processor.
  static constexpr unsigned kLeaders = 2;
  static constexpr std::size_t kGroup = 256;
  /// Lives on its caller's stack, and is linked rather than queued, so that nothing here can run out of memory.
  struct Waiting {
    Entering* entering;
    Waiting* next = nullptr;
    bool done = false;
    std::condition_variable changed{};
  };

  std::mutex mutex_;
  Waiting* first_ = nullptr;
  Waiting** last_link_ = &first_;
  unsigned leaders_ = 0;
};

}  // namespace media
