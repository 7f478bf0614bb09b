// A library on a store that hashes on the way, and that may be out of reach.
#include <atomic>

#include "library_fixture.hpp"

using namespace media;

namespace {

enum class Weather { fine, damaging, unreachable };

class DistantReader final : public ByteReader {
 public:
  DistantReader(std::unique_ptr<ByteReader> inner, Weather weather) : inner_(std::move(inner)), weather_(weather) {}
  [[nodiscard]] std::uint64_t size() const noexcept override { return inner_->size(); }
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) const override {
    if (weather_ == Weather::damaging) return Error{Errc::corrupt, "its bytes have another digest"};
    if (weather_ == Weather::unreachable) return Error{Errc::unavailable, "the connection broke"};
    return inner_->read_at(offset, into);
  }

 private:
  std::unique_ptr<ByteReader> inner_;
  Weather weather_;
};

class DistantStore final : public BlobStore {
 public:
  explicit DistantStore(std::atomic<Weather>& weather) : weather_(weather) {}
  Result<std::unique_ptr<BlobWriter>> begin(std::optional<std::uint64_t> size) override { return inner_->begin(size); }
  Result<void> publish(std::span<const std::unique_ptr<Staged>> staged) override { return inner_->publish(staged); }
  Result<std::unique_ptr<ByteReader>> open(const Digest& digest) const override {
    MEDIA_TRY_ASSIGN(auto reader, inner_->open(digest));
    return std::unique_ptr<ByteReader>(std::make_unique<DistantReader>(std::move(reader), weather_.load()));
  }
  Result<std::optional<BlobStat>> stat(const Digest& digest) const override {
    MEDIA_TRY_ASSIGN(auto stat, inner_->stat(digest));
    if (stat) stat->identity.clear();  // hashed whenever it is opened
    return stat;
  }
  Result<bool> remove(const Digest& digest) override { return inner_->remove(digest); }
  Result<BlobPage> list(const std::string& cursor, std::size_t limit) const override { return inner_->list(cursor, limit); }
  Result<bool> quarantine(const Digest& digest) override { return inner_->quarantine(digest); }
  Result<void> check() override { return inner_->check(); }

 private:
  std::unique_ptr<BlobStore> inner_ = make_memory_store();
  std::atomic<Weather>& weather_;
};

struct DistantLibrary {
  DistantLibrary() {
    LibraryOptions options;
    options.store = std::make_unique<DistantStore>(weather);
    options.repository = make_memory_repository();
    options.processor = std::make_unique<test::ScriptedProcessor>();
    library = Library::open(std::move(options)).value();
    const MemoryReader content{std::span(bytes)};
    media = library->ingest(content, {.filename = "a", .any_content = true}).value().media;
  }

  std::atomic<Weather> weather{Weather::fine};
  std::vector<std::byte> bytes = test::noise(5'000);
  std::unique_ptr<Library> library;
  Media media;
};

}  // namespace

TEST_CASE("library: what came damaged out of a store in which it is whole may be asked for again, and is not set aside") {
  DistantLibrary f;
  f.weather = Weather::damaging;
  const auto damaged = f.library->read(f.media);
  REQUIRE_FALSE(damaged);
  CHECK(damaged.error().code == Errc::unavailable);
  f.weather = Weather::fine;
  CHECK(read_all(*f.library->read(f.media).value(), UINT64_MAX).value() == f.bytes);
}

TEST_CASE("library: a store out of reach is not a damaged one") {
  DistantLibrary f;
  f.weather = Weather::unreachable;
  CHECK(f.library->read(f.media).error().code == Errc::unavailable);
  int faults = 0;
  VerifyOptions options;
  options.on_fault = [&](const Fault&) { ++faults; };
  const auto verified = f.library->verify(options);
  REQUIRE_FALSE(verified);
  CHECK(verified.error().code == Errc::unavailable);
  CHECK(faults == 0);
  f.weather = Weather::fine;
  CHECK(f.library->verify(options).value().intact());
}
