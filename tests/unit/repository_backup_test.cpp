// A catalog's copy, taken while others write, and put back.
#include <sqlite3.h>

#include <fstream>
#include <thread>

#include "catch.hpp"
#include "media/repository.hpp"
#include "repository_catalog.hpp"
#include "support.hpp"

using namespace media;
namespace fs = std::filesystem;

namespace {

std::unique_ptr<Repository> open(const fs::path& path) {
  auto opened = open_sqlite_repository({.path = path});
  REQUIRE(opened);
  return std::move(opened).value();
}

MediaId insert(Repository& repository, const std::string& name) {
  MediaId id = 0;
  REQUIRE(repository.write([&](Transaction& transaction) -> Result<void> {
    Media media;
    media.owner = "local";
    media.filename = name;
    MEDIA_TRY_ASSIGN(id, transaction.insert_media(media));
    return {};
  }));
  return id;
}

std::size_t count(const fs::path& path) {
  MediaQuery query;
  query.limit = 1'000'000;
  query.scan_limit = 1'000'000;
  return open(path)->list_media(query).value().media.size();
}

}  // namespace

TEST_CASE("repository: a backup is the catalog of one moment, whatever is written meanwhile") {
  const test::TempFolder folder;
  const auto repository = open(folder / "catalog.db");
  for (int i = 0; i < 100; ++i) insert(*repository, std::to_string(i));
  std::atomic<bool> over{false};
  std::atomic<int> written{100};
  std::jthread writer([&] {
    while (!over) {
      insert(*repository, "meanwhile");
      ++written;
    }
  });
  const int least = written;
  REQUIRE(repository->back_up(folder / "backup.db"));
  over = true;
  writer.join();
  const std::size_t most = static_cast<std::size_t>(written.load());
  CHECK(count(folder / "backup.db") >= static_cast<std::size_t>(least));
  CHECK(count(folder / "backup.db") <= most);
  CHECK(count(folder / "catalog.db") == most);
  CHECK((fs::status(folder / "backup.db").permissions() & fs::perms::others_all) == fs::perms::none);
  CHECK((fs::status(folder / "backup.db").permissions() & fs::perms::group_all) == fs::perms::none);
  // Never over something else, and nothing half-made is left.
  CHECK(repository->back_up(folder / "backup.db").error().code == Errc::already_exists);
  CHECK(repository->back_up(folder / "nowhere/backup.db").error().code == Errc::not_found);
  for (const auto& entry : fs::directory_iterator(folder.path())) CHECK(entry.path().string().find(".new-") == std::string::npos);
  CHECK(make_memory_repository()->back_up(folder / "memory.db").error().code == Errc::unsupported);
}

TEST_CASE("repository: a backup takes the catalog's place, and the former one stays beside it") {
  const test::TempFolder folder;
  const fs::path catalog = folder / "catalog.db";
  {
    const auto repository = open(catalog);
    insert(*repository, "kept");
    REQUIRE(repository->back_up(folder / "backup.db"));
    insert(*repository, "later");
    // Somebody has it open.
    const auto refused = restore_sqlite_catalog(folder / "backup.db", catalog);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::unavailable);
    CHECK_THAT(refused.error().message, ContainsSubstring("stop the programs"));
  }
  CHECK(count(catalog) == 2);
  const auto former = restore_sqlite_catalog(folder / "backup.db", catalog);
  REQUIRE(former);
  CHECK(count(catalog) == 1);
  CHECK(count(*former) == 2);
  CHECK(count(folder / "backup.db") == 1);
  // Into a place where there is none, as after the loss of everything.
  CHECK(restore_sqlite_catalog(folder / "backup.db", folder / "another.db").value().empty());
  CHECK(count(folder / "another.db") == 1);
}

TEST_CASE("repository: over a damaged catalog a backup is put all the same") {
  const test::TempFolder folder;
  const fs::path catalog = folder / "catalog.db";
  {
    const auto repository = open(catalog);
    insert(*repository, "kept");
    REQUIRE(repository->back_up(folder / "backup.db"));
  }
  test::write_file(catalog, std::string(20'000, 'x'));
  CHECK(open_sqlite_repository({.path = catalog}).error().code == Errc::corrupt);
  REQUIRE(restore_sqlite_catalog(folder / "backup.db", catalog));
  CHECK(count(catalog) == 1);
}

TEST_CASE("repository: what is no whole catalog is not put in a catalog's place") {
  const test::TempFolder folder;
  const fs::path catalog = folder / "catalog.db";
  {
    const auto repository = open(catalog);
    for (int i = 0; i < 2'000; ++i) insert(*repository, "a name that takes some room, number " + std::to_string(i));
    REQUIRE(repository->back_up(folder / "good.db"));
  }
  const auto good = test::read_file(folder / "good.db");
  test::write_file(folder / "empty.db", std::string());
  test::write_file(folder / "text.db", std::string(5'000, 'x'));
  test::write_file(folder / "short.db", std::span(good).first(good.size() / 2));
  auto torn = good;
  std::fill(torn.begin() + 8'192, torn.begin() + 16'384, std::byte{0x5a});
  test::write_file(folder / "torn.db", torn);
  sqlite3* other = nullptr;
  REQUIRE(sqlite3_open((folder / "other.db").c_str(), &other) == SQLITE_OK);
  REQUIRE(sqlite3_exec(other, "CREATE TABLE recipe (id INTEGER)", nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(other);
  fs::copy(folder / "good.db", folder / "newer.db");
  REQUIRE(sqlite3_open((folder / "newer.db").c_str(), &other) == SQLITE_OK);
  REQUIRE(sqlite3_exec(other, "INSERT INTO schema_migration (number, name, checksum) VALUES (1000, 'x', zeroblob(32))", nullptr, nullptr,
                       nullptr) == SQLITE_OK);
  sqlite3_close(other);

  for (const char* const name : {"empty.db", "text.db", "short.db", "torn.db", "other.db"}) {
    CAPTURE(name);
    const auto restored = restore_sqlite_catalog(folder / name, catalog);
    REQUIRE_FALSE(restored);
    CHECK(restored.error().code == Errc::corrupt);
  }
  CHECK(restore_sqlite_catalog(folder / "newer.db", catalog).error().code == Errc::unsupported);
  CHECK(restore_sqlite_catalog(folder / "absent.db", catalog).error().code == Errc::not_found);
  CHECK(restore_sqlite_catalog(folder.path(), catalog).error().code == Errc::invalid_argument);
  CHECK(count(catalog) == 2'000);
  for (const auto& entry : fs::directory_iterator(folder.path())) {
    CHECK(entry.path().string().find(".new-") == std::string::npos);
    CHECK(entry.path().string().find(".before-") == std::string::npos);
  }
}

TEST_CASE("repository: nothing of a removed row is left in the catalog's files") {
  const test::TempFolder folder;
  const auto repository = open(folder / "catalog.db");
  const auto lies_anywhere = [&](std::string_view text) {
    for (const auto& entry : fs::directory_iterator(folder.path())) {
      if (test::read_text(entry.path()).find(text) != std::string::npos) return true;
    }
    return false;
  };
  std::vector<MediaId> ids;
  for (int i = 0; i < 500; ++i) ids.push_back(insert(*repository, "a-name-that-is-to-go-" + std::to_string(i)));
  const MediaId kept = insert(*repository, "a-name-that-stays");
  CHECK(lies_anywhere("a-name-that-is-to-go"));
  REQUIRE(repository->write([&](Transaction& transaction) -> Result<void> {
    for (const MediaId id : ids) MEDIA_TRY(transaction.remove_media(id));
    return {};
  }));
  REQUIRE(repository->wipe());
  CHECK_FALSE(lies_anywhere("a-name-that-is-to-go"));
  CHECK(lies_anywhere("a-name-that-stays"));
  CHECK(repository->find_media(kept).value()->filename == "a-name-that-stays");
}
