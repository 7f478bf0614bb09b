// Rows that are remembered as long as nobody commits: by this catalog object, another one on the same file, or another process.
#include <atomic>
#include <thread>

#include "catch.hpp"
#include "repository/sqlite_change_mark.hpp"
#include "repository_catalog.hpp"
#include "support.hpp"

using namespace media;
using media::sqlite::ChangeMark;
using media::sqlite::ChangeWatch;
using media::sqlite::RowMemory;

namespace {

MediaId insert_named(Repository& repository, const std::string& name) {
  MediaId id = 0;
  Media media;
  media.owner = "owner";
  media.filename = name;
  media.media_type = "image/png";
  REQUIRE(repository.write([&](Transaction& transaction) -> Result<void> {
    MEDIA_TRY_ASSIGN(id, transaction.insert_media(media));
    return {};
  }));
  return id;
}

void rename(Repository& repository, MediaId id, const std::string& name) {
  REQUIRE(repository.write([&](Transaction& transaction) -> Result<void> {
    MEDIA_TRY_ASSIGN(auto media, transaction.find_media(id));
    media->filename = name;
    return transaction.update_media(*media);
  }));
}

}  // namespace

TEST_CASE("repository: what another catalog object commits is seen by the very next read, through checkpoints and restarts of the log") {
  const test::TempFolder folder;
  const auto path = folder / "catalog.db";
  const auto ours = test::open(path);
  const auto theirs = test::open(path);
  const MediaId id = insert_named(*ours, "0");
  for (int i = 1; i <= 600; ++i) {
    rename(i % 2 == 0 ? *ours : *theirs, id, std::to_string(i));
    for (int again = 0; again < 2; ++again) {
      REQUIRE(ours->find_media(id).value()->filename == std::to_string(i));
      REQUIRE(theirs->find_media(id).value()->filename == std::to_string(i));
    }
    if (i % 100 == 0) test::run_sql(path, "PRAGMA wal_checkpoint(TRUNCATE)");
  }
  test::run_sql(path, "UPDATE media SET filename = x'61'");
  CHECK(ours->find_media(id).value()->filename == "a");
  REQUIRE(theirs->write([&](Transaction& transaction) -> Result<void> {
    MEDIA_TRY(transaction.remove_media(id));
    return {};
  }));
  CHECK_FALSE(ours->find_media(id).value());
}

TEST_CASE("repository: no reader sees a row older than one that was acknowledged before it asked") {
  const test::TempFolder folder;
  const auto path = folder / "catalog.db";
  const auto writer = test::open(path);
  const auto reader = test::open(path);
  const MediaId id = insert_named(*writer, "0");
  std::atomic<int> acknowledged{0};
  std::atomic<bool> done{false};
  std::atomic<int> stale{0};
  std::atomic<int> reads{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const Repository& catalog = t % 2 == 0 ? *reader : *writer;
      while (!done) {
        const int before = acknowledged;
        const auto media = catalog.find_media(id);
        if (!media || !*media || std::stoi((*media)->filename) < before) ++stale;
        ++reads;
      }
    });
  }
  for (int i = 1; i <= 300; ++i) {
    rename(*writer, id, std::to_string(i));
    acknowledged = i;
  }
  done = true;
  for (auto& thread : threads) thread.join();
  CHECK(stale == 0);
  CHECK(reads > 300);
}

TEST_CASE("repository: the mark changes with every commit and with nothing else") {
  const test::TempFolder folder;
  const auto path = folder / "catalog.db";
  const auto repository = test::open(path);
  const MediaId id = insert_named(*repository, "0");
  const auto watch = ChangeWatch::open(path);
  REQUIRE(watch);
  ChangeMark last = watch->look();
  CHECK(watch->look() == last);
  static_cast<void>(repository->find_media(id));
  CHECK(watch->look() == last);
  for (int i = 0; i < 20; ++i) {
    rename(*repository, id, std::to_string(i));
    const ChangeMark now = watch->look();
    CHECK(now != last);
    last = now;
  }
  CHECK_FALSE(repository->write([](Transaction&) -> Result<void> { return Error{Errc::conflict, "no"}; }));
  CHECK(watch->look() == last);
}

TEST_CASE("repository: remembered rows are of one mark, and bounded") {
  RowMemory<int, int> memory;
  const ChangeMark one{1};
  const ChangeMark two{2};
  memory.keep(one, 7, 70);
  CHECK(memory.find(one, 7) == 70);
  CHECK_FALSE(memory.find(two, 7));
  CHECK_FALSE(memory.find(one, 8));
  memory.keep(two, 7, 71);
  CHECK(memory.find(two, 7) == 71);
  CHECK_FALSE(memory.find(one, 7));
  for (int i = 0; i < 5000; ++i) memory.keep(two, i, i);
  int known = 0;
  for (int i = 0; i < 5000; ++i) known += memory.find(two, i) ? 1 : 0;
  CHECK(known == 1024);
}
