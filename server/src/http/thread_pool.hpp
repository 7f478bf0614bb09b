// Threads that run what the loop hands them.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "http/engine.hpp"

namespace media::http {

/// A bounded queue and threads that start when work finds none of them free.
///
/// Work is handed to at most `lively` threads at once: more than there are processors only take turns at the same locks. Threads beyond
/// that are for when these are held up by something that is not computation; `nudge`, called now and then, sees to it.
///
/// Thread-safety: all but `stop` and the destructor may be called concurrently, because one mutex guards the queue and whoever is to be
/// woken is counted atomically; batches are one thread's at a time.
class ThreadPool {
 public:
  using Task = std::function<void(Engine&)>;

  ThreadPool(std::size_t max_threads, std::size_t max_queue, std::size_t lively)
      : max_threads_(max_threads), max_queue_(max_queue), lively_(lively) {}
  ~ThreadPool() { stop(); }
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  /// False where the queue is full, or where not even one thread can be started. `too_late` is what is done instead once `expired` finds
  /// that it has waited for too long.
  bool submit(Task task, std::function<void()> too_late = {}) { return enqueue({std::move(task), std::move(too_late), {}}, max_queue_); }
  /// For work that has begun already and must not be refused; its amount is bounded by the number of connections.
  bool submit_continuation(Task task) { return enqueue({std::move(task), {}, {}}, SIZE_MAX); }
  /// Takes what has waited for longer than `patience` out of the queue, and gives what is to be done instead; what has nothing of the kind
  /// goes on to wait.
  [[nodiscard]] std::vector<std::function<void()>> expired(std::chrono::milliseconds patience);
  /// Until `end_batch` what is submitted wakes nobody: a thread that is woken for each piece of work takes the processor from whoever has
  /// the next one to hand over, and is asleep again when it comes. Others may submit meanwhile: a handler that waits no longer does.
  void begin_batch() { batching_ = true; }
  void end_batch();
  [[nodiscard]] std::size_t queued() const;
  /// Sets one more thread to work where work has waited for too long. True where some waits still: nudge again in about a millisecond.
  bool nudge();
  /// Lets the threads finish the queue, then joins them. Nothing can be submitted any more.
  void stop();

 private:
  struct Waiting {
    Task task;
    std::function<void()> too_late;
    std::chrono::steady_clock::time_point since;
  };

  bool enqueue(Waiting waiting, std::size_t limit);
  enum class Roused : std::uint8_t {
    none,  ///< All are there, or a new one cannot be started.
    started,
    sleeper,  ///< To be told so once the mutex is free: it would run into it.
  };
  /// Under the mutex: sends one more thread to the queue.
  Roused rouse();
  void wake_sleepers();
  void run();

  const std::size_t max_threads_;
  const std::size_t max_queue_;
  const std::size_t lively_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Waiting> queue_;
  std::vector<std::thread> threads_;
  std::size_t active_ = 0;  ///< At a task, or on the way to the queue.
  std::size_t roused_ = 0;  ///< Of those, asleep still.
  std::uint64_t taken_ = 0;
  std::uint64_t taken_at_nudge_ = 0;
  std::chrono::steady_clock::time_point nudged_{};
  bool stopping_ = false;
  std::atomic<bool> batching_{false};
  std::atomic<std::size_t> to_wake_{0};
};

}  // namespace media::http
