/// Indexes of MP4s that were arranged for browsers a moment ago.
#pragma once

#include <atomic>
#include <cstddef>
#include <list>
#include <memory>
#include <mutex>

#include "inspect/web_ready.hpp"
#include "media/digest.hpp"
#include "media/result.hpp"

namespace media {

/// A browser asks for a video in many ranges, and many browsers for the same one: its index is made once, and shared. Of what nobody reads
/// any more the last used one is kept, whatever its size (64 MiB at most, as `arrange_for_web` makes them), and of the others `kKept`
/// bytes, the last used ones. Together with what is being read it is `kMost` bytes at most.
///
/// Thread-safety: may be called concurrently, because a mutex guards the list.
class Arrangements {
 public:
  static constexpr std::size_t kKept = 32U << 20U;
  static constexpr std::size_t kMost = 256U << 20U;

  std::shared_ptr<const inspect::Arrangement> find(const Digest& digest);
  /// `unavailable` where too much of them is being read.
  Result<std::shared_ptr<const inspect::Arrangement>> keep(const Digest& digest, inspect::Arrangement arrangement);
  void forget(const Digest& digest);

 private:
  struct Entry {
    Digest digest;
    std::weak_ptr<const inspect::Arrangement> shared;    ///< As long as anybody reads it.
    std::shared_ptr<const inspect::Arrangement> kept{};  ///< Empty: only by its readers.
  };
  /// What is beyond the limit of those that are kept, and what is gone.
  void let_go();

  /// Outlives this, in the hands of readers.
  std::shared_ptr<std::atomic<std::size_t>> bytes_ = std::make_shared<std::atomic<std::size_t>>(0);
  std::mutex mutex_;
  std::list<Entry> entries_;  ///< The last used one first.
};

}  // namespace media
