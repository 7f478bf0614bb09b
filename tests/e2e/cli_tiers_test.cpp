// mediactl tier: a library in several folders, moved and killed on the way.
#include <signal.h>

#include <random>
#include <thread>

#include "catch.hpp"
#include "cli_support.hpp"
#include "media/digest.hpp"

namespace fs = std::filesystem;
using cli::json_lines;
using cli::mediactl;

namespace {

/// A library with two tiers and files of many sizes.
struct Library {
  explicit Library(unsigned files) : store((folder / "store").string()), cold((folder / "cold").string()) {
    fs::create_directories(folder / "in");
    for (unsigned i = 0; i < files; ++i)
      test::write_file(folder / "in" / (std::to_string(i) + ".bin"), test::noise(i * 40'001U % 300'000U + 1, i));
    const auto ingested = mediactl({"--store", store, "--cold", cold, "ingest", "--any", "--quiet", (folder / "in").string()});
    INFO(ingested.err);
    REQUIRE(ingested.exit_code == 0);
  }
  [[nodiscard]] std::vector<std::string> command(const std::vector<std::string>& more) const {
    std::vector<std::string> all{"--store", store};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  test::RunResult run(const std::vector<std::string>& more) const { return mediactl(command(more)); }

  test::TempFolder folder;
  std::string store;
  std::string cold;
};

cli::Json summary_of(const test::RunResult& result) {
  INFO(result.err << result.out);
  return json_lines(result.out).summary;
}

}  // namespace

TEST_CASE("cli tier: a plan says what would move and why, and apply moves it") {
  const Library library(12);
  CHECK(test::read_text(fs::path(library.store) / "tiers").starts_with("cold " + library.cold + "\nid "));
  const auto plan = library.run({"tier", "plan", "--explain", "--json", "--cold-rule", "size>=100k"});
  CHECK(plan.exit_code == 0);
  const auto told = json_lines(plan.out);
  REQUIRE_FALSE(told.objects.empty());
  for (const auto& move : told.objects) {
    CHECK(move["action"] == "demote");
    CHECK(move["from"] == "hot");
    CHECK(move["to"] == "cold");
    CHECK(move["kind"] == "other");
    CHECK(move["size_bytes"].get<std::uint64_t>() >= 100'000);
    CHECK(move["reason"].get<std::string>().ends_with("bytes (size>=100k)"));
  }
  const auto moves = told.objects.size();
  CHECK(told.summary["demoted"] == moves);
  CHECK(told.summary["dry_run"] == true);
  const auto text = library.run({"tier", "plan", "--explain", "--cold-rule", "size>=100k"});
  CHECK(text.out.find("demote  hot -> cold") != std::string::npos);
  CHECK(text.out.find("would demote " + std::to_string(moves)) != std::string::npos);

  // The environment says it, too; a budget takes some at a time.
  const auto some = mediactl(library.command({"tier", "apply", "--json", "--budget", "300000"}), {"MEDIA_COLD_RULE=size>=100k"});
  CHECK(some.exit_code == 0);
  CHECK(summary_of(some)["demoted"].get<std::size_t>() < moves);
  CHECK(summary_of(some)["left"].get<std::size_t>() > 0);
  CHECK(summary_of(library.run({"tier", "apply", "--json", "--cold-rule", "size>=100k"}))["complete"] == true);
  CHECK(summary_of(library.run({"tier", "plan", "--json", "--cold-rule", "size>=100k"}))["demoted"] == 0);
  CHECK(library.run({"verify"}).exit_code == 0);
  for (const auto& media : json_lines(library.run({"ls", "--json"}).out).objects) {
    const auto name = media["original_filename"].get<std::string>();
    const auto read = library.run({"cat", std::to_string(media["id"].get<long long>())});
    CHECK(test::bytes(read.out) == test::read_file(library.folder / "in" / name));
  }
}

TEST_CASE("cli tier: what is wrong is one clear sentence") {
  const Library library(1);
  const auto refused = [&](const std::vector<std::string>& arguments, int code, const std::string& words) {
    const auto result = mediactl(arguments);
    INFO(result.err);
    CHECK(result.exit_code == code);
    CHECK(std::count(result.err.begin(), result.err.end(), '\n') == 1);
    CHECK(result.err.find(words) != std::string::npos);
  };
  refused(library.command({"tier", "apply", "--cold-rule", "size>many"}), 2, "'size>many' is no condition");
  refused(library.command({"--cold", (library.folder / "elsewhere").string(), "ls"}), 8, "has its cold tier in");
  refused({"--store", (library.folder / "none").string(), "--cold", library.cold, "ls"}, 3, "catalog.db is missing");
  const std::string plain = (library.folder / "plain").string();
  REQUIRE(mediactl({"--store", plain, "init"}).exit_code == 0);
  refused({"--store", plain, "tier", "plan"}, 7, "has one store, and no tiers");
  // The tier is away: what is there is read, and the rest is not called lost.
  REQUIRE(library.run({"tier", "apply", "--cold-rule", "size>0"}).exit_code == 0);
  fs::rename(library.cold, library.cold + ".away");
  refused(library.command({"cat", "1"}), 8, "the cold tier cannot be opened");
  CHECK(library.run({"ls"}).exit_code == 0);
  CHECK(library.run({"ingest", "--any", "--quiet", (library.folder / "in").string()}).exit_code != 9);
  fs::rename(library.cold + ".away", library.cold);
  CHECK(library.run({"verify"}).exit_code == 0);
}

TEST_CASE("cli tier: killed at random moments it loses nothing, and a run that is left alone finishes") {
  const Library library(80);
  const test::TempFolder output;
  std::mt19937 random(20'261'202);
  const auto wanted = std::getenv("MEDIA_TEST_KILLS");
  const int rounds = wanted == nullptr ? 12 : std::max(1, std::atoi(wanted));
  const auto began = std::chrono::steady_clock::now();
  REQUIRE(library.run({"tier", "apply", "--cold-rule", "size>0"}).exit_code == 0);
  const auto whole_run = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - began);
  int killed = 0;
  for (int round = 0; round < rounds; ++round) {
    // Up and down again, so that copies are in both of them at all times.
    const std::string rule = round % 2 == 0 ? "none" : "size>0";
    {
      cli::Background apply(library.command({"tier", "apply", "--cold-rule", rule}), output / "out", output / "err");
      std::this_thread::sleep_for(std::chrono::microseconds(std::uniform_int_distribution<long>(0, whole_run.count())(random)));
      apply.signal(SIGKILL);
      killed += apply.wait() == 128 + SIGKILL ? 1 : 0;
    }
    const auto verified = library.run({"verify"});
    INFO(verified.out << verified.err);
    CHECK(verified.exit_code == 0);
  }
  CHECK(killed > 0);
  const auto ended = library.run({"tier", "apply", "--json", "--cold-rule", "size>0"});
  CHECK(ended.exit_code == 0);
  CHECK(summary_of(library.run({"tier", "plan", "--json", "--cold-rule", "size>0"}))["demoted"] == 0);
  const auto verified = json_lines(library.run({"verify", "--json"}).out).summary;
  CHECK(verified["blobs"] == 80);
}

TEST_CASE("cli tier: erasing, collecting, syncing and reindexing act on every tier") {
  const Library library(6);
  REQUIRE(library.run({"tier", "apply", "--cold-rule", "size>=10k"}).exit_code == 0);
  REQUIRE(library.run({"tier", "apply", "--cold-rule", "none"}).exit_code == 0);  // copies in both
  const std::string elsewhere = (library.folder / "elsewhere").string();
  REQUIRE(library.run({"tier", "apply", "--cold-rule", "size>=10k"}).exit_code == 0);
  CHECK(summary_of(mediactl({"sync", library.store, elsewhere, "--json"}))["copied"] == 6);
  CHECK(summary_of(mediactl({"sync", library.store, elsewhere, "--json"}))["present"] == 6);

  // Without its catalog: found again in both.
  for (const char* const name : {"catalog.db", "catalog.db-wal", "catalog.db-shm"}) fs::remove(fs::path(library.store) / name);
  const auto again = library.run({"reindex", "--isolation", "none", "--owner", "somebody", "--json"});
  INFO(again.err << again.out);
  CHECK(again.exit_code == 0);
  CHECK(summary_of(again)["media"] == 6);

  REQUIRE(library.run({"tier", "apply", "--cold-rule", "none"}).exit_code == 0);
  const auto erased = library.run({"erase", "--owner", "somebody", "--receipt", (library.folder / "receipt").string()});
  INFO(erased.err << erased.out);
  CHECK(erased.exit_code == 0);
  for (const std::string& place : {library.store, library.cold}) {
    for (unsigned i = 0; i < 6; ++i) {
      CHECK_FALSE(test::find_blob(place, media::Digest::of(test::noise(i * 40'001U % 300'000U + 1, i)).to_hex()));
    }
  }
}
