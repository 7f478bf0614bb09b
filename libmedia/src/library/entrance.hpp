/// Where single contents that arrive at the same time become one group.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>

#include "core/wake_up.hpp"
#include "media/result.hpp"

namespace media {

struct Entering;

/// Whoever comes while no group is under way takes everybody who waits along; the next group is led by the first who came meanwhile. A
/// group costs two waits for the disk however many are in it, and one wake-up for each; without it, uploads that were woken together by one
/// sync would ask for the next one by one, and each but the last get a commit of its own. Two groups at a time were no faster, since the
/// disk syncs one thing after the other, and took a tenth more of the processor.
///
/// Thread-safety: all of it, under one mutex, without which a group works.
class Entrance {
 public:
  /// Leaves each one's outcome in it. An error: what it ran into took its time and is nobody's own, a catalog that does not answer. Whoever
  /// waits meanwhile has waited as long, and has this outcome too rather than one more wait.
  using EnterAll = std::function<Result<void>(std::span<Entering* const>)>;

  /// Has `enter_all` called, on this thread or another caller's, with a group that `entering` is in, or gives it the outcome of the group
  /// before.
  void enter(Entering& entering, const EnterAll& enter_all);

 private:
  static constexpr std::size_t kGroup = 256;
  static constexpr std::uint32_t kDone = 1;
  static constexpr std::uint32_t kLead = 2;
  /// Lives on its caller's stack, and is linked rather than queued, so that nothing here can run out of memory.
  struct Waiting {
    Entering* entering;
    Waiting* next = nullptr;
    WakeUp word{};
  };

  void turn_away(const Error& error) noexcept;

  std::mutex mutex_;
  Waiting* first_ = nullptr;
  Waiting** last_link_ = &first_;
  bool led_ = false;  ///< A group is under way, or somebody was told to lead the next.
};

}  // namespace media
