// Runs a program, counts the system calls by which it changes the world, over all of its threads in the order in which they come, and kills
// the program at one of them, or lets it fail, do half, or lie. strace does this too, but counts for each thread by itself, so that of a
// program with threads it reaches only those calls whose thread is the first to come so far.
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "injector_calls.hpp"
#include "injector_tracee.hpp"

namespace {

using torture::Call;
using torture::Subject;
using torture::Target;

constexpr const char* kUsage =
    "usage: fault_injector [OPTION…] PROGRAM ARGUMENT…\n"
    "  --log FILE         a line for each call that is looked at: number (0: not counted), thread, call, what on, second path, outcome, "
    "bytes\n"
    "  --under FOLDER     looks at calls on what is below it (may stand several times), beside standard output and sockets\n"
    "  --no-output        counts no calls on standard output and sockets\n"
    "  --calls NAME,…     counts these only; default: all that change something\n"
    "  --all-opens        looks at each openat, also one that only reads\n"
    "  --gate FILE        begins once this file is there\n"
    "  --at N             which call is hit, from 1\n"
    "  --ever             and each that counts after it\n"
    "  --kill             it is the program's last\n"
    "  --error NAME       it fails: EIO, ENOSPC, EDQUOT, EROFS, EMFILE, EINTR, ENOMEM\n"
    "  --short            it does half of what it was asked to\n"
    "  --lie              it is not done, and says that it was\n"
    "Exits as the program does; 128 + signal where one ended it.\n";

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "fault_injector: %s\n", what.c_str());
  std::exit(70);
}

enum class Action : std::uint8_t { none, kill, error, half, lie };

struct Options {
  std::string log;
  std::vector<std::string> under;
  bool output = true;
  bool all_opens = false;
  std::set<std::string, std::less<>> calls;
  std::string gate;
  unsigned long at = 0;
  bool ever = false;
  Action action = Action::none;
  int error = 0;
  char** program = nullptr;
};

int errno_of(const std::string& name) {
  const std::map<std::string, int> known = {{"EIO", EIO},       {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT}, {"EROFS", EROFS},
                                            {"EMFILE", EMFILE}, {"EINTR", EINTR},   {"ENOMEM", ENOMEM}};
  const auto found = known.find(name);
  if (found == known.end()) die("unknown error " + name);
  return found->second;
}

Options options_of(int argc, char** argv) {
  Options options;
  int at = 1;
  const auto value = [&] {
    if (++at >= argc) die(kUsage);
    return std::string(argv[at]);
  };
  for (; at < argc && argv[at][0] == '-'; ++at) {
    const std::string option = argv[at];
    if (option == "--log") {
      options.log = value();
    } else if (option == "--under") {
      options.under.push_back(std::filesystem::weakly_canonical(value()).string());
    } else if (option == "--no-output") {
      options.output = false;
    } else if (option == "--all-opens") {
      options.all_opens = true;
    } else if (option == "--calls") {
      std::string names = value() + ",";
      for (std::size_t end = 0; (end = names.find(',')) != std::string::npos; names.erase(0, end + 1))
        options.calls.insert(names.substr(0, end));
    } else if (option == "--gate") {
      options.gate = value();
    } else if (option == "--at") {
      options.at = std::strtoul(value().c_str(), nullptr, 10);
    } else if (option == "--ever") {
      options.ever = true;
    } else if (option == "--kill") {
      options.action = Action::kill;
    } else if (option == "--error") {
      options.action = Action::error;
      options.error = errno_of(value());
    } else if (option == "--short") {
      options.action = Action::half;
    } else if (option == "--lie") {
      options.action = Action::lie;
    } else {
      die(kUsage);
    }
  }
  if (at >= argc) die(kUsage);
  options.program = argv + at;
  return options;
}

bool is_counted(const Options& options, const Call& call) {
  if (options.calls.empty()) return call.target != Target::nothing;
  return options.calls.contains(call.name);
}

/// A call that was let go, until it has ended.
struct Pending {
  unsigned long number = 0;
  const Call* call = nullptr;
  Subject subject;
  bool injected = false;
  std::optional<std::int64_t> forced;
};

class Tracer {
 public:
  Tracer(Options options, pid_t program) : options_(std::move(options)), program_(program) {
    for (const Call& call : torture::kCalls) {
      if (torture::number_of(call) >= 0) by_number_[torture::number_of(call)] = &call;
    }
    if (!options_.log.empty()) log_ = std::fopen(options_.log.c_str(), "we");
    if (!options_.log.empty() && log_ == nullptr) die("cannot write " + options_.log);
  }

  int run() {
    while (true) {
      int status = 0;
      const pid_t thread = ::waitpid(-1, &status, __WALL);
      if (thread < 0 && errno == EINTR) continue;
      if (thread < 0) die("the program got lost");
      if (WIFEXITED(status) || WIFSIGNALED(status)) {
        // A call that is the end of its thread's process has no outcome.
        if (const auto open = pending_.find(thread); open != pending_.end()) {
          say(open->first, open->second, "killed");
          pending_.erase(open);
        }
        others_.erase(thread);
        if (thread == program_) return finish(status);
        continue;
      }
      stopped(thread, status);
    }
  }

 private:
  int finish(int status) {
    if (log_ != nullptr) std::fclose(log_);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  void stopped(pid_t thread, int status) {
    const int signal = WSTOPSIG(status);
    const int event = status >> 16;
    if (event == PTRACE_EVENT_SECCOMP) return entered(thread);
    if (signal == (SIGTRAP | 0x80)) return left(thread);
    if (event == PTRACE_EVENT_STOP && signal != SIGTRAP) {
      ::ptrace(PTRACE_LISTEN, thread, nullptr, nullptr);
    } else {
      ::ptrace(PTRACE_CONT, thread, nullptr, event != 0 ? 0 : signal);
    }
  }

  /// Processes that the program starts run untouched.
  bool is_ours(pid_t thread) {
    if (thread == program_) return true;
    const auto known = others_.find(thread);
    if (known != others_.end()) return !known->second;
    const bool other = ::access(("/proc/" + std::to_string(program_) + "/task/" + std::to_string(thread)).c_str(), F_OK) != 0;
    others_[thread] = other;
    return !other;
  }

  [[nodiscard]] bool is_looked_at(const Call& call, const Subject& subject) const {
    if (call.target == Target::nothing) return true;
    if (subject.is_output) return true;
    if (options_.under.empty()) return subject.first.starts_with('/');
    for (const std::string& folder : options_.under) {
      if (subject.first == folder || subject.first.starts_with(folder + "/")) return true;
    }
    return false;
  }

  bool gate_is_open() {
    gate_open_ = gate_open_ || options_.gate.empty() || ::access(options_.gate.c_str(), F_OK) == 0;
    return gate_open_;
  }

  void entered(pid_t thread) {
    __ptrace_syscall_info info{};
    const bool known = ::ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) > 0;
    const auto call = known ? by_number_.find(static_cast<int>(info.seccomp.nr)) : by_number_.end();
    if (call == by_number_.end() || !is_ours(thread) || !gate_is_open()) return go_on(thread, PTRACE_CONT);
    const Call& what = *call->second;
    const std::size_t flags = what.name == "openat" ? 2 : 1;
    if (torture::is_open(what) && !options_.all_opens && !torture::opens_to_change(info.seccomp.args[flags]))
      return go_on(thread, PTRACE_CONT);
    Pending pending;
    pending.call = &what;
    pending.subject = torture::subject_of(what, thread, info.seccomp.args);
    if (!is_looked_at(what, pending.subject)) return go_on(thread, PTRACE_CONT);
    if (is_counted(options_, what) && (options_.output || !pending.subject.is_output)) {
      pending.number = ++count_;
      if (options_.at > 0 && (count_ == options_.at || (options_.ever && count_ > options_.at))) hit(thread, info.seccomp.args, pending);
    }
    const bool wants_outcome = log_ != nullptr || pending.forced;
    pending_[thread] = std::move(pending);
    go_on(thread, wants_outcome ? PTRACE_SYSCALL : PTRACE_CONT);
  }

  void hit(pid_t thread, const std::uint64_t* arguments, Pending& pending) {
    const std::uint64_t amount = arguments[2];
    switch (options_.action) {
      case Action::none:
        return;
      case Action::kill:
        ::kill(program_, SIGKILL);
        break;
      case Action::error:
        torture::skip_call(thread);
        pending.forced = -options_.error;
        break;
      case Action::half:
        if (pending.call->amount == torture::Amount::none || amount < 2) return;
        torture::set_third_argument(thread, amount / 2);
        break;
      case Action::lie:
        torture::skip_call(thread);
        pending.forced = pending.call->amount == torture::Amount::bytes ? static_cast<std::int64_t>(amount) : 0;
        break;
    }
    pending.injected = true;
  }

  void left(pid_t thread) {
    const auto open = pending_.find(thread);
    if (open != pending_.end()) {
      std::int64_t outcome = 0;
      if (open->second.forced) {
        outcome = *open->second.forced;
        torture::set_outcome(thread, outcome);
      } else {
        __ptrace_syscall_info info{};
        if (::ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) > 0) outcome = info.exit.rval;
      }
      say(thread, open->second, std::to_string(outcome));
      pending_.erase(open);
    }
    go_on(thread, PTRACE_CONT);
  }

  static void go_on(pid_t thread, __ptrace_request how) { ::ptrace(how, thread, nullptr, nullptr); }

  void say(pid_t thread, const Pending& pending, const std::string& outcome) {
    if (log_ == nullptr) return;
    std::string bytes;
    for (const char byte : pending.subject.bytes) {
      if (byte >= ' ' && byte != '\\' && byte != 0x7f) {
        bytes += byte;
      } else {
        bytes += byte == '\n' ? "\\n" : "?";
      }
    }
    std::fprintf(log_, "%lu\t%d\t%s%s\t%s\t%s\t%s%s\t%s\n", pending.number, thread, std::string(pending.call->name).c_str(),
                 pending.subject.makes ? "+" : "", pending.subject.first.c_str(), pending.subject.second.c_str(), outcome.c_str(),
                 pending.injected ? " injected" : "", bytes.c_str());
    std::fflush(log_);
  }

  Options options_;
  pid_t program_;
  std::FILE* log_ = nullptr;
  std::map<int, const Call*> by_number_;
  std::map<pid_t, bool> others_;
  std::map<pid_t, Pending> pending_;
  unsigned long count_ = 0;
  bool gate_open_ = false;
};

/// Only the calls that count stop the program: the kernel passes all others by.
void run_program(const Options& options, int start) {
  char byte = 0;
  while (::read(start, &byte, 1) < 0 && errno == EINTR) {
  }
  const scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
  if (filter == nullptr) die("no filter");
  for (const Call& call : torture::kCalls) {
    if (torture::number_of(call) >= 0 && (call.target != Target::nothing || is_counted(options, call)) &&
        seccomp_rule_add(filter, SCMP_ACT_TRACE(0), torture::number_of(call), 0) != 0) {
      die("the filter does not take " + std::string(call.name));
    }
  }
  if (seccomp_load(filter) != 0) die("the filter cannot be loaded");
  ::execvp(options.program[0], options.program);
  die(std::string("cannot run ") + options.program[0] + ": " + std::strerror(errno));
}

pid_t program_id = -1;  // for the signal handler alone

}  // namespace

int main(int argc, char** argv) {
  const Options options = options_of(argc, argv);
  std::array<int, 2> start{};
  if (::pipe2(start.data(), O_CLOEXEC) != 0) die("no pipe");
  const pid_t program = ::fork();
  if (program < 0) die("no process");
  if (program == 0) run_program(options, start[0]);
  program_id = program;
  if (::ptrace(PTRACE_SEIZE, program, nullptr,
               PTRACE_O_EXITKILL | PTRACE_O_TRACESECCOMP | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
                   PTRACE_O_TRACEVFORK) != 0) {
    const std::string reason = std::strerror(errno);
    ::kill(program, SIGKILL);
    die("cannot trace: " + reason);
  }
  // Whoever wants to stop the program stops this one.
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    struct sigaction action{};
    action.sa_handler = [](int number) { ::kill(program_id, number); };
    ::sigaction(signal, &action, nullptr);
  }
  if (::write(start[1], "x", 1) != 1) die("the program cannot be started");
  return Tracer(options, program).run();
}
