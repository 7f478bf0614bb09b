// Bytes that a connection received and nobody has read yet.
#pragma once

#include <atomic>
#include <cstddef>
#include <string>
#include <string_view>

namespace media::http {

/// Empty for an idle connection: no memory is held then. What it holds counts in a sum over all connections.
///
/// Thread-safety: none but for the sum, which is atomic because connections move between threads.
class Inbox {
 public:
  explicit Inbox(std::atomic<std::size_t>& sum) : sum_(sum) { sum_.fetch_add(bytes_.capacity(), std::memory_order_relaxed); }
  ~Inbox() { sum_.fetch_sub(bytes_.capacity(), std::memory_order_relaxed); }
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;

  [[nodiscard]] std::string_view view() const noexcept { return std::string_view(bytes_).substr(begin_); }
  [[nodiscard]] bool empty() const noexcept { return begin_ == bytes_.size(); }

  void append(std::string_view more) {
    if (begin_ > 0) {
      bytes_.erase(0, begin_);
      begin_ = 0;
    }
    change([&] { bytes_.append(more); });
  }
  void consume(std::size_t count) {
    begin_ += count;
    if (begin_ == bytes_.size()) {
      begin_ = 0;
      change([&] { std::string().swap(bytes_); });
    }
  }

 private:
  template <class Action>
  void change(Action action) {
    const std::size_t before = bytes_.capacity();
    action();
    sum_.fetch_add(bytes_.capacity() - before, std::memory_order_relaxed);  // wraps to a subtraction where it shrank
  }

  std::atomic<std::size_t>& sum_;
  std::string bytes_;
  std::size_t begin_ = 0;
};

}  // namespace media::http
