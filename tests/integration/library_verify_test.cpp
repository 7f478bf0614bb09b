#include <algorithm>
#include <fstream>
#include <limits>
#include <map>
#include <numeric>
#include <random>
#include <set>
#include <thread>

#include "library/verify_walk.hpp"
#include "library_fixture.hpp"

using namespace media;
using namespace std::chrono_literals;
using test::LibraryFixture;
using test::png;
namespace fs = std::filesystem;

namespace {

std::vector<Fault> faults_of(Library& library, VerifyReport* report = nullptr) {
  std::vector<Fault> faults;
  VerifyOptions options;
  options.on_fault = [&](const Fault& fault) { faults.push_back(fault); };
  const auto result = library.verify(options).value();
  if (report != nullptr) *report = result;
  return faults;
}

}  // namespace

TEST_CASE("library: one flipped byte in one of a thousand blobs is named, and only that") {
  LibraryFixture f;
  std::vector<std::unique_ptr<MemoryReader>> readers;
  std::vector<std::unique_ptr<Ingest>> ingests;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    readers.push_back(std::make_unique<MemoryReader>(test::noise(200 + i, i + 1)));
    ingests.push_back(f.library->prepare(*readers.back(), {.filename = std::to_string(i), .any_content = true}).value());
  }
  const auto outcomes = f.library->finish(ingests);
  VerifyReport report;
  CHECK(faults_of(*f.library, &report).empty());
  CHECK(report.blobs == 1000);

  const Digest victim = outcomes[417]->digest;
  test::damage_blob(f.folder / "store", victim.to_hex(), 100);
  const auto faults = faults_of(*f.library, &report);
  REQUIRE(faults.size() == 1);
  CHECK(faults[0].problem == Fault::Problem::damaged);
  CHECK(faults[0].digest == victim);
  CHECK_FALSE(report.intact());
  CHECK(report.blobs == 1000);
}

TEST_CASE("library: every kind of damage is told apart") {
  LibraryFixture f;
  f.pack_below_bytes = 0;
  f.open();
  std::vector<Digest> digests;
  for (std::uint64_t i = 0; i < 8; ++i) digests.push_back(f.ingest(png(i), {.filename = std::to_string(i) + ".png"}).digest);
  const auto writable = [&](const Digest& digest) {
    std::filesystem::permissions(f.blob_path(digest), std::filesystem::perms::owner_write, std::filesystem::perm_options::add);
    return f.blob_path(digest);
  };
  std::filesystem::remove(f.blob_path(digests[0]));
  std::filesystem::resize_file(writable(digests[1]), 10);
  std::filesystem::resize_file(writable(digests[2]), 0);
  std::filesystem::rename(f.blob_path(digests[3]), f.blob_path(digests[4]));  // 3 missing, 4 has other bytes
  test::write_file(f.blob_path(digests[5]).parent_path() / "note.txt", "not a blob");
  const auto stray = Digest::of(test::bytes("stray"));
  test::write_file(f.blob_path(stray), "stray");

  std::map<std::string, std::string> found;
  for (const auto& fault : faults_of(*f.library)) {
    found[fault.digest ? fault.digest->to_hex() : fault.location] = std::string(to_string(fault.problem));
  }
  CHECK(found.size() == 7);
  CHECK(found[digests[0].to_hex()] == "missing");
  CHECK(found[digests[1].to_hex()] == "damaged");
  CHECK(found[digests[2].to_hex()] == "damaged");
  CHECK(found[digests[3].to_hex()] == "missing");
  CHECK(found[digests[4].to_hex()] == "damaged");
  CHECK(found[stray.to_hex()] == "stray");
}

TEST_CASE("library: a damaged blob is never answered as whole") {
  // In a file of its own, whose change makes the proof lapse; and in a segment, where a blob is hashed whenever it is opened.
  const auto pack_below_bytes = GENERATE(std::uint64_t{0}, LibraryOptions{}.pack_below_bytes);
  LibraryFixture f;
  f.pack_below_bytes = pack_below_bytes;
  f.open();
  const auto stored = f.ingest(png(1), {.filename = "a.png"});
  REQUIRE(test::find_blob(f.folder / "store", stored.digest.to_hex())->in_segment == (pack_below_bytes > 0));
  test::damage_blob(f.folder / "store", stored.digest.to_hex(), 60);
  CHECK(f.library->read(stored.media.id).error().code == Errc::corrupt);
  CHECK_FALSE(f.on_disk(stored.digest));
  CHECK(test::count_files(f.folder / "store" / "quarantine") == 1);
  // The same bytes sent again make it whole.
  CHECK(f.ingest(png(1), {.filename = "b.png"}).status == IngestStatus::stored);
  CHECK(f.content_of(stored.media.id) == png(1));
}

TEST_CASE("library: a blob that was not verified for long is proven before it is served, once") {
  LibraryFixture f;
  const auto stored = f.ingest(png(1), {.filename = "a.png"});
  f.clock->advance(24h * 31);
  CHECK(f.content_of(stored.media.id) == png(1));
  const auto repository = open_sqlite_repository({.path = f.folder / "store" / "catalog.db"}).value();
  CHECK(repository->find_blob(stored.digest).value()->verified_at == f.clock->now());
}

TEST_CASE("library: verify stops when told") {
  LibraryFixture f;
  f.ingest(png(1), {.filename = "a.png"});
  std::stop_source source;
  source.request_stop();
  VerifyOptions options;
  options.stop = source.get_token();
  CHECK(f.library->verify(options).error().code == Errc::cancelled);
}

TEST_CASE("library: shares of a verification are disjoint, and together they are all of it") {
  LibraryFixture f;
  std::vector<Digest> digests;
  for (std::uint64_t i = 0; i < 200; ++i) {
    digests.push_back(f.ingest(test::noise(300, i + 1), {.filename = std::to_string(i), .any_content = true}).digest);
  }
  for (const std::size_t victim : {3U, 77U, 150U}) test::damage_blob(f.folder / "store", digests[victim].to_hex(), 7);
  test::lose_blob(f.folder / "store", digests[120].to_hex());
  std::uint64_t blobs = 0;
  std::multiset<Digest> found;
  constexpr std::uint32_t kShares = 7;
  for (std::uint32_t number = 1; number <= kShares; ++number) {
    VerifyOptions options;
    options.share = {number, kShares};
    options.on_fault = [&](const Fault& fault) { found.insert(fault.digest.value()); };
    const auto report = f.library->verify(options).value();
    CHECK(report.blobs > 200 / kShares / 3);
    blobs += report.blobs;
    // The same share has the same blobs.
    CHECK(f.library->verify({.share = {number, kShares}}).value().blobs == report.blobs);
  }
  CHECK(blobs == 199);
  CHECK(found == std::multiset<Digest>{digests[3], digests[77], digests[120], digests[150]});
  for (const VerifyShare share : {VerifyShare{0, 1}, VerifyShare{2, 1}, VerifyShare{1, 0}}) {
    CHECK(f.library->verify({.share = share}).error().code == Errc::invalid_argument);
  }
}

TEST_CASE("library: a sample is about as large as it was asked for, and another one each time") {
  LibraryFixture f;
  for (std::uint64_t i = 0; i < 400; ++i) f.ingest(test::noise(100, i + 1), {.filename = std::to_string(i), .any_content = true});
  std::set<std::uint64_t> bytes;
  for (int round = 0; round < 5; ++round) {
    const auto report = f.library->verify({.sample = 0.25}).value();
    CHECK(report.blobs > 50);
    CHECK(report.blobs < 160);
    bytes.insert(report.blobs);
  }
  CHECK(bytes.size() > 1);
  CHECK(f.library->verify({.sample = 1}).value().blobs == 400);
  for (const double sample : {0.0, -1.0, 1.5, std::numeric_limits<double>::quiet_NaN()}) {
    CHECK(f.library->verify({.sample = sample}).error().code == Errc::invalid_argument);
  }
}

TEST_CASE("library: what was verified lately is passed over when asked") {
  LibraryFixture f;
  f.ingest(png(1), {.filename = "1.png"});
  f.clock->advance(48h);
  CHECK(f.library->verify({}).value().blobs == 1);
  f.clock->advance(1h);
  f.ingest(png(2), {.filename = "2.png"});
  const Timestamp day_ago = f.clock->now() - 24h;
  const auto before = f.library->verify({.unless_verified_since = day_ago}).value().blobs;
  CHECK(before <= 1);  // An ingest may count as a verification.
  f.clock->advance(48h);
  CHECK(f.library->verify({.unless_verified_since = f.clock->now() - 24h}).value().blobs == 2);
  CHECK(f.library->verify({.unless_verified_since = f.clock->now() - 24h}).value().blobs == 0);
}

TEST_CASE("library: what a verification found damaged is never served as whole, however lately it was proven") {
  LibraryFixture f;
  f.pack_below_bytes = 0;
  f.open();
  const auto media = f.ingest(test::noise(5'000, 1), {.filename = "a", .any_content = true}).media;
  REQUIRE(f.content_of(media.id).size() == 5'000);
  // Rot leaves size and times as they were.
  const auto path = f.blob_path(*media.digest);
  const auto times = fs::last_write_time(path);
  test::damage_blob(f.folder / "store", media.digest->to_hex(), 100);
  fs::last_write_time(path, times);
  CHECK(f.library->verify({}).value().damaged == 1);
  const auto read = f.library->read(media.id);
  REQUIRE_FALSE(read);
  CHECK(read.error().code == Errc::corrupt);
}

TEST_CASE("library: damaged and missing blobs come back from another store, where it has them whole") {
  for (const std::uint64_t pack_below : {std::uint64_t{0}, std::uint64_t{256} << 10U}) {
    CAPTURE(pack_below);
    LibraryFixture f;
    f.pack_below_bytes = pack_below;
    f.open();
    std::vector<Media> media;
    for (std::uint64_t i = 0; i < 6; ++i) {
      media.push_back(f.ingest(test::noise(3'000 + i, i + 1), {.filename = std::to_string(i), .any_content = true}).media);
    }
    const auto replica = make_memory_store();
    const auto keep = [&](const std::vector<std::byte>& content) {
      auto writer = replica->begin().value();
      REQUIRE(writer->write(content));
      std::vector<std::unique_ptr<Staged>> staged;
      staged.push_back(writer->finish().value());
      REQUIRE(replica->publish(staged));
    };
    for (const std::uint64_t i : {0U, 1U, 2U}) keep(test::noise(3'000 + i, i + 1));
    const auto store = f.folder / "store";
    test::damage_blob(store, media[0].digest->to_hex(), 10);
    test::lose_blob(store, media[1].digest->to_hex());
    test::damage_blob(store, media[4].digest->to_hex(), 10);  // of which there is no copy
    test::lose_blob(store, media[5].digest->to_hex());
    std::vector<Fault> faults;
    VerifyOptions options;
    options.repair_from = replica.get();
    options.on_fault = [&](const Fault& fault) { faults.push_back(fault); };
    auto report = f.library->verify(options).value();
    CHECK(report.damaged == 2);
    CHECK(report.missing == 2);
    CHECK(report.repaired == 2);
    for (const Fault& fault : faults) CHECK(fault.repaired == (fault.digest == media[0].digest || fault.digest == media[1].digest));
    CHECK(test::count_files(store / "quarantine") == 1);
    for (const std::uint64_t i : {0U, 1U, 2U, 3U}) CHECK(f.content_of(media[i].id) == test::noise(3'000 + i, i + 1));
    report = f.library->verify({}).value();
    CHECK(report.damaged == 1);
    CHECK(report.missing == 1);
  }
}

TEST_CASE("library: a verification that is held to a rate takes its time, and can be told to stop") {
  LibraryFixture f;
  for (std::uint64_t i = 0; i < 10; ++i) f.ingest(test::noise(200'000, i + 1), {.filename = std::to_string(i), .any_content = true});
  auto begun = std::chrono::steady_clock::now();
  CHECK(f.library->verify({.bytes_per_second = 4'000'000}).value().blobs == 10);
  CHECK(std::chrono::steady_clock::now() - begun >= 450ms);
  std::stop_source stop;
  std::jthread stopper([&] {
    std::this_thread::sleep_for(100ms);
    stop.request_stop();
  });
  begun = std::chrono::steady_clock::now();
  CHECK(f.library->verify({.bytes_per_second = 10'000, .stop = stop.get_token()}).error().code == Errc::cancelled);
  CHECK(std::chrono::steady_clock::now() - begun < 20s);
}

TEST_CASE("library: blobs are verified in the order of the disk, each once, by however many threads") {
  VerifyQueue queue(3);
  constexpr std::uint64_t kCount = 40'000;
  std::vector<std::vector<std::uint64_t>> taken(3);
  std::vector<std::thread> takers;
  for (auto& mine : taken) {
    takers.emplace_back([&] {
      std::vector<VerifyTask> tasks;
      while (queue.pop(tasks)) {
        for (const VerifyTask& task : tasks) mine.push_back(task.place);
      }
    });
  }
  std::vector<std::uint64_t> places(kCount);
  std::iota(places.begin(), places.end(), 1);
  std::mt19937 engine(7);
  std::shuffle(places.begin(), places.end(), engine);
  for (const std::uint64_t place : places) queue.push({Blob{}, {}, {}, place});
  queue.hand_over();
  queue.close();
  for (std::thread& taker : takers) taker.join();
  std::set<std::uint64_t> all;
  std::size_t turns = 0;
  for (const auto& mine : taken) {
    all.insert(mine.begin(), mine.end());
    for (std::size_t i = 1; i < mine.size(); ++i) turns += mine[i] < mine[i - 1] ? 1U : 0U;
  }
  CHECK(all.size() == kCount);
  CHECK(*all.begin() == 1);
  CHECK(*all.rbegin() == kCount);
  // Back to the front once for each lot that was sorted: 2048, 8192, 16384, and the rest.
  CHECK(turns <= 3 * 4);
}
