#include "store/early_sync.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <new>
#include <system_error>

#include "core/errno_error.hpp"

namespace media::store {

EarlySync::~EarlySync() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Result<void> EarlySync::File::request(EarlySync& thread, int descriptor, std::uint64_t written) {
  if (!progress_) progress_ = std::make_shared<Progress>();
  const std::lock_guard lock(thread.mutex_);
  if (progress_->failure) return *progress_->failure;
  if (progress_->queued) return {};
  UniqueFd own(::fcntl(descriptor, F_DUPFD_CLOEXEC, 0));
  // Without a descriptor or a thread to spare the sync at the end does all of it.
  if (!own) return {};
  if (!thread.thread_.joinable()) {
    try {
      thread.thread_ = std::thread([&thread] { thread.work(); });
    } catch (const std::system_error&) {
      return {};
    }
  }
  thread.requests_.push_back({std::move(own), written, progress_});
  progress_->queued = true;
  thread.changed_.notify_all();
  return {};
}

Result<void> EarlySync::File::settle(EarlySync& thread) {
  if (!progress_) return {};
  std::unique_lock lock(thread.mutex_);
  thread.changed_.wait(lock, [this] { return !progress_->queued; });
  if (progress_->failure) return *progress_->failure;
  return {};
}

void EarlySync::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !requests_.empty(); });
    if (stopping_) return;
    Request request = std::move(requests_.front());
    requests_.pop_front();
    lock.unlock();
    const int failure = ::fdatasync(request.descriptor.get()) == 0 ? 0 : errno;
    // Advice: where it is not taken the pages stay.
    if (failure == 0) ::posix_fadvise(request.descriptor.get(), 0, static_cast<off_t>(request.written), POSIX_FADV_DONTNEED);
    request.descriptor.reset();
    lock.lock();
    if (failure != 0) {
      try {
        request.progress->failure = errno_error(failure, "sync a temp file");
      } catch (const std::bad_alloc&) {
        request.progress->failure = Error{Errc::io, "sync a file"};  // short enough to need no memory
      }
    }
    request.progress->queued = false;
    changed_.notify_all();
  }
}

}  // namespace media::store
