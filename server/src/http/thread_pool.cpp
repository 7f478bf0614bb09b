#include "http/thread_pool.hpp"

#include <chrono>
#include <system_error>

namespace media::http {
namespace {

constexpr std::chrono::milliseconds kNudgePause{1};
/// The threads at work may all be waiting for something.
constexpr std::chrono::milliseconds kStuck{3};
/// Some get on, but not fast enough: a few may be waiting.
constexpr std::chrono::milliseconds kOverdue{30};

}  // namespace

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

ThreadPool::Roused ThreadPool::rouse() {
  const bool is_asleep = threads_.size() > active_;
  if (is_asleep) {
    ++roused_;
  } else {
    if (threads_.size() >= max_threads_) return Roused::none;
    try {
      threads_.emplace_back([this] { run(); });
    } catch (const std::system_error&) {
      return Roused::none;  // the process may have no more threads: those that run will get to it
    }
  }
  ++active_;
  return is_asleep ? Roused::sleeper : Roused::started;
}

bool ThreadPool::enqueue(Waiting waiting, std::size_t limit) {
  Roused roused = Roused::none;
  {
    const std::lock_guard lock(mutex_);
    // What a thread could be sent for does not wait, so it does not count.
    const std::size_t free = max_threads_ - active_;
    if (stopping_ || (queue_.size() >= free && queue_.size() - free >= limit)) return false;
    if (active_ < lively_) {
      roused = rouse();
      if (roused == Roused::none && threads_.empty()) return false;
    }
    waiting.since = std::chrono::steady_clock::now();
    queue_.push_back(std::move(waiting));
  }
  if (roused != Roused::sleeper) return true;
  ++to_wake_;
  // Looked at after the count: either a batch that ends meanwhile finds it, or this does.
  if (!batching_) wake_sleepers();
  return true;
}

void ThreadPool::wake_sleepers() {
  for (std::size_t count = to_wake_.exchange(0); count > 0; --count) wake_.notify_one();
}

std::vector<std::function<void()>> ThreadPool::expired(std::chrono::milliseconds patience) {
  std::vector<std::function<void()>> late;
  std::vector<Task> dropped;  // destroyed without the mutex
  const std::lock_guard lock(mutex_);
  const auto before = std::chrono::steady_clock::now() - patience;
  // In the order in which they came.
  for (auto waiting = queue_.begin(); waiting != queue_.end() && waiting->since < before;) {
    if (!waiting->too_late) {
      ++waiting;
      continue;
    }
    dropped.push_back(std::move(waiting->task));
    late.push_back(std::move(waiting->too_late));
    waiting = queue_.erase(waiting);
  }
  return late;
}

void ThreadPool::end_batch() {
  batching_ = false;
  wake_sleepers();
}

bool ThreadPool::nudge() {
  std::unique_lock lock(mutex_);
  if (queue_.empty()) return false;
  const auto now = std::chrono::steady_clock::now();
  if (now - nudged_ < kNudgePause) return true;
  const auto waited = now - queue_.front().since;
  const bool stuck = taken_ == taken_at_nudge_;
  nudged_ = now;
  taken_at_nudge_ = taken_;
  const bool is_sleeper = waited > kStuck && (stuck || waited > kOverdue) && rouse() == Roused::sleeper;
  lock.unlock();
  if (is_sleeper) wake_.notify_one();
  return true;
}

void ThreadPool::run() {
  Engine engine;
  std::unique_lock lock(mutex_);
  while (true) {
    while (!queue_.empty()) {
      Task task = std::move(queue_.front().task);
      queue_.pop_front();
      ++taken_;
      lock.unlock();
      task(engine);
      task = nullptr;
      lock.lock();
    }
    --active_;
    if (stopping_) return;
    while (roused_ == 0 && !stopping_) wake_.wait_for(lock, std::chrono::seconds(60));
    if (roused_ > 0) {
      --roused_;
    } else {
      ++active_;  // the last round, for what is left in the queue
    }
  }
}

}  // namespace media::http
