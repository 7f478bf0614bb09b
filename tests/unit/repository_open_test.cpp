#include <sys/stat.h>

#include <array>
#include <fstream>
#include <thread>
#include <vector>

#include "repository/migrations.hpp"
#include "repository/network_filesystem.hpp"
#include "repository/sqlite_schema.hpp"
#include "repository_catalog.hpp"

using namespace media;

TEST_CASE("repository: a catalog is there again when it is reopened, and is one file while closed") {
  const test::TempFolder folder;
  const auto path = folder / "catalog.db";
  const MediaId id = test::insert(*test::open(path)).value();
  CHECK(test::count_files(folder.path()) == 1);
  const auto again = test::open(path);
  CHECK(again->find_media(id).value()->filename == "photo.jpg");
  CHECK(again->check().has_value());
  CHECK(test::insert(*again).value() == id + 1);
  CHECK(test::ask_sql(path, "PRAGMA journal_mode") == "wal");
  struct stat facts{};
  REQUIRE(::stat(path.c_str(), &facts) == 0);
  CHECK((facts.st_mode & 0777U) == 0600U);
}

TEST_CASE("repository: an id is not used again after a removal and a reopening") {
  const test::TempFolder folder;
  const auto path = folder / "catalog.db";
  MediaId id = 0;
  {
    const auto repository = test::open(path);
    id = test::insert(*repository).value();
    REQUIRE(repository
                ->write([&](Transaction& transaction) -> Result<void> {
                  MEDIA_TRY(transaction.remove_media(id));
                  return {};
                })
                .has_value());
  }
  CHECK(test::insert(*test::open(path)).value() == id + 1);
}

TEST_CASE("repository: a catalog of a newer version is refused, whole and for reading") {
  const test::TempFolder folder;
  const auto path = folder / "catalog.db";
  test::open(path);
  test::run_sql(path, "INSERT INTO schema_migration VALUES (9999, '9999_future', zeroblob(32))");
  for (const bool read_only : {false, true}) {
    const auto refused = test::try_open(path, read_only);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == Errc::unsupported);
    CHECK_THAT(refused.error().message, ContainsSubstring("newer version"));
    CHECK_THAT(refused.error().message, ContainsSubstring(path.string()));
  }
}

TEST_CASE("repository: a migration that is not the one that was applied is refused") {
  const test::TempFolder folder;
  const auto path = folder / "catalog.db";
  test::open(path);
  SECTION("another checksum") {
    test::run_sql(path, "UPDATE schema_migration SET checksum = zeroblob(32)");
    CHECK_THAT(test::try_open(path).error().message, ContainsSubstring("0001_catalog"));
  }
  SECTION("a gap in the numbers") { test::run_sql(path, "UPDATE schema_migration SET number = 0 WHERE number = 1"); }
  SECTION("no list at all") { test::run_sql(path, "DROP TABLE schema_migration"); }
  CHECK(test::try_open(path).error().code == Errc::corrupt);
  CHECK(test::try_open(path, true).error().code == Errc::corrupt);
}

TEST_CASE("repository: what is not a catalog is refused and left as it is") {
  const test::TempFolder folder;
  const auto path = folder / "catalog.db";
  SECTION("text") { test::write_file(path, "This is not a database, but it is longer than the sixteen bytes of a header."); }
  SECTION("noise") { test::write_file(path, test::noise(20'000)); }
  SECTION("somebody else's database") {
    SQLite::Database(path.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE).exec("CREATE TABLE bookmarks (url TEXT)");
  }
  SECTION("somebody else's empty database") {
    SQLite::Database(path.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE).exec("PRAGMA application_id = 7");
  }
  const auto before = test::read_file(path);
  CHECK(test::try_open(path).error().code == Errc::corrupt);
  CHECK(test::try_open(path, true).error().code == Errc::corrupt);
  CHECK(test::read_file(path) == before);
  CHECK(test::count_files(folder.path()) == 1);
}

TEST_CASE("repository: a catalog whose pages are damaged says so and stays up") {
  const test::TempFolder folder;
  const auto path = folder / "catalog.db";
  {
    const auto repository = test::open(path);
    for (int i = 0; i < 200; ++i) REQUIRE(test::insert(*repository).has_value());
  }
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(0, std::ios::end);
  const auto size = static_cast<std::int64_t>(file.tellp());
  REQUIRE(size > 5 * 4096);
  // Every page but the first, which is what makes it a catalog.
  file.seekp(4096);
  const std::vector<char> rubbish(static_cast<std::size_t>(size - 4096), '\xA5');
  file.write(rubbish.data(), static_cast<std::streamsize>(rubbish.size()));
  file.close();
  const auto opened = test::try_open(path);
  if (!opened) {
    CHECK(opened.error().code == Errc::corrupt);
  } else {
    CHECK((*opened)->list_media({}).error().code == Errc::corrupt);
  }
}

TEST_CASE("repository: a place where no catalog can be is named in the error") {
  const test::TempFolder folder;
  CHECK(test::try_open(folder / "missing" / "catalog.db").error().code == Errc::not_found);
  CHECK(test::try_open(folder / "catalog.db", true).error().code == Errc::not_found);
  CHECK(test::count_files(folder.path()) == 0);
  std::filesystem::create_directory(folder / "folder.db");
  const auto folder_opened = test::try_open(folder / "folder.db");
  REQUIRE_FALSE(folder_opened.has_value());
  CHECK(folder_opened.error().code == Errc::denied);
  CHECK_THAT(folder_opened.error().message, ContainsSubstring("folder.db"));
  CHECK(test::try_open("").error().code == Errc::invalid_argument);
}

TEST_CASE("repository: only filesystems that are always on a network are refused") {
  for (const unsigned long magic : {0x6969UL, 0x517BUL, 0xFF534D42UL, 0xFE534D42UL, 0x73757245UL, 0x5346414FUL, 0xFFFFFFFFFF534D42UL}) {
    CHECK(is_network_filesystem(magic));
  }
  // ext4, tmpfs, overlay, btrfs, xfs, 9p, FUSE.
  for (const unsigned long magic : {0xEF53UL, 0x01021994UL, 0x794C7630UL, 0x9123683EUL, 0x58465342UL, 0x01021997UL, 0x65735546UL}) {
    CHECK_FALSE(is_network_filesystem(magic));
  }
  const test::TempFolder folder;
  CHECK(refuse_network_filesystem(folder / "new.db").has_value());
  CHECK(refuse_network_filesystem(folder / "none" / "new.db").error().code == Errc::not_found);
}

TEST_CASE("repository: many threads that open one new catalog at once all succeed") {
  const test::TempFolder folder;
  const auto path = folder / "catalog.db";
  std::vector<Error> errors(8);
  std::vector<std::thread> threads;
  for (Error& error : errors) {
    threads.emplace_back([&] {
      auto opened = test::try_open(path);
      if (opened) {
        const auto inserted = test::insert(**opened);
        error = inserted ? Error{Errc::internal, ""} : inserted.error();
      } else {
        error = opened.error();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (const Error& error : errors) CHECK(error.message.empty());
  CHECK(test::count_media(*test::open(path)) == errors.size());
  CHECK(test::ask_sql(path, "PRAGMA integrity_check") == "ok");
  CHECK(test::count_files(folder.path()) == 1);
}

TEST_CASE("repository: a read-only catalog sees what is written meanwhile and writes nothing") {
  const test::TempFolder folder;
  const auto path = folder / "catalog.db";
  auto writer = test::open(path);
  REQUIRE(test::insert(*writer).has_value());
  const auto reader = test::open(path, true);
  CHECK(test::count_media(*reader) == 1);
  REQUIRE(test::insert(*writer).has_value());
  CHECK(test::count_media(*reader) == 2);
  CHECK(test::insert(*reader).error().code == Errc::denied);
  CHECK(reader->check().has_value());
  writer.reset();
  CHECK(test::count_media(*reader) == 2);
}

TEST_CASE("repository: migrations are applied once, in order, whole or not at all") {
  const test::TempFolder folder;
  const auto path = folder / "catalog.db";
  SQLite::Database(path.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  const Migration first{1, "0001_first", "CREATE TABLE a (x INTEGER) STRICT; INSERT INTO a VALUES (1);"};
  const Migration second{2, "0002_second", "ALTER TABLE a ADD COLUMN y INTEGER; UPDATE a SET y = x + 1;"};
  const Migration broken{2, "0002_broken", "INSERT INTO a VALUES (2); INSERT INTO nowhere VALUES (1);"};
  const auto connect = [&] { return sqlite::Connection::open(path, sqlite::Access::write).value(); };
  const std::array only_first{first};
  const std::array both{first, second};
  const std::array with_broken{first, broken};

  CHECK(sqlite::require_up_to_date(*connect(), only_first).error().code == Errc::unsupported);
  REQUIRE(sqlite::bring_up_to_date(*connect(), only_first).has_value());
  REQUIRE(sqlite::bring_up_to_date(*connect(), only_first).has_value());
  CHECK(test::ask_sql(path, "SELECT count(*) FROM a") == "1");
  CHECK(sqlite::require_up_to_date(*connect(), only_first).has_value());

  const auto failed = sqlite::bring_up_to_date(*connect(), with_broken);
  CHECK(failed.error().code == Errc::internal);
  CHECK(test::ask_sql(path, "SELECT count(*) FROM a") == "1");
  CHECK(test::ask_sql(path, "SELECT count(*) FROM schema_migration") == "1");

  CHECK(sqlite::require_up_to_date(*connect(), both).error().code == Errc::unsupported);
  REQUIRE(sqlite::bring_up_to_date(*connect(), both).has_value());
  CHECK(test::ask_sql(path, "SELECT y FROM a") == "2");
  CHECK(sqlite::bring_up_to_date(*connect(), only_first).error().code == Errc::unsupported);
  CHECK(sqlite::bring_up_to_date(*connect(), with_broken).error().code == Errc::corrupt);
}

TEST_CASE("repository: the embedded migrations are numbered from one without a gap") {
  int expected = 0;
  for (const Migration& migration : catalog_migrations()) {
    CHECK(migration.number == ++expected);
    CHECK_FALSE(migration.sql.empty());
    CHECK(std::stoi(std::string(migration.name.substr(0, 4))) == migration.number);
  }
  CHECK(expected >= 1);
}

TEST_CASE("repository: a catalog from before tags, expiry and descriptions keeps its media, which have none") {
  const test::TempFolder folder;
  const auto path = folder / "catalog.db";
  SQLite::Database(path.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  REQUIRE(sqlite::bring_up_to_date(*sqlite::Connection::open(path, sqlite::Access::write).value(), catalog_migrations().first(3)));
  test::run_sql(
      path,
      "INSERT INTO media (owner, digest, filename, media_type, size_bytes, status, error_message, visibility, format, width, height, "
      "frames, orientation, has_alpha, placeholder, idempotency_key, uploaded_at, updated_at) "
      "VALUES ('owner', zeroblob(32), CAST('a.png' AS BLOB), 'image/png', 7, 2, x'', 0, 'png', 1, 1, 1, 1, 0, '', '', 5, 5)");
  const auto repository = test::open(path);
  Media media = repository->find_media(1).value().value();
  CHECK(media.filename == "a.png");
  CHECK(media.tags.empty());
  CHECK_FALSE(media.expires_at);
  CHECK_FALSE(media.appearance.known());
  // It is to be looked at, once.
  const auto job = repository->find_job_of_media(1, "describe").value();
  REQUIRE(job.has_value());
  CHECK(job->state == JobState::queued);
  CHECK(repository->list_jobs(std::nullopt, 10).value().size() == 1);
  media.tags = {"old"};
  REQUIRE(repository->write([&](Transaction& transaction) { return transaction.update_media(media); }));
  CHECK(repository->list_media({.owner = "owner", .tag = "old", .alive_at = Timestamp{}}).value().media == std::vector<Media>{media});
}

TEST_CASE("repository: renditions from before their use was noted count as asked for, but for the presets' own") {
  const test::TempFolder folder;
  const auto path = folder / "catalog.db";
  SQLite::Database(path.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  REQUIRE(sqlite::bring_up_to_date(*sqlite::Connection::open(path, sqlite::Access::write).value(), catalog_migrations().first(7)));
  test::run_sql(path,
                "INSERT INTO rendition (source, transform, encoder, digest, format, width, height, size_bytes, created_at) VALUES "
                "(zeroblob(32), 'w=321,format=avif', 'aom-1', zeroblob(32), 'avif', 1, 1, 10, 77), "
                "(zeroblob(32), 'w=320,h=320,format=avif', 'aom-1', zeroblob(32), 'avif', 1, 1, 20, 78)");
  const auto repository = test::open(path);
  const auto rows = repository->list_renditions(Digest()).value();
  REQUIRE(rows.size() == 2);
  for (const Rendition& row : rows) {
    CHECK(row.on_demand == (row.size_bytes == 10));
    CHECK(row.used_at == row.created_at);
  }
  CHECK(repository->rendition_usage(true).value() == RenditionUsage{1, 10});
}
