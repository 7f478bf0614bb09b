// A catalog from SQLite to PostgreSQL and back: every row as it was, and nothing at all where it cannot be.
#include "media/migrate.hpp"

#include <map>
#include <set>

#include "repository_catalog.hpp"
#include "repository_postgres_fixture.hpp"

using namespace media;

namespace {

Timestamp at(std::int64_t milliseconds) { return Timestamp(std::chrono::milliseconds(milliseconds)); }
Digest digest_of(const std::string& text) { return Digest::of(std::as_bytes(std::span(text))); }

const std::string kAnyBytes("na\xFF\xC3(me\0'%_\n", 12);

/// Rows of every table, with every optional value there and not there.
void fill(Repository& repository) {
  const auto written = repository.write([](Transaction& transaction) -> Result<void> {
    Media bare = test::a_media("a.jpg");
    Media full = test::a_media(kAnyBytes);
    full.id = 40;
    full.owner = "ünïcode 名";
    full.digest = digest_of("full");
    full.media_type = "image/avif";
    full.size_bytes = (1ULL << 63U) + 7;
    full.status = MediaStatus::failed;
    full.error_message = kAnyBytes;
    full.visibility = Visibility::is_public;
    full.info = {.format = Format::avif,
                 .width = 4'000'000'000U,
                 .height = 3000,
                 .frames = 12,
                 .orientation = 6,
                 .has_alpha = true,
                 .duration = std::chrono::milliseconds(1500)};
    full.placeholder = "#a0b0c0";
    full.idempotency_key = "key-1";
    full.uploaded_at = at(1'700'000'000'123);
    full.completed_at = at(-5);
    full.processing_time_ms = 250;
    full.tags = {"summer", "a b", "\xFF,\"x"};
    full.expires_at = at(1'900'000'000'000);
    full.appearance = {std::vector<std::byte>(5, std::byte{0xFE}), "#0a0b0c", PerceptualHash{0xFEDC'BA98'7654'3210}};
    MEDIA_TRY(transaction.insert_media(bare));
    MEDIA_TRY(transaction.insert_media(full));
    for (int i = 0; i < 1'200; ++i) {
      Media media = test::a_media("IMG_" + std::to_string(i) + ".jpg");
      media.digest = digest_of(std::to_string(i % 700));
      MEDIA_TRY(transaction.insert_media(media));
    }
    for (int i = 0; i < 700; ++i) {
      Blob blob;
      blob.digest = digest_of(std::to_string(i));
      blob.size_bytes = static_cast<std::uint64_t>(i);
      blob.state = i % 100 == 0 ? BlobState::condemned : BlobState::live;
      if (i % 2 == 0) blob.verified_at = at(i);
      if (i % 100 == 0) blob.condemned_at = at(i);
      blob.identity = std::to_string(i);
      MEDIA_TRY(transaction.put_blob(blob));
      Rendition rendition;
      rendition.source = blob.digest;
      rendition.transform = "w=" + std::to_string(i % 3);
      rendition.encoder = "jpeg-1";
      rendition.digest = digest_of("rendition " + std::to_string(i));
      rendition.format = Format::jpeg;
      rendition.on_demand = i % 2 == 1;
      rendition.used_at = at(i);
      MEDIA_TRY(transaction.put_rendition(rendition));
      const BlobReads reads{blob.digest, 3, at(i)};
      if (i % 3 == 0) MEDIA_TRY(transaction.note_blob_reads(std::span(&reads, 1)));
      MEDIA_TRY(transaction.put_link({"recipe/" + std::to_string(i % 50), i + 41, 50 - i}));
    }
    for (int i = 0; i < 30; ++i) {
      Job job;
      job.kind = i % 2 == 0 ? "derive" : "notify";
      job.media_id = i % 2 == 0 ? i + 41 : 0;
      job.payload = kAnyBytes;
      job.run_after = at(i);
      MEDIA_TRY(transaction.insert_job(job));
    }
    MEDIA_TRY_ASSIGN(const auto claimed, transaction.claim_jobs("derive", at(100), "lease", at(200), 3, 0));
    MEDIA_TRY(transaction.renew_job(claimed[0].id, "lease", at(300), 0.1));
    MEDIA_TRY(transaction.release_job(claimed[1].id, "lease", std::nullopt, kAnyBytes));
    MEDIA_TRY(transaction.put_video_order({50, "format=mp4", "owner", 7, 3, 1, kAnyBytes, at(4)}));
    UploadSession upload{"token-1", 50, "owner", kAnyBytes, "image/png", 12, digest_of("promised"), UploadState::receiving, at(1), at(2)};
    MEDIA_TRY(transaction.put_upload(upload));
    upload.token = "token-2";
    upload.digest.reset();
    MEDIA_TRY(transaction.put_upload(upload));
    ResumableUpload resumable;
    resumable.id = "upload-1";
    resumable.owner = "owner";
    resumable.filename = kAnyBytes;
    resumable.parts = {"a", "b"};
    MEDIA_TRY(transaction.put_resumable_upload(resumable));
    resumable.id = "upload-2";
    resumable.kind = ResumableKind::joined;
    resumable.media_id = 60;
    MEDIA_TRY(transaction.put_resumable_upload(resumable));
    ApiKey key{"id-1", digest_of("secret"), "owner", "media:read media:write", kAnyBytes, at(1), at(2), std::nullopt};
    MEDIA_TRY(transaction.insert_api_key(key));
    key.id = "id-2";
    key.expires_at.reset();
    MEDIA_TRY(transaction.insert_api_key(key));
    MEDIA_TRY(transaction.revoke_api_key("id-2", at(9)));
    MEDIA_TRY(transaction.put_quota({"owner", {1'000'000, std::nullopt}}));
    MEDIA_TRY(transaction.keep_owner_usage(test::a_media("any").owner));
    MEDIA_TRY(transaction.insert_ban({0, digest_of("banned"), std::nullopt, 0, kAnyBytes, at(3)}));
    MEDIA_TRY(transaction.insert_ban({0, std::nullopt, PerceptualHash{0xFEDC'BA98'7654'3210}, 6, "", at(4)}));
    MEDIA_TRY(transaction.put_quarantined({digest_of("kept"), Hold::infected, kAnyBytes, at(5), std::nullopt, "", false}));
    MEDIA_TRY(transaction.put_quarantined({digest_of("released"), Hold::banned, "", at(5), at(6), kAnyBytes, true}));
    // Ids that were given out and are not in any row any more.
    Media last = test::a_media("last");
    last.id = 900'000;
    MEDIA_TRY(transaction.insert_media(last));
    MEDIA_TRY(transaction.remove_media(900'000));
    Job done;
    done.kind = "derive";
    MEDIA_TRY_ASSIGN(const std::int64_t job, transaction.insert_job(done));
    MEDIA_TRY(transaction.claim_jobs("derive", at(100), "lease", at(200), 100, 0));
    MEDIA_TRY(transaction.finish_job(job, "lease"));
    return {};
  });
  INFO((written ? std::string() : written.error().message));
  REQUIRE(written);
}

std::vector<std::string> tables_of(SQLite::Database& database) {
  std::vector<std::string> tables;
  SQLite::Statement names(database, "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'schema_migration' ORDER BY name");
  while (names.executeStep()) tables.push_back(names.getColumn(0).getString());
  return tables;
}

/// Every value of every row of a catalog, counters of ids too, by another program's eyes.
std::map<std::string, std::set<std::string>> dump(const std::filesystem::path& path) {
  SQLite::Database database(path.string(), SQLite::OPEN_READONLY);
  std::map<std::string, std::set<std::string>> all;
  for (const std::string& table : tables_of(database)) {
    std::string values;
    SQLite::Statement columns(database, "SELECT name FROM pragma_table_xinfo('" + table + "')");
    while (columns.executeStep()) values += (values.empty() ? "quote(" : " || ', ' || quote(") + columns.getColumn(0).getString() + ")";
    SQLite::Statement rows(database, "SELECT " + values + " FROM " + table);
    auto& into = all[table];
    while (rows.executeStep()) into.insert(rows.getColumn(0).getString());
  }
  return all;
}

CatalogPlace in_file(const std::filesystem::path& path) {
  CatalogPlace place;
  place.file = path;
  return place;
}
CatalogPlace in_postgres(const PostgresRepositoryOptions& options) {
  CatalogPlace place;
  place.postgres = options;
  return place;
}

/// Rows of all tables that migrations fill.
std::string rows_in(test::PostgresServer& server, const std::string& schema) {
  std::string all;
  for (const char* const table :
       {"item", "blob", "rendition", "job", "upload", "resumable_upload", "link", "api_key", "blob_read", "video_order"}) {
    all += server.ask("SELECT count(*) FROM " + schema + ".media_" + table) + " ";
  }
  return all;
}
const std::string kNoRows = "0 0 0 0 0 0 0 0 0 0 ";

}  // namespace

TEST_CASE("migrate: from SQLite to PostgreSQL and back the catalog is the same in every value, and ids go on where they were") {
  auto& server = test::PostgresServer::shared();
  const test::TempFolder folder;
  {
    const auto repository = test::open(folder / "a.db");
    fill(*repository);
  }
  const auto before = dump(folder / "a.db");
  for (const auto& [table, rows] : before) {
    INFO(table);
    CHECK_FALSE(rows.empty());  // A table that the test does not fill proves nothing.
  }
  const auto options = server.fresh_catalog();
  std::map<std::string, std::uint64_t> told;
  MigrateOptions how;
  how.progress = [&](const std::string& table, std::uint64_t rows) { told[table] = rows; };
  const auto there = migrate_catalog(in_file(folder / "a.db"), in_postgres(options), how);
  INFO((there ? std::string() : there.error().message));
  REQUIRE(there);
  CHECK(dump(folder / "a.db") == before);
  for (const MigratedTable& table : there->tables) {
    INFO(table.name);
    CHECK(table.source == table.destination);
    CHECK(table.rows == before.at(table.name).size());
    CHECK(told[table.name] == table.rows);
  }
  CHECK(there->tables.size() == before.size() - 1);  // SQLite's own table of counters is none.

  const auto back = migrate_catalog(in_postgres(options), in_file(folder / "b.db"), {});
  INFO((back ? std::string() : back.error().message));
  REQUIRE(back);
  CHECK(dump(folder / "b.db") == before);
  for (std::size_t i = 0; i < back->tables.size(); ++i) {
    CHECK(back->tables[i].name == there->tables[i].name);
    CHECK(back->tables[i].source == there->tables[i].source);
  }

  const auto postgres = test::open(options);
  CHECK(postgres->find_media(40).value()->size_bytes == (1ULL << 63U) + 7);
  CHECK(test::insert(*postgres, test::a_media()).value() > 900'000);
  const auto sqlite = test::open(folder / "b.db");
  CHECK(test::insert(*sqlite, test::a_media()).value() == 900'001);
}

TEST_CASE("migrate: a walk through pages gives the same media in the same order afterwards") {
  auto& server = test::PostgresServer::shared();
  const test::TempFolder folder;
  fill(*test::open(folder / "a.db"));
  const auto options = server.fresh_catalog();
  REQUIRE(migrate_catalog(in_file(folder / "a.db"), in_postgres(options), {}));
  const auto ids = [](const Repository& repository) {
    std::vector<MediaId> found;
    MediaQuery query;
    query.owner = "owner";
    query.descending = true;
    for (std::optional<MediaId> from = 0; from;) {
      query.after = *from;
      const auto page = repository.list_media(query).value();
      for (const Media& media : page.media) found.push_back(media.id);
      from = page.scanned_to;
    }
    return found;
  };
  CHECK(ids(*test::open(options)) == ids(*test::open(folder / "a.db")));
}

TEST_CASE("migrate: a destination with rows, a catalog that somebody has open, and two of a kind are refused") {
  auto& server = test::PostgresServer::shared();
  const test::TempFolder folder;
  test::insert(*test::open(folder / "a.db"), test::a_media()).value();
  const auto options = server.fresh_catalog();
  const auto code = [](const auto& result) { return result ? Errc::internal : result.error().code; };
  CHECK(code(migrate_catalog(in_file(folder / "a.db"), in_file(folder / "b.db"), {})) == Errc::invalid_argument);
  CHECK(code(migrate_catalog(in_postgres(options), in_postgres(options), {})) == Errc::invalid_argument);
  CHECK(code(migrate_catalog(in_file(folder / "none.db"), in_postgres(options), {})) == Errc::not_found);
  CHECK(code(migrate_catalog(in_postgres(options), in_file(folder / "b.db"), {})) == Errc::not_found);
  CHECK_FALSE(std::filesystem::exists(folder / "b.db"));

  {
    const auto open_source = test::open(folder / "a.db");
    const auto refused = migrate_catalog(in_file(folder / "a.db"), in_postgres(options), {});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::unavailable);
    CHECK(refused.error().message.find("stop the programs") != std::string::npos);
  }
  {
    const auto open_destination = test::open(options);
    REQUIRE(open_destination->check());
    const auto refused = migrate_catalog(in_file(folder / "a.db"), in_postgres(options), {});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::unavailable);
    CHECK(refused.error().message.find("stop every mediad") != std::string::npos);
    // Another schema of the same database is nobody's business.
    CHECK(migrate_catalog(in_file(folder / "a.db"), in_postgres(server.fresh_catalog()), {}));
  }
  CHECK(rows_in(server, options.schema) == kNoRows);
  REQUIRE(migrate_catalog(in_file(folder / "a.db"), in_postgres(options), {}));
  CHECK(code(migrate_catalog(in_file(folder / "a.db"), in_postgres(options), {})) == Errc::already_exists);
  CHECK(code(migrate_catalog(in_postgres(options), in_file(folder / "a.db"), {})) == Errc::already_exists);
}

TEST_CASE("migrate: stopped on the way, or at a row that PostgreSQL cannot hold, it leaves the destination without rows") {
  auto& server = test::PostgresServer::shared();
  const test::TempFolder folder;
  fill(*test::open(folder / "a.db"));
  const auto before = dump(folder / "a.db");
  auto options = server.fresh_catalog();
  std::stop_source stop;
  MigrateOptions how;
  how.stop = stop.get_token();
  how.progress = [&](const std::string& table, std::uint64_t) {
    if (table == "rendition") stop.request_stop();
  };
  const auto stopped = migrate_catalog(in_file(folder / "a.db"), in_postgres(options), how);
  REQUIRE_FALSE(stopped);
  CHECK(stopped.error().code == Errc::cancelled);
  CHECK(rows_in(server, options.schema) == kNoRows);
  CHECK(dump(folder / "a.db") == before);
  REQUIRE(migrate_catalog(in_file(folder / "a.db"), in_postgres(options), {}));

  test::run_sql(folder / "a.db", "UPDATE link SET subject = CAST(x'ff' AS TEXT) WHERE media_id = 41");
  options = server.fresh_catalog();
  const auto refused = migrate_catalog(in_file(folder / "a.db"), in_postgres(options), {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("the table 'link'") != std::string::npos);
  CHECK(rows_in(server, options.schema) == kNoRows);
}

TEST_CASE("migrate: rows that come back otherwise than they went in are found, and nothing is kept") {
  auto& server = test::PostgresServer::shared();
  const test::TempFolder folder;
  fill(*test::open(folder / "a.db"));
  const auto options = server.fresh_catalog();
  test::open(options);
  server.ask(
      "SET search_path = " + options.schema +
      "; CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.position = 7 THEN NEW.position = 8; END IF; RETURN "
      "NEW; END'; CREATE TRIGGER meddle BEFORE INSERT ON media_link FOR EACH ROW EXECUTE FUNCTION meddle()");
  auto refused = migrate_catalog(in_file(folder / "a.db"), in_postgres(options), {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::corrupt);
  CHECK(refused.error().message.find("'link'") != std::string::npos);
  CHECK(rows_in(server, options.schema) == kNoRows);
  server.ask("SET search_path = " + options.schema + "; DROP TRIGGER meddle ON media_link");

  // A table, or a column, that the other side does not have would be lost.
  server.ask("ALTER TABLE " + options.schema + ".media_link ADD COLUMN mood TEXT");
  refused = migrate_catalog(in_file(folder / "a.db"), in_postgres(options), {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::corrupt);
  server.ask("ALTER TABLE " + options.schema + ".media_link DROP COLUMN mood; CREATE TABLE " + options.schema + ".media_mood (id BIGINT)");
  CHECK_FALSE(migrate_catalog(in_file(folder / "a.db"), in_postgres(options), {}));
  server.ask("DROP TABLE " + options.schema + ".media_mood");
  CHECK(migrate_catalog(in_file(folder / "a.db"), in_postgres(options), {}));
}

TEST_CASE("migrate: nobody writes to either side meanwhile") {
  auto& server = test::PostgresServer::shared();
  const test::TempFolder folder;
  fill(*test::open(folder / "a.db"));
  auto options = server.fresh_catalog();
  auto hasty = options;
  hasty.statement_timeout = std::chrono::milliseconds(300);
  bool tried = false;
  MigrateOptions how;
  how.progress = [&](const std::string&, std::uint64_t) {
    if (std::exchange(tried, true)) return;
    const auto late = open_postgres_repository(hasty);
    REQUIRE_FALSE(late);
    CHECK(late.error().code == Errc::unavailable);
    const auto source = SQLite::Database((folder / "a.db").string(), SQLite::OPEN_READWRITE).tryExec("DELETE FROM link");
    CHECK(source == SQLITE_BUSY);
  };
  bool committed = false;
  how.on_committed = [&] {
    committed = true;
    // What was committed is there, and still nobody can write to what was read.
    auto reading = hasty;
    reading.read_only = true;
    const auto media = test::open(reading)->find_media(1);
    CHECK((media && *media));
    CHECK(SQLite::Database((folder / "a.db").string(), SQLite::OPEN_READWRITE).tryExec("DELETE FROM link") == SQLITE_BUSY);
  };
  CHECK(migrate_catalog(in_file(folder / "a.db"), in_postgres(options), how));
  CHECK(tried);
  CHECK(committed);
  how.on_committed = [] { FAIL("nothing was committed"); };
  CHECK(migrate_catalog(in_file(folder / "a.db"), in_postgres(options), how).error().code == Errc::already_exists);
}

TEST_CASE("migrate: whoever opens PostgreSQL's catalog while it is migrated away comes after what says whose the bytes are") {
  auto& server = test::PostgresServer::shared();
  const test::TempFolder folder;
  const auto options = server.fresh_catalog();
  test::insert(*test::open(options), test::a_media()).value();
  std::atomic<bool> is_told = false;
  std::atomic<bool> was_told = false;
  std::thread late;
  MigrateOptions how;
  how.progress = [&](const std::string&, std::uint64_t) {
    if (late.joinable()) return;
    late = std::thread([&] {
      const auto opened = open_postgres_repository(options);
      CHECK(opened);
      was_told = is_told.load();
    });
    // As long as it takes to open one that nobody has locked, and more.
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  };
  how.on_committed = [&] { is_told = true; };
  CHECK(migrate_catalog(in_postgres(options), in_file(folder / "a.db"), how));
  late.join();
  CHECK(was_told);
}

TEST_CASE("migrate: whoever opens a catalog between the count of those who have it open and its lock is seen") {
  auto& server = test::PostgresServer::shared();
  const test::TempFolder folder;
  const auto options = server.fresh_catalog();
  test::insert(*test::open(options), test::a_media()).value();
  // Keeps the migration waiting for its lock, as a program of another name that it does not count.
  std::thread holder(
      [&] { server.ask("BEGIN; LOCK TABLE " + options.schema + ".media_turn IN ROW SHARE MODE; SELECT pg_sleep(1.5); COMMIT"); });
  const auto waiting_for_lock = [&] {
    return server.ask("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = '" + options.schema + ".media_turn'::regclass") !=
           "0";
  };
  const auto holds_lock = [&] {
    return server.ask("SELECT count(*) FROM pg_locks WHERE granted AND relation = '" + options.schema + ".media_turn'::regclass") != "0";
  };
  for (int i = 0; i < 100 && !holds_lock(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  std::unique_ptr<Repository> reader;
  std::thread late([&] {
    for (int i = 0; i < 100 && !waiting_for_lock(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    auto reading = options;
    reading.read_only = true;  // Opened, and not behind the lock: as one that came just before it.
    reader = test::open(reading);
    CHECK(reader->find_media(1));
  });
  const auto refused = migrate_catalog(in_postgres(options), in_file(folder / "a.db"), {});
  holder.join();
  late.join();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::unavailable);
  CHECK(refused.error().message.find("stop every mediad") != std::string::npos);
}

TEST_CASE("migrate: a catalog is set aside only where nobody has it open") {
  const test::TempFolder folder;
  {
    const auto repository = test::open(folder / "catalog.db");
    test::insert(*repository, test::a_media()).value();
    CHECK(set_sqlite_catalog_aside(folder / "catalog.db").error().code == Errc::unavailable);
  }
  const auto aside = set_sqlite_catalog_aside(folder / "catalog.db").value();
  CHECK_FALSE(std::filesystem::exists(folder / "catalog.db"));
  CHECK(test::open(aside)->find_media(1).value());
  CHECK(set_sqlite_catalog_aside(folder / "catalog.db").error().code == Errc::not_found);
}
