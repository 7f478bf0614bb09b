// A library with parts that a test can hold: the clock, the processor, and the kind of store and catalog.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <thread>

#include "catch.hpp"
#include "media/library.hpp"
#include "pictures.hpp"
#include "support.hpp"

namespace test {

/// Stands still until told to move.
class ManualClock final : public media::Clock {
 public:
  [[nodiscard]] media::Timestamp now() const override { return media::Timestamp{std::chrono::milliseconds{now_ms_}}; }
  void advance(std::chrono::milliseconds step) { now_ms_ += step.count(); }

 private:
  std::atomic<std::int64_t> now_ms_{1'764'000'000'000};
};

/// Makes outputs that name their transform; fails, waits or counts as told. Real decoding has tests of its own.
class ScriptedProcessor final : public media::Processor {
 public:
  media::Result<media::MediaInfo> probe(const media::ByteReader&, const media::DeriveOptions&) override { return media::MediaInfo{}; }
  media::Result<media::Derived> derive(const media::ByteReader& source, std::span<const media::Transform> transforms,
                                       const media::DeriveOptions& options) override {
    ++calls;
    if (before) {
      if (auto told = before(options); !told) return told.error();
    }
    media::Derived derived;
    derived.placeholder = "#102030";
    const auto content = media::read_all(source, 1U << 30U).value();
    derived.appearance = appearance_of(content);
    for (const auto& transform : transforms) {
      const std::string text = media::to_string(transform) + " of " + media::Digest::of(content).to_hex() + salt;
      derived.outputs.push_back({transform, transform.width, transform.height, bytes(text)});
      if (content_of) derived.outputs.back().content = content_of(transform);
    }
    return derived;
  }

  [[nodiscard]] bool handles(media::Format format) const noexcept override {
    return media::is_video(format) ? shows_videos : media::Processor::handles(format);
  }

  [[nodiscard]] bool encodes() const noexcept override { return encodes_videos; }

  /// The same for the same content, and never near that of another one.
  static media::Appearance appearance_of(std::span<const std::byte> content) {
    const media::Digest digest = media::Digest::of(content);
    media::Appearance appearance{std::vector<std::byte>(17), "#405060", media::PerceptualHash{}};
    for (std::size_t i = 0; i < 8; ++i) appearance.perceptual_hash->bits = appearance.perceptual_hash->bits << 8U | digest.bytes()[i];
    return appearance;
  }

  std::atomic<int> calls{0};
  bool shows_videos = false;
  bool encodes_videos = true;
  std::string salt;  ///< Stands behind every output: what another encoder under the same name would do.
  std::function<media::Result<void>(const media::DeriveOptions&)> before;
  std::function<std::shared_ptr<const media::ByteReader>(const media::Transform&)> content_of;  ///< What is made instead of a text.
};

/// A one-pixel PNG that differs from every other one.
inline std::vector<std::byte> png(std::uint64_t number) {
  return png(1, 1, [](std::uint32_t, std::uint32_t) { return Rgba{}; }, false, std::to_string(number));
}

/// A library in a temp folder (or wholly in memory) on a manual clock and a scripted processor.
struct LibraryFixture {
  explicit LibraryFixture(bool on_disk = true) : disk(on_disk) { open(); }

  void open() {
    library.reset();
    media::LibraryOptions options;
    if (disk) {
      options.base_path = folder / "store";
    } else {
      options.store = media::make_memory_store();
      options.repository = media::make_memory_repository();
    }
    options.pack_below_bytes = pack_below_bytes;
    options.derivations_at_once = derivations_at_once;
    options.derivation_queue = derivation_queue;
    options.encoding_queue = encoding_queue;
    options.rendition_budget_bytes = rendition_budget_bytes;
    options.read_cache_bytes = read_cache_bytes;
    options.budget.deadline = deadline;
    options.gate = gate;
    options.policy.polyglots = polyglots;
    options.describe_event = describe_event;
    options.on_media_changed = on_media_changed;
    auto scripted = std::make_unique<ScriptedProcessor>();
    processor = scripted.get();
    options.processor = std::move(scripted);
    options.clock = clock;
    auto opened = media::Library::open(std::move(options));
    REQUIRE(opened);
    library = std::move(opened).value();
  }

  media::IngestOutcome ingest(std::span<const std::byte> content, media::IngestRequest request = {}) {
    auto outcome = library->ingest(media::MemoryReader(content), std::move(request));
    REQUIRE(outcome);
    return std::move(outcome).value();
  }
  std::vector<std::byte> content_of(media::MediaId id) {
    auto reader = library->read(id);
    REQUIRE(reader);
    return media::read_all(**reader, 1U << 30U).value();
  }
  std::filesystem::path blob_path(const media::Digest& digest) const {
    const std::string hex = digest.to_hex();
    return folder / "store" / hex.substr(0, 2) / hex.substr(2, 2) / hex.substr(4, 2) / hex;
  }

  [[nodiscard]] bool on_disk(const media::Digest& digest) const { return find_blob(folder / "store", digest.to_hex()).has_value(); }

  bool disk;
  /// Of the next `open`: 0 for blobs in files of their own.
  std::uint64_t pack_below_bytes = media::LibraryOptions{}.pack_below_bytes;
  /// Of the next `open`.
  unsigned derivations_at_once = 4;
  std::size_t derivation_queue = media::LibraryOptions{}.derivation_queue;
  std::size_t encoding_queue = media::LibraryOptions{}.encoding_queue;
  std::uint64_t rendition_budget_bytes = 0;
  std::uint64_t read_cache_bytes = 0;
  std::chrono::milliseconds deadline = media::ProcessingBudget{}.deadline;
  media::GateOptions gate;
  media::PolyglotRule polyglots = media::PolyglotRule::refuse;
  std::function<std::string(media::MediaEvent, const media::Media&)> describe_event;
  std::function<void(media::MediaId)> on_media_changed;
  TempFolder folder;
  std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>();
  ScriptedProcessor* processor = nullptr;
  std::unique_ptr<media::Library> library;
};

}  // namespace test
