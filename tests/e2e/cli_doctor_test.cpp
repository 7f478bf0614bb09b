// mediactl doctor and mediactl hash.
#include <sqlite3.h>

#include "catch.hpp"
#include "cli_support.hpp"

namespace fs = std::filesystem;
using cli::Json;
using cli::json_lines;
using cli::mediactl;

namespace {

Json facts_of(const cli::Lines& lines, const std::string& check) {
  const Json found = cli::find(lines, "check", check);
  REQUIRE(found.is_object());
  return found.at("facts");
}

std::string status_of(const cli::Lines& lines, const std::string& check) { return cli::find(lines, "check", check).at("status"); }

}  // namespace

TEST_CASE("cli doctor: tells what the machine has, without a store") {
  const auto result = mediactl({"doctor", "--json"});
  const auto lines = json_lines(result.out);
  REQUIRE(lines.objects.size() == 4);
  const Json hashing = facts_of(lines, "hashing");
  const bool has_lanes = hashing.at("implementation") == "SHA-NI";
  CHECK((has_lanes || hashing.at("implementation") == "OpenSSL"));
  CHECK(hashing.at("lanes") == (has_lanes ? 3 : 1));
  CHECK((test::read_text("/proc/cpuinfo").find(" sha_ni") != std::string::npos) == has_lanes);
  CHECK(hashing.at("bytes_per_second").get<double>() > 1e6);
  CHECK(hashing.at("openssl_bytes_per_second").get<double>() > 1e6);

  const Json pictures = facts_of(lines, "pictures");
  CHECK_FALSE(pictures.at("simd").get<std::string>().empty());
  bool jpeg = false;
  for (const Json& codec : pictures.at("codecs")) jpeg = jpeg || (codec.at("format") == "jpeg" && codec.at("writes") == true);
  CHECK(jpeg);
  CHECK_THAT(pictures.at("libraries").at("libwebp").get<std::string>(), ContainsSubstring("."));

  const Json workers = facts_of(lines, "workers").at("workers");
  REQUIRE_FALSE(workers.empty());
  CHECK(fs::path(workers.at(0).at("worker").get<std::string>()).filename() == "media-worker");
  for (const Json& worker : workers) {
    if (fs::path(worker.at("worker").get<std::string>()).filename() != "media-video-worker" || !worker.contains("libraries")) continue;
    CHECK_THAT(worker.at("libraries").get<std::string>(), ContainsSubstring("libavcodec "));
  }
  CHECK(facts_of(lines, "clock").at("now").get<std::string>().starts_with("20"));
  CHECK(lines.summary.at("checks") == 4);
  CHECK(lines.summary.at("healthy") == (result.exit_code == 0));

  const auto text = mediactl({"doctor"});
  CHECK_THAT(text.out, ContainsSubstring("SHA-256 by ") && ContainsSubstring("on one core"));
  CHECK_THAT(text.out, ContainsSubstring("4 checks: "));
  CHECK(mediactl({"doctor", "--store", "/nonexistent/store"}).exit_code == 3);
}

TEST_CASE("cli doctor: a sound store is told by its facts, and nothing in it is touched") {
  const test::TempFolder folder;
  const std::string store = (folder / "store").string();
  for (unsigned i = 0; i < 30; ++i) test::write_file(folder / ("in/" + std::to_string(i)), test::noise(4'000, i));
  test::write_file(folder / "in/large", test::noise(600'000, 99));
  REQUIRE(mediactl({"--store", store, "ingest", "--any", (folder / "in").string()}).exit_code == 0);
  const auto result = mediactl({"--store", store, "doctor", "--json"});
  const auto lines = json_lines(result.out);
  INFO(result.out);
  const Json layout = facts_of(lines, "store");
  CHECK(layout.at("packed_blobs") == 30);
  CHECK(layout.at("segments") == 1);
  CHECK(layout.at("loose_blobs") == 1);
  CHECK(layout.at("loose_bytes") == 600'000);
  CHECK(layout.at("dead_bytes").get<std::uint64_t>() < 4'000);
  CHECK(layout.at("index_file_bytes").get<std::uint64_t>() >= 30 * 48);
  CHECK(layout.at("index_memory_bytes").get<std::uint64_t>() > 30 * 44);
  CHECK(layout.at("strays") == 0);
  CHECK(status_of(lines, "store") == "good");
  const Json disk = facts_of(lines, "disk");
  CHECK(disk.at("sync_microseconds").get<std::int64_t>() >= 0);
  CHECK(disk.at("reflinks").is_boolean());
  CHECK(disk.at("free_bytes").get<std::uint64_t>() > 0);
  const Json catalog = facts_of(lines, "catalog");
  CHECK(catalog.at("engine").get<std::string>().starts_with("SQLite 3."));
  CHECK(catalog.at("settings").at("journal_mode") == "wal");
  CHECK_FALSE(catalog.at("settings").contains("synchronous"));
  CHECK(status_of(lines, "catalog") == "good");
  CHECK(catalog.contains("newest_media_at"));
  CHECK(test::count_files(fs::path(store) / "temp") == 0);
  CHECK(mediactl({"--store", store, "verify"}).exit_code == 0);
}

TEST_CASE("cli doctor: what is wrong is said, with advice, and makes exit code 1") {
  const test::TempFolder folder;
  const std::string store = (folder / "store").string();
  test::write_file(folder / "in/one", test::noise(300'000, 1));
  test::write_file(folder / "in/two", test::noise(4'000, 2));
  REQUIRE(mediactl({"--store", store, "ingest", "--any", (folder / "in").string()}).exit_code == 0);

  SECTION("a stray among the segments, and something set aside") {
    test::write_file(fs::path(store) / "segments/00000000000000000000000000000000.segment", std::string(5'000, 'x'));
    test::write_file(fs::path(store) / "quarantine/x", "damaged");
    const auto result = mediactl({"--store", store, "doctor", "--json"});
    CHECK(result.exit_code == 1);
    const auto lines = json_lines(result.out);
    CHECK(status_of(lines, "store") == "wrong");
    CHECK(facts_of(lines, "store").at("strays") == 1);
    CHECK(facts_of(lines, "store").at("quarantined") == 1);
    CHECK(cli::find(lines, "check", "store").at("advice").size() == 2);
    CHECK(lines.summary.at("healthy") == false);
    CHECK(lines.summary.at("wrong").get<int>() >= 1);
    CHECK_THAT(mediactl({"--store", store, "doctor"}).out, ContainsSubstring("-> 1 damaged blobs were set aside"));
  }
  SECTION("a catalog that is none") {
    test::write_file(fs::path(store) / "catalog.db", "this is not a database, however long one looks at it");
    const auto result = mediactl({"--store", store, "doctor", "--json"});
    CHECK(result.exit_code == 1);
    CHECK(status_of(json_lines(result.out), "catalog") == "wrong");
  }
  SECTION("a catalog without a write-ahead log, which stays without one") {
    const std::string catalog = store + "/catalog.db";
    sqlite3* database = nullptr;
    REQUIRE(::sqlite3_open(catalog.c_str(), &database) == SQLITE_OK);
    CHECK(::sqlite3_exec(database, "PRAGMA journal_mode = DELETE", nullptr, nullptr, nullptr) == SQLITE_OK);
    ::sqlite3_close(database);
    const auto before = test::read_text(catalog);
    const auto lines = json_lines(mediactl({"--store", store, "doctor", "--json"}).out);
    CHECK(status_of(lines, "catalog") == "wrong");
    CHECK(facts_of(lines, "catalog").at("settings").at("journal_mode") == "delete");
    CHECK(test::read_text(catalog) == before);
  }
  SECTION("a catalog that went away") {
    fs::remove(fs::path(store) / "catalog.db");
    CHECK(status_of(json_lines(mediactl({"--store", store, "doctor", "--json"}).out), "catalog") == "wrong");
    CHECK_FALSE(fs::exists(fs::path(store) / "catalog.db"));
  }
  SECTION("no worker") {
    const auto result = mediactl({"doctor", "--json"}, {"MEDIA_WORKER=/nonexistent/media-worker"});
    CHECK(result.exit_code == 1);
    CHECK(status_of(json_lines(result.out), "workers") == "wrong");
  }
}

TEST_CASE("cli hash: prints what sha256sum does, small and large, and names what it cannot read") {
  const test::TempFolder folder;
  std::vector<std::string> files;
  for (const std::size_t size : {0U, 1U, 63U, 64U, 4'000U, 131'072U, 131'073U, 2'000'000U}) {
    files.push_back((folder / std::to_string(size)).string());
    test::write_file(files.back(), test::noise(size, size + 1));
  }
  for (unsigned i = 0; i < 40; ++i) test::write_file(folder / ("many/" + std::to_string(100 + i)), test::noise(60'000, i));
  std::vector<std::string> theirs = {"sha256sum"};
  theirs.insert(theirs.end(), files.begin(), files.end());
  for (unsigned i = 0; i < 40; ++i) theirs.push_back((folder / ("many/" + std::to_string(100 + i))).string());
  std::vector<std::string> ours = {"hash"};
  ours.insert(ours.end(), files.begin(), files.end());
  ours.push_back((folder / "many").string());
  const auto result = mediactl(ours);
  CHECK(result.exit_code == 0);
  CHECK(result.out == test::run(theirs).out);

  const auto failed = mediactl({"hash", "--json", files[1], (folder / "gone").string(), files[2]});
  CHECK(failed.exit_code == 1);
  const auto lines = json_lines(failed.out);
  REQUIRE(lines.objects.size() == 3);
  CHECK(lines.objects[0].at("path") == files[1]);
  CHECK(lines.objects[1].at("status") == "failed");
  CHECK(lines.objects[1].at("reason") == "No such file or directory");
  CHECK(lines.objects[2].at("digest").get<std::string>().size() == 64);
  CHECK(lines.summary.at("files") == 2);
  CHECK(lines.summary.at("failed") == 1);
}
