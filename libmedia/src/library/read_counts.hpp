/// Which blobs were read, how often and when last, until it is written down.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

#include "media/clock.hpp"
#include "media/digest.hpp"
#include "media/placement.hpp"

namespace media {

/// A write for each read would make the catalog the limit of what can be read. So reads gather here, and are written down together now and
/// then; what a crash takes is at most the last minute's.
///
/// Thread-safety: may be called concurrently, because a mutex guards the table; `is_due` looks at an atomic alone.
class ReadCounts {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kEvery{60};
  static constexpr std::size_t kMost = 4096;

  /// True where so many blobs have gathered that they should be written down now.
  bool note(const Digest& digest, Timestamp when) {
    const std::lock_guard lock(mutex_);
    BlobReads& reads = reads_[digest];
    reads.digest = digest;
    ++reads.reads;
    reads.read_at = std::max(reads.read_at, when);
    if (reads_.size() == 1 && reads.reads == 1) due_ = Clock::now() + kEvery;
    if (wanted_.size() < kMost) wanted_.insert_or_assign(digest, true);
    return reads_.size() >= kMost;
  }

  /// True once the first that waits has waited long enough.
  [[nodiscard]] bool is_due() const noexcept { return Clock::now() >= due_.load(); }

  std::vector<BlobReads> take() {
    const std::lock_guard lock(mutex_);
    std::vector<BlobReads> taken;
    taken.reserve(reads_.size());
    for (const auto& [digest, reads] : reads_) taken.push_back(reads);
    reads_.clear();
    due_ = Clock::time_point::max();
    return taken;
  }

  /// What was read since the last call, each once; of very many some.
  std::vector<Digest> take_wanted() {
    const std::lock_guard lock(mutex_);
    std::vector<Digest> taken;
    taken.reserve(wanted_.size());
    for (const auto& [digest, ignored] : wanted_) taken.push_back(digest);
    wanted_.clear();
    return taken;
  }
  void want_again(std::span<const Digest> digests) {
    const std::lock_guard lock(mutex_);
    for (const Digest& digest : digests) {
      if (wanted_.size() < kMost) wanted_.insert_or_assign(digest, true);
    }
  }

 private:
  std::mutex mutex_;
  std::unordered_map<Digest, BlobReads> reads_;
  std::unordered_map<Digest, bool> wanted_;
  std::atomic<Clock::time_point> due_{Clock::time_point::max()};
};

}  // namespace media
