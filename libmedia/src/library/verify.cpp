// Every byte re-read: catalog and store walked side by side in the order of digests, hashing spread over threads.

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "core/sha256_lanes.hpp"
#include "library/hashing.hpp"
#include "library/library_impl.hpp"

namespace media {

std::string_view to_string(Fault::Problem problem) noexcept {
  switch (problem) {
    case Fault::Problem::damaged:
      return "damaged";
    case Fault::Problem::missing:
      return "missing";
    case Fault::Problem::stray:
      return "stray";
  }
  return "damaged";
}

namespace {

constexpr std::size_t kPage = 512;
constexpr std::size_t kQueue = 4096;
constexpr std::size_t kBatch = 32;
/// Blobs up to this size are read whole and hashed together; so much is held at once by each thread.
constexpr std::size_t kTogetherBytes = 128U << 10U;
constexpr std::size_t kHeldBytes = 1U << 20U;
/// Between publishing a blob and cataloguing it an ingest passes through a moment in which it looks like a stray.
constexpr std::chrono::seconds kStrayPatience{2};
/// A row that says "verified" since less than this is left alone: the note would cost more than it tells.
constexpr std::chrono::hours kNoteAgainAfter{1};

struct Task {
  Blob row;
  std::string location;
  std::string identity;  ///< Seen before the bytes are read: a blob that is replaced meanwhile passes for unverified, not for verified.
};

/// Hands blobs from the walk to the hashing threads; bounded.
class TaskQueue {
 public:
  explicit TaskQueue(std::size_t takers) : takers_(takers) {}
  void push(Task task) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return tasks_.size() < kQueue || closed_; });
    tasks_.push_back(std::move(task));
    lock.unlock();
    changed_.notify_one();
  }
  bool pop(std::vector<Task>& into) {
    into.clear();
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !tasks_.empty() || closed_; });
    // A fair share, so that of two large blobs each thread gets one.
    const std::size_t take = std::min(kBatch, (tasks_.size() + takers_ - 1) / takers_);
    for (std::size_t i = 0; i < take; ++i) {
      into.push_back(std::move(tasks_.front()));
      tasks_.pop_front();
    }
    lock.unlock();
    changed_.notify_all();
    return !into.empty();
  }
  void close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> tasks_;
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
      MEDIA_TRY_ASSIGN(page_, store_.list(page_.next_cursor, kPage));
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
      if (started_ && page_.size() < kPage) return static_cast<const Blob*>(nullptr);
      const std::optional<Digest> after = page_.empty() ? std::nullopt : std::optional<Digest>(page_.back().digest);
      MEDIA_TRY_ASSIGN(page_, repository_.list_blobs(after, kPage));
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

}  // namespace

Result<VerifyReport> LibraryImpl::verify(const VerifyOptions& options) {
  VerifyReport report;
  std::mutex report_mutex;
  std::optional<Error> failure;
  std::vector<Blob> proven;
  std::uint64_t since_progress = 0;

  const auto report_fault = [&](Fault fault) {
    const std::lock_guard lock(report_mutex);
    switch (fault.problem) {
      case Fault::Problem::damaged:
        ++report.damaged;
        break;
      case Fault::Problem::missing:
        ++report.missing;
        break;
      case Fault::Problem::stray:
        ++report.stray;
        break;
    }
    if (options.on_fault) options.on_fault(fault);
  };
  const auto note_proven = [&](std::vector<Blob> blobs) {
    if (options_.read_only || blobs.empty()) return;
    const auto written = repository_->write([&](Transaction& transaction) -> Result<void> {
      for (const Blob& blob : blobs) {
        MEDIA_TRY_ASSIGN(auto row, transaction.find_blob(blob.digest));
        if (!row) continue;
        row->verified_at = blob.verified_at;
        row->identity = blob.identity;
        MEDIA_TRY(transaction.put_blob(*row));
      }
      return {};
    });
    static_cast<void>(written);  // a note for readers; what was proven is reported all the same
  };

  /// Null where it is gone: collected since the walk passed here, which is no fault, or for real, which is reported.
  const auto open_blob = [&](const Task& task) -> Result<std::unique_ptr<ByteReader>> {
    auto opened = store_->open(task.row.digest);
    if (opened) return opened;
    if (is_retryable(opened.error().code)) return opened;  // a store that cannot be reached is not a damaged one
    Fault fault{Fault::Problem::damaged, task.row.digest, task.location, "cannot be opened: " + opened.error().message};
    if (opened.error().code == Errc::not_found) {
      MEDIA_TRY_ASSIGN(const auto row, repository_->find_blob(task.row.digest));
      if (!row || row->state == BlobState::deleting) return std::unique_ptr<ByteReader>();
      fault.problem = Fault::Problem::missing;
      fault.message = "the catalog has it, the store has not";
    }
    report_fault(std::move(fault));
    return std::unique_ptr<ByteReader>();
  };

  const auto judge = [&](const Task& task, std::uint64_t size_bytes, const Result<Digest>& digest) -> Result<void> {
    std::string wrong;
    if (!digest && is_retryable(digest.error().code)) return digest.error();
    if (!digest) {
      wrong = "cannot be read: " + digest.error().message;
    } else if (*digest != task.row.digest) {
      wrong = "its bytes have the digest " + digest->to_hex();
    } else if (size_bytes != task.row.size_bytes) {
      wrong = "it has " + std::to_string(size_bytes) + " bytes, its row says " + std::to_string(task.row.size_bytes);
    }
    if (!wrong.empty()) {
      report_fault(Fault{Fault::Problem::damaged, task.row.digest, task.location, std::move(wrong)});
      const std::lock_guard lock(report_mutex);
      ++report.blobs;
      return {};
    }
    std::string identity = task.identity;
    if (identity.empty()) {
      MEDIA_TRY_ASSIGN(const auto stat, store_->stat(task.row.digest));
      if (stat) identity = stat->identity;
    }
    std::vector<Blob> full;
    {
      const std::lock_guard lock(report_mutex);
      ++report.blobs;
      report.bytes += size_bytes;
      ++since_progress;
      if (options.progress && since_progress >= 100) {
        since_progress = 0;
        options.progress(report.blobs, report.bytes);
      }
      Blob blob = task.row;
      const Timestamp now = clock_->now();
      const bool noted_lately = blob.verified_at && now - *blob.verified_at < kNoteAgainAfter && identity == blob.identity;
      if (!noted_lately) {
        blob.verified_at = now;
        blob.identity = std::move(identity);
        proven.push_back(std::move(blob));
      }
      if (proven.size() >= 4096) full.swap(proven);
    }
    note_proven(std::move(full));
    return {};
  };

  const auto check = [&](std::span<const Task> tasks, std::span<std::byte> held) -> Result<void> {
    std::vector<const Task*> together;
    std::vector<std::span<const std::byte>> contents;
    std::size_t used = 0;
    const auto judge_together = [&]() -> Result<void> {
      std::vector<Digest> digests(contents.size());
      hash_together(contents, digests);
      for (std::size_t i = 0; i < contents.size(); ++i) MEDIA_TRY(judge(*together[i], contents[i].size(), digests[i]));
      together.clear();
      contents.clear();
      used = 0;
      return {};
    };
    for (const Task& task : tasks) {
      if (options.stop.stop_requested()) return {};
      MEDIA_TRY_ASSIGN(const auto reader, open_blob(task));
      if (!reader) continue;
      if (reader->size() > kTogetherBytes) {
        MEDIA_TRY(judge(task, reader->size(), hash_content(*reader)));
        continue;
      }
      if (used + reader->size() > held.size()) MEDIA_TRY(judge_together());
      const auto into = held.subspan(used, static_cast<std::size_t>(reader->size()));
      if (const auto read = read_whole(*reader, into); !read) {
        MEDIA_TRY(judge(task, reader->size(), read.error()));
        continue;
      }
      used += into.size();
      together.push_back(&task);
      contents.push_back(into);
    }
    return judge_together();
  };

  const unsigned thread_count = std::max(options.threads, 1U);
  TaskQueue queue(thread_count);
  std::vector<std::jthread> threads;
  for (unsigned i = 0; i < thread_count; ++i) {
    threads.emplace_back([&] {
      const auto held = std::make_unique_for_overwrite<std::byte[]>(kHeldBytes);
      std::vector<Task> tasks;
      while (queue.pop(tasks)) {
        if (auto checked = check(tasks, std::span(held.get(), kHeldBytes)); !checked) {
          const std::lock_guard lock(report_mutex);
          if (!failure) failure = std::move(checked).error();
        }
      }
    });
  }

  struct Suspect {
    std::optional<Digest> digest;
    std::string location;
  };
  std::vector<Suspect> suspects;
  const auto walk = [&]() -> Result<void> {
    StoreWalk stored(*store_);
    RowWalk rows(*repository_);
    while (!options.stop.stop_requested()) {
      MEDIA_TRY_ASSIGN(const ListedBlob* const listed, stored.peek());
      MEDIA_TRY_ASSIGN(const Blob* const row, rows.peek());
      if (listed != nullptr && !listed->digest) {
        suspects.push_back({std::nullopt, listed->location});
        stored.advance();
      } else if (row != nullptr && (listed == nullptr || row->digest <= *listed->digest)) {
        const bool here = listed != nullptr && row->digest == *listed->digest;
        if (row->state != BlobState::deleting) {
          queue.push(here ? Task{*row, listed->location, listed->identity} : Task{*row, {}, {}});
        }
        if (here) stored.advance();
        rows.advance();
      } else if (listed != nullptr) {
        suspects.push_back({listed->digest, listed->location});
        stored.advance();
      } else {
        break;
      }
    }
    return {};
  };
  const auto walked = walk();
  queue.close();
  threads.clear();
  note_proven(std::move(proven));
  if (!walked) return walked.error();
  if (failure) return *failure;
  if (options.stop.stop_requested()) return Error{Errc::cancelled, "verify: stopped"};

  bool waited = false;
  for (const Suspect& suspect : suspects) {
    if (suspect.digest) {
      MEDIA_TRY_ASSIGN(auto row, repository_->find_blob(*suspect.digest));
      if (!row && !waited) {
        std::this_thread::sleep_for(kStrayPatience);
        waited = true;
        MEDIA_TRY_ASSIGN(row, repository_->find_blob(*suspect.digest));
      }
      if (row) continue;
      MEDIA_TRY_ASSIGN(const auto stat, store_->stat(*suspect.digest));
      if (!stat) continue;
    }
    report_fault(Fault{Fault::Problem::stray, suspect.digest, suspect.location, "the store has it, the catalog has not"});
  }
  if (options.progress) options.progress(report.blobs, report.bytes);
  return report;
}

}  // namespace media
