// mediactl with blobs in an object store, and between stores.
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <thread>

#include "cli_support.hpp"
#include "s3_places.hpp"

namespace fs = std::filesystem;
using cli::Json;
using cli::json_lines;
using test::open_place;
using test::whole_blobs;

namespace {

test::RunResult mediactl(std::vector<std::string> arguments) { return cli::mediactl(std::move(arguments), test::credentials()); }

/// Contents of many sizes, among them some that go up in parts.
std::set<media::Digest> fill(const std::string& place, unsigned count, bool large) {
  const auto store = open_place(place);
  std::set<media::Digest> digests;
  for (unsigned i = 0; i < count; ++i) digests.insert(test::store_one(*store, test::noise(i * 997U % 40'000U, i + 1)));
  if (large) {
    digests.insert(test::store_one(*store, test::noise(700'000, 90)));
    digests.insert(test::store_one(*store, test::noise(18U << 20U, 91)));
  }
  return digests;
}

Json summary_of(const test::RunResult& result) { return json_lines(result.out).summary; }

int kill_rounds() {
  const char* const wanted = std::getenv("MEDIA_TEST_KILLS");
  return wanted == nullptr ? 15 : std::max(1, std::atoi(wanted));
}

/// Kills a sync somewhere, again and again: what is in the destination is whole, and a run that is left alone ends it.
void check_kills(const std::string& source, int rounds, const std::function<std::string(int)>& destination_of,
                 const std::set<media::Digest>& all) {
  const test::TempFolder folder;
  std::mt19937 random(20'261'202);
  const auto began = std::chrono::steady_clock::now();
  REQUIRE(mediactl({"sync", source, destination_of(-1)}).exit_code == 0);
  const auto whole_run = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - began);
  int killed = 0;
  for (int round = 0; round < rounds; ++round) {
    // Five rounds on the same destination: the later ones go on where the earlier were killed.
    const std::string destination = destination_of(round / 5);
    {
      for (const std::string& variable : test::credentials()) {
        ::setenv(variable.substr(0, variable.find('=')).c_str(), variable.substr(variable.find('=') + 1).c_str(), 1);
      }
      cli::Background sync({"sync", source, destination}, folder / "out", folder / "err");
      std::this_thread::sleep_for(std::chrono::microseconds(std::uniform_int_distribution<long>(0, whole_run.count())(random)));
      sync.signal(SIGKILL);
      killed += sync.wait() == 128 + SIGKILL ? 1 : 0;
    }
    for (const auto& digest : whole_blobs(*open_place(destination))) CHECK(all.contains(digest));
  }
  CHECK(killed > 0);
  for (int i = 0; i <= (rounds - 1) / 5; ++i) {
    const auto ended = mediactl({"sync", source, destination_of(i)});
    CHECK(ended.exit_code == 0);
    CHECK(whole_blobs(*open_place(destination_of(i))) == all);
  }
}

}  // namespace

TEST_CASE("cli: a library whose blobs are in a bucket is used as any other") {
  const test::TempFolder folder;
  const std::string store = (folder / "store").string();
  const std::string place = test::url_of(test::new_prefix());
  test::write_file(folder / "a.png", cli::png(60, 40, 1));
  test::write_file(folder / "b.bin", test::noise(900'000));
  const auto ingested =
      mediactl({"--store", store, "--blobs", place, "ingest", "--any", (folder / "a.png").string(), (folder / "b.bin").string()});
  INFO(ingested.err);
  REQUIRE(ingested.exit_code == 0);
  const auto blobs = whole_blobs(*open_place(place));
  CHECK(blobs.contains(media::Digest::of(test::read_file(folder / "a.png"))));
  CHECK(blobs.contains(media::Digest::of(test::noise(900'000))));
  CHECK_FALSE(fs::exists(folder / "store/segments"));

  // From now on the folder says where they are.
  CHECK(test::read_text(folder / "store/blobs").starts_with("s3://media/"));
  const auto listed = json_lines(mediactl({"--store", store, "ls", "--json"}).out);
  REQUIRE(listed.objects.size() == 2);
  const auto id = std::to_string(cli::find(listed, "original_filename", "b.bin").at("id").get<long long>());
  const auto read = mediactl({"--store", store, "cat", id});
  CHECK(test::bytes(read.out) == test::noise(900'000));
  CHECK(mediactl({"--store", store, "verify"}).exit_code == 0);
  const auto other = mediactl({"--store", store, "--blobs", test::url_of("another"), "ls"});
  CHECK(other.exit_code == 8);
  CHECK(other.err.find("keeps its blobs in s3://media/") != std::string::npos);

  CHECK(mediactl({"--store", store, "rm", id}).exit_code == 0);
  CHECK(mediactl({"--store", store, "gc", "--grace", "0s"}).exit_code == 0);
  CHECK(mediactl({"--store", store, "gc", "--grace", "0s"}).exit_code == 0);
  CHECK_FALSE(whole_blobs(*open_place(place)).contains(media::Digest::of(test::noise(900'000))));
}

TEST_CASE("cli: a place that is no place is refused in one sentence without a secret") {
  const test::TempFolder folder;
  const std::string store = (folder / "store").string();
  const auto refused = [&](const std::string& place, int code) {
    const auto result = mediactl({"--store", store, "--blobs", place, "init"});
    CAPTURE(place, result.err);
    CHECK(result.exit_code == code);
    CHECK(std::count(result.err.begin(), result.err.end(), '\n') == 1);
    CHECK(result.err.find("hidden-secret") == std::string::npos);
    CHECK(result.err.find(test::ObjectStore::kSecretKey) == std::string::npos);
    return result.err;
  };
  refused("s3://", 2);
  refused("s3://key:hidden-secret@media", 2);
  refused("s3://media?secret_key=hidden-secret", 2);
  refused("s3://media?path_style=maybe", 2);
  refused("s3://media?endpoint=ftp%3A%2F%2Fhost", 2);
  refused("/a/folder", 2);
  const std::string here = "?endpoint=http%3A%2F%2F127.0.0.1%3A" + std::to_string(test::gateway().port());
  CHECK(refused("s3://not-there" + here, 3).find("there is no such bucket") != std::string::npos);
  const auto guest =
      cli::mediactl({"--store", store, "--blobs", "s3://media" + here, "init"},
                    {std::string("AWS_ACCESS_KEY_ID=") + test::ObjectStore::kAccessKey, "AWS_SECRET_ACCESS_KEY=hidden-secret"});
  CHECK(guest.exit_code == 4);
  CHECK(guest.err.find("the secret key does not fit the access key") != std::string::npos);
  CHECK_FALSE(fs::exists(folder / "store/blobs"));
}

TEST_CASE("cli sync: from a folder into a bucket, into another, and back into a folder") {
  const test::TempFolder folder;
  const std::string first = (folder / "first").string();
  const std::string back = (folder / "back").string();
  const std::string a = test::url_of(test::new_prefix());
  const std::string b = test::url_of(test::new_prefix());
  const auto all = fill(first, 60, true);

  auto run = mediactl({"sync", first, a, "--dry-run", "--json"});
  CHECK(run.exit_code == 0);
  CHECK(summary_of(run)["copied"] == all.size());
  CHECK(whole_blobs(*open_place(a)).empty());
  run = mediactl({"sync", first, a, "--json"});
  CHECK(run.exit_code == 0);
  CHECK(summary_of(run)["copied"] == all.size());
  CHECK(whole_blobs(*open_place(a)) == all);
  CHECK(mediactl({"sync", a, b, "-j", "3"}).exit_code == 0);
  CHECK(mediactl({"sync", b, back}).exit_code == 0);
  CHECK(whole_blobs(*open_place(back)) == all);

  run = mediactl({"sync", first, a, "--json"});
  CHECK(summary_of(run)["copied"] == 0);
  CHECK(summary_of(run)["present"] == all.size());
  CHECK(mediactl({"sync", first, a}).out.find("copied 0 blobs") != std::string::npos);
}

TEST_CASE("cli sync: damaged blobs are not passed on, and damaged copies are mended") {
  const test::TempFolder folder;
  const std::string first = (folder / "first").string();
  const std::string second = (folder / "second").string();
  const auto all = fill(first, 12, true);
  REQUIRE(mediactl({"sync", first, second}).exit_code == 0);
  const auto large = media::Digest::of(test::noise(700'000, 90));
  test::damage_blob(second, large.to_hex(), 5);
  CHECK(summary_of(mediactl({"sync", first, second, "--json"}))["copied"] == 0);
  const auto mended = summary_of(mediactl({"sync", first, second, "--verify", "--json"}));
  CHECK(mended["copied"] == 1);
  CHECK(mended["mended"] == 1);
  CHECK(mended["present"] == all.size() - 1);
  CHECK(whole_blobs(*open_place(second)) == all);

  test::damage_blob(first, large.to_hex(), 5);
  const auto bucket = test::url_of(test::new_prefix());
  const auto run = mediactl({"sync", first, bucket});
  CHECK(run.exit_code == 1);
  CHECK(run.err.find(large.to_hex()) != std::string::npos);
  CHECK(run.out.find("1 damaged ones left out") != std::string::npos);
  const auto there = whole_blobs(*open_place(bucket));
  CHECK(there.size() == all.size() - 1);
  CHECK_FALSE(there.contains(large));
}

TEST_CASE("cli sync: places that cannot be opened") {
  const test::TempFolder folder;
  auto run = mediactl({"sync", (folder / "nothing").string(), (folder / "b").string()});
  CHECK(run.exit_code == 3);
  CHECK(run.err.find("there is no such folder") != std::string::npos);
  CHECK_FALSE(fs::exists(folder / "b"));
  fill((folder / "a").string(), 2, false);
  run = mediactl({"sync", (folder / "a").string(), "s3://media?endpoint=nowhere"});
  CHECK(run.exit_code == 2);
  CHECK(mediactl({"sync", (folder / "a").string()}).exit_code == 2);
}

TEST_CASE("cli sync: killed at random moments into a folder it loses nothing, and a second run finishes") {
  const test::TempFolder folder;
  const std::string source = (folder / "source").string();
  const auto all = fill(source, 300, true);
  check_kills(source, kill_rounds(), [&](int round) { return (folder / ("to" + std::to_string(round))).string(); }, all);
}

TEST_CASE("cli sync: killed at random moments into a bucket it loses nothing, and a second run finishes") {
  const test::TempFolder folder;
  const std::string source = (folder / "source").string();
  const auto all = fill(source, 80, true);
  const std::string prefix = test::new_prefix();
  check_kills(source, (kill_rounds() + 1) / 2, [&](int round) { return test::url_of(prefix + "-" + std::to_string(round)); }, all);
}
