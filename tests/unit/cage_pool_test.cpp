#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "cage/pool.hpp"
#include "cage/source_file.hpp"
#include "catch.hpp"
#include "media/processor.hpp"
#include "media/version.hpp"
#include "sanitized.hpp"
#include "support.hpp"

using namespace media;
using namespace std::chrono_literals;
using std::chrono::steady_clock;

namespace {

std::unique_ptr<Processor> odd_pool(unsigned workers = 1, unsigned jobs_per_worker = 500) {
  auto pool = make_worker_processor({ODD_WORKER, workers, jobs_per_worker});
  REQUIRE(pool.has_value());
  return std::move(*pool);
}

DeriveOptions within(std::chrono::milliseconds deadline) {
  DeriveOptions options;
  options.budget.deadline = deadline;
  return options;
}

const Transform kJpeg{10, 10, Fit::inside, Format::jpeg, 0, false, std::nullopt};
const Transform kAvif{};

Result<Derived> derive(Processor& pool, std::string_view source, const DeriveOptions& options = {},
                       std::vector<Transform> transforms = {kJpeg}) {
  return pool.derive(MemoryReader(test::bytes(source)), transforms, options);
}
/// What a worker says by way of an error message.
std::string ask(Processor& pool, std::string_view question) {
  const auto answer = derive(pool, question);
  REQUIRE_FALSE(answer.has_value());
  REQUIRE(answer.error().code == Errc::unsupported);
  return answer.error().message;
}
std::string text(const Encoded& encoded) { return {reinterpret_cast<const char*>(encoded.bytes.data()), encoded.bytes.size()}; }

std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count;
}
bool has_children() { return ::waitpid(-1, nullptr, WNOHANG) != -1 || errno != ECHILD; }

void check_still_works(Processor& pool) {
  const auto derived = derive(pool, "after it");
  REQUIRE(derived.has_value());
  CHECK(text(derived->outputs.at(0)) == "made jpeg of after it");
}

}  // namespace

TEST_CASE("cage: a worker's outputs come back in order, under the transforms that were asked for") {
  const auto pool = odd_pool();
  const auto derived = derive(*pool, "this", {}, {kJpeg, kAvif});
  REQUIRE(derived.has_value());
  CHECK(derived->source == MediaInfo{Format::jpeg, 3, 2, 1, 1, false, std::nullopt});
  CHECK(derived->placeholder == "#0a1b2c");
  REQUIRE(derived->outputs.size() == 2);
  CHECK(derived->outputs[0].transform == kJpeg);
  CHECK(derived->outputs[0].width == 3);
  CHECK(derived->outputs[0].height == 2);
  CHECK(text(derived->outputs[0]) == "made jpeg of this");
  CHECK(derived->outputs[1].transform == kAvif);
  CHECK(text(derived->outputs[1]) == "made avif of this");
}

TEST_CASE("cage: no transforms give facts and no outputs") {
  const auto pool = odd_pool();
  const auto derived = derive(*pool, "this", {}, {});
  REQUIRE(derived.has_value());
  CHECK(derived->outputs.empty());
}

TEST_CASE("cage: a probe carries every fact over") {
  const auto pool = odd_pool();
  const auto info = pool->probe(MemoryReader(test::bytes("12345")), {});
  REQUIRE(info.has_value());
  CHECK(*info == MediaInfo{Format::webp, 640, 5, 7, 6, true, 1234ms});
  const auto empty = pool->probe(MemoryReader(std::vector<std::byte>{}), {});
  REQUIRE(empty.has_value());
  CHECK(empty->height == 0);
}

TEST_CASE("cage: a worker's own errors keep code and text, without control characters") {
  const auto pool = odd_pool();
  const auto info = pool->probe(MemoryReader(test::bytes("not a picture")), {});
  REQUIRE_FALSE(info.has_value());
  CHECK(info.error() == Error{Errc::corrupt, "not a picture??[31m"});
  const auto thrown = derive(*pool, "throw");
  REQUIRE_FALSE(thrown.has_value());
  CHECK(thrown.error() == Error{Errc::internal, "the work failed: thrown on purpose"});
}

TEST_CASE("cage: sources of every kind reach the worker whole") {
  const test::TempFolder folder;
  cage::WorkerPool pool({ODD_WORKER, 1, 500, folder.path(), 1000});
  const std::string small(1000, 's');
  const std::string large(3'000'001, 'l');
  for (const std::string& content : {small, large}) {
    const auto info = pool.probe(MemoryReader(test::bytes(content)), {});
    REQUIRE(info.has_value());
    CHECK(info->height == content.size());
    test::write_file(folder / "source", content);
    const auto file = FileReader::open(folder / "source");
    REQUIRE(file.has_value());
    const auto from_file = pool.derive(**file, std::vector{kJpeg}, {});
    REQUIRE(from_file.has_value());
    CHECK(text(from_file->outputs.at(0)) == "made jpeg of " + content.substr(0, 100));
  }
  CHECK(test::count_files(folder.path()) == 1);
}

TEST_CASE("cage: outputs larger than the socket's buffer come back whole") {
  const auto pool = odd_pool();
  const auto derived = derive(*pool, "make 20000003", {}, {kJpeg, kAvif});
  REQUIRE(derived.has_value());
  for (const Encoded& output : derived->outputs) {
    CHECK(output.bytes.size() == 20'000'003);
    CHECK(output.bytes.back() == std::byte{'.'});
  }
}

TEST_CASE("cage: a worker's death costs one job and is told") {
  const auto pool = odd_pool();
  struct Row {
    const char* source;
    const char* message;
  };
  const auto [source, message] = GENERATE(Row{"crash", "was killed by SIGSEGV"}, Row{"exit", "exited with code 7"},
                                          Row{"cut", "exited with code 0"}, Row{"close", "was killed by SIGKILL"});
  const auto derived = derive(*pool, source);
  REQUIRE_FALSE(derived.has_value());
  CHECK(derived.error().code == Errc::internal);
  CHECK_THAT(derived.error().message, ContainsSubstring(message));
  check_still_works(*pool);
}

TEST_CASE("cage: deaths of workers are counted by what ended them, and what was asked for is none") {
  cage::WorkerPool pool({ODD_WORKER, 1, 3, {}, cage::kMaxMemorySource});
  check_still_works(pool);
  CHECK(pool.deaths() == WorkerDeaths{});
  REQUIRE_FALSE(derive(pool, "crash"));
  REQUIRE_FALSE(derive(pool, "exit"));
  REQUIRE_FALSE(derive(pool, "cut"));
  check_still_works(pool);
  REQUIRE_FALSE(derive(pool, "garbage"));
  check_still_works(pool);
  REQUIRE_FALSE(derive(pool, "hang", within(300ms)));
  WorkerDeaths expected{.crashed = 1, .exited = 2, .late = 1, .nonsense = 1};
  CHECK(pool.deaths() == expected);

  // Between jobs: killed, and one that says more than it was asked for.
  REQUIRE(::kill(std::stoi(ask(pool, "pid")), SIGKILL) == 0);
  std::this_thread::sleep_for(50ms);
  REQUIRE(derive(pool, "twice"));
  std::this_thread::sleep_for(100ms);
  check_still_works(pool);
  ++expected.killed;
  ++expected.nonsense;
  CHECK(pool.deaths() == expected);

  // Replaced after its three jobs, and stopped by its caller.
  for (int i = 0; i < 4; ++i) check_still_works(pool);
  std::stop_source stop;
  DeriveOptions stopped;
  stopped.stop = stop.get_token();
  std::jthread later([&] {
    std::this_thread::sleep_for(100ms);
    stop.request_stop();
  });
  REQUIRE(derive(pool, "hang", stopped).error().code == Errc::cancelled);
  CHECK(pool.deaths() == expected);

  cage::WorkerPool none({"/bin/true", 1, 3, {}, cage::kMaxMemorySource});
  REQUIRE_FALSE(derive(none, "this"));
  CHECK(none.deaths() == WorkerDeaths{.not_started = 1});
}

TEST_CASE("cage: answers that are not what was asked for are refused and end the worker") {
  const auto pool = odd_pool();
  const std::string before = ask(*pool, "pid");
  const std::string source = GENERATE("garbage", "long", "wrong kind", "too many", "too few", "too big", "nothing", "odd progress");
  CAPTURE(source);
  DeriveOptions options;
  options.budget.max_output_bytes = 10'000;
  const auto derived = derive(*pool, source, options);
  REQUIRE_FALSE(derived.has_value());
  CHECK(derived.error() == Error{Errc::internal, "the worker answered nonsense and was ended"});
  CHECK(ask(*pool, "pid") != before);
  check_still_works(*pool);
}

TEST_CASE("cage: a worker that says more than it was asked for gets no second job") {
  const auto pool = odd_pool();
  const std::string before = ask(*pool, "pid");
  REQUIRE(derive(*pool, "twice").has_value());
  // Its second answer is on the way: give it the time to arrive, as between two real jobs.
  std::this_thread::sleep_for(100ms);
  CHECK(ask(*pool, "pid") != before);
}

TEST_CASE("cage: descriptors that a worker sends are not taken") {
  const auto pool = odd_pool();
  check_still_works(*pool);
  const std::size_t before = open_descriptors();
  REQUIRE(derive(*pool, "gifts").has_value());
  CHECK(open_descriptors() == before);
}

TEST_CASE("cage: work that never ends is cut at its deadline") {
  const auto pool = odd_pool();
  const std::string source = GENERATE("hang", "spin", "chatter");
  CAPTURE(source);
  // A warm worker: on a busy machine a start may take longer than this deadline.
  check_still_works(*pool);
  const auto start = steady_clock::now();
  const auto derived = derive(*pool, source, within(300ms));
  const auto took = steady_clock::now() - start;
  REQUIRE_FALSE(derived.has_value());
  CHECK(derived.error() == Error{Errc::too_large, "ran over its deadline of 0.3 s"});
  CHECK(took >= 300ms);
  CHECK(took < 10s);
  check_still_works(*pool);
}

TEST_CASE("cage: a caller can stop running work, and need not start it") {
  const auto pool = odd_pool();
  check_still_works(*pool);
  std::stop_source stop;
  DeriveOptions options;
  options.stop = stop.get_token();
  const auto start = steady_clock::now();
  const std::jthread later([&] {
    std::this_thread::sleep_for(100ms);
    stop.request_stop();
  });
  const auto derived = derive(*pool, "hang", options);
  REQUIRE_FALSE(derived.has_value());
  CHECK(derived.error().code == Errc::cancelled);
  CHECK(steady_clock::now() - start < 5s);
  const auto never = derive(*pool, "this", options);
  REQUIRE_FALSE(never.has_value());
  CHECK(never.error().code == Errc::cancelled);
  check_still_works(*pool);
}

TEST_CASE("cage: work that wants more memory than its budget is too large, and the worker lives on") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  SUCCEED("sanitizers need all of the address space");
#else
  const auto pool = odd_pool();
  const std::string before = ask(*pool, "pid");
  const auto derived = derive(*pool, "hog");
  REQUIRE_FALSE(derived.has_value());
  CHECK(derived.error() == Error{Errc::too_large, "the work needs more memory than its budget allows"});
  CHECK(ask(*pool, "pid") == before);
#endif
}

TEST_CASE("cage: limits are checked before a worker is bothered") {
  const auto pool = odd_pool();
  DeriveOptions options;
  options.budget.max_source_bytes = 3;
  const auto large = derive(*pool, "four", options);
  REQUIRE_FALSE(large.has_value());
  CHECK(large.error().code == Errc::too_large);
  const auto many = derive(*pool, "this", {}, std::vector<Transform>(257));
  REQUIRE_FALSE(many.has_value());
  CHECK(many.error().code == Errc::invalid_argument);
  const auto late = derive(*pool, "this", within(0ms));
  REQUIRE_FALSE(late.has_value());
  CHECK_FALSE(has_children());
}

TEST_CASE("cage: the worker learns its budget") {
  const auto pool = odd_pool();
  DeriveOptions options;
  options.budget.max_pixels = 12'345;
  options.budget.max_memory_bytes = 67'890'000;
  const auto answer = derive(*pool, "budget", options);
  REQUIRE_FALSE(answer.has_value());
  CHECK(answer.error().message == "12345 67890000 in time");
}

TEST_CASE("cage: progress is told on the caller's thread and only rises") {
  const auto pool = odd_pool();
  std::vector<double> shares;
  DeriveOptions options;
  const auto caller = std::this_thread::get_id();
  options.progress = [&](double share) {
    CHECK(std::this_thread::get_id() == caller);
    shares.push_back(share);
  };
  REQUIRE(derive(*pool, "progress", options).has_value());
  CHECK(shares == std::vector{0.25, 0.5, 0.75});
}

TEST_CASE("cage: a source that cannot be read fails with its own error and keeps the worker") {
  class Broken final : public ByteReader {
   public:
    [[nodiscard]] std::uint64_t size() const noexcept override { return 10; }
    Result<std::size_t> read_at(std::uint64_t, std::span<std::byte>) const override { return Error{Errc::io, "bad sector"}; }
  };
  class Shrinking final : public ByteReader {
   public:
    [[nodiscard]] std::uint64_t size() const noexcept override { return 10; }
    Result<std::size_t> read_at(std::uint64_t, std::span<std::byte>) const override { return std::size_t{4}; }
  };
  const auto pool = odd_pool();
  const std::string before = ask(*pool, "pid");
  const auto broken = pool->derive(Broken(), std::vector{kJpeg}, {});
  REQUIRE_FALSE(broken.has_value());
  CHECK(broken.error() == Error{Errc::io, "bad sector"});
  const auto shrunk = pool->probe(Shrinking(), {});
  REQUIRE_FALSE(shrunk.has_value());
  CHECK(shrunk.error().code == Errc::corrupt);
  CHECK(ask(*pool, "pid") == before);
}

TEST_CASE("cage: a worker sees its socket, its source and nothing else of ours") {
  const test::TempFolder folder;
  test::write_file(folder / "secret", "another's blob");
  // Left open without O_CLOEXEC, as careless hosts do.
  const std::ifstream careless(folder / "secret");
  const int inheritable = ::dup(STDIN_FILENO);
  const auto pool = odd_pool();
  // The one with a name tells how much memory it has mapped itself.
  CHECK(ask(*pool, "descriptors") == (test::kSanitized ? "0c 1c 2c 3s 4f " : "0c 1c 2c 3s 4f! 5f "));
  const std::string state = ask(*pool, "state");
  CHECK_THAT(state, ContainsSubstring("cwd=/ environment=empty core=0 files=16 fsize=0 "));
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  CHECK_THAT(state, ContainsSubstring("space=bounded"));
#endif
  CHECK_THAT(state, ContainsSubstring("session=own"));
  ::close(inheritable);
}

TEST_CASE("cage: a worker serves many jobs and is replaced after its number of them") {
  const auto pool = odd_pool(1, 3);
  std::vector<std::string> pids;
  for (int i = 0; i < 7; ++i) pids.push_back(ask(*pool, "pid"));
  CHECK(pids[0] == pids[2]);
  CHECK(pids[2] != pids[3]);
  CHECK(pids[3] == pids[5]);
  CHECK(pids[5] != pids[6]);
}

TEST_CASE("cage: an idle worker that was killed is replaced unnoticed") {
  const auto pool = odd_pool();
  const std::string pid = ask(*pool, "pid");
  REQUIRE(::kill(std::stoi(pid), SIGKILL) == 0);
  std::this_thread::sleep_for(50ms);
  CHECK(ask(*pool, "pid") != pid);
}

TEST_CASE("cage: a larger budget gets a worker with a larger limit") {
  const auto pool = odd_pool();
  const std::string small = ask(*pool, "pid");
  DeriveOptions options;
  options.budget.max_memory_bytes *= 4;
  const auto large = derive(*pool, "pid", options);
  REQUIRE_FALSE(large.has_value());
  CHECK(large.error().message != small);
  CHECK(ask(*pool, "pid") == large.error().message);
}

TEST_CASE("cage: while all workers are busy a call waits, up to its deadline or stop") {
  const auto pool = odd_pool(1);
  check_still_works(*pool);
  std::stop_source end_of_hang;
  DeriveOptions hanging;
  hanging.stop = end_of_hang.get_token();
  std::jthread busy([&] { static_cast<void>(derive(*pool, "hang", hanging)); });
  std::this_thread::sleep_for(200ms);
  const auto late = derive(*pool, "this", within(100ms));
  REQUIRE_FALSE(late.has_value());
  CHECK(late.error() == Error{Errc::unavailable, "no worker to be had: all 1 stayed busy for 0.1 s"});

  std::stop_source stop;
  DeriveOptions options;
  options.stop = stop.get_token();
  const std::jthread stopper([&] {
    std::this_thread::sleep_for(50ms);
    stop.request_stop();
  });
  const auto stopped = derive(*pool, "this", options);
  REQUIRE_FALSE(stopped.has_value());
  CHECK(stopped.error().code == Errc::cancelled);
  end_of_hang.request_stop();
  check_still_works(*pool);
}

TEST_CASE("cage: 200 jobs from 8 threads share 2 workers") {
  const auto pool = odd_pool(2);
  std::atomic<int> next = 0;
  std::mutex mutex;
  std::set<std::string> pids;
  int good = 0;
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 8; ++thread) {
      threads.emplace_back([&] {
        for (int job = next++; job < 200; job = next++) {
          const std::string name = "job " + std::to_string(job);
          const auto derived = derive(*pool, name);
          const auto pid = derive(*pool, "pid");
          const std::lock_guard lock(mutex);
          if (derived && text(derived->outputs.at(0)) == "made jpeg of " + name) ++good;
          if (!pid) pids.insert(pid.error().message);
        }
      });
    }
  }
  CHECK(good == 200);
  CHECK(pids.size() <= 2);
}

TEST_CASE("cage: crashes on all sides leave the others' jobs, no zombies and no descriptors") {
  const std::size_t before = open_descriptors();
  {
    const auto pool = odd_pool(2);
    std::atomic<int> good = 0;
    std::atomic<int> bad = 0;
    {
      std::vector<std::jthread> threads;
      for (int thread = 0; thread < 4; ++thread) {
        threads.emplace_back([&, thread] {
          for (int job = 0; job < 10; ++job) {
            const auto derived = derive(*pool, thread % 2 == 0 ? "crash" : "this");
            if (derived) ++good;
            if (!derived && derived.error().code == Errc::internal) ++bad;
          }
        });
      }
    }
    CHECK(good == 20);
    CHECK(bad == 20);
  }
  CHECK(open_descriptors() == before);
  CHECK_FALSE(has_children());
}

TEST_CASE("cage: a pool's end leaves no process and no descriptor") {
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 5; ++i) {
    const auto pool = odd_pool(1);
    check_still_works(*pool);
    CHECK(has_children());
  }
  CHECK(open_descriptors() == before);
  CHECK_FALSE(has_children());
}

TEST_CASE("cage: a worker ends with the process that started it, even in the middle of endless work") {
  // Orphans come to us and not to init, so that their end can be seen.
  REQUIRE(::prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
  int ends[2] = {-1, -1};
  REQUIRE(::pipe(ends) == 0);
  const pid_t host = ::fork();
  REQUIRE(host >= 0);
  if (host == 0) {
    auto pool = make_worker_processor({ODD_WORKER, 1, 500});
    const auto answer = derive(**pool, "pid");
    const std::string& pid = answer.error().message;
    if (::write(ends[1], pid.c_str(), pid.size() + 1) < 0) ::_exit(1);
    static_cast<void>(derive(**pool, "spin"));
    ::_exit(0);
  }
  ::close(ends[1]);
  char pid_text[32] = {};
  REQUIRE(::read(ends[0], pid_text, sizeof pid_text - 1) > 0);
  ::close(ends[0]);
  std::this_thread::sleep_for(200ms);
  REQUIRE(::kill(host, SIGKILL) == 0);
  REQUIRE(::waitpid(host, nullptr, 0) == host);
  const pid_t worker = std::stoi(pid_text);
  pid_t reaped = 0;
  for (int i = 0; i < 1000 && reaped == 0; ++i) {
    reaped = ::waitpid(worker, nullptr, WNOHANG);
    std::this_thread::sleep_for(20ms);
  }
  CHECK(reaped == worker);
  if (reaped == 0) {
    ::kill(worker, SIGKILL);
    ::waitpid(worker, nullptr, 0);
  }
  REQUIRE(::prctl(PR_SET_CHILD_SUBREAPER, 0) == 0);
}

TEST_CASE("cage: a program that is no worker of this version makes calls unavailable") {
  const test::TempFolder folder;
  std::filesystem::create_symlink(ODD_WORKER, folder / "cage_old_worker");
  std::filesystem::create_symlink(ODD_WORKER, folder / "cage_mute_worker");
  struct Row {
    std::filesystem::path program;
    std::string message;
    std::chrono::milliseconds patience = 10s;
  };
  for (const Row& row :
       {Row{folder / "cage_old_worker", "is of version 0.0.1-old, this library of " MEDIA_VERSION},
        Row{folder / "cage_mute_worker", "did not start in time", 300ms}, Row{"/bin/true", "exited with code 0 as it started"}}) {
    auto pool = make_worker_processor({row.program, 1, 500});
    REQUIRE(pool.has_value());
    for (int i = 0; i < 2; ++i) {
      const auto derived = derive(**pool, "this", within(row.patience));
      REQUIRE_FALSE(derived.has_value());
      CHECK(derived.error().code == Errc::unavailable);
      CHECK_THAT(derived.error().message, ContainsSubstring(row.message));
    }
  }
  CHECK_FALSE(has_children());
}

TEST_CASE("cage: a worker binary that vanishes makes calls unavailable") {
  const test::TempFolder folder;
  std::filesystem::copy_file(ODD_WORKER, folder / "worker");
  auto pool = make_worker_processor({folder / "worker", 1, 1});
  REQUIRE(pool.has_value());
  check_still_works(**pool);
  std::filesystem::remove(folder / "worker");
  const auto derived = derive(**pool, "this");
  REQUIRE_FALSE(derived.has_value());
  CHECK(derived.error().code == Errc::unavailable);
  CHECK_THAT(derived.error().message, ContainsSubstring("No such file"));
}

TEST_CASE("cage: a pool is refused without workers, jobs or a program") {
  CHECK(make_worker_processor({ODD_WORKER, 0, 500}).error().code == Errc::invalid_argument);
  CHECK(make_worker_processor({ODD_WORKER, 1, 0}).error().code == Errc::invalid_argument);
  CHECK(make_worker_processor({"/nowhere/media-worker", 1, 500}).error().code == Errc::not_found);
  const test::TempFolder folder;
  test::write_file(folder / "text", "no program");
  CHECK(make_worker_processor({folder / "text", 1, 500}).error().code == Errc::not_found);
}

TEST_CASE("cage: a host that ignores SIGCHLD keeps a working pool") {
  const auto previous = ::signal(SIGCHLD, SIG_IGN);
  {
    const auto pool = odd_pool();
    const auto derived = derive(*pool, "crash");
    REQUIRE_FALSE(derived.has_value());
    CHECK(derived.error().code == Errc::internal);
    check_still_works(*pool);
  }
  ::signal(SIGCHLD, previous);
}

TEST_CASE("cage: MEDIA_WORKER names the worker, and is never quietly passed over") {
  REQUIRE(::setenv("MEDIA_WORKER", ODD_WORKER, 1) == 0);
  const auto found = find_worker();
  REQUIRE(found.has_value());
  CHECK(*found == ODD_WORKER);
  REQUIRE(::setenv("MEDIA_WORKER", "/nowhere/media-worker", 1) == 0);
  const auto missing = find_worker();
  REQUIRE_FALSE(missing.has_value());
  CHECK(missing.error().code == Errc::not_found);
  CHECK_THAT(missing.error().message, ContainsSubstring("/nowhere/media-worker"));
  REQUIRE(::unsetenv("MEDIA_WORKER") == 0);
}
