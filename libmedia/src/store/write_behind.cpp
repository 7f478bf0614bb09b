#include "store/write_behind.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <system_error>

#include "core/out_of_memory.hpp"
#include "store/file_ops.hpp"

namespace media::store {
namespace {

constexpr const char* kWriting = "write a temp file";

/// What is not written so, for whatever reason, is written the usual way, which has the error if there is one.
Result<void> write_direct(int descriptor, std::span<const std::byte> piece, std::uint64_t offset) {
  ssize_t count = 0;
  if (::fcntl(descriptor, F_SETFL, O_DIRECT) == 0) {
    count = std::max<ssize_t>(::pwrite(descriptor, piece.data(), piece.size(), static_cast<off_t>(offset)), 0);
    ::fcntl(descriptor, F_SETFL, 0);
  }
  const auto written = static_cast<std::size_t>(count);
  return write_all(descriptor, piece.subspan(written), offset + written, kWriting);
}

}  // namespace

void WriteBehind::Unmap::operator()(std::byte* bytes) const noexcept { ::munmap(bytes, kPieceBytes); }

WriteBehind::~WriteBehind() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  queued_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool WriteBehind::start() {
  const std::lock_guard lock(mutex_);
  try {
    if (threads_.size() < kThreads) threads_.emplace_back([this] { work(); });
  } catch (const std::system_error&) {
    return !threads_.empty();
  }
  return true;
}

void WriteBehind::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    queued_.wait(lock, [this] { return stopping_ || !requests_.empty(); });
    if (stopping_) return;
    Request request = std::move(requests_.front());
    requests_.pop_front();
    lock.unlock();
    Result<void> written;
    try {
      written = write_direct(request.shared->descriptor.get(), std::span(request.bytes, kPieceBytes), request.offset);
    } catch (const std::bad_alloc&) {
      written = out_of_memory();  // for the text of a failure
    }
    lock.lock();
    if (!written) request.shared->failure = std::move(written).error();
    request.shared->writing = false;
    written_.notify_all();
    // The last to let go of a file that was given up frees its blocks: not while others wait for the mutex.
    lock.unlock();
    request.shared.reset();
    lock.lock();
  }
}

std::optional<WriteBehind::File> WriteBehind::File::open(WriteBehind& thread, const TempFile& file, std::uint64_t offset) {
  try {
    auto shared = std::make_shared<Shared>();
    for (Buffer& buffer : shared->buffers) {
      void* const pages = ::mmap(nullptr, kPieceBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (pages == MAP_FAILED) return std::nullopt;
      buffer.reset(static_cast<std::byte*>(pages));
    }
    shared->descriptor = UniqueFd(::fcntl(file.descriptor(), F_DUPFD_CLOEXEC, 0));
    if (!shared->descriptor || !thread.start()) return std::nullopt;
    return File(thread, file.descriptor(), std::move(shared), offset);
  } catch (const std::bad_alloc&) {
    return std::nullopt;
  }
}

Result<void> WriteBehind::File::write(std::span<const std::byte> piece) {
  // Up to the first aligned place the usual way.
  if (const std::uint64_t beyond = offset_ % kAlignment; beyond != 0) {
    const auto head = piece.first(std::min<std::size_t>(piece.size(), kAlignment - static_cast<std::size_t>(beyond)));
    MEDIA_TRY(write_all(plain_, head, offset_, kWriting));
    offset_ += head.size();
    piece = piece.subspan(head.size());
  }
  while (!piece.empty()) {
    const std::size_t taken = std::min(piece.size(), kPieceBytes - filled_);
    std::memcpy(shared_->buffers[current_].get() + filled_, piece.data(), taken);
    filled_ += taken;
    piece = piece.subspan(taken);
    if (filled_ < kPieceBytes) break;
    MEDIA_TRY(wait());
    {
      const std::lock_guard lock(thread_->mutex_);
      thread_->requests_.push_back({shared_, shared_->buffers[current_].get(), offset_});
      shared_->writing = true;
    }
    thread_->queued_.notify_one();
    offset_ += kPieceBytes;
    current_ = 1 - current_;
    filled_ = 0;
  }
  return {};
}

Result<void> WriteBehind::File::finish() {
  MEDIA_TRY(wait());
  const std::span<const std::byte> rest(shared_->buffers[current_].get(), filled_);
  filled_ = 0;
  return write_all(plain_, rest, offset_, kWriting);
}

Result<void> WriteBehind::File::wait() {
  std::unique_lock lock(thread_->mutex_);
  thread_->written_.wait(lock, [this] { return !shared_->writing; });
  if (shared_->failure) return *shared_->failure;
  return {};
}

}  // namespace media::store
