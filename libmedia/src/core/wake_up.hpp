/// One thread's wait for another's word.
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

namespace media {

/// A word that is said to one who waits for it. Beside a condition variable it spares a second switch of threads, for who is woken does not
/// run into a mutex that is still held; and nothing of the object is touched once the word is said, so that it may live on the waiter's
/// stack. (std::binary_semaphore of GCC 12 can sleep for ever, and a waiting std::atomic yields the processor four times first.)
///
/// Thread-safety: one waits, one says.
class WakeUp {
 public:
  /// `word` is neither 0 nor UINT32_MAX.
  void say(std::uint32_t word) noexcept {
    std::uint32_t* const address = futex();
    // The waiter may be gone once it has the word. Whoever else waits at that address by then looks again.
    if (word_.exchange(word, std::memory_order_acq_rel) == kAsleep)
      ::syscall(SYS_futex, address, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  }

  /// The word, once it is said.
  std::uint32_t wait() noexcept {
    std::uint32_t seen = 0;
    if (!word_.compare_exchange_strong(seen, kAsleep, std::memory_order_acq_rel)) return seen;
    do {
      ::syscall(SYS_futex, futex(), FUTEX_WAIT_PRIVATE, kAsleep, nullptr, nullptr, 0);
      seen = word_.load(std::memory_order_acquire);
    } while (seen == kAsleep);
    return seen;
  }

 private:
  static constexpr std::uint32_t kAsleep = UINT32_MAX;

  std::uint32_t* futex() noexcept {
    static_assert(sizeof(word_) == sizeof(std::uint32_t) && std::atomic<std::uint32_t>::is_always_lock_free);
    return reinterpret_cast<std::uint32_t*>(&word_);
  }

  std::atomic<std::uint32_t> word_{0};
};

}  // namespace media
