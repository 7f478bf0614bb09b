#include <functional>

#include "library_fixture.hpp"

using namespace media;
using namespace std::chrono_literals;
using test::LibraryFixture;
using test::png;

TEST_CASE("library: a removed media's blobs go after the grace period, renditions with them") {
  LibraryFixture f;
  const auto stored = f.ingest(png(1), {.filename = "a.png"});
  REQUIRE(f.library->process(stored.media.id));
  const auto kept = f.ingest(png(2), {.filename = "b.png"});
  CHECK(f.library->remove(stored.media.id).value());
  CHECK_FALSE(f.library->remove(stored.media.id).value());
  CHECK(f.library->read(stored.media.id).error().code == Errc::not_found);

  const auto first = f.library->collect().value();
  CHECK(first.condemned == 10);  // the original and nine renditions
  CHECK(first.removed == 0);
  CHECK(f.on_disk(stored.digest));
  f.clock->advance(23h);
  CHECK(f.library->collect().value().removed == 0);
  f.clock->advance(2h);
  const auto last = f.library->collect().value();
  CHECK(last.removed == 10);
  CHECK_FALSE(f.on_disk(stored.digest));
  CHECK(f.content_of(kept.media.id) == png(2));
  const auto report = f.library->verify({}).value();
  CHECK(report.intact());
  CHECK(report.blobs == 1);
}

TEST_CASE("library: a blob shared by two media stays while one is left") {
  LibraryFixture f;
  const auto one = f.ingest(png(1), {.owner = "a", .filename = "a.png"});
  const auto two = f.ingest(png(1), {.owner = "b", .filename = "a.png"});
  REQUIRE(f.library->remove(one.media.id).value());
  CHECK(f.library->collect(0s).value().removed == 0);
  CHECK(f.content_of(two.media.id) == png(1));
  REQUIRE(f.library->remove(two.media.id).value());
  CHECK(f.library->collect(0s).value().removed == 1);
}

TEST_CASE("library: an ingest of condemned bytes revives them") {
  LibraryFixture f;
  const auto one = f.ingest(png(1), {.filename = "a.png"});
  REQUIRE(f.library->remove(one.media.id).value());
  REQUIRE(f.library->collect().value().condemned == 1);
  const auto two = f.ingest(png(1), {.filename = "a.png"});
  CHECK(two.status == IngestStatus::stored);
  f.clock->advance(48h);
  CHECK(f.library->collect().value().removed == 0);
  CHECK(f.content_of(two.media.id) == png(1));
}

TEST_CASE("library: bytes without a row, left by a crash, go the same way") {
  LibraryFixture f;
  const auto kept = f.ingest(png(1), {.filename = "a.png"});
  {
    const auto store = open_filesystem_store({.base_path = f.folder / "store"}).value();
    auto writer = store->begin().value();
    REQUIRE(writer->write(png(2)));
    std::vector<std::unique_ptr<Staged>> staged;
    staged.push_back(writer->finish().value());
    REQUIRE(store->publish(staged));
  }
  const auto report = f.library->verify({}).value();
  CHECK(report.stray == 1);
  CHECK(report.damaged == 0);
  CHECK(f.library->collect().value().removed == 0);
  f.clock->advance(25h);
  CHECK(f.library->collect().value().removed == 1);
  CHECK(f.library->verify({}).value().intact());
  CHECK(f.content_of(kept.media.id) == png(1));
}

TEST_CASE("library: a collection that died between claim and unlink is finished by the next") {
  LibraryFixture f;
  const auto stored = f.ingest(png(1), {.filename = "a.png"});
  REQUIRE(f.library->remove(stored.media.id).value());
  {
    const auto repository = open_sqlite_repository({.path = f.folder / "store" / "catalog.db"}).value();
    REQUIRE(repository->write([&](Transaction& transaction) -> Result<void> {
      MEDIA_TRY_ASSIGN(auto row, transaction.find_blob(stored.digest));
      row->state = BlobState::deleting;
      row->condemned_at = f.clock->now();
      return transaction.put_blob(*row);
    }));
  }
  CHECK(f.library->collect(0s).value().removed == 0);  // it may still be alive
  CHECK(f.library->verify({}).value().missing == 0);
  f.clock->advance(2min);
  CHECK(f.library->collect(0s).value().removed == 1);
  CHECK_FALSE(f.on_disk(stored.digest));
  CHECK(f.ingest(png(1), {.filename = "a.png"}).status == IngestStatus::stored);
}

namespace {

/// A store in which a collection comes by right after the first publish and has unlinked and forgotten the blob before the
/// ingest gets to its transaction.
class RacingStore final : public BlobStore {
 public:
  /// `claim`: what else that collection does, of each blob, before it unlinks it.
  explicit RacingStore(std::function<void(const Digest&)> claim = [](const Digest&) {}) : claim_(std::move(claim)) {}

  Result<std::unique_ptr<BlobWriter>> begin(std::optional<std::uint64_t> expected_size) override { return inner_->begin(expected_size); }
  Result<void> publish(std::span<const std::unique_ptr<Staged>> staged) override {
    std::vector<Digest> digests;
    for (const auto& one : staged) digests.push_back(one->digest());
    MEDIA_TRY(inner_->publish(staged));
    if (!raced_) {
      for (const Digest& digest : digests) {
        claim_(digest);
        MEDIA_TRY(inner_->remove(digest));
      }
    }
    raced_ = true;
    return {};
  }
  Result<std::unique_ptr<ByteReader>> open(const Digest& digest) const override { return inner_->open(digest); }
  Result<std::optional<BlobStat>> stat(const Digest& digest) const override { return inner_->stat(digest); }
  Result<bool> remove(const Digest& digest) override { return inner_->remove(digest); }
  Result<BlobPage> list(const std::string& cursor, std::size_t limit) const override { return inner_->list(cursor, limit); }
  Result<bool> quarantine(const Digest& digest) override { return inner_->quarantine(digest); }
  Result<void> check() override { return inner_->check(); }

 private:
  std::function<void(const Digest&)> claim_;
  std::unique_ptr<BlobStore> inner_ = make_memory_store();
  bool raced_ = false;
};

}  // namespace

TEST_CASE("library: a blob collected between its publishing and its row is published again, or not acknowledged") {
  LibraryOptions options;
  options.store = std::make_unique<RacingStore>();
  options.repository = make_memory_repository();
  options.processor = std::make_unique<test::ScriptedProcessor>();

  SECTION("a content that can be read again is stored after all") {
    const auto library = Library::open(std::move(options)).value();
    const auto outcome = library->ingest(MemoryReader(png(1)), {.filename = "a.png"});
    REQUIRE(outcome);
    CHECK(read_all(*library->read(outcome->media.id).value(), 1000).value() == png(1));
  }
  SECTION("a stream that has gone by is refused as retryable") {
    const auto library = Library::open(std::move(options)).value();
    auto ingest = library->begin({.filename = "a.png"}).value();
    REQUIRE(ingest->write(png(1)));
    const auto outcome = library->finish(std::move(ingest));
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().code == Errc::unavailable);  // and not a conflict, which a client takes for its own fault
    CHECK(library->list({}).value().media.empty());
  }
}

TEST_CASE("library: a blob that a collection claims between its publishing and its row is published again, or not acknowledged") {
  LibraryOptions options;
  options.repository = make_memory_repository();
  options.processor = std::make_unique<test::ScriptedProcessor>();
  Repository& repository = *options.repository;
  std::optional<Digest> claimed;
  options.store = std::make_unique<RacingStore>([&](const Digest& digest) {
    claimed = digest;
    REQUIRE(repository.write([&](Transaction& transaction) -> Result<void> {
      Blob row;
      row.digest = digest;
      row.size_bytes = png(1).size();
      row.state = BlobState::deleting;
      row.condemned_at = SystemClock().now();
      return transaction.put_blob(row);
    }));
  });
  const auto forget = [&] {
    return repository.write([&](Transaction& transaction) -> Result<void> {
      MEDIA_TRY(transaction.remove_blob(*claimed));
      return {};
    });
  };
  const auto library = Library::open(std::move(options)).value();

  SECTION("a content that can be read again is stored after all, once the collection is done with it") {
    std::jthread collector([&] {
      while (repository.list_blobs(std::nullopt, 1).value().empty()) std::this_thread::sleep_for(1ms);
      std::this_thread::sleep_for(50ms);
      static_cast<void>(forget());
    });
    const auto outcome = library->ingest(MemoryReader(png(1)), {.filename = "a.png"});
    REQUIRE(outcome);
    CHECK(read_all(*library->read(outcome->media.id).value(), 1000).value() == png(1));
  }
  SECTION("a stream that has gone by is refused as retryable, without waiting for the collection") {
    const auto start = std::chrono::steady_clock::now();
    auto ingest = library->begin({.filename = "a.png"}).value();
    REQUIRE(ingest->write(png(1)));
    const auto outcome = library->finish(std::move(ingest));
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().code == Errc::unavailable);
    CHECK(std::chrono::steady_clock::now() - start < 4s);
    CHECK(library->list({}).value().media.empty());
    REQUIRE(forget());
    CHECK(library->ingest(MemoryReader(png(1)), {.filename = "a.png"}).value().status == IngestStatus::stored);
  }
}

TEST_CASE("library: ingest, remove and collect at once never lose an acknowledged byte") {
  for (const bool disk : {false, true}) {
    LibraryFixture f(disk);
    std::atomic<bool> stop{false};
    std::atomic<int> unexpected{0};
    std::atomic<int> acknowledged{0};
    std::jthread collector([&] {
      while (!stop) {
        if (!f.library->collect(0s)) ++unexpected;
      }
    });
    {
      std::vector<std::jthread> writers;
      for (int t = 0; t < 4; ++t) {
        writers.emplace_back([&, t] {
          for (int i = 0; i < 60; ++i) {
            const auto content = png(static_cast<std::uint64_t>(i % 5));
            const auto outcome =
                f.library->ingest(MemoryReader(content), {.owner = std::to_string(t), .filename = std::to_string(i) + ".png"});
            if (!outcome) {
              if (!is_retryable(outcome.error().code)) ++unexpected;
              continue;
            }
            ++acknowledged;
            const auto reader = f.library->read(outcome->media.id);
            if (!reader || read_all(**reader, 10'000).value() != content) ++unexpected;
            if (i % 3 != 0 && !f.library->remove(outcome->media.id)) ++unexpected;
          }
        });
      }
    }
    stop = true;
    collector.join();
    CHECK(unexpected == 0);
    CHECK(acknowledged > 200);
    const auto page = f.library->list({.limit = 1000}).value();
    for (const auto& media : page.media) CHECK(f.library->read(media.id).has_value());
    CHECK(f.library->verify({}).value().missing == 0);
    CHECK(f.library->verify({}).value().damaged == 0);
  }
}

TEST_CASE("library: a catalog that knows no blob at all takes nothing in the store for a leftover") {
  LibraryFixture f;
  const auto media = f.ingest(png(1), {.filename = "a.png"}).media;
  f.library.reset();
  // As after a start with the wrong catalog.
  for (const char* const name : {"catalog.db", "catalog.db-wal", "catalog.db-shm"}) std::filesystem::remove(f.folder / "store" / name);
  f.open();
  CHECK(f.library->collect(0s).value().strays_removed == 0);
  CHECK(f.on_disk(*media.digest));
  // Once it knows one, the rest is what it seems.
  f.ingest(png(2), {.filename = "b.png"});
  CHECK(f.library->collect(0s).value().strays_removed == 1);
  CHECK_FALSE(f.on_disk(*media.digest));
}

namespace {

/// A store that somebody else cleans up while this one is slow.
class SlowStore final : public BlobStore {
 public:
  Result<std::unique_ptr<BlobWriter>> begin(std::optional<std::uint64_t> expected_size) override { return inner_->begin(expected_size); }
  Result<void> publish(std::span<const std::unique_ptr<Staged>> staged) override { return inner_->publish(staged); }
  Result<std::unique_ptr<ByteReader>> open(const Digest& digest) const override { return inner_->open(digest); }
  Result<std::optional<BlobStat>> stat(const Digest& digest) const override { return inner_->stat(digest); }
  Result<bool> remove(const Digest& digest) override {
    if (before_removal) before_removal(digest);
    ++removals;
    return inner_->remove(digest);
  }
  Result<BlobPage> list(const std::string& cursor, std::size_t limit) const override { return inner_->list(cursor, limit); }
  Result<bool> quarantine(const Digest& digest) override { return inner_->quarantine(digest); }
  Result<void> check() override { return inner_->check(); }

  std::function<void(const Digest&)> before_removal;
  int removals = 0;

 private:
  std::unique_ptr<BlobStore> inner_ = make_memory_store();
};

}  // namespace

TEST_CASE("library: claims that a collection left are taken over by one collection, once") {
  const test::TempFolder folder;
  auto store = std::make_unique<SlowStore>();
  SlowStore& slow = *store;
  LibraryOptions options;
  options.base_path = folder / "base";
  std::filesystem::create_directory(options.base_path);
  options.store = std::move(store);
  options.processor = std::make_unique<test::ScriptedProcessor>();
  const auto clock = std::make_shared<test::ManualClock>();
  options.clock = clock;
  const auto library = Library::open(std::move(options)).value();
  const auto media = library->ingest(MemoryReader(png(1)), {.filename = "a.png"}).value().media;
  REQUIRE(library->remove(media.id).value());
  const auto repository = open_sqlite_repository({.path = folder / "base/catalog.db"}).value();
  REQUIRE(repository->write([&](Transaction& transaction) -> Result<void> {
    MEDIA_TRY_ASSIGN(auto row, transaction.find_blob(*media.digest));
    row->state = BlobState::deleting;
    row->condemned_at = clock->now();
    return transaction.put_blob(*row);
  }));
  clock->advance(2min);
  // While the first is at it, a second one finds a claim that is not abandoned any more.
  int seen = 0;
  slow.before_removal = [&](const Digest&) {
    if (seen++ == 0) CHECK(library->collect(0s).value().removed == 0);
  };
  CHECK(library->collect(0s).value().removed == 1);
  CHECK(slow.removals == 1);
}
