#include "cage/confine.hpp"

#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <string>
#include <system_error>

#include "cage/saturating.hpp"
#include "core/errno_error.hpp"
#include "core/sanitized.hpp"
#include "core/unique_fd.hpp"

namespace media::cage {
namespace {

static_assert(RLIM_INFINITY == ~rlim_t{0}, "a saturated sum is no limit");

/// Standard input, output and error, the socket, a source, and a few for what a library looks up (the number of processors).
constexpr rlim_t kMaxDescriptors = 16;
/// Out of the way of whoever serves requests, yet not starved.
constexpr int kNiceness = 5;
/// Processor time is a second line behind the library's own watch on the clock: generous, for codecs that use several threads.
constexpr std::uint64_t kThreadsReckoned = 8;

constexpr bool kLimitAddressSpace = !kSanitized;

Result<void> set_limit(__rlimit_resource resource, rlim_t soft, rlim_t hard, const char* name) {
  const rlimit limit{soft, hard};
  if (::setrlimit(resource, &limit) != 0) return errno_error(errno, std::string("limit ") + name);
  return {};
}

/// Bytes of address space in use (proc(5), statm: first field, in pages). The file stays open, for a worker with its locks closed could not
/// open it again.
Result<std::uint64_t> mapped_bytes() {
  static const UniqueFd statm(::open("/proc/self/statm", O_RDONLY | O_CLOEXEC));
  std::array<char, 128> text{};
  const ssize_t length = statm ? ::pread(statm.get(), text.data(), text.size(), 0) : -1;
  if (length < 0) return errno_error(errno, "read /proc/self/statm");
  std::uint64_t pages = 0;
  if (std::from_chars(text.data(), text.data() + length, pages).ec != std::errc{})
    return Error{Errc::io, "/proc/self/statm: not as proc(5) has it"};
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

// A signal handler has no other way to know it.
std::atomic<int> watched_socket{-1};
static_assert(std::atomic<int>::is_always_lock_free);

bool peer_is_gone(int socket) {
  pollfd watched{socket, POLLRDHUP, 0};
  return ::poll(&watched, 1, 0) == 1 && (watched.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

extern "C" void on_socket_event(int) {
  const int saved = errno;
  if (peer_is_gone(watched_socket.load(std::memory_order_relaxed))) ::_exit(0);
  errno = saved;
}

}  // namespace

Result<void> confine_process(std::uint64_t max_memory_bytes) {
  // One arena: a worker does one job at a time, and each arena more would hold freed pixels of its own.
  ::mallopt(M_ARENA_MAX, 1);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno_error(errno, "give up new privileges");
  // Not dumpable means not traceable either: one worker that was taken over cannot look into another.
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return errno_error(errno, "give up core dumps");
  if (::chdir("/") != 0) return errno_error(errno, "leave the start folder");
  // Fails only where it would raise the priority; lower it is not less safe.
  ::setpriority(PRIO_PROCESS, 0, kNiceness);
  MEDIA_TRY(set_limit(RLIMIT_CORE, 0, 0, "core dumps"));
  MEDIA_TRY(set_limit(RLIMIT_FSIZE, 0, 0, "file size"));
  MEDIA_TRY(set_limit(RLIMIT_NOFILE, kMaxDescriptors, kMaxDescriptors, "descriptors"));
  if (kLimitAddressSpace) {
    MEDIA_TRY_ASSIGN(const std::uint64_t mapped, mapped_bytes());
    const std::uint64_t limit = saturating_add(mapped, max_memory_bytes);
    MEDIA_TRY(set_limit(RLIMIT_AS, limit, limit, "address space"));
  }
  return {};
}

Result<void> end_with_peer(int socket) {
  watched_socket.store(socket, std::memory_order_relaxed);
  struct sigaction action{};
  action.sa_handler = on_socket_event;
  action.sa_flags = SA_RESTART;
  ::sigemptyset(&action.sa_mask);
  if (::sigaction(SIGIO, &action, nullptr) != 0) return errno_error(errno, "watch the socket");
  if (::fcntl(socket, F_SETOWN, ::getpid()) != 0) return errno_error(errno, "watch the socket");
  const int flags = ::fcntl(socket, F_GETFL);
  if (flags < 0 || ::fcntl(socket, F_SETFL, flags | O_ASYNC) != 0) return errno_error(errno, "watch the socket");
  // It may have gone before the watch began.
  if (peer_is_gone(socket)) ::_exit(0);
  return {};
}

Result<void> limit_job(std::uint64_t max_memory_bytes, std::uint64_t deadline_milliseconds) {
  rlimit processor{};
  rusage used{};
  if (::getrlimit(RLIMIT_CPU, &processor) != 0 || ::getrusage(RUSAGE_SELF, &used) != 0) return errno_error(errno, "read the limits");
  const auto spent = static_cast<std::uint64_t>(used.ru_utime.tv_sec + used.ru_stime.tv_sec);
  const std::uint64_t seconds = std::min<std::uint64_t>(deadline_milliseconds / 1000 + 2, 1U << 30U) * kThreadsReckoned;
  MEDIA_TRY(
      set_limit(RLIMIT_CPU, std::min<rlim_t>(saturating_add(spent, seconds), processor.rlim_max), processor.rlim_max, "processor time"));
  if (kLimitAddressSpace) {
    rlimit space{};
    if (::getrlimit(RLIMIT_AS, &space) != 0) return errno_error(errno, "read the limits");
    MEDIA_TRY_ASSIGN(const std::uint64_t mapped, mapped_bytes());
    MEDIA_TRY(
        set_limit(RLIMIT_AS, std::min<rlim_t>(saturating_add(mapped, max_memory_bytes), space.rlim_max), space.rlim_max, "address space"));
  }
  return {};
}

}  // namespace media::cage
