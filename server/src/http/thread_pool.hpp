// Threads that run what the loop hands them.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "http/engine.hpp"

namespace media::http {

/// A bounded queue and threads that start when work finds none of them free.
///
/// Thread-safety: all but `stop` and the destructor may be called concurrently, because one mutex guards the queue.
class ThreadPool {
 public:
  using Task = std::function<void(Engine&)>;

  ThreadPool(std::size_t max_threads, std::size_t max_queue) : max_threads_(max_threads), max_queue_(max_queue) {}
  ~ThreadPool() { stop(); }
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  /// False where the queue is full, or where not even one thread can be started.
  bool submit(Task task) { return enqueue(std::move(task), max_queue_); }
  /// For work that has begun already and must not be refused; its amount is bounded by the number of connections.
  bool submit_continuation(Task task) { return enqueue(std::move(task), SIZE_MAX); }
  [[nodiscard]] std::size_t queued() const;
  /// Lets the threads finish the queue, then joins them. Nothing can be submitted any more.
  void stop();

 private:
  bool enqueue(Task task, std::size_t limit);
  void run();

  const std::size_t max_threads_;
  const std::size_t max_queue_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Task> queue_;
  std::vector<std::thread> threads_;
  std::size_t idle_ = 0;
  bool stopping_ = false;
};

}  // namespace media::http
