#include "store/s3_read_ahead.hpp"

#include <algorithm>
#include <system_error>

namespace media::store::s3 {
namespace {

constexpr std::size_t kLeastPiece = 64U << 10U;
constexpr std::size_t kMostPiece = 4U << 20U;

}  // namespace

ReadAhead::~ReadAhead() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    tasks_.clear();
  }
  changed_.notify_all();
  for (auto& thread : threads_) thread.join();
}

std::size_t ReadAhead::piece_bytes() const noexcept {
  const std::size_t streams = std::max<std::size_t>(streams_.load(std::memory_order_relaxed), 1);
  return std::clamp(budget_bytes_ / (2 * streams), kLeastPiece, kMostPiece);
}

void ReadAhead::submit(std::function<void()> task) {
  const std::lock_guard lock(mutex_);
  if (waiting_ <= tasks_.size() && threads_.size() < most_threads_) {
    try {
      threads_.emplace_back([this] { work(); });
    } catch (const std::system_error&) {
      // Without any thread nothing is fetched ahead: who waits for it must be told.
      if (threads_.empty()) return task();
    }
  }
  tasks_.push_back(std::move(task));
  changed_.notify_one();
}

void ReadAhead::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    ++waiting_;
    changed_.wait(lock, [&] { return stopping_ || !tasks_.empty(); });
    --waiting_;
    if (stopping_) return;
    auto task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
    task = nullptr;
    lock.lock();
  }
}

}  // namespace media::store::s3
