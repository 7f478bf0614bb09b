// clamd itself, as Debian has it; and a fake for what it cannot be made to do.
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "clamd.hpp"
#include "inspect/clamd_session.hpp"
#include "library_fixture.hpp"

using namespace media;
using namespace std::chrono_literals;

namespace {

std::unique_ptr<Scanner> scanner_at(const std::string& address, std::chrono::milliseconds scan_timeout = 20s) {
  ClamdOptions options;
  options.address = address;
  options.scan_timeout = scan_timeout;
  options.connect_timeout = 1s;
  options.max_connections = 4;
  auto scanner = open_clamd_scanner(options);
  REQUIRE(scanner);
  return std::move(*scanner);
}

/// A picture in whose text chunk there is what the signature looks for.
std::vector<std::byte> infected_png() {
  return test::png(1, 1, [](std::uint32_t, std::uint32_t) { return test::Rgba{}; }, false, test::kMalware);
}

Result<Scan> scan(Scanner& scanner, std::span<const std::byte> content) { return scanner.scan(MemoryReader(content)); }

/// Takes connections and does the same with each: reads for ever, or until so many bytes came, then says something and closes.
class FakeClamd {
 public:
  FakeClamd(const std::filesystem::path& path, std::size_t after, std::string says) : address("unix:" + path.string()) {
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path, path.c_str(), path.string().size());
    REQUIRE(::bind(listener_, reinterpret_cast<sockaddr*>(&name), sizeof name) == 0);
    REQUIRE(::listen(listener_, 16) == 0);
    thread_ = std::jthread([this, after, says](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        if (!readable(listener_)) continue;
        const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        ++connections;
        std::size_t got = 0;
        char buffer[4096];
        while (!stop.stop_requested() && got < after) {
          if (!readable(client)) continue;
          const ssize_t count = ::read(client, buffer, sizeof buffer);
          if (count <= 0) break;
          got += static_cast<std::size_t>(count);
        }
        static_cast<void>(::send(client, says.data(), says.size(), MSG_NOSIGNAL));
        ::close(client);
      }
    });
  }
  ~FakeClamd() {
    thread_.request_stop();
    thread_.join();
    ::close(listener_);
  }
  FakeClamd(const FakeClamd&) = delete;
  FakeClamd& operator=(const FakeClamd&) = delete;

  std::string address;
  std::atomic<int> connections{0};

 private:
  static bool readable(int fd) {
    pollfd waiting{fd, POLLIN, 0};
    return ::poll(&waiting, 1, 20) > 0;
  }
  int listener_ = -1;
  std::jthread thread_;
};

constexpr std::size_t kForEver = SIZE_MAX;
/// "zIDSESSION\0", "zINSTREAM\0" and the first length.
constexpr std::size_t kCommandBytes = 11 + 10 + 4;

}  // namespace

TEST_CASE("clamd: finds its signature in what is streamed to it, by socket file and by TCP, by many at once") {
  const test::TempFolder folder;
  test::Clamd clamd(folder.path());
  for (const std::string& address : {clamd.unix_address(), clamd.tcp_address()}) {
    const auto scanner = scanner_at(address);
    REQUIRE(scanner->check());
    CHECK(scan(*scanner, test::png(1)).value() == Scan{});
    CHECK(scan(*scanner, {}).value() == Scan{});
    CHECK(scan(*scanner, infected_png()).value() == Scan{Scan::Finding::infected, "Test.Malware.UNOFFICIAL"});
    // The same session goes on after a finding.
    CHECK(scan(*scanner, test::png(2)).value() == Scan{});
    std::atomic<int> right{0};
    {
      std::vector<std::jthread> threads;
      for (int i = 0; i < 12; ++i) {
        threads.emplace_back([&, i] {
          const std::vector<std::byte> large(700'000, static_cast<std::byte>(i));
          for (int k = 0; k < 3; ++k) {
            if (scan(*scanner, large).value() == Scan{}) ++right;
            if (scan(*scanner, infected_png())->finding == Scan::Finding::infected) ++right;
          }
        });
      }
    }
    CHECK(right == 72);
  }
}

TEST_CASE("clamd: what is longer than StreamMaxLength is never called clean") {
  const test::TempFolder folder;
  test::Clamd clamd(folder.path());
  for (const std::string& address : {clamd.unix_address(), clamd.tcp_address()}) {
    const auto scanner = scanner_at(address);
    CHECK(scan(*scanner, std::vector<std::byte>(test::Clamd::kStreamMaxLength)).value() == Scan{});
    for (const std::size_t size : {test::Clamd::kStreamMaxLength + 1, std::size_t{8} << 20U}) {
      for (int i = 0; i < 3; ++i) {
        INFO(address << " " << size);
        const auto found = scan(*scanner, std::vector<std::byte>(size));
        REQUIRE(found);
        CHECK(found->finding == Scan::Finding::too_large);
      }
    }
    CHECK(scan(*scanner, test::png(1)).value() == Scan{});
  }
  ClamdOptions own;
  own.address = clamd.unix_address();
  own.max_bytes = 100;
  const auto strict = open_clamd_scanner(own).value();
  CHECK(scan(*strict, std::vector<std::byte>(101))->finding == Scan::Finding::too_large);
  CHECK(scan(*strict, std::vector<std::byte>(100)).value() == Scan{});
}

TEST_CASE("clamd: a session that it closed for being idle, or that died with it, is not missed") {
  const test::TempFolder folder;
  test::Clamd clamd(folder.path());
  const auto scanner = scanner_at(clamd.unix_address());
  CHECK(scan(*scanner, test::png(1)).value() == Scan{});
  std::this_thread::sleep_for(2500ms);  // IdleTimeout is 1 s
  CHECK(scan(*scanner, test::png(1)).value() == Scan{});
  clamd.kill();
  const auto down = scan(*scanner, test::png(1));
  REQUIRE_FALSE(down);
  CHECK(down.error().code == Errc::unavailable);
  CHECK(scanner->check().error().code == Errc::unavailable);
  clamd.start();
  CHECK(scan(*scanner, infected_png())->finding == Scan::Finding::infected);
}

TEST_CASE("clamd: a library holds what came while it was down, and lets it go or keeps it when clamd is back") {
  test::LibraryFixture fixture;
  const test::TempFolder folder;
  test::Clamd clamd(folder.path());
  fixture.gate.scanner = scanner_at(clamd.unix_address());
  fixture.gate.unscanned = UnscannedRule::hold;
  fixture.open();
  CHECK(fixture.ingest(test::png(1)).media.held == Hold::none);
  CHECK(fixture.ingest(infected_png()).verdict.refusal == Refusal::infected);
  clamd.kill();
  const auto clean = fixture.ingest(test::png(2));
  const auto infected = fixture.ingest(infected_png());
  CHECK(clean.media.held == Hold::unscanned);
  CHECK(infected.media.held == Hold::unscanned);
  fixture.library->run_jobs({}).value();
  CHECK(fixture.library->read(clean.media.id).error().code == Errc::denied);
  CHECK(fixture.library->gate().check_scanner().error().code == Errc::unavailable);
  clamd.start();
  fixture.clock->advance(2min);
  fixture.library->run_jobs({}).value();
  CHECK(fixture.library->find(clean.media.id)->value().status == MediaStatus::complete);
  CHECK(fixture.library->read(clean.media.id));
  CHECK(fixture.library->find(infected.media.id)->value().held == Hold::infected);
  CHECK(fixture.library->find(infected.media.id)->value().error_message == "infected: Test.Malware.UNOFFICIAL");
}

TEST_CASE("clamd: one that hangs costs no more than the time-out") {
  const test::TempFolder folder;
  const FakeClamd hanging(folder / "hangs.sock", kForEver, "");
  const auto scanner = scanner_at(hanging.address, 400ms);
  const auto started = std::chrono::steady_clock::now();
  for (const std::size_t size : {std::size_t{10}, std::size_t{4} << 20U}) {
    const auto found = scan(*scanner, std::vector<std::byte>(size));
    REQUIRE_FALSE(found);
    CHECK(found.error().code == Errc::unavailable);
  }
  CHECK(scanner->check().error().code == Errc::unavailable);
  CHECK(std::chrono::steady_clock::now() - started < 8s);
}

TEST_CASE("clamd: rubbish, answers to other questions and answers that come too early are never clean") {
  const test::TempFolder folder;
  int number = 0;
  for (const std::string& says : {std::string("rubbish\0", 8), std::string("stream: OK FOUND OK\0", 20), std::string("2: stream: OK\0", 14),
                                  std::string("1: stream: OK", 13),
                                  std::string("1: stream: OK\0"
                                              "2: stream: OK\0",
                                              28),
                                  std::string("\0", 1), std::string(), std::string("1: PONG\0", 8),
                                  std::string("1: stream: Can't allocate memory ERROR\0", 39), std::string(100'000, 'x')}) {
    INFO(says.substr(0, 40));
    const FakeClamd fake(folder / (std::to_string(++number) + ".sock"), kCommandBytes + 10 + 4, says);
    const auto scanner = scanner_at(fake.address, 2s);
    const auto found = scan(*scanner, std::vector<std::byte>(10));
    REQUIRE_FALSE(found);
    CHECK(found.error().code == Errc::unavailable);
  }
  // It says "clean" of a content of which it has seen the beginning.
  const FakeClamd early(folder / "early.sock", kCommandBytes, std::string("1: stream: OK\0", 14));
  const auto found = scan(*scanner_at(early.address, 5s), std::vector<std::byte>(16U << 20U));
  CHECK((!found || found->finding == Scan::Finding::too_large));
}

TEST_CASE("clamd: an address is a socket file or a port of this machine") {
  for (const char* const good : {"unix:/run/clamav/clamd.ctl", "127.0.0.1:3310", "127.1.2.3:1", "[::1]:65535"}) {
    INFO(good);
    CHECK(inspect::parse_clamd_address(good));
  }
  for (const char* const bad : {"", "unix:", "unix:relative", "localhost:3310", "10.0.0.1:3310", "127.0.0.1", "127.0.0.1:0",
                                "127.0.0.1:65536", "[::2]:3310", "0.0.0.0:3310", "127.0.0.1:33a", "3310", "tcp://127.0.0.1:3310"}) {
    INFO(bad);
    ClamdOptions options;
    options.address = bad;
    const auto opened = open_clamd_scanner(options);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == Errc::invalid_argument);
  }
  CHECK_FALSE(inspect::parse_clamd_address("unix:/" + std::string(200, 'x')));
}
