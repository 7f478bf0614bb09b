#include <fstream>
#include <map>

#include "library_fixture.hpp"

using namespace media;
using namespace std::chrono_literals;
using test::LibraryFixture;
using test::png;

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
