#include "http/thread_pool.hpp"

#include <chrono>
#include <system_error>

namespace media::http {

void ThreadPool::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

std::size_t ThreadPool::queued() const {
  const std::lock_guard lock(mutex_);
  return queue_.size();
}

bool ThreadPool::enqueue(Task task, std::size_t limit) {
  {
    const std::lock_guard lock(mutex_);
    // A task that an idle thread is about to take does not wait, so it does not count.
    if (stopping_ || (queue_.size() >= idle_ && queue_.size() - idle_ >= limit && threads_.size() >= max_threads_)) return false;
    if (queue_.size() >= idle_ && threads_.size() < max_threads_) {
      try {
        threads_.emplace_back([this] { run(); });
      } catch (const std::system_error&) {
        // The process may have no more threads: those that run will get to it.
        if (threads_.empty()) return false;
      }
    }
    queue_.push_back(std::move(task));
  }
  wake_.notify_one();
  return true;
}

void ThreadPool::run() {
  Engine engine;
  std::unique_lock lock(mutex_);
  while (true) {
    ++idle_;
    while (queue_.empty() && !stopping_) wake_.wait_for(lock, std::chrono::seconds(60));
    --idle_;
    if (queue_.empty()) return;
    Task task = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    task(engine);
    task = nullptr;
    lock.lock();
  }
}

}  // namespace media::http
