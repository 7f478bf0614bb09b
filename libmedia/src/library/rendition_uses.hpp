/// When renditions were handed out, until it is written down.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "media/clock.hpp"
#include "media/digest.hpp"

namespace media {

/// A write for each read would make the catalog the limit of what can be read. So uses gather here, by the blob that was handed out, and
/// are written down together now and then; what a crash takes is at most the order of the last minute's uses.
///
/// Thread-safety: may be called concurrently, because a mutex guards the table; `is_due` looks at an atomic alone.
class RenditionUses {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kEvery{60};
  static constexpr std::size_t kMost = 4096;
  using Uses = std::vector<std::pair<Digest, Timestamp>>;

  /// True where so many have gathered that they should be written down now.
  bool note(const Digest& digest, Timestamp when) {
    const std::lock_guard lock(mutex_);
    auto& last = uses_[digest];
    if (last < when) last = when;
    if (uses_.size() == 1) due_ = std::min(due_.load(), Clock::now() + kEvery);
    return uses_.size() >= kMost;
  }

  /// True once the first that waits has waited long enough.
  [[nodiscard]] bool is_due() const noexcept { return Clock::now() >= due_.load(); }

  Uses take() {
    const std::lock_guard lock(mutex_);
    Uses taken(uses_.begin(), uses_.end());
    uses_.clear();
    due_ = Clock::time_point::max();
    return taken;
  }

 private:
  std::mutex mutex_;
  std::unordered_map<Digest, Timestamp> uses_;
  std::atomic<Clock::time_point> due_{Clock::time_point::max()};
};

}  // namespace media
