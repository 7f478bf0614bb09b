/// The two lists that a verification walks side by side, and the queue between the walk and the threads that hash.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <iterator>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "media/blob_store.hpp"
#include "media/repository.hpp"

namespace media {

inline constexpr std::size_t kVerifyPage = 512;

/// A blob to be hashed.
struct VerifyTask {
  Blob row;
  std::string location;
  std::string identity;  ///< Seen before the bytes are read: a blob that is replaced meanwhile passes for unverified, not for verified.
  std::uint64_t place = 0;
};

/// Hands blobs from the walk to the hashing threads, so many at a time in the order of the disk: the walk goes by digest, and a disk that
/// is read in that order seeks for every blob. Bounded.
///
/// Thread-safety: `push`, `hand_over` and `close` by the one who walks, `pop` by any number; a mutex guards what they share.
class VerifyQueue {
 public:
  explicit VerifyQueue(std::size_t takers) : takers_(takers) {}
  void push(VerifyTask task) {
    gathered_.push_back(std::move(task));
    if (gathered_.size() >= at_once_) hand_over();
  }
  bool pop(std::vector<VerifyTask>& into) {
    into.clear();
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !tasks_.empty() || closed_; });
    // A fair share, so that of two large blobs each thread gets one.
    const std::size_t take = std::min(kMostAtOnce, (tasks_.size() + takers_ - 1) / takers_);
    try {
      into.reserve(take);
    } catch (const std::bad_alloc&) {
      // Whoever walks must not wait for room for ever: these go unchecked, and the run says that it failed.
      tasks_.clear();
      lock.unlock();
      changed_.notify_all();
      throw;
    }
    for (std::size_t i = 0; i < take; ++i) {
      into.push_back(std::move(tasks_.front()));
      tasks_.pop_front();
    }
    lock.unlock();
    changed_.notify_all();
    return !into.empty();
  }
  /// What was gathered, be it few: once more at the end.
  void hand_over() {
    std::stable_sort(gathered_.begin(), gathered_.end(), [](const VerifyTask& a, const VerifyTask& b) { return a.place < b.place; });
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return tasks_.size() < kMostWaiting; });
      tasks_.insert(tasks_.end(), std::make_move_iterator(gathered_.begin()), std::make_move_iterator(gathered_.end()));
    }
    changed_.notify_all();
    gathered_.clear();
    at_once_ = std::min(4 * at_once_, kMostSorted);
  }
  /// No more will come. What was not handed over stays.
  void close() noexcept {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    changed_.notify_all();
  }

 private:
  /// Few at first, so that the threads have something to do; in the end as many as are worth some MiB.
  static constexpr std::size_t kFirstSorted = 2048;
  static constexpr std::size_t kMostSorted = 16'384;
  static constexpr std::size_t kMostWaiting = 4096;
  static constexpr std::size_t kMostAtOnce = 32;

  std::vector<VerifyTask> gathered_;  ///< The walker's.
  std::size_t at_once_ = kFirstSorted;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<VerifyTask> tasks_;
  const std::size_t takers_;
  bool closed_ = false;
};

/// Walks the store's pages one blob at a time.
class StoreWalk {
 public:
  explicit StoreWalk(const BlobStore& store) : store_(store) {}
  /// Null at the end.
  Result<const ListedBlob*> peek() {
    while (next_ == page_.blobs.size()) {
      if (started_ && page_.next_cursor.empty()) return static_cast<const ListedBlob*>(nullptr);
      MEDIA_TRY_ASSIGN(page_, store_.list(page_.next_cursor, kVerifyPage));
      started_ = true;
      next_ = 0;
    }
    return &page_.blobs[next_];
  }
  void advance() { ++next_; }

 private:
  const BlobStore& store_;
  BlobPage page_;
  std::size_t next_ = 0;
  bool started_ = false;
};

class RowWalk {
 public:
  explicit RowWalk(const Repository& repository) : repository_(repository) {}
  Result<const Blob*> peek() {
    if (next_ == page_.size()) {
      if (started_ && page_.size() < kVerifyPage) return static_cast<const Blob*>(nullptr);
      const std::optional<Digest> after = page_.empty() ? std::nullopt : std::optional<Digest>(page_.back().digest);
      MEDIA_TRY_ASSIGN(page_, repository_.list_blobs(after, kVerifyPage));
      started_ = true;
      next_ = 0;
      if (page_.empty()) return static_cast<const Blob*>(nullptr);
    }
    return &page_[next_];
  }
  void advance() { ++next_; }

 private:
  const Repository& repository_;
  std::vector<Blob> page_;
  std::size_t next_ = 0;
  bool started_ = false;
};

}  // namespace media
