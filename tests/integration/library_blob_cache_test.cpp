#include <thread>

#include "library/blob_cache.hpp"
#include "library_fixture.hpp"
#include "media/measures.hpp"
#include "media/repository.hpp"

using namespace media;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t kBudget = 1U << 20U;
constexpr std::size_t kSize = 8192;

std::vector<std::byte> content_of(int number) {
  auto content = test::bytes(std::to_string(number));
  content.resize(kSize);
  return content;
}
Digest digest_of(int number) { return Digest::of(content_of(number)); }

std::vector<std::byte> bytes_of(const BlobCache::Reader& reader) { return read_all(*reader, kBudget).value(); }

}  // namespace

TEST_CASE("library: a small content stays in memory, and is asked about every two seconds") {
  BlobCache cache(kBudget);
  const auto start = BlobCache::Clock::now();
  CHECK_FALSE(cache.find(digest_of(1), start));
  CHECK_FALSE(cache.renew(digest_of(1), kSize, start));
  const auto kept = cache.keep(digest_of(1), content_of(1), start);
  CHECK(bytes_of(kept) == content_of(1));
  CHECK(cache.find(digest_of(1), start + 1999ms) == kept);
  CHECK_FALSE(cache.find(digest_of(2), start));
  // Being asked for is no permission to go on.
  CHECK_FALSE(cache.find(digest_of(1), start + 2s));
  CHECK_FALSE(cache.renew(digest_of(1), kSize + 1, start + 2s));
  CHECK(cache.renew(digest_of(1), kSize, start + 2s) == kept);
  CHECK(cache.find(digest_of(1), start + 3999ms) == kept);
  CHECK_FALSE(cache.find(digest_of(1), start + 4s));
  const ReadCacheNumbers numbers = cache.numbers();
  CHECK(numbers.hits == 3);
  CHECK(numbers.misses == 1);
  CHECK(numbers.entries == 1);
  CHECK(numbers.bytes > kSize);
  CHECK(numbers.budget_bytes == kBudget);
}

TEST_CASE("library: two who read the same content at once have it once in memory") {
  BlobCache cache(kBudget);
  const auto first = cache.keep(digest_of(1), content_of(1));
  CHECK(cache.keep(digest_of(1), content_of(1)) == first);
  CHECK(cache.numbers().entries == 1);
}

TEST_CASE("library: who reads everything once displaces nothing that is read often") {
  BlobCache cache(kBudget);
  constexpr int kHot = 50;
  for (int i = 0; i < kHot; ++i) {
    cache.keep(digest_of(i), content_of(i));
    CHECK(cache.find(digest_of(i)));
  }
  for (int i = 1000; i < 2000; ++i) {
    cache.keep(digest_of(i), content_of(i));
    CHECK(cache.numbers().bytes <= kBudget);
  }
  int kept = 0;
  for (int i = 0; i < kHot; ++i) kept += cache.find(digest_of(i)) ? 1 : 0;
  CHECK(kept == kHot);
  CHECK(cache.numbers().evictions > 800);
  CHECK_FALSE(cache.find(digest_of(1000)));
  CHECK(cache.find(digest_of(1999)));
}

TEST_CASE("library: among contents that are read often, those read last stay") {
  BlobCache cache(kBudget);
  for (int i = 0; i < 500; ++i) {
    cache.keep(digest_of(i), content_of(i));
    CHECK(cache.find(digest_of(i)));
    CHECK(cache.numbers().bytes <= kBudget);
  }
  CHECK_FALSE(cache.find(digest_of(0)));
  for (int i = 420; i < 500; ++i) CHECK(cache.find(digest_of(i)));
}

TEST_CASE("library: large contents, and caches without a budget, keep nothing") {
  const BlobCache none(0);
  CHECK_FALSE(none.takes(0));
  CHECK_FALSE(none.takes(1));
  const BlobCache small(kBudget);
  CHECK(small.takes(0));
  CHECK(small.takes(kSize));
  CHECK_FALSE(small.takes(kBudget / 16));  // one alone would have too much of it
  const BlobCache large(std::uint64_t{1} << 30U);
  CHECK(large.takes(kSmallBlobBytes));
  CHECK_FALSE(large.takes(kSmallBlobBytes + 1));
}

TEST_CASE("library: what nobody reads leaves memory, and what is forgotten does at once") {
  BlobCache cache(kBudget);
  const auto start = BlobCache::Clock::now();
  const auto idle = cache.keep(digest_of(1), content_of(1), start);
  cache.keep(digest_of(2), content_of(2), start);
  CHECK(cache.find(digest_of(2), start + 1s));
  CHECK(cache.renew(digest_of(2), kSize, start + 9min));
  cache.drop_idle(start + 10min);
  CHECK(cache.numbers().entries == 2);
  cache.drop_idle(start + 10min + 2s);
  CHECK(cache.numbers().entries == 1);
  CHECK(idle.use_count() == 1);
  CHECK(bytes_of(idle) == content_of(1));  // whoever has it open keeps it
  CHECK(cache.renew(digest_of(2), kSize, start + 11min));
  cache.forget(digest_of(2));
  cache.forget(digest_of(2));
  CHECK_FALSE(cache.renew(digest_of(2), kSize, start + 11min));
  CHECK(cache.numbers().bytes == 0);
}

TEST_CASE("library: many threads share the cache of small contents") {
  BlobCache cache(kBudget);
  std::atomic<int> wrong{0};
  std::vector<std::jthread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 2000; ++i) {
        const int number = (i * (thread + 1)) % 300;
        auto reader = cache.find(digest_of(number));
        if (!reader) reader = cache.keep(digest_of(number), content_of(number));
        if (bytes_of(reader) != content_of(number)) ++wrong;
        if (i % 97 == 0) cache.forget(digest_of(number));
        if (i % 501 == 0) cache.drop_idle();
      }
    });
  }
  threads.clear();
  CHECK(wrong == 0);
  CHECK(cache.numbers().bytes <= kBudget);
  CHECK(cache.numbers().hits + cache.numbers().misses == 8000);
}

namespace {

constexpr std::uint64_t kLibraryBudget = 16U << 20U;

struct CachingLibrary : test::LibraryFixture {
  CachingLibrary() {
    read_cache_bytes = kLibraryBudget;
    open();
  }
};

}  // namespace

TEST_CASE("library: a small blob that was read is served from memory, until the catalog says that it may not be") {
  CachingLibrary f;
  const auto content = test::png(1);
  const auto outcome = f.ingest(content);
  CHECK(f.content_of(outcome.media.id) == content);
  CHECK(measures(*f.library).read_cache.misses == 1);

  // The bytes on the disk are gone, and what was proven is not read again.
  for (const auto& file : std::filesystem::directory_iterator(f.folder / "store" / "segments")) {
    if (file.is_regular_file() && file.file_size() > 0) std::filesystem::resize_file(file.path(), 0);
  }
  std::this_thread::sleep_for(BlobCache::kLifetime + 100ms);
  CHECK(f.content_of(outcome.media.id) == content);
  CHECK(measures(*f.library).read_cache.hits == 1);
  CHECK(measures(*f.library).read_cache.misses == 1);

  // A verification finds it out, and from then on nobody gets it as whole.
  const auto report = f.library->verify({});
  REQUIRE(report);
  CHECK(report->missing + report->damaged == 1);
  const auto again = f.library->read(outcome.media);
  REQUIRE_FALSE(again);
  CHECK(again.error().code == Errc::corrupt);
}

TEST_CASE("library: what another process removed is not served from this one's memory") {
  CachingLibrary f;
  const auto content = test::png(2);
  const auto outcome = f.ingest(content);
  CHECK(f.content_of(outcome.media.id) == content);

  LibraryOptions options;
  options.base_path = f.folder / "store";
  options.processor = std::make_unique<test::ScriptedProcessor>();
  options.clock = f.clock;
  const auto other = Library::open(std::move(options)).value();
  REQUIRE(other->remove(outcome.media.id));
  for (int round = 0; round < 2; ++round) REQUIRE(other->collect(0s));
  std::this_thread::sleep_for(BlobCache::kLifetime + 100ms);
  const auto read = f.library->read(outcome.media);
  REQUIRE_FALSE(read);
  CHECK(read.error().code == Errc::not_found);
  CHECK(measures(*f.library).read_cache.entries == 0);
}

namespace {

/// A disk that rots unseen: the same identity, other bytes.
class RottingStore final : public BlobStore {
 public:
  explicit RottingStore(const std::atomic<bool>& rotten) : rotten_(rotten) {}
  Result<std::unique_ptr<BlobWriter>> begin(std::optional<std::uint64_t> size) override { return inner_->begin(size); }
  Result<void> publish(std::span<const std::unique_ptr<Staged>> staged) override { return inner_->publish(staged); }
  Result<std::unique_ptr<ByteReader>> open(const Digest& digest) const override {
    MEDIA_TRY_ASSIGN(const auto reader, inner_->open(digest));
    MEDIA_TRY_ASSIGN(auto content, read_all(*reader, kBudget));
    if (rotten_) content[content.size() / 2] ^= std::byte{1};
    return std::unique_ptr<ByteReader>(std::make_unique<MemoryReader>(std::move(content)));
  }
  Result<std::optional<BlobStat>> stat(const Digest& digest) const override {
    MEDIA_TRY_ASSIGN(auto stat, inner_->stat(digest));
    if (stat) stat->identity = "always the same";
    return stat;
  }
  Result<bool> remove(const Digest& digest) override { return inner_->remove(digest); }
  Result<BlobPage> list(const std::string& cursor, std::size_t limit) const override { return inner_->list(cursor, limit); }
  Result<bool> quarantine(const Digest& digest) override { return inner_->remove(digest); }
  Result<void> check() override { return inner_->check(); }

 private:
  std::unique_ptr<BlobStore> inner_ = make_memory_store();
  const std::atomic<bool>& rotten_;
};

}  // namespace

TEST_CASE("library: a blob that rotted unseen does not come into memory as whole") {
  std::atomic<bool> rotten{false};
  LibraryOptions options;
  options.store = std::make_unique<RottingStore>(rotten);
  options.repository = make_memory_repository();
  options.processor = std::make_unique<test::ScriptedProcessor>();
  options.read_cache_bytes = kLibraryBudget;
  const auto library = Library::open(std::move(options)).value();
  const auto whole = test::png(3);
  const auto other = test::png(4);
  const Media kept = library->ingest(MemoryReader(std::span(whole)), {}).value().media;
  const Media lost = library->ingest(MemoryReader(std::span(other)), {.filename = "other.png"}).value().media;
  CHECK(bytes_of(library->read(kept).value()) == whole);
  rotten = true;
  // In memory before, and proven: it stays whole. Of the other one nothing goes out, although the store tells of no change.
  CHECK(bytes_of(library->read(kept).value()) == whole);
  const auto read = library->read(lost);
  REQUIRE_FALSE(read);
  CHECK(read.error().code == Errc::corrupt);
  CHECK(measures(*library).read_cache.entries == 1);
}
