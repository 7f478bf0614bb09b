#include "library_fixture.hpp"

using namespace media;
using test::LibraryFixture;
using test::png;

TEST_CASE("library: what goes in comes out byte for byte, by every way in") {
  for (const bool disk : {false, true}) {
    LibraryFixture f(disk);
    const auto image = png(1);
    const auto outcome = f.ingest(image, {.filename = "folder/a.png"});
    CHECK(outcome.status == IngestStatus::stored);
    CHECK(outcome.media.filename == "a.png");
    CHECK(outcome.media.media_type == "image/png");
    CHECK(outcome.media.info.width == 1);
    CHECK(outcome.digest == Digest::of(image));
    CHECK_FALSE(outcome.deduplicated);
    CHECK(f.content_of(outcome.media.id) == image);

    auto piecewise = f.library->begin({.owner = "other", .filename = "b.png"}).value();
    for (const std::byte byte : image) REQUIRE(piecewise->write(std::span(&byte, 1)));
    const auto second = f.library->finish(std::move(piecewise)).value();
    CHECK(second.status == IngestStatus::stored);
    CHECK(second.digest == outcome.digest);
    CHECK_FALSE(second.deduplicated);  // another owner's bytes are nobody's business
    CHECK(f.content_of(second.media.id) == image);

    const auto big = test::noise(3U << 20U);
    const auto any = f.ingest(big, {.filename = "raw.bin", .any_content = true});
    CHECK(any.media.status == MediaStatus::complete);
    CHECK(any.media.media_type == "application/octet-stream");
    CHECK(f.content_of(any.media.id) == big);
  }
}

TEST_CASE("library: the same file again is a new media, the same upload or a duplicate, as asked") {
  LibraryFixture f;
  const auto image = png(1);
  const auto first = f.ingest(image, {.filename = "a.png"});

  SECTION("within 60 s under the same name the first is answered again") {
    f.clock->advance(std::chrono::seconds(59));
    const auto again = f.ingest(image, {.filename = "a.png"});
    CHECK(again.status == IngestStatus::duplicate);
    CHECK(again.media.id == first.media.id);
    CHECK(again.deduplicated);
  }
  SECTION("later, or under another name, it is another media on the same blob") {
    const auto renamed = f.ingest(image, {.filename = "b.png"});
    CHECK(renamed.status == IngestStatus::stored);
    CHECK(renamed.media.id != first.media.id);
    CHECK(renamed.deduplicated);
    f.clock->advance(std::chrono::seconds(61));
    const auto later = f.ingest(image, {.filename = "a.png"});
    CHECK(later.status == IngestStatus::stored);
    CHECK(f.library->storage_usage().value().blobs == 1);
  }
  SECTION("a command line takes what is there") {
    f.clock->advance(std::chrono::hours(1));
    const auto reused = f.ingest(image, {.filename = "c.png", .reuse_existing = true});
    CHECK(reused.status == IngestStatus::duplicate);
    CHECK(reused.media.id == first.media.id);
  }
  SECTION("an idempotency key answers the first media, and refuses other content") {
    const auto keyed = f.ingest(png(2), {.filename = "k.png", .idempotency_key = "k1"});
    f.clock->advance(std::chrono::hours(1));
    const auto again = f.ingest(png(2), {.filename = "x.png", .idempotency_key = "k1"});
    CHECK(again.status == IngestStatus::duplicate);
    CHECK(again.media.id == keyed.media.id);
    const auto other = f.library->ingest(MemoryReader(png(3)), {.filename = "k.png", .idempotency_key = "k1"});
    CHECK(other.error().code == Errc::conflict);
    CHECK(f.ingest(png(3), {.owner = "else", .filename = "k.png", .idempotency_key = "k1"}).status == IngestStatus::stored);
  }
}

TEST_CASE("library: a refused file leaves nothing behind") {
  LibraryFixture f;
  const auto before = test::count_files(f.folder / "store");
  const auto html = f.ingest(test::bytes("<!doctype html><p>hello"), {.filename = "a.jpg"});
  CHECK(html.status == IngestStatus::refused);
  CHECK(html.verdict.refusal == Refusal::not_media);
  CHECK(f.ingest({}, {.filename = "a.jpg"}).verdict.refusal == Refusal::empty);
  CHECK(f.ingest(png(1), {.filename = "a.jpg"}).verdict.refusal == Refusal::type_mismatch);

  auto streamed = f.library->begin({.filename = "a.jpg"}).value();
  REQUIRE(streamed->write(test::bytes("<html>")));
  CHECK(f.library->finish(std::move(streamed)).value().status == IngestStatus::refused);
  auto abandoned = f.library->begin({.filename = "big.png"}).value();
  REQUIRE(abandoned->write(test::noise(1U << 20U)));
  abandoned.reset();
  CHECK(test::count_files(f.folder / "store") == before);
  CHECK(f.library->list({}).value().media.empty());
}

TEST_CASE("library: a body beyond the limit is refused as soon as it passes it") {
  LibraryFixture f;
  auto ingest = f.library->begin({.filename = "a.mp4"}).value();
  const std::vector<std::byte> piece(8U << 20U);
  Result<void> written;
  std::uint64_t sent = 0;
  while (written && sent < (1ULL << 30U)) {
    written = ingest->write(piece);
    if (written) sent += piece.size();
  }
  CHECK(written.error().code == Errc::too_large);
  CHECK(sent <= f.library->policy().max_bytes());
  CHECK(f.library->begin({.filename = "a.mp4", .expected_size = 5ULL << 30U}).error().code == Errc::too_large);
}

TEST_CASE("library: a batch answers each file for itself, twins included") {
  LibraryFixture f;
  std::vector<std::vector<std::byte>> contents{png(1), test::bytes("nonsense"), png(2), png(1), test::noise(600'000)};
  std::vector<std::unique_ptr<MemoryReader>> readers;
  std::vector<std::unique_ptr<Ingest>> ingests;
  for (std::size_t i = 0; i < contents.size(); ++i) {
    readers.push_back(std::make_unique<MemoryReader>(std::span<const std::byte>(contents[i])));
    IngestRequest request{.filename = std::to_string(i), .any_content = i == 4, .reuse_existing = true};
    ingests.push_back(f.library->prepare(*readers.back(), request).value());
  }
  const auto outcomes = f.library->finish(ingests);
  REQUIRE(outcomes.size() == 5);
  CHECK(outcomes[0]->status == IngestStatus::stored);
  CHECK(outcomes[1]->status == IngestStatus::refused);
  CHECK(outcomes[2]->status == IngestStatus::stored);
  CHECK(outcomes[3]->status == IngestStatus::duplicate);
  CHECK(outcomes[3]->media.id == outcomes[0]->media.id);
  CHECK(outcomes[4]->status == IngestStatus::stored);
  CHECK(f.content_of(outcomes[4]->media.id) == contents[4]);
  CHECK(f.library->list({}).value().media.size() == 3);
}

TEST_CASE("library: a second ingest of a large content hashes and writes nothing") {
  LibraryFixture f;
  const auto content = test::noise(2U << 20U);
  const auto first = f.ingest(content, {.filename = "a", .any_content = true, .reuse_existing = true});
  const auto stat = std::filesystem::last_write_time(f.blob_path(first.digest));
  const auto second = f.ingest(content, {.filename = "b", .any_content = true, .reuse_existing = true});
  CHECK(second.status == IngestStatus::duplicate);
  CHECK(std::filesystem::last_write_time(f.blob_path(first.digest)) == stat);
}

TEST_CASE("library: a blob that the store lost is published again by the next ingest of its bytes") {
  LibraryFixture f;
  const auto image = png(7);
  const auto first = f.ingest(image, {.filename = "a.png"});
  test::lose_blob(f.folder / "store", first.digest.to_hex());
  CHECK(f.library->read(first.media.id).error().code == Errc::corrupt);
  CHECK(f.ingest(image, {.filename = "b.png"}).status == IngestStatus::stored);
  CHECK(f.content_of(first.media.id) == image);
}

TEST_CASE("library: an open that may not create says what is missing") {
  const test::TempFolder folder;
  LibraryOptions options;
  options.base_path = folder / "none";
  options.create = false;
  options.isolation = Isolation::none;
  const auto opened = Library::open(std::move(options));
  CHECK(opened.error().code == Errc::not_found);
  CHECK_FALSE(std::filesystem::exists(folder / "none"));
  CHECK(Library::open(LibraryOptions{}).error().code == Errc::invalid_argument);
}

TEST_CASE("library: a read-only library reads and refuses to change") {
  LibraryFixture f;
  const auto stored = f.ingest(png(1), {.filename = "a.png"});
  f.library.reset();
  LibraryOptions options;
  options.base_path = f.folder / "store";
  options.isolation = Isolation::none;
  options.read_only = true;
  const auto library = Library::open(std::move(options)).value();
  CHECK(read_all(*library->read(stored.media.id).value(), 1000).value() == png(1));
  CHECK(library->ingest(MemoryReader(png(2)), {.filename = "b.png"}).error().code == Errc::denied);
  CHECK(library->remove(stored.media.id).error().code == Errc::denied);
  CHECK(library->verify({}).value().intact());
}

TEST_CASE("library: many threads ingest the same and different files at once") {
  LibraryFixture f;
  std::atomic<int> stored{0};
  std::atomic<int> failed{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 25; ++i) {
          const auto content = png(static_cast<std::uint64_t>(i % 2 == 0 ? i : 1000 * t + i));
          const auto outcome =
              f.library->ingest(MemoryReader(content), {.owner = std::to_string(t), .filename = std::to_string(i) + ".png"});
          if (outcome && outcome->status == IngestStatus::stored) ++stored;
          if (!outcome) ++failed;
        }
      });
    }
  }
  CHECK(failed == 0);
  CHECK(stored == 200);
  CHECK(f.library->verify({}).value().intact());
}

TEST_CASE("library: two libraries on one store take in the same contents at once, each once") {
  const test::TempFolder folder;
  std::vector<std::unique_ptr<Library>> libraries;
  for (int i = 0; i < 2; ++i) {
    LibraryOptions options;
    options.base_path = folder / "store";
    options.processor = std::make_unique<test::ScriptedProcessor>();
    libraries.push_back(Library::open(std::move(options)).value());
  }
  constexpr std::size_t kContents = 20;
  constexpr std::size_t kThreads = 8;
  std::vector<std::vector<std::byte>> contents;
  for (std::size_t i = 0; i < kContents; ++i) contents.push_back(test::png(i));
  std::vector<std::vector<MediaId>> ids(kThreads);
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  for (std::size_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (std::size_t i = 0; i < kContents; ++i) {
        const MemoryReader content{std::span<const std::byte>(contents[i])};
        // Once under everybody's name, once under the thread's own.
        const auto same = libraries[thread % 2]->ingest(content, {.filename = "same.png"});
        const auto own = libraries[thread % 2]->ingest(content, {.filename = std::to_string(thread) + ".png"});
        if (!same || !own) ++failures;
        ids[thread].push_back(same ? same->media.id : 0);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(failures == 0);
  for (const auto& seen : ids) CHECK(seen == ids.front());
  CHECK(libraries[0]->list({.limit = 1000}).value().media.size() == kContents * (kThreads + 1));
  const auto report = libraries[1]->verify({}).value();
  CHECK(report.blobs == kContents);
  CHECK(report.intact());
}

TEST_CASE("library: a file that cannot be shared is copied, and it is said why") {
  const test::TempFolder folder;
  const auto content = test::noise(600'000);
  test::write_file(folder / "file", content);
  const auto take = [&](Library& library, FileSharing how, const ByteReader& reader) {
    auto outcome = library.ingest(reader, {.any_content = true, .sharing = how});
    REQUIRE(outcome);
    CHECK(outcome->status == IngestStatus::stored);
    CHECK(read_all(*library.read(outcome->media.id).value(), UINT64_MAX).value() == content);
    return std::move(outcome).value();
  };
  const auto file = FileReader::open(folder / "file").value();
  {
    LibraryFixture f(false);
    const auto outcome = take(*f.library, FileSharing::reflink, *file);
    CHECK(outcome.shared == FileSharing::none);
    CHECK(outcome.copied_because == "this store cannot share files");
  }
  {
    LibraryFixture f;
    const auto in_memory = take(*f.library, FileSharing::reflink, MemoryReader(content));
    CHECK(in_memory.shared == FileSharing::none);
    CHECK(in_memory.copied_because == "it is not a file of its own");
  }
  // The file system may be one that can share blocks.
  LibraryFixture f;
  const auto taken = take(*f.library, FileSharing::reflink, *file);
  CHECK((taken.shared == FileSharing::reflink) == taken.copied_because.empty());
  // What is there is found by hashing alone: nothing is shared twice.
  const auto again = f.library->ingest(*file, {.filename = "other", .any_content = true, .sharing = FileSharing::reflink}).value();
  CHECK(again.shared == FileSharing::none);
}
