/// Large files go to the disk past the page cache, while the next bytes of them come in.
#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "core/unique_fd.hpp"
#include "media/result.hpp"
#include "store/temp_folder.hpp"

namespace media::store {

/// A few threads that write with O_DIRECT, each one piece of a file at a time. To go through the page cache costs the kernel as much
/// processor time as SHA-256 does: a copy, and the pages for it. What is that large has its pages dropped anyway (see EarlySync).
///
/// Thread-safety: all of it; a queue under one mutex. A `File` is its writer's, on one thread at a time.
class WriteBehind {
  static constexpr std::size_t kPieceBytes = std::size_t{512} << 10U;
  /// So many pieces are on their way at once: where a disk is far away one would wait for the other.
  static constexpr std::size_t kThreads = 4;
  /// What every disk and filesystem is content with, of offsets, lengths and memory.
  static constexpr std::size_t kAlignment = 4096;

  /// Pages of their own, which are the system's again at once: an allocator would keep them for a thread that may never need them.
  struct Unmap {
    void operator()(std::byte* bytes) const noexcept;
  };
  using Buffer = std::unique_ptr<std::byte[], Unmap>;

  /// Outlives the file's writer while a write is under way.
  struct Shared {
    UniqueFd descriptor;  ///< Of the same open file as the temp file's own. It has O_DIRECT during a write, when nobody else writes.
    std::array<Buffer, 2> buffers;
    bool writing = false;
    std::optional<Error> failure;
  };

 public:
  /// The end of one file.
  class File {
   public:
    /// For what follows behind `offset`, up to where `file` was written the usual way. Nothing where memory, a descriptor or a thread is
    /// short. What a filesystem does not take with O_DIRECT is written without.
    static std::optional<File> open(WriteBehind& thread, const TempFile& file, std::uint64_t offset);

    /// An earlier piece's failure is answered here or by `finish`.
    Result<void> write(std::span<const std::byte> piece);
    /// Waits, and writes what is left; nothing may be written afterwards. Makes nothing durable.
    Result<void> finish();

   private:
    File(WriteBehind& thread, int plain, std::shared_ptr<Shared> shared, std::uint64_t offset)
        : thread_(&thread), plain_(plain), shared_(std::move(shared)), offset_(offset) {}
    Result<void> wait();

    WriteBehind* thread_;
    int plain_;  ///< The file's own descriptor, for what is not aligned.
    std::shared_ptr<Shared> shared_;
    std::uint64_t offset_;  ///< Of what is in the buffer.
    std::size_t current_ = 0;
    std::size_t filled_ = 0;
  };

  WriteBehind() = default;
  WriteBehind(const WriteBehind&) = delete;
  WriteBehind& operator=(const WriteBehind&) = delete;
  /// What is queued is dropped: nobody waits for it any more.
  ~WriteBehind();

 private:
  struct Request {
    std::shared_ptr<Shared> shared;
    const std::byte* bytes = nullptr;
    std::uint64_t offset = 0;
  };
  /// Another thread, up to the limit; false where there is none at all.
  bool start();
  void work();

  std::mutex mutex_;
  std::condition_variable queued_;
  std::condition_variable written_;
  std::deque<Request> requests_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace media::store
