#include <algorithm>
#include <atomic>
#include <chrono>
#include <new>
#include <thread>
#include <vector>

#include "repository/migrations.hpp"
#include "repository/sqlite_read_pool.hpp"
#include "repository/sqlite_schema.hpp"
#include "repository/sqlite_writer.hpp"
#include "repository_catalog.hpp"

using namespace media;

namespace {

/// Holds the writer inside a closure until `others` threads have called write: what they bring is then one group.
/// Runs every closure on a thread of its own and answers the outcomes; an exception is Errc::cancelled here.
template <class Write>
std::vector<Result<void>> as_one_group(const Write& write, const std::vector<Repository::Closure>& closures) {
  std::atomic<std::size_t> calling = 0;
  std::atomic<bool> held = false;
  std::thread holder([&] {
    (void)write([&](Transaction&) -> Result<void> {
      held = true;
      while (calling < closures.size()) std::this_thread::yield();
      // They have said that they call; a moment later they have queued.
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
      return {};
    });
  });
  while (!held) std::this_thread::yield();
  std::vector<Result<void>> outcomes(closures.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < closures.size(); ++i) {
    threads.emplace_back([&, i] {
      ++calling;
      try {
        outcomes[i] = write(closures[i]);
      } catch (const std::bad_alloc&) {
        outcomes[i] = Error{Errc::cancelled, "bad_alloc"};
      }
    });
  }
  for (auto& thread : threads) thread.join();
  holder.join();
  return outcomes;
}

Repository::Closure inserting(const std::string& filename, const Result<void>& outcome = {}) {
  return [=](Transaction& transaction) -> Result<void> {
    MEDIA_TRY(transaction.insert_media(test::a_media(filename)));
    return outcome;
  };
}

}  // namespace

TEST_CASE("repository: closures that wait at the same time share one commit") {
  const test::TempFolder folder;
  const auto repository = test::open(folder / "catalog.db");
  // What others in the group wrote shows in the transaction before anybody outside can see it.
  std::atomic<std::size_t> most_shared = 0;
  const std::vector<Repository::Closure> closures(16, [&](Transaction& transaction) -> Result<void> {
    MEDIA_TRY_ASSIGN(const auto inside, transaction.list_media({}));
    MEDIA_TRY_ASSIGN(const auto outside, repository->list_media({}));
    most_shared = std::max(most_shared.load(), inside.media.size() - outside.media.size());
    MEDIA_TRY(transaction.insert_media(test::a_media()));
    return {};
  });
  const auto outcomes = as_one_group([&](const Repository::Closure& closure) { return repository->write(closure); }, closures);
  for (const auto& outcome : outcomes) CHECK(outcome.has_value());
  CHECK(most_shared >= 8);
  CHECK(test::count_media(*repository) == 16);
}

TEST_CASE("repository: a closure that fails or throws inside a shared commit takes nothing and nobody along") {
  const test::TempFolder folder;
  const auto repository = test::open(folder / "catalog.db");
  std::vector<Repository::Closure> closures;
  for (int i = 0; i < 12; ++i) {
    const std::string name = std::to_string(i);
    if (i % 3 == 0) closures.push_back(inserting("kept " + name));
    if (i % 3 == 1) closures.push_back(inserting("failed", Error{Errc::conflict, name}));
    if (i % 3 == 2) {
      closures.emplace_back([](Transaction& transaction) -> Result<void> {
        MEDIA_TRY(transaction.insert_media(test::a_media("thrown")));
        throw std::bad_alloc();
      });
    }
  }
  const auto outcomes = as_one_group([&](const Repository::Closure& closure) { return repository->write(closure); }, closures);
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    INFO(i);
    if (i % 3 == 0) CHECK(outcomes[i].has_value());
    if (i % 3 == 1) CHECK(outcomes[i].error() == Error{Errc::conflict, std::to_string(i)});
    if (i % 3 == 2) CHECK(outcomes[i].error().code == Errc::cancelled);
  }
  const auto kept = repository->list_media({}).value().media;
  CHECK(kept.size() == 4);
  for (const Media& media : kept) CHECK(media.filename.starts_with("kept "));
}

TEST_CASE("repository: a closure that brings the whole transaction down is told so, and the others run again") {
  const test::TempFolder folder;
  const auto path = folder / "catalog.db";
  test::open(path);
  auto connection = sqlite::Connection::open(path, sqlite::Access::write).value();
  REQUIRE(sqlite::bring_up_to_date(*connection, catalog_migrations()).has_value());
  // As full as a disk: SQLite ends the transaction then.
  connection->execute_script("PRAGMA max_page_count = 60");
  sqlite::Writer writer(std::move(connection));
  std::atomic<int> runs = 0;
  std::vector<Repository::Closure> closures;
  for (int i = 0; i < 9; ++i) {
    if (i == 4) {
      closures.emplace_back([](Transaction& transaction) -> Result<void> {
        for (int row = 0; row < 10'000; ++row) MEDIA_TRY(transaction.insert_media(test::a_media(std::string(3000, 'x'))));
        return {};
      });
    } else {
      closures.emplace_back([&](Transaction& transaction) -> Result<void> {
        ++runs;
        MEDIA_TRY(transaction.insert_media(test::a_media("small")));
        return {};
      });
    }
  }
  const auto outcomes = as_one_group([&](const Repository::Closure& closure) { return writer.write(closure); }, closures);
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    INFO(i << (outcomes[i] ? "" : outcomes[i].error().message));
    if (i == 4) CHECK(outcomes[i].error().code == Errc::no_space);
    if (i != 4) CHECK(outcomes[i].has_value());
  }
  CHECK(runs >= 8);
  const auto media = test::open(path)->list_media({}).value().media;
  CHECK(media.size() == 8);
  for (const Media& row : media) CHECK(row.filename == "small");
}

TEST_CASE("repository: somebody else's lock is waited for, ten seconds at most, and does not stop readers") {
  const test::TempFolder folder;
  const auto path = folder / "catalog.db";
  const auto repository = test::open(path);
  REQUIRE(test::insert(*repository).has_value());
  SQLite::Database other(path.string(), SQLite::OPEN_READWRITE, 1000);

  SECTION("released in time") {
    other.exec("BEGIN IMMEDIATE");
    std::thread release([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(300));
      other.exec("COMMIT");
    });
    const auto start = std::chrono::steady_clock::now();
    CHECK(test::insert(*repository).has_value());
    CHECK(std::chrono::steady_clock::now() - start >= std::chrono::milliseconds(250));
    release.join();
  }
  SECTION("not released") {
    other.exec("BEGIN IMMEDIATE");
    const auto start = std::chrono::steady_clock::now();
    std::atomic<int> unavailable = 0;
    std::vector<std::thread> writers;
    for (int i = 0; i < 4; ++i) {
      writers.emplace_back([&] {
        const auto refused = test::insert(*repository);
        if (!refused && refused.error().code == Errc::unavailable) ++unavailable;
      });
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    CHECK(test::count_media(*repository) == 1);
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
    for (auto& thread : writers) thread.join();
    const auto waited = std::chrono::steady_clock::now() - start;
    CHECK(unavailable == 4);
    CHECK(waited >= sqlite::kPatience);
    CHECK(waited < sqlite::kPatience + std::chrono::seconds(3));
    other.exec("ROLLBACK");
    CHECK(test::insert(*repository).has_value());
  }
}

TEST_CASE("repository: more readers than connections wait for their turn") {
  const test::TempFolder folder;
  const auto path = folder / "catalog.db";
  REQUIRE(test::insert(*test::open(path)).has_value());
  sqlite::ReadPool pool(path, sqlite::Access::read, 2);
  std::atomic<int> inside = 0;
  std::atomic<int> most = 0;
  std::atomic<int> failures = 0;
  std::vector<std::thread> readers;
  for (int i = 0; i < 8; ++i) {
    readers.emplace_back([&] {
      for (int round = 0; round < 20; ++round) {
        auto lease = pool.acquire();
        if (!lease) {
          ++failures;
          continue;
        }
        most = std::max(most.load(), ++inside);
        std::this_thread::sleep_for(std::chrono::microseconds(200));
        --inside;
      }
    });
  }
  for (auto& thread : readers) thread.join();
  CHECK(failures == 0);
  CHECK(most <= 2);

  // A connection that cannot be opened leaves its place to the next.
  sqlite::ReadPool broken(folder / "missing.db", sqlite::Access::read, 1);
  for (int i = 0; i < 3; ++i) CHECK(broken.acquire().error().code == Errc::denied);
}
