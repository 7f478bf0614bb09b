#include "sync_run.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace mediactl {
namespace {

using media::BlobStore;
using media::Digest;
using media::Errc;
using media::Error;
using media::ListedBlob;
using media::Result;

constexpr std::size_t kPage = 1000;
constexpr std::size_t kPiece = 256U << 10U;
/// Small blobs are published together, up to so many or so much: they share their syncs.
constexpr std::size_t kGroup = 32;
constexpr std::uint64_t kGroupBytes = std::uint64_t{8} << 20U;
constexpr std::size_t kQueue = 1024;

struct Task {
  Digest digest;
  std::uint64_t size = 0;
  std::string location;
  bool check_first = false;  ///< It is there already: look whether it is whole.
  bool mends = false;        ///< It is there in another size.
};

/// A store's blobs one after another; what is no blob is counted.
class Walk {
 public:
  explicit Walk(const BlobStore& store) : store_(store) {}
  /// Null at the end.
  Result<const ListedBlob*> peek() {
    while (true) {
      if (next_ == page_.blobs.size()) {
        if (started_ && page_.next_cursor.empty()) return static_cast<const ListedBlob*>(nullptr);
        MEDIA_TRY_ASSIGN(page_, store_.list(page_.next_cursor, kPage));
        started_ = true;
        next_ = 0;
      } else if (page_.blobs[next_].digest) {
        return &page_.blobs[next_];
      } else {
        ++strays_;
        ++next_;
      }
    }
  }
  void advance() { ++next_; }
  [[nodiscard]] std::uint64_t strays() const noexcept { return strays_; }

 private:
  const BlobStore& store_;
  media::BlobPage page_;
  std::size_t next_ = 0;
  std::uint64_t strays_ = 0;
  bool started_ = false;
};

/// Thread-safety: one mutex guards queue, report and failure; the stores are safe by themselves.
class Sync {
 public:
  Sync(const BlobStore& source, BlobStore& destination, const SyncPlan& plan) : source_(source), destination_(destination), plan_(plan) {}

  Result<SyncReport> run() {
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < plan_.jobs; ++i) threads.emplace_back([this] { work(); });
    if (auto walked = walk(); !walked) fail(std::move(walked).error());
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    changed_.notify_all();
    for (auto& thread : threads) thread.join();
    if (failure_) return *failure_;
    return report_;
  }

 private:
  Result<void> walk() {
    Walk from(source_);
    Walk to(destination_);
    while (!stopped()) {
      MEDIA_TRY_ASSIGN(const ListedBlob* const blob, from.peek());
      if (blob == nullptr) break;
      MEDIA_TRY_ASSIGN(const ListedBlob* there, to.peek());
      while (there != nullptr && *there->digest < *blob->digest) {
        to.advance();
        MEDIA_TRY_ASSIGN(there, to.peek());
      }
      const bool present = there != nullptr && *there->digest == *blob->digest;
      const bool same_size = present && there->size == blob->size;
      if (same_size && !plan_.verify) {
        note_present(blob->size);
      } else {
        push({*blob->digest, blob->size, blob->location, same_size, present && !same_size});
      }
      from.advance();
    }
    const std::lock_guard lock(mutex_);
    report_.strays = from.strays();
    return {};
  }

  void work() {
    try {
      std::vector<Task> tasks;
      while (pop(tasks)) {
        if (auto done = copy(tasks); !done) fail(std::move(done).error());
      }
    } catch (const std::bad_alloc&) {
      fail({Errc::unavailable, "out of memory"});
    }
  }

  Result<void> copy(const std::vector<Task>& tasks) {
    std::vector<std::unique_ptr<media::Staged>> group;
    std::vector<const Task*> members;
    std::vector<bool> mends;
    for (const Task& task : tasks) {
      if (stopped()) return {};
      bool mend = task.mends;
      if (task.check_first) {
        MEDIA_TRY_ASSIGN(const bool whole, is_whole(destination_, task.digest));
        if (whole) {
          note_present(task.size);
          continue;
        }
        mend = true;
      }
      if (plan_.dry_run) {
        note_copied(task.size, mend);
        continue;
      }
      MEDIA_TRY_ASSIGN(auto staged, fetch(task));
      if (!staged) continue;
      group.push_back(std::move(staged));
      members.push_back(&task);
      mends.push_back(mend);
    }
    if (group.empty() || stopped()) return {};
    for (std::size_t i = 0; i < members.size(); ++i) {
      // Or the damaged copy, in another place of the store, may be found before the whole one.
      if (!mends[i]) continue;
      const auto aside = destination_.quarantine(members[i]->digest);
      if (!aside && media::is_retryable(aside.error().code)) return aside.error();
    }
    MEDIA_TRY(destination_.publish(group));
    for (std::size_t i = 0; i < members.size(); ++i) note_copied(members[i]->size, mends[i]);
    return {};
  }

  /// Null where the source's blob cannot be had as it should be, which is reported.
  Result<std::unique_ptr<media::Staged>> fetch(const Task& task) {
    auto reader = source_.open(task.digest);
    if (!reader && reader.error().code == Errc::not_found) return std::unique_ptr<media::Staged>();  // removed since it was listed
    if (!reader && media::is_retryable(reader.error().code)) return std::move(reader).error();
    if (!reader) return report_damaged(task, reader.error().message);
    MEDIA_TRY_ASSIGN(const auto writer, destination_.begin((*reader)->size()));
    std::vector<std::byte> piece(static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, (*reader)->size())));
    for (std::uint64_t at = 0; at < (*reader)->size();) {
      if (stopped()) return std::unique_ptr<media::Staged>();
      const auto got = (*reader)->read_at(at, piece);
      if (!got && media::is_retryable(got.error().code)) return got.error();
      if (!got || *got == 0) return report_damaged(task, got ? "it ended early" : got.error().message);
      MEDIA_TRY(writer->write(std::span(piece).first(*got)));
      at += *got;
    }
    MEDIA_TRY_ASSIGN(auto staged, writer->finish());
    if (staged->digest() != task.digest) return report_damaged(task, "its bytes have the digest " + staged->digest().to_hex());
    return staged;
  }

  Result<bool> is_whole(const BlobStore& store, const Digest& digest) {
    const auto reader = store.open(digest);
    if (!reader && media::is_retryable(reader.error().code)) return reader.error();
    if (!reader) return false;
    media::Sha256 hasher;
    std::vector<std::byte> piece(static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, (*reader)->size())));
    for (std::uint64_t at = 0; at < (*reader)->size();) {
      const auto got = (*reader)->read_at(at, piece);
      if (!got && media::is_retryable(got.error().code)) return got.error();
      if (!got || *got == 0) return false;
      hasher.update(std::span(piece).first(*got));
      at += *got;
    }
    return hasher.finish() == digest;
  }

  std::unique_ptr<media::Staged> report_damaged(const Task& task, const std::string& reason) {
    const std::lock_guard lock(mutex_);
    ++report_.damaged;
    if (plan_.problem) plan_.problem(task.location, reason);
    return nullptr;
  }
  void note_present(std::uint64_t size) {
    const std::lock_guard lock(mutex_);
    ++report_.present;
    report_.present_bytes += size;
    if (plan_.progress) plan_.progress(1, 0);
  }
  void note_copied(std::uint64_t size, bool mends) {
    const std::lock_guard lock(mutex_);
    ++report_.copied;
    report_.copied_bytes += size;
    report_.mended += mends ? 1 : 0;
    if (plan_.progress) plan_.progress(1, size);
  }

  [[nodiscard]] bool stopped() {
    const std::lock_guard lock(mutex_);
    return failure_.has_value() || plan_.stop.stop_requested();
  }
  void fail(Error error) {
    {
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::move(error);
    }
    changed_.notify_all();
  }
  void push(Task task) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return tasks_.size() < kQueue || failure_; });
    tasks_.push_back(std::move(task));
    lock.unlock();
    changed_.notify_one();
  }
  bool pop(std::vector<Task>& into) {
    into.clear();
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !tasks_.empty() || closed_ || failure_; });
    if (failure_) return false;
    std::uint64_t bytes = 0;
    // A fair share, so that of two large blobs each thread gets one.
    const std::size_t most = std::min(kGroup, (tasks_.size() + plan_.jobs - 1) / plan_.jobs);
    while (into.size() < most && (into.empty() || bytes + tasks_.front().size <= kGroupBytes)) {
      bytes += tasks_.front().size;
      into.push_back(std::move(tasks_.front()));
      tasks_.pop_front();
    }
    lock.unlock();
    changed_.notify_all();
    return !into.empty();
  }

  const BlobStore& source_;
  BlobStore& destination_;
  const SyncPlan& plan_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> tasks_;
  bool closed_ = false;
  std::optional<Error> failure_;
  SyncReport report_;
};

}  // namespace

Result<SyncReport> sync_stores(const BlobStore& source, BlobStore& destination, const SyncPlan& plan) {
  return Sync(source, destination, plan).run();
}

}  // namespace mediactl
