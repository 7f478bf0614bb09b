/// How far a long command is, drawn a few times a second on a terminal.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

#include "console.hpp"

namespace mediactl {

/// Counts what is done and shows it: a bar with rate and time left where the total is known, counts and rate where not.
/// Costs two additions a file where there is no terminal.
///
/// Thread-safety: the counters may be changed concurrently; they are atomic, and drawing has a thread of its own.
class Progress {
 public:
  /// `noun`: what is counted ("files").
  Progress(Console& console, std::string noun);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void add(std::uint64_t items, std::uint64_t bytes) noexcept;
  void set(std::uint64_t items, std::uint64_t bytes) noexcept;
  /// All there will be; may come late, while work goes on.
  void set_total(std::uint64_t items, std::uint64_t bytes) noexcept;
  [[nodiscard]] std::chrono::duration<double> elapsed() const noexcept { return std::chrono::steady_clock::now() - start_; }

 private:
  void draw();

  Console& console_;
  const std::string noun_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::atomic<std::uint64_t> items_{0};
  std::atomic<std::uint64_t> bytes_{0};
  std::atomic<std::uint64_t> total_items_{0};
  std::atomic<std::uint64_t> total_bytes_{0};
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;  ///< Last: it uses the others.
};

}  // namespace mediactl
