#include "locks.hpp"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>

#include "core/errno_error.hpp"
#include "core/unique_fd.hpp"

namespace media::cage {
namespace {

/// landlock_ruleset_attr as kernels from 6.12 on have it: Debian 12's header ends after the first field.
struct RulesetAttributes {
  std::uint64_t files = 0;
  std::uint64_t ports = 0;
  std::uint64_t scopes = 0;
};

/// What each version of Landlock can take away (landlock(7)).
RulesetAttributes everything_of(int version) {
  RulesetAttributes all;
  unsigned file_rights = 13;        // execute … make_sym
  if (version >= 2) ++file_rights;  // refer
  if (version >= 3) ++file_rights;  // truncate
  if (version >= 5) ++file_rights;  // ioctl_dev
  all.files = (std::uint64_t{1} << file_rights) - 1;
  if (version >= 4) all.ports = 0b11;   // bind and connect
  if (version >= 6) all.scopes = 0b11;  // abstract sockets and signals
  return all;
}

std::size_t attribute_bytes(int version) {
  if (version >= 6) return sizeof(RulesetAttributes);
  return version >= 4 ? 2 * sizeof(std::uint64_t) : sizeof(std::uint64_t);
}

struct ReleaseFilter {
  void operator()(void* filter) const noexcept { ::seccomp_release(filter); }
};

/// A list of what may be called; everything else is refused.
class Filter {
 public:
  explicit Filter(std::uint32_t otherwise) : filter_(::seccomp_init(otherwise)) {
    if (!filter_) failure_ = ENOMEM;
  }
  void allow(std::initializer_list<int> calls) {
    for (const int call : calls) allow(call, {});
  }
  /// Only with arguments like these. A call that this machine does not have needs no rule.
  void allow(int call, std::initializer_list<scmp_arg_cmp> arguments) { add(SCMP_ACT_ALLOW, call, arguments); }
  void refuse(int call, unsigned error) { add(SCMP_ACT_ERRNO(error), call, {}); }

  Result<void> load() {
    // Sorted as a tree and not as a list: reading in small pieces is many calls.
    if (failure_ == 0) failure_ = -::seccomp_attr_set(filter_.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (failure_ == 0) failure_ = -::seccomp_load(filter_.get());
    if (failure_ == EINVAL || failure_ == ENOSYS) return Error{Errc::unsupported, "this kernel, or what runs this process, has no seccomp"};
    if (failure_ != 0) return errno_error(failure_, "lock the system calls");
    return {};
  }

 private:
  void add(std::uint32_t action, int call, std::initializer_list<scmp_arg_cmp> arguments) {
    if (failure_ != 0 || call == __NR_SCMP_ERROR) return;
    failure_ = -::seccomp_rule_add_array(filter_.get(), action, call, static_cast<unsigned>(arguments.size()), arguments.begin());
  }

  std::unique_ptr<void, ReleaseFilter> filter_;
  int failure_ = 0;
};

scmp_arg_cmp equals(unsigned argument, std::uint64_t value) { return {argument, SCMP_CMP_EQ, value, 0}; }
scmp_arg_cmp masked(unsigned argument, std::uint64_t mask, std::uint64_t value) { return {argument, SCMP_CMP_MASKED_EQ, mask, value}; }

}  // namespace

Result<int> lock_file_system() {
  const long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 1) return kNoLandlock;
  const int known = static_cast<int>(version);
  const RulesetAttributes all = everything_of(known);
  const UniqueFd ruleset(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &all, attribute_bytes(known), 0)));
  if (!ruleset) return errno_error(errno, "make a Landlock ruleset");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno_error(errno, "give up new privileges");
  // A ruleset without a rule: nothing of what it handles is allowed.
  if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) return errno_error(errno, "lock the file system");
  return known;
}

Result<void> lock_system_calls() {
  Filter filter(SCMP_ACT_ERRNO(EPERM));
  // The source, the socket, and what is heard of it.
  filter.allow({SCMP_SYS(read), SCMP_SYS(pread64), SCMP_SYS(readv), SCMP_SYS(preadv), SCMP_SYS(lseek), SCMP_SYS(_llseek), SCMP_SYS(fstat),
                SCMP_SYS(fstat64), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(close), SCMP_SYS(recvmsg), SCMP_SYS(recvfrom),
                SCMP_SYS(sendmsg), SCMP_SYS(sendto), SCMP_SYS(poll), SCMP_SYS(ppoll)});
  filter.allow(SCMP_SYS(fcntl), {equals(1, F_GETFL)});
  filter.allow(SCMP_SYS(fcntl), {equals(1, F_GETFD)});
  // Memory, none of which becomes code.
  filter.allow({SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise)});
  for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mmap2), SCMP_SYS(mprotect)}) filter.allow(call, {masked(2, PROT_EXEC, 0)});
  // Threads of its own, and never another process.
  filter.allow(SCMP_SYS(clone), {masked(0, CLONE_THREAD, CLONE_THREAD)});
  filter.refuse(SCMP_SYS(clone3), ENOSYS);  // its flags lie in memory; glibc takes the other one then
  filter.allow({SCMP_SYS(futex), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity),
                SCMP_SYS(getcpu), SCMP_SYS(gettid), SCMP_SYS(getpid), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(restart_syscall)});
  filter.allow(SCMP_SYS(prctl), {equals(0, PR_SET_NAME)});
  filter.allow(SCMP_SYS(prctl), {equals(0, PR_GET_NAME)});
  // Signals of its own: the one that ends it with the other side, and abort(3).
  filter.allow({SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack)});
  filter.allow(SCMP_SYS(tgkill), {equals(0, static_cast<std::uint64_t>(::getpid()))});
  // Its own limits, up to what the process was left for good, and what it has used of them.
  filter.allow(SCMP_SYS(prlimit64), {equals(0, 0)});
  filter.allow({SCMP_SYS(getrlimit), SCMP_SYS(setrlimit), SCMP_SYS(getrusage)});
  // Time and chance.
  filter.allow({SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday),
                SCMP_SYS(getrandom)});
  filter.allow({SCMP_SYS(sysinfo), SCMP_SYS(uname)});
  return filter.load();
}

}  // namespace media::cage
