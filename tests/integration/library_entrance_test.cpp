#include <array>
#include <atomic>
#include <stdexcept>
#include <thread>

#include "library/library_impl.hpp"
#include "library_fixture.hpp"

using namespace media;
using namespace std::chrono_literals;
using test::LibraryFixture;
using test::png;

TEST_CASE("library: contents that arrive together enter in groups, each with an outcome of its own") {
  constexpr std::size_t kThreads = 16;
  constexpr std::size_t kRounds = 50;
  Entrance entrance;
  std::atomic<int> leading{0};
  std::atomic<int> most{0};
  std::atomic<std::size_t> entered{0};
  std::atomic<std::size_t> groups{0};
  const auto enter_all = [&](std::span<Entering* const> group) {
    const int now = ++leading;
    for (int before = most; now > before && !most.compare_exchange_weak(before, now);) {
    }
    std::this_thread::sleep_for(200us);  // as a disk would take
    for (Entering* each : group) {
      IngestOutcome outcome;
      outcome.size_bytes = each->keeping.size_bytes;
      each->outcome = outcome;
    }
    entered += group.size();
    ++groups;
    --leading;
    return Result<void>();
  };
  std::array<std::string, kThreads> failures;
  std::vector<std::thread> threads;
  for (std::size_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (std::size_t i = 0; i < kRounds; ++i) {
        Entering entering;
        entering.keeping.size_bytes = 1'000 * thread + i;
        entrance.enter(entering, enter_all);
        if (!entering.outcome || entering.outcome->size_bytes != 1'000 * thread + i) failures[thread] = "another's outcome";
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& failure : failures) CHECK(failure.empty());
  CHECK(entered == kThreads * kRounds);
  CHECK(most == 1);
  CHECK(groups < kThreads * kRounds);
}

TEST_CASE("library: a group whose work throws is answered, and the next one is not held up") {
  Entrance entrance;
  for (int round = 0; round < 5; ++round) {
    Entering entering;
    entrance.enter(entering, [](std::span<Entering* const>) -> Result<void> { throw std::runtime_error("a fault"); });
    REQUIRE_FALSE(entering.outcome);
    CHECK(entering.outcome.error().code == Errc::unavailable);
  }
  Entering entering;
  entrance.enter(entering, [](std::span<Entering* const> group) {
    group.front()->outcome = IngestOutcome();
    return Result<void>();
  });
  CHECK(entering.outcome.has_value());
}

TEST_CASE("library: whoever waited behind a group that waited in vain does not wait once more") {
  Entrance entrance;
  std::atomic<int> groups{0};
  std::atomic<int> waiting{0};
  const auto in_vain = [&](std::span<Entering* const> group) -> Result<void> {
    ++groups;
    while (waiting < 4) std::this_thread::sleep_for(1ms);
    std::this_thread::sleep_for(50ms);  // until the last of them is in the queue
    for (Entering* each : group) each->outcome = Error{Errc::unavailable, "the catalog is silent"};
    return Error{Errc::unavailable, "the catalog is silent"};
  };
  std::array<Entering, 5> entering;
  std::vector<std::thread> threads;
  threads.emplace_back([&] { entrance.enter(entering[0], in_vain); });
  while (groups == 0) std::this_thread::sleep_for(1ms);
  for (std::size_t i = 1; i < entering.size(); ++i) {
    threads.emplace_back([&, i] {
      ++waiting;
      entrance.enter(entering[i], in_vain);
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(groups == 1);
  for (const Entering& each : entering) {
    REQUIRE_FALSE(each.outcome);
    CHECK(each.outcome.error().message == "the catalog is silent");
    CHECK_FALSE(each.again);
  }
  Entering next;
  entrance.enter(next, [](std::span<Entering* const> group) {
    group.front()->outcome = IngestOutcome();
    return Result<void>();
  });
  CHECK(next.outcome.has_value());
}

TEST_CASE("library: who must wait for a collection to let go of a blob holds nobody else up") {
  LibraryFixture f;
  const auto removing = f.ingest(png(1), {.filename = "a.png"});
  REQUIRE(f.library->remove(removing.media.id).value());
  {
    // A collection that has claimed the blob and stands still.
    const auto repository = open_sqlite_repository({.path = f.folder / "store" / "catalog.db"}).value();
    REQUIRE(repository->write([&](Transaction& transaction) -> Result<void> {
      auto row = transaction.find_blob(removing.digest).value();
      row->state = BlobState::deleting;
      row->condemned_at = f.clock->now();
      return transaction.put_blob(*row);
    }));
  }
  const auto start = std::chrono::steady_clock::now();
  std::array<std::chrono::steady_clock::duration, 8> took{};
  std::array<std::string, 8> failures;
  std::vector<std::thread> threads;
  for (unsigned thread = 0; thread < took.size(); ++thread) {
    threads.emplace_back([&, thread] {
      // The first waits, in vain; the others come together with it and after it.
      const auto image = png(thread == 0 ? 1 : 100 + thread);
      const auto outcome = f.library->ingest(MemoryReader(image), {.filename = std::to_string(thread) + ".png"});
      took[thread] = std::chrono::steady_clock::now() - start;
      if (outcome.has_value() == (thread == 0)) failures[thread] = outcome ? "stored" : outcome.error().message;
      if (thread == 0 && !outcome && outcome.error().code != Errc::unavailable) failures[0] = outcome.error().message;
    });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& failure : failures) CHECK(failure.empty());
  CHECK(took[0] >= 4s);
  for (std::size_t i = 1; i < took.size(); ++i) CHECK(took[i] < 4s);
}
