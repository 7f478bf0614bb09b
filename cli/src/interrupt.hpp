/// Ctrl-C as a stop token.
#pragma once

#include <atomic>
#include <stop_token>
#include <thread>

namespace mediactl {

/// While it lives, SIGINT, SIGTERM and SIGHUP ask for a stop instead of ending the process; a second one ends it at once.
/// Make it before any other thread: they inherit the blocked signals from the thread that makes it.
///
/// Thread-safety: const methods may be called concurrently.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  [[nodiscard]] std::stop_token token() const noexcept { return stop_.get_token(); }
  /// The signal that came; 0 where none did.
  [[nodiscard]] int signal_number() const noexcept { return signal_.load(); }

 private:
  std::stop_source stop_;
  std::atomic<int> signal_{0};
  std::atomic<bool> ended_{false};
  std::thread thread_;
};

}  // namespace mediactl
