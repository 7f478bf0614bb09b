#include "cage/child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

// glibc 2.36 forgot to tell C++ that these are C functions.
extern "C" {
#include <sys/pidfd.h>
}

#include <cerrno>
#include <memory>

#include "core/errno_error.hpp"

namespace media::cage {
namespace {

struct DestroyActions {
  void operator()(posix_spawn_file_actions_t* actions) const noexcept { ::posix_spawn_file_actions_destroy(actions); }
};
struct DestroyAttributes {
  void operator()(posix_spawnattr_t* attributes) const noexcept { ::posix_spawnattr_destroy(attributes); }
};

/// The new process's descriptors: its socket, nothing else that could be read, nothing inherited.
int arrange_descriptors(posix_spawn_file_actions_t& actions, int socket) {
  int failure = ::posix_spawn_file_actions_adddup2(&actions, socket, Child::kSocket);
  if (failure == 0) failure = ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  if (failure == 0) failure = ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  if (failure == 0) failure = ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  if (failure == 0) failure = ::posix_spawn_file_actions_addclosefrom_np(&actions, Child::kSocket + 1);
  return failure;
}

int arrange_signals(posix_spawnattr_t& attributes) {
  sigset_t all{};
  sigset_t none{};
  ::sigfillset(&all);
  ::sigemptyset(&none);
  int failure = ::posix_spawnattr_setsigdefault(&attributes, &all);
  if (failure == 0) failure = ::posix_spawnattr_setsigmask(&attributes, &none);
  if (failure == 0) {
    failure =
        ::posix_spawnattr_setflags(&attributes, static_cast<short>(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID));
  }
  return failure;
}

}  // namespace

std::string describe(const Ending& ending) {
  switch (ending.kind) {
    case Ending::Kind::exited:
      return "exited with code " + std::to_string(ending.number);
    case Ending::Kind::signalled: {
      const char* name = ::sigabbrev_np(ending.number);
      return "was killed by " + (name != nullptr ? "SIG" + std::string(name) : "signal " + std::to_string(ending.number));
    }
    case Ending::Kind::unknown:
      break;
  }
  return "ended in a way that the system did not tell";
}

Result<Child> Child::start(const std::filesystem::path& program, const std::vector<std::string>& arguments) {
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return errno_error(errno, "make a socket pair for a worker");
  UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);

  posix_spawn_file_actions_t actions_storage;
  posix_spawnattr_t attributes_storage;
  if (const int failure = ::posix_spawn_file_actions_init(&actions_storage); failure != 0) return errno_error(failure, "start a worker");
  const std::unique_ptr<posix_spawn_file_actions_t, DestroyActions> actions(&actions_storage);
  if (const int failure = ::posix_spawnattr_init(&attributes_storage); failure != 0) return errno_error(failure, "start a worker");
  const std::unique_ptr<posix_spawnattr_t, DestroyAttributes> attributes(&attributes_storage);
  if (const int failure = arrange_descriptors(*actions, theirs.get()); failure != 0) return errno_error(failure, "start a worker");
  if (const int failure = arrange_signals(*attributes); failure != 0) return errno_error(failure, "start a worker");

  std::string name = program.string();
  std::vector<std::string> texts = arguments;
  std::vector<char*> argv{name.data()};
  for (std::string& text : texts) argv.push_back(text.data());
  argv.push_back(nullptr);
  char* const no_environment[] = {nullptr};
  pid_t pid = -1;
  if (const int failure = ::posix_spawn(&pid, name.c_str(), actions.get(), attributes.get(), argv.data(), no_environment); failure != 0) {
    return errno_error(failure, "start the worker " + name);
  }
  UniqueFd process(::pidfd_open(pid, 0));
  if (!process) {
    const int failure = errno;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return errno_error(failure, "watch the worker " + name);
  }
  return Child(pid, std::move(process), std::move(ours));
}

Child::~Child() {
  if (process_) end(std::chrono::milliseconds(0));
}

Ending Child::end(std::chrono::milliseconds patience) {
  pollfd watched{process_.get(), POLLIN, 0};
  if (::poll(&watched, 1, static_cast<int>(patience.count())) != 1) ::pidfd_send_signal(process_.get(), SIGKILL, nullptr, 0);
  siginfo_t info{};
  int outcome = -1;
  do {
    outcome = ::waitid(P_PIDFD, static_cast<id_t>(process_.get()), &info, WEXITED);
  } while (outcome != 0 && errno == EINTR);
  process_.reset();
  socket_.reset();
  // Fails where the host ignores SIGCHLD or waits for any child: then nobody can say how it ended.
  if (outcome != 0) return {};
  if (info.si_code == CLD_EXITED) return {Ending::Kind::exited, info.si_status};
  return {Ending::Kind::signalled, info.si_status};
}

}  // namespace media::cage
