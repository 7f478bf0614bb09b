/// Threads that wait for the disk on behalf of others.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <list>
#include <mutex>
#include <thread>
#include <vector>

namespace media::store {

/// Runs the steps of several jobs at once on a fixed number of threads, which start with the first job that needs them.
/// There are more of them than processors, because a step is mostly a wait for a journal commit, which all waiting
/// steps share.
///
/// Thread-safety: `run` may be called concurrently; one mutex guards the jobs, and steps run without it.
class SyncPool {
 public:
  explicit SyncPool(unsigned threads) : size_(threads) {}
  ~SyncPool();
  SyncPool(const SyncPool&) = delete;
  SyncPool& operator=(const SyncPool&) = delete;

  /// Calls `step(0)` … `step(count - 1)`, on at most `width` threads at a time with the caller's among them, and returns
  /// when all have returned. `step` must not throw.
  void run(std::size_t count, unsigned width, const std::function<void(std::size_t)>& step);

  [[nodiscard]] unsigned size() const noexcept { return size_; }

 private:
  struct Job {
    const std::function<void(std::size_t)>* step;
    std::size_t count;
    std::size_t next = 0;
    std::size_t running = 0;
    std::size_t width;
    [[nodiscard]] bool open() const { return next < count && running < width; }
    [[nodiscard]] bool done() const { return next == count && running == 0; }
  };

  void work();
  void take_step(Job& job, std::unique_lock<std::mutex>& lock);
  void start_threads();

  const unsigned size_;
  std::mutex mutex_;
  std::condition_variable work_ready_;
  std::condition_variable step_done_;
  std::list<Job> jobs_;
  std::vector<std::thread> threads_;
  bool stopping_ = false;
};

}  // namespace media::store
