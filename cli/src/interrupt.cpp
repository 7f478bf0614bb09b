#include "interrupt.hpp"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

namespace mediactl {
namespace {

/// Those that we wait for; SIGUSR1 is how the destructor wakes the thread.
sigset_t watched_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGUSR1}) ::sigaddset(&set, number);
  return set;
}

}  // namespace

Interrupt::Interrupt() {
  // A thread that waits, not a handler: std::stop_source may not be touched from a handler.
  const sigset_t set = watched_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  thread_ = std::thread([this, set] {
    while (true) {
      int number = 0;
      if (::sigwait(&set, &number) != 0) continue;
      if (ended_.load()) return;
      if (number == SIGUSR1) continue;
      int none = 0;
      if (!signal_.compare_exchange_strong(none, number)) ::_exit(128 + number);
      stop_.request_stop();
    }
  });
}

Interrupt::~Interrupt() {
  ended_.store(true);
  ::pthread_kill(thread_.native_handle(), SIGUSR1);
  thread_.join();
  const sigset_t set = watched_signals();
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

}  // namespace mediactl
