/// Large files are brought to the disk while they are still being written.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "core/unique_fd.hpp"
#include "media/result.hpp"

namespace media::store {

/// One thread that syncs what has been written so far of the files handed to it. To start the write-out alone (sync_file_range) is not
/// enough: it fills the disk's cache, and the flush of that cache is then left for the end, where it takes as long as the writing did.
///
/// What is synced leaves the page cache. A file larger than the stretches that are synced would push out everything else there, and where
/// memory has to be found for it first, as in a virtual machine that has not used all of its own yet, that takes longer than the writing:
/// of 2 x 1 GiB the kernel took 4 to 5 s of processor time, and takes 1 s this way. Smaller files stay for those who read them next.
///
/// Thread-safety: all of it; a queue under one mutex. The outcomes of one `File` are its writer's, on one thread.
class EarlySync {
  struct Progress {
    bool queued = false;
    std::optional<Error> failure;
  };

 public:
  /// The syncs of one file.
  class File {
   public:
    /// Asks for a sync of all that is written, `written` bytes; nothing where one is under way that has not begun. An earlier one's failure
    /// is answered here or by `settle`: the kernel reports it once, so that the fsync at the end would not.
    Result<void> request(EarlySync& thread, int descriptor, std::uint64_t written);
    /// Waits until none is under way.
    Result<void> settle(EarlySync& thread);

   private:
    std::shared_ptr<Progress> progress_;
  };

  EarlySync() = default;
  EarlySync(const EarlySync&) = delete;
  EarlySync& operator=(const EarlySync&) = delete;
  /// What is queued is dropped: these are syncs that nobody has been told of.
  ~EarlySync();

 private:
  struct Request {
    UniqueFd descriptor;  ///< Its own, so that an abandoned file need not wait.
    std::uint64_t written = 0;
    std::shared_ptr<Progress> progress;
  };
  void work();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Request> requests_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace media::store
