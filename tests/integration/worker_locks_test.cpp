// The cage: what a worker that a hostile file has taken over would try fails, by each lock, and comes off where there is no lock.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <functional>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "attempts.hpp"
#include "cage/self_test.hpp"
#include "catch.hpp"
#include "core/sanitized.hpp"
#include "locks.hpp"
#include "support.hpp"

using namespace media;

namespace {

/// What comes of it in a process of its own: its return value, 0 to 255; -1 where a signal ended it.
int in_child(const std::function<int()>& work) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(work());
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int (*attempt(std::string_view what))() noexcept {
  for (const cage::Attempt& each : cage::attempts()) {
    if (each.what == what) return each.make;
  }
  FAIL("there is no such attempt: " << what);
  return nullptr;
}

}  // namespace

TEST_CASE("worker: whatever a taken-over worker tries is refused, and would come off without the locks") {
  if (kSanitized) return;  // Those builds close no locks.
  const auto report = test_cage(MEDIA_WORKER_BINARY);
  REQUIRE(report);
  CHECK(report->holds());
  CHECK(report->worker == MEDIA_WORKER_BINARY);
  REQUIRE(report->attempts.size() == cage::attempts().size());
  for (std::size_t i = 0; i < report->attempts.size(); ++i) {
    const CageAttempt& tried = report->attempts[i];
    const cage::Attempt& known = cage::attempts()[i];
    CAPTURE(known.what);
    CHECK(tried.what == known.what);
    CHECK(tried.refused);
    const bool by_limit = known.what == "take a tebibyte of memory";
    CHECK(tried.reason == (by_limit ? "ENOMEM" : "EPERM"));
    // The control: what fails anyway proves nothing.
    if (known.works_unlocked) CHECK(in_child([&] { return known.make(); }) == 0);
  }
}

TEST_CASE("worker: each lock holds without the other") {
  if (kSanitized) return;
  const auto file = attempt("read a file");
  const auto folder = attempt("make a folder");
  const auto socket = attempt("open an internet socket");
  const auto locked_files = [&](const auto& make) {
    return in_child([&] {
      const auto landlock = cage::lock_file_system();
      if (!landlock || *landlock == cage::kNoLandlock) return 255;
      return make();
    });
  };
  if (locked_files([] { return 0; }) == 255) {
    WARN("this kernel has no Landlock");
  } else {
    CHECK(locked_files(file) == EACCES);
    CHECK(locked_files(folder) == EACCES);
    CHECK(locked_files(socket) == 0);  // Only connecting is refused, by kernels that can.
  }
  const auto locked_calls = [&](const auto& make) { return in_child([&] { return cage::lock_system_calls() ? make() : 255; }); };
  CHECK(locked_calls(file) == EPERM);
  CHECK(locked_calls(folder) == EPERM);
  CHECK(locked_calls(socket) == EPERM);
  // Not what decoding needs: threads, memory, what is open already, and an abort that can be told from other ends.
  CHECK(locked_calls([] {
          int sum = 0;
          std::vector<std::thread> threads;
          for (int i = 0; i < 4; ++i) threads.emplace_back([&sum, i] { sum += i; });
          for (std::thread& thread : threads) thread.join();
          std::vector<char> much(64U << 20U, 'x');
          return sum == 6 && much.back() == 'x' ? 0 : 1;
        }) == 0);
  CHECK(locked_calls([]() -> int { std::abort(); }) == -1);
}

TEST_CASE("worker: no lock can be opened again") {
  if (kSanitized) return;
  CHECK(in_child([] {
          if (!cage::lock_system_calls()) return 255;
          // A second filter can only take away more, and this one is not even let to try.
          return cage::lock_system_calls() ? 1 : 0;
        }) == 0);
}

TEST_CASE("worker: a self-test that is not understood is an error, never a good report") {
  const std::string good =
      cage::write_self_test_head(7) + cage::write_self_test_line("read a file", EPERM) + cage::write_self_test_line("fly", 0);
  const auto report = cage::parse_self_test(good);
  REQUIRE(report);
  CHECK(report->landlock == 7);
  REQUIRE(report->attempts.size() == 2);
  CHECK(report->attempts[0].what == "read a file");
  CHECK(report->attempts[0].refused);
  CHECK(report->attempts[0].reason == "EPERM");
  CHECK(report->attempts[1].what == "fly");
  CHECK_FALSE(report->attempts[1].refused);
  CHECK_FALSE(report->holds());
  CHECK_FALSE(CageReport{}.holds());
  const auto with_libraries = cage::parse_self_test(cage::write_self_test_head(7) + cage::write_self_test_libraries("libfly 1.2") +
                                                    cage::write_self_test_line("fly", EPERM));
  REQUIRE(with_libraries);
  CHECK(with_libraries->libraries == "libfly 1.2");
  CHECK(with_libraries->holds());
  CHECK(report->libraries.empty());
  CHECK_FALSE(cage::parse_self_test(cage::write_self_test_head(7) + cage::write_self_test_libraries("libfly 1.2")));
  // Cut anywhere but after a whole line it is no report; and what is left out of it holds nothing.
  for (std::size_t length = 0; length < good.size(); ++length) {
    const auto cut = cage::parse_self_test(good.substr(0, length));
    if (cut) CHECK(good[length - 1] == '\n');
  }
  const auto failed = cage::parse_self_test(cage::write_self_test_failure({Errc::io, "no seccomp"}));
  CHECK(failed.error().code == Errc::unsupported);
  CHECK_THAT(failed.error().message, ContainsSubstring("no seccomp"));
  for (const std::string text : {"", "\n", "refused: read a file (EPERM)\n", "media-worker selftest, landlock x\nrefused: a (b)\n",
                                 "media-worker selftest, landlock 7\nrefused: a\n", "media-worker selftest, landlock 7\nperhaps: a\n"}) {
    CAPTURE(text);
    CHECK_FALSE(cage::parse_self_test(text));
  }
}

TEST_CASE("worker: a program that is no worker does not pass its self-test") {
  CHECK(test_cage("/nonexistent/media-worker").error().code == Errc::not_found);
  CHECK(test_cage("/bin/true").error().code == Errc::internal);
  CHECK(test_cage("/bin/false").error().code == Errc::internal);
}

TEST_CASE("worker: whatever files it works on, it opens none, connects to nothing and starts nothing") {
  const auto shared = test::shared_folder();
  if (kSanitized || !shared) return;
  const test::TempFolder folder;
  const std::string trace = folder / "trace";
  const std::string self = std::filesystem::read_symlink("/proc/self/exe");
  const auto result = test::run({"strace", "-f", "-qq", "--seccomp-bpf", "-o", trace, "-e", "signal=none", "-e",
                                 "trace=open,openat,openat2,creat,socket,connect,execve,fork,vfork,clone,clone3,seccomp", self,
                                 "worker: no file of the shared corpus kills a worker"},
                                {}, 550);
  REQUIRE(result.exit_code == 0);
  std::istringstream lines(test::read_text(trace));
  std::set<std::string> locked;  // Those that have closed their locks.
  std::size_t heard = 0;
  for (std::string line; std::getline(lines, line);) {
    const std::string process = line.substr(0, line.find(' '));
    if (line.find("seccomp(SECCOMP_SET_MODE_FILTER") != std::string::npos && line.ends_with("= 0")) {
      locked.insert(process);
      continue;
    }
    if (!locked.contains(process)) continue;
    ++heard;
    const bool is_own_thread = line.find("clone(") != std::string::npos && line.find("CLONE_THREAD") != std::string::npos;
    const bool is_refused = line.find("= -1 E") != std::string::npos;
    CAPTURE(line);
    CHECK((is_own_thread || is_refused));
  }
  INFO("calls of these kinds with the locks closed: " << heard);
  CHECK(!locked.empty());
}
