/// Makes staged contents durable and visible, many at a time.
#pragma once

#include <condition_variable>
#include <mutex>
#include <set>
#include <span>
#include <vector>

#include "media/result.hpp"
#include "store/fan_out.hpp"
#include "store/staged_file.hpp"
#include "store/sync_pool.hpp"

namespace media::store {

/// Group commit: whoever calls `publish` while nobody leads takes everything that waits, leads it through write, fsync,
/// rename and fsync of the folders, and tells each caller its own outcome; what arrives meanwhile is the next group.
/// A group needs two commits of the filesystem's journal however many contents are in it, and never syncfs, which
/// would wait for everybody else's dirty data as well.
///
/// Thread-safety: `publish` may be called concurrently; the mutex guards the queue, and only the one leader touches the fan-out.
class GroupPublisher {
 public:
  /// `base` outlives the publisher.
  GroupPublisher(int base, unsigned sync_threads);

  /// Errors: `no_space`, `io`, `denied`, `unavailable`. The contents are spent either way.
  Result<void> publish(std::span<FileStaged* const> contents);

 private:
  /// What one caller brought; lives on its stack, and is linked rather than queued, so that nothing here can run out of memory.
  struct Batch {
    std::span<FileStaged* const> contents;
    Result<void> outcome;
    bool done = false;
    Batch* next = nullptr;
  };
  struct Item {
    FileStaged* content;
    Batch* batch;
    Result<void> outcome;
  };

  /// What the renames of a group leave to be synced, and the folders that are durable after that.
  struct FolderSets {
    std::set<FanOutFolder> to_sync;
    std::set<FanOutFolder> fresh;
  };

  Result<void> sync_large(std::span<FileStaged* const> contents);
  Batch* take_group();
  void lead(Batch* group);
  void run_group(Batch* group);
  void write_and_sync(std::span<Item> items);
  void rename_all(std::span<Item> items, FolderSets& folders);
  Result<void> rename_one(FileStaged& content, FolderSets& folders, bool& folder_gone);
  Result<void> sync_folders(const std::set<FanOutFolder>& folders);

  const int base_;
  /// Files of a group that are open at once.
  const std::size_t open_files_;
  SyncPool pool_;
  FanOut fan_out_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Batch* first_waiting_ = nullptr;
  Batch** last_link_ = &first_waiting_;
  bool led_ = false;
};

}  // namespace media::store
