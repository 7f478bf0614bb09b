#include "attempts.hpp"

#include <fcntl.h>
#include <linux/io_uring.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>

namespace media::cage {
namespace {

/// 0, or errno.
int outcome_of(long returned) noexcept { return returned < 0 ? errno : 0; }

int closed_again(int descriptor) noexcept {
  if (descriptor < 0) return errno;
  ::close(descriptor);
  return 0;
}

int read_file() noexcept { return closed_again(::open("/etc/passwd", O_RDONLY | O_CLOEXEC)); }
int list_folder() noexcept { return closed_again(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)); }
int make_file() noexcept { return closed_again(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)); }
int make_folder() noexcept {
  if (::mkdir("/tmp/media-worker-attempt", 0700) != 0 && errno != EEXIST) return errno;
  return outcome_of(::rmdir("/tmp/media-worker-attempt"));
}
int look_up_file() noexcept {
  struct stat status{};
  return outcome_of(::stat("/etc/passwd", &status));
}
int look_up_file_by_descriptor() noexcept {
  struct stat status{};
  // The flag allows for an empty path; it does not ask for one.
  return outcome_of(::syscall(SYS_newfstatat, AT_FDCWD, "/etc/passwd", &status, AT_EMPTY_PATH));
}
int open_internet_socket() noexcept { return closed_again(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)); }
int open_local_socket() noexcept { return closed_again(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)); }

int start_program() noexcept {
  char name[] = "/bin/true";
  char* const arguments[] = {name, nullptr};
  // Comes off, where it does, by not coming back: in a process without locks this one ends well then.
  ::execve(name, arguments, nullptr);
  return errno;
}

int make_process() noexcept {
  const long child = ::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr);
  if (child == 0) ::_exit(0);
  if (child > 0) ::waitpid(static_cast<pid_t>(child), nullptr, 0);
  return outcome_of(child);
}

int signal_parent() noexcept { return outcome_of(::kill(::getppid(), 0)); }
int trace_itself() noexcept { return outcome_of(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr)); }

int read_parent_memory() noexcept {
  static const int elsewhere = 0;  // at the same address in a parent that runs the same program
  int here = 1;
  const iovec local{&here, sizeof here};
  const iovec remote{const_cast<int*>(&elsewhere), sizeof elsewhere};
  return outcome_of(::process_vm_readv(::getppid(), &local, 1, &remote, 1, 0));
}

int make_code() noexcept {
  constexpr std::size_t kPage = 4096;
  void* const page = ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return errno;
  ::munmap(page, kPage);
  return 0;
}

int turn_data_into_code() noexcept {
  constexpr std::size_t kPage = 4096;
  void* const page = ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return errno;
  const int outcome = outcome_of(::mprotect(page, kPage, PROT_READ | PROT_EXEC));
  ::munmap(page, kPage);
  return outcome;
}

int take_all_memory() noexcept {
  constexpr std::size_t kTebibyte = std::size_t{1} << 40U;
  void* const range = ::mmap(nullptr, kTebibyte, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (range == MAP_FAILED) return errno;
  ::munmap(range, kTebibyte);
  return 0;
}

int make_nameless_file() noexcept { return closed_again(static_cast<int>(::syscall(SYS_memfd_create, "attempt", 0U))); }
int become_root() noexcept { return outcome_of(::setuid(0)); }
int make_namespace() noexcept { return outcome_of(::unshare(CLONE_NEWUSER)); }
int open_ring() noexcept {
  io_uring_params parameters{};
  return closed_again(static_cast<int>(::syscall(SYS_io_uring_setup, 1U, &parameters)));
}
int load_kernel_program() noexcept { return closed_again(static_cast<int>(::syscall(SYS_bpf, 0, nullptr, 0U))); }
int handle_page_faults() noexcept { return closed_again(static_cast<int>(::syscall(SYS_userfaultfd, O_CLOEXEC))); }
int read_keys() noexcept { return outcome_of(::syscall(SYS_keyctl, 0, -3, 0)); }  // the session's keyring

constexpr std::array kAttempts{
    Attempt{"read a file", read_file},
    Attempt{"look a file up", look_up_file},
    Attempt{"look a file up in another way", look_up_file_by_descriptor},
    Attempt{"list a folder", list_folder},
    Attempt{"make a file", make_file},
    Attempt{"make a folder", make_folder},
    Attempt{"make a file without a name", make_nameless_file},
    Attempt{"open an internet socket", open_internet_socket},
    Attempt{"open a local socket", open_local_socket},
    Attempt{"start a program", start_program},
    Attempt{"make a process", make_process},
    Attempt{"send a signal to the process that started it", signal_parent},
    Attempt{"read the memory of that process", read_parent_memory, false},
    Attempt{"be traced", trace_itself},
    Attempt{"map memory as code", make_code},
    Attempt{"turn data into code", turn_data_into_code},
    Attempt{"take a tebibyte of memory", take_all_memory},
    Attempt{"become root", become_root, false},
    Attempt{"make a user namespace", make_namespace, false},
    Attempt{"open an I/O ring", open_ring, false},
    Attempt{"load a program into the kernel", load_kernel_program, false},
    Attempt{"handle page faults", handle_page_faults, false},
    Attempt{"read the kernel's keys", read_keys, false},
};

}  // namespace

std::span<const Attempt> attempts() noexcept { return kAttempts; }

}  // namespace media::cage
