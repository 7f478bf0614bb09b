/// Threads that fetch what a reader will ask for next, and the memory that all readers share for it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace media::store::s3 {

/// Thread-safety: every method may be called concurrently; a mutex guards the queue, and the count of streams is atomic.
class ReadAhead {
 public:
  ReadAhead(std::size_t budget_bytes, unsigned threads) : budget_bytes_(budget_bytes), most_threads_(threads) {}
  /// Waits for what runs, and drops what has not begun.
  ~ReadAhead();
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  /// Must not throw, nor hold the last reference to this.
  void submit(std::function<void()> task);

  /// How much one of the streams that are open may hold at a time: two such pieces each, all together within the budget as long as it
  /// gives each the least there is.
  [[nodiscard]] std::size_t piece_bytes() const noexcept;
  void stream_opened() noexcept { streams_.fetch_add(1, std::memory_order_relaxed); }
  void stream_closed() noexcept { streams_.fetch_sub(1, std::memory_order_relaxed); }

 private:
  void work();

  const std::size_t budget_bytes_;
  const unsigned most_threads_;
  std::atomic<std::size_t> streams_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
  std::vector<std::thread> threads_;
  std::size_t waiting_ = 0;
  bool stopping_ = false;
};

}  // namespace media::store::s3
