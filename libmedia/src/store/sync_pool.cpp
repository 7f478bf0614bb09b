#include "store/sync_pool.hpp"

#include <algorithm>
#include <system_error>

namespace media::store {

SyncPool::~SyncPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_ready_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void SyncPool::run(std::size_t count, unsigned width, const std::function<void(std::size_t)>& step) {
  // One step, or one thread, needs nobody else: a lone publish does not pay for waking threads.
  if (count <= 1 || width <= 1 || size_ <= 1) {
    for (std::size_t i = 0; i < count; ++i) step(i);
    return;
  }
  std::unique_lock lock(mutex_);
  start_threads();
  jobs_.push_back(Job{&step, count, 0, 0, width});
  const auto job = std::prev(jobs_.end());
  const std::size_t others = std::min<std::size_t>(count, width) - 1;
  if (others >= threads_.size()) {
    work_ready_.notify_all();
  } else {
    for (std::size_t i = 0; i < others; ++i) work_ready_.notify_one();
  }
  while (job->open()) take_step(*job, lock);
  step_done_.wait(lock, [&] { return job->done(); });
  jobs_.erase(job);
}

void SyncPool::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    const auto job = std::find_if(jobs_.begin(), jobs_.end(), [](const Job& candidate) { return candidate.open(); });
    if (job != jobs_.end()) {
      take_step(*job, lock);
    } else if (stopping_) {
      return;
    } else {
      work_ready_.wait(lock);
    }
  }
}

void SyncPool::take_step(Job& job, std::unique_lock<std::mutex>& lock) {
  const std::size_t index = job.next++;
  ++job.running;
  lock.unlock();
  (*job.step)(index);
  lock.lock();
  --job.running;
  if (job.done()) step_done_.notify_all();
}

void SyncPool::start_threads() {
  while (threads_.size() < size_ - 1) {
    try {
      threads_.emplace_back([this] { work(); });
    } catch (const std::system_error&) {
      // The system has no more threads to give: fewer make it slower, not wrong, since the caller works too.
      return;
    }
  }
}

}  // namespace media::store
