// mediactl erase, receipt, backup and restore: what leaves for good, and what comes back.
#include <algorithm>
#include <fstream>
#include <set>

#include "catch.hpp"
#include "cli_support.hpp"

namespace fs = std::filesystem;
using cli::Json;
using cli::json_lines;
using cli::mediactl;

namespace {

bool lies_anywhere(const fs::path& folder, std::string_view text) {
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file() && test::read_text(entry.path()).find(text) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("cli erase: all that an owner has goes at once, and the receipt proves it") {
  const test::TempFolder folder;
  const std::string store = (folder / "store").string();
  test::write_file(folder / "ada/diary.txt", "the secret diary of ada, line after line");
  test::write_file(folder / "ada/shared.txt", "what both of them have");
  test::write_file(folder / "bob/shared.txt", "what both of them have");
  test::write_file(folder / "ada/picture.png", cli::png(60, 40, 5));
  for (const std::string owner : {"ada", "bob"}) {
    REQUIRE(mediactl({"--store", store, "ingest", "--any", "--owner", owner, (folder / owner).string()}).exit_code == 0);
  }
  const std::string receipt = (folder / "receipt.json").string();
  CHECK(lies_anywhere(folder / "store", "secret diary"));
  const auto erased = mediactl({"--store", store, "--json", "erase", "--owner", "ada", "--receipt", receipt});
  REQUIRE(erased.exit_code == 0);
  const auto summary = json_lines(erased.out).summary;
  CHECK(summary["media"] == 3);
  CHECK(summary["retained"] == 1);
  CHECK(summary["left"] == 0);
  CHECK_FALSE(lies_anywhere(folder / "store", "secret diary"));
  CHECK_FALSE(lies_anywhere(folder / "store", "diary.txt"));
  CHECK(lies_anywhere(folder / "store", "what both of them have"));
  CHECK(json_lines(mediactl({"--store", store, "--json", "ls"}).out).objects.size() == 1);
  CHECK(mediactl({"--store", store, "verify"}).exit_code == 0);

  const Json told = Json::parse(test::read_text(receipt));
  CHECK(told["owner"] == "ada");
  CHECK(told["media"].size() == 3);
  CHECK(std::count_if(told["blobs"].begin(), told["blobs"].end(), [](const Json& blob) { return blob["outcome"] == "retained"; }) == 1);
  // Nobody else is named in it.
  CHECK(test::read_text(receipt).find("bob") == std::string::npos);

  CHECK(mediactl({"--store", store, "receipt", "verify", receipt}).exit_code == 0);
  // However it is written down.
  test::write_file(folder / "compact.json", nlohmann::json::parse(test::read_text(receipt)).dump());
  CHECK(mediactl({"--store", store, "receipt", "verify", (folder / "compact.json").string()}).exit_code == 0);
  const auto verdict = [&](const Json& changed, const std::vector<std::string>& environment = {}) {
    test::write_file(folder / "changed.json", changed.dump());
    const auto judged = mediactl({"--store", store, "--json", "receipt", "verify", (folder / "changed.json").string()}, environment);
    CHECK(judged.exit_code == 1);
    return json_lines(judged.out).summary["verdict"].get<std::string>();
  };
  Json changed = told;
  changed["owner"] = "bob";
  CHECK(verdict(changed) == "altered");
  changed = told;
  changed["blobs"].erase(0);
  CHECK(verdict(changed) == "altered");
  changed = told;
  changed["blobs"][0]["outcome"] = "erased ";
  CHECK(verdict(changed) == "altered");
  changed = told;
  changed["note"] = "added later";
  CHECK(verdict(changed) == "altered");
  changed = told;
  changed["signature"] = std::string(64, '0');
  CHECK(verdict(changed) == "altered");
  CHECK(verdict(told, {"UPLOAD_URL_SECRET=another-secret-of-at-least-32-bytes!"}) == "other_key");
  CHECK(verdict(Json::array({1, 2})) == "no_receipt");
  changed = told;
  changed.erase("signature");
  CHECK(verdict(changed) == "no_receipt");
  test::write_file(folder / "changed.json", "not JSON at all");
  CHECK(mediactl({"--store", store, "receipt", "verify", (folder / "changed.json").string()}).exit_code == 1);
  CHECK(mediactl({"--store", store, "receipt", "verify", (folder / "absent.json").string()}).exit_code == 3);
}

TEST_CASE("cli erase: nothing is erased where the receipt cannot be written, or an id is another's") {
  const test::TempFolder folder;
  const std::string store = (folder / "store").string();
  test::write_file(folder / "a.bin", test::noise(500, 1));
  test::write_file(folder / "b.bin", test::noise(500, 2));
  REQUIRE(mediactl({"--store", store, "ingest", "--any", "--owner", "ada", (folder / "a.bin").string()}).exit_code == 0);
  REQUIRE(mediactl({"--store", store, "ingest", "--any", "--owner", "bob", (folder / "b.bin").string()}).exit_code == 0);
  const auto erase = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"--store", store, "erase", "--owner", "ada"});
    return mediactl(more);
  };
  test::write_file(folder / "there.json", "{}");
  const auto there = erase({"--receipt", (folder / "there.json").string()});
  CHECK(there.exit_code == 8);
  CHECK_THAT(there.err, ContainsSubstring("already"));
  CHECK(test::read_text(folder / "there.json") == "{}");
  CHECK(erase({"--receipt", (folder / "nowhere/r.json").string()}).exit_code == 3);
  CHECK(erase({}).exit_code == 2);
  CHECK(erase({"--receipt", (folder / "r.json").string(), "1", "2"}).exit_code == 3);
  CHECK_FALSE(fs::exists(folder / "r.json"));
  CHECK(json_lines(mediactl({"--store", store, "--json", "ls"}).out).objects.size() == 2);
  CHECK(erase({"--receipt", (folder / "r.json").string(), "1"}).exit_code == 0);
  CHECK(json_lines(mediactl({"--store", store, "--json", "ls"}).out).objects.size() == 1);
}

TEST_CASE("cli backup: a catalog comes back from its copy, and what came since is told") {
  const test::TempFolder folder;
  const std::string store = (folder / "store").string();
  const std::string backup = (folder / "catalog.backup").string();
  test::write_file(folder / "a.bin", test::noise(500, 1));
  test::write_file(folder / "b.bin", test::noise(500, 2));
  REQUIRE(mediactl({"--store", store, "ingest", "--any", (folder / "a.bin").string()}).exit_code == 0);
  REQUIRE(mediactl({"--store", store, "backup", backup}).exit_code == 0);
  CHECK(mediactl({"--store", store, "backup", backup}).exit_code == 8);
  REQUIRE(mediactl({"--store", store, "ingest", "--any", (folder / "b.bin").string()}).exit_code == 0);
  // The catalog is lost.
  for (const char* const name : {"catalog.db", "catalog.db-wal", "catalog.db-shm"}) fs::remove(fs::path(store) / name);
  CHECK(mediactl({"--store", store, "ls"}).exit_code == 3);
  const auto restored = mediactl({"--store", store, "--json", "restore", backup});
  REQUIRE(restored.exit_code == 0);
  CHECK(json_lines(restored.out).summary["former"].is_null());
  CHECK(json_lines(mediactl({"--store", store, "--json", "ls"}).out).objects.size() == 1);
  const auto verified = mediactl({"--store", store, "--json", "verify"});
  CHECK(verified.exit_code == 1);
  CHECK(json_lines(verified.out).summary["stray"] == 1);
  CHECK(json_lines(verified.out).summary["missing"] == 0);
  const auto again = mediactl({"--store", store, "--json", "restore", backup});
  CHECK(json_lines(again.out).summary["former"].get<std::string>().find("catalog.db.before-") != std::string::npos);
  test::write_file(folder / "wrong", "no catalog");
  CHECK(mediactl({"--store", store, "restore", (folder / "wrong").string()}).exit_code == 9);
}

TEST_CASE("cli verify: shares, samples and repair by another store") {
  const test::TempFolder folder;
  const std::string store = (folder / "store").string();
  const std::string replica = (folder / "replica").string();
  for (unsigned i = 0; i < 60; ++i) test::write_file(folder / "in" / (std::to_string(i) + ".bin"), test::noise(2000 + i, i));
  const auto stored = json_lines(mediactl({"--store", store, "--json", "ingest", "--any", (folder / "in").string()}).out);
  fs::copy(store, replica, fs::copy_options::recursive);
  std::uint64_t blobs = 0;
  for (const char* const share : {"1/3", "2/3", "3/3"}) {
    blobs += json_lines(mediactl({"--store", store, "--json", "verify", "--subset", share}).out).summary["blobs"].get<std::uint64_t>();
  }
  CHECK(blobs == 60);
  const auto sampled = json_lines(mediactl({"--store", store, "--json", "verify", "--sample", "50%"}).out).summary["blobs"].get<int>();
  CHECK(sampled > 5);
  CHECK(sampled < 56);
  for (const char* const wrong : {"0/3", "4/3", "3", "a/b", "1/3x", "-1/3", "/"}) {
    CAPTURE(wrong);
    CHECK(mediactl({"--store", store, "verify", "--subset", wrong}).exit_code == 2);
  }
  for (const char* const wrong : {"5", "0%", "101%", "x%", "%"}) {
    CAPTURE(wrong);
    CHECK(mediactl({"--store", store, "verify", "--sample", wrong}).exit_code == 2);
  }
  test::damage_blob(store, stored.objects.at(7).at("digest"), 100);
  test::lose_blob(store, stored.objects.at(9).at("digest"));
  CHECK(mediactl({"--store", store, "verify", "--repair-from", (folder / "nowhere").string()}).exit_code == 3);
  const auto repaired = mediactl({"--store", store, "--json", "verify", "--repair-from", replica});
  CHECK(repaired.exit_code == 1);
  const auto lines = json_lines(repaired.out);
  CHECK(lines.summary["repaired"] == 2);
  CHECK(lines.objects.size() == 2);
  for (const auto& fault : lines.objects) CHECK(fault["repaired"] == true);
  CHECK(mediactl({"--store", store, "verify"}).exit_code == 0);
}

TEST_CASE("cli reindex: without its catalog a store gives back all that bytes can tell") {
  const test::TempFolder folder;
  const std::string store = (folder / "store").string();
  for (unsigned i = 0; i < 3; ++i) test::write_file(folder / "in" / (std::to_string(i) + ".png"), cli::png(700, 500, i + 1));
  test::write_file(folder / "in/large.jpg", cli::jpeg(1800, 1200));
  test::write_file(folder / "in/notes.bin", test::noise(3000, 9));
  REQUIRE(mediactl({"--store", store, "ingest", (folder / "in").string()}).exit_code == 1);  // the notes are no picture
  REQUIRE(mediactl({"--store", store, "ingest", "--any", (folder / "in/notes.bin").string()}).exit_code == 0);
  const auto digests = [&] {
    std::set<std::string> all;
    for (const auto& media : json_lines(mediactl({"--store", store, "--json", "ls"}).out).objects) all.insert(media["content_hash"]);
    return all;
  };
  const auto before = digests();
  REQUIRE(before.size() == 5);
  const auto blobs = json_lines(mediactl({"--store", store, "--json", "verify"}).out).summary["blobs"].get<int>();
  REQUIRE(blobs > 5 + 4 * 6);
  const auto untouched = json_lines(mediactl({"--store", store, "--json", "reindex"}).out).summary;
  CHECK(untouched["strays"] == 0);

  for (const char* const name : {"catalog.db", "catalog.db-wal", "catalog.db-shm"}) fs::remove(fs::path(store) / name);
  const auto reindexed = mediactl({"--store", store, "--json", "reindex", "--owner", "ada"});
  REQUIRE(reindexed.exit_code == 0);
  const auto summary = json_lines(reindexed.out).summary;
  CHECK(summary["strays"] == blobs);
  CHECK(summary["media"] == 5);
  CHECK(summary["renditions"] == blobs - 5);
  CHECK(summary["damaged"] == 0);
  CHECK(digests() == before);
  const auto listed = json_lines(mediactl({"--store", store, "--json", "ls"}).out);
  for (const auto& media : listed.objects) {
    CHECK(media["owner_id"] == "ada");
    CHECK(media["processing_status"] == "Complete");
  }
  const auto verified = mediactl({"--store", store, "--json", "verify"});
  CHECK(verified.exit_code == 0);
  CHECK(json_lines(verified.out).summary["blobs"] == blobs);
}

TEST_CASE("cli reindex: a damaged blob is named, and does not come back as something else") {
  const test::TempFolder folder;
  const std::string store = (folder / "store").string();
  for (unsigned i = 0; i < 3; ++i) test::write_file(folder / "in" / (std::to_string(i) + ".bin"), test::noise(3000 + i, i + 1));
  const auto stored = json_lines(mediactl({"--store", store, "--json", "ingest", "--any", (folder / "in").string()}).out);
  const std::string victim = stored.objects.at(1).at("digest");
  test::damage_blob(store, victim, 50);
  for (const char* const name : {"catalog.db", "catalog.db-wal", "catalog.db-shm"}) fs::remove(fs::path(store) / name);
  const auto reindexed = mediactl({"--store", store, "--json", "reindex"});
  CHECK(reindexed.exit_code == 1);
  CHECK(json_lines(reindexed.out).summary["damaged"] == 1);
  CHECK(json_lines(reindexed.out).summary["media"] == 2);
  CHECK_THAT(reindexed.err, ContainsSubstring(victim));
  CHECK(json_lines(mediactl({"--store", store, "--json", "ls"}).out).objects.size() == 2);
}
