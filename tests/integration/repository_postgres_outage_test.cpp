#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "postgres_proxy.hpp"
#include "repository_postgres_fixture.hpp"

using namespace media;
using std::chrono::steady_clock;

namespace {

double seconds_since(steady_clock::time_point start) { return std::chrono::duration<double>(steady_clock::now() - start).count(); }

}  // namespace

TEST_CASE("postgres: a server that ends at once and comes back loses no acknowledged write and needs no new start of its clients") {
  test::PostgresServer server;
  const auto repository = test::open(server.fresh_catalog());
  std::atomic<bool> done = false;
  std::mutex mutex;
  std::vector<std::string> acknowledged;
  std::vector<std::thread> writers;
  for (int writer = 0; writer < 6; ++writer) {
    writers.emplace_back([&, writer] {
      for (int i = 0; !done; ++i) {
        const std::string name = "w" + std::to_string(writer) + "-" + std::to_string(i) + ".";
        if (!test::insert(*repository, name)) continue;
        const std::lock_guard lock(mutex);
        acknowledged.push_back(name);
      }
    });
  }
  const auto count = [&] {
    const std::lock_guard lock(mutex);
    return acknowledged.size();
  };
  for (int outage = 0; outage < 4; ++outage) {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    server.stop_immediately();
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    server.start();
    const auto back = steady_clock::now();
    const std::size_t before = count();
    while (count() == before && seconds_since(back) < 10) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    CHECK(seconds_since(back) < 5);
    CHECK(repository->check().has_value());
  }
  done = true;
  for (std::thread& writer : writers) writer.join();
  CHECK(acknowledged.size() > 20);
  std::multiset<std::string> kept;
  const auto listed = repository->list_media({.limit = 1'000'000, .scan_limit = 1'000'000});
  REQUIRE(listed.has_value());
  for (const Media& media : listed->media) kept.insert(media.filename);
  for (const std::string& name : acknowledged) CHECK(kept.count(name) == 1);
  // What was not acknowledged may be there once, and never twice.
  CHECK(server.ask("SELECT count(*) FROM (SELECT filename FROM catalog_1.media_item GROUP BY filename HAVING count(*) > 1) AS twice") ==
        "0");
}

TEST_CASE("postgres: a commit whose answer is lost is neither repeated nor forgotten") {
  auto& server = test::PostgresServer::shared();
  test::PostgresProxy proxy(server.port());
  auto options = server.fresh_catalog();
  options.port = proxy.port();
  const auto repository = test::open(options);
  for (int round = 0; round < 10; ++round) {
    for (const auto fault : {test::PostgresProxy::Fault::cut_before_commit, test::PostgresProxy::Fault::cut_after_commit}) {
      const std::string name = "round " + std::to_string(round) + (fault == test::PostgresProxy::Fault::cut_before_commit ? " a" : " b");
      proxy.arm(fault);
      const auto inserted = test::insert(*repository, name);
      INFO((inserted ? std::string() : inserted.error().message));
      CHECK(inserted.has_value());
      CHECK(proxy.has_struck());
      CHECK(test::count_media(*repository, name) == 1);
    }
  }
}

TEST_CASE("postgres: where the outcome of a commit cannot be learnt, the write fails and says so") {
  auto& server = test::PostgresServer::shared();
  test::PostgresProxy proxy(server.port());
  auto options = server.fresh_catalog();
  options.port = proxy.port();
  options.outage_patience = std::chrono::milliseconds(500);
  const auto repository = test::open(options);
  REQUIRE(test::insert(*repository).has_value());
  proxy.arm(test::PostgresProxy::Fault::vanish_after_commit);
  const auto start = steady_clock::now();
  const auto written = test::insert(*repository);
  CHECK(seconds_since(start) < 5);
  REQUIRE_FALSE(written.has_value());
  CHECK(written.error().code == Errc::unavailable);
  CHECK(written.error().message.find("not known whether the change was made") != std::string::npos);
}

TEST_CASE("postgres: a server that stands still makes calls fail within their limit, and is used again once it goes on") {
  test::PostgresServer server;
  auto options = server.fresh_catalog();
  options.statement_timeout = std::chrono::milliseconds(1500);
  options.outage_patience = std::chrono::milliseconds(1500);
  options.connect_timeout = std::chrono::milliseconds(1500);
  const auto repository = test::open(options);
  REQUIRE(test::insert(*repository).has_value());
  server.freeze();
  for (int i = 0; i < 2; ++i) {
    auto start = steady_clock::now();
    const auto checked = repository->check();
    REQUIRE_FALSE(checked.has_value());
    CHECK(checked.error().code == Errc::unavailable);
    CHECK(seconds_since(start) < 4.5);
    start = steady_clock::now();
    const auto read = repository->find_media(1);
    REQUIRE_FALSE(read.has_value());
    CHECK(read.error().code == Errc::unavailable);
    CHECK(seconds_since(start) < 4);
    start = steady_clock::now();
    const auto written = test::insert(*repository);
    REQUIRE_FALSE(written.has_value());
    CHECK(written.error().code == Errc::unavailable);
    CHECK(seconds_since(start) < 6);
  }
  server.thaw();
  const auto start = steady_clock::now();
  while (!test::insert(*repository) && seconds_since(start) < 10) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  CHECK(seconds_since(start) < 5);
  CHECK(test::count_media(*repository) == 2);
}
