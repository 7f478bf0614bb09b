/// The tiered store: several stores as one.
#include <algorithm>
#include <chrono>
#include <mutex>
#include <set>
#include <utility>

#include "media/tiers.hpp"
#include "store/tier_list.hpp"

namespace media {
namespace store {
namespace {

/// A tier that could not be opened is not tried for every reader anew.
constexpr std::chrono::seconds kTryAgain{5};

/// One tier, open or not.
///
/// Thread-safety: may be called concurrently; a mutex guards the opening, and a store that was opened stays.
class Level {
 public:
  explicit Level(Tier tier) : name_(std::move(tier.name)), store_(std::move(tier.store)), open_(std::move(tier.open)) {}

  [[nodiscard]] const std::string& name() const noexcept { return name_; }

  Result<BlobStore*> get() {
    const std::lock_guard lock(mutex_);
    if (store_) return store_.get();
    const auto now = std::chrono::steady_clock::now();
    if (now >= next_attempt_) {
      auto opened = open_ ? open_() : Result<std::unique_ptr<BlobStore>>(Error{Errc::unavailable, "it is not open"});
      if (opened && *opened) {
        store_ = std::move(opened).value();
        return store_.get();
      }
      failure_ = opened ? std::string("it is not open") : std::move(opened).error().message;
      next_attempt_ = std::chrono::steady_clock::now() + kTryAgain;
    }
    return Error{Errc::unavailable, "the " + name_ + " tier cannot be opened: " + failure_};
  }

 private:
  const std::string name_;
  std::mutex mutex_;
  std::unique_ptr<BlobStore> store_;
  const std::function<Result<std::unique_ptr<BlobStore>>()> open_;
  std::string failure_;
  std::chrono::steady_clock::time_point next_attempt_{};
};

/// What a tier says of itself, with its name before it.
Error named(const Level& level, Error error) {
  const std::string prefix = "the " + level.name() + " tier";
  if (!error.message.starts_with(prefix)) error.message = prefix + ": " + error.message;
  return error;
}

/// The powers over segments of all tiers that have them.
///
/// Thread-safety: as SegmentedStore; it has no state of its own.
class AllSegments final : public SegmentedStore {
 public:
  explicit AllSegments(const std::vector<std::unique_ptr<Level>>& levels) : levels_(levels) {}

  Result<CompactReport> compact(const CompactOptions& options) override {
    CompactReport sum;
    MEDIA_TRY(on_each([&](SegmentedStore& segments) -> Result<void> {
      MEDIA_TRY_ASSIGN(const CompactReport one, segments.compact(options));
      sum.segments += one.segments;
      sum.left += one.left;
      if (sum.problem.empty()) sum.problem = one.problem;
      sum.blobs_moved += one.blobs_moved;
      sum.freed_bytes += one.freed_bytes;
      return {};
    }));
    return sum;
  }
  Result<PackReport> pack(const PackOptions& options) override {
    return packed([&](SegmentedStore& segments) { return segments.pack(options); });
  }
  Result<PackReport> unpack(const PackOptions& options) override {
    return packed([&](SegmentedStore& segments) { return segments.unpack(options); });
  }
  [[nodiscard]] SegmentUsage segment_usage() const override {
    SegmentUsage sum;
    for (const auto& level : levels_) {
      const auto store = level->get();
      SegmentedStore* const segments = store ? (*store)->segmented() : nullptr;
      if (segments == nullptr) continue;
      const SegmentUsage one = segments->segment_usage();
      sum.segments += one.segments;
      sum.blobs += one.blobs;
      sum.bytes += one.bytes;
      sum.live_bytes += one.live_bytes;
    }
    return sum;
  }

 private:
  template <class Work>
  Result<void> on_each(const Work& work) {
    for (const auto& level : levels_) {
      MEDIA_TRY_ASSIGN(BlobStore* const store, level->get());
      SegmentedStore* const segments = store->segmented();
      if (segments == nullptr) continue;
      if (auto done = work(*segments); !done) return named(*level, std::move(done).error());
    }
    return {};
  }
  template <class Work>
  Result<PackReport> packed(const Work& work) {
    PackReport sum;
    MEDIA_TRY(on_each([&](SegmentedStore& segments) -> Result<void> {
      MEDIA_TRY_ASSIGN(const PackReport one, work(segments));
      sum.blobs += one.blobs;
      sum.bytes += one.bytes;
      sum.damaged += one.damaged;
      return {};
    }));
    return sum;
  }

  const std::vector<std::unique_ptr<Level>>& levels_;
};

/// Thread-safety: as BlobStore; the tiers guard themselves, and nothing else changes.
class TieredBlobStore final : public BlobStore, public TieredStore {
 public:
  explicit TieredBlobStore(std::vector<std::unique_ptr<Level>> levels) : levels_(std::move(levels)), segments_(levels_) {}

  [[nodiscard]] std::size_t tier_count() const noexcept override { return levels_.size(); }
  [[nodiscard]] const std::string& tier_name(std::size_t index) const noexcept override { return levels_[index]->name(); }
  Result<BlobStore*> tier(std::size_t index) const override { return levels_[index]->get(); }

  Result<std::unique_ptr<BlobWriter>> begin(std::optional<std::uint64_t> expected_size) override {
    MEDIA_TRY_ASSIGN(BlobStore* const hot, levels_.front()->get());
    return hot->begin(expected_size);
  }
  Result<void> publish(std::span<const std::unique_ptr<Staged>> staged) override {
    MEDIA_TRY_ASSIGN(BlobStore* const hot, levels_.front()->get());
    return hot->publish(staged);
  }

  Result<std::unique_ptr<ByteReader>> open(const Digest& digest) const override {
    return first<std::unique_ptr<ByteReader>>([&](BlobStore& store, const Level&) { return store.open(digest); },
                                              Error{Errc::not_found, "open blob " + digest.to_hex() + ": not in the store"});
  }
  Result<std::optional<BlobStat>> stat(const Digest& digest) const override {
    const Error absent{Errc::not_found, "stat blob " + digest.to_hex() + ": not in the store"};
    auto found = first<BlobStat>(
        [&](BlobStore& store, const Level& level) -> Result<BlobStat> {
          MEDIA_TRY_ASSIGN(auto stat, store.stat(digest));
          if (!stat) return absent;
          stat->identity = tier_identity(level.name(), stat->identity);
          return *std::move(stat);
        },
        absent);
    if (found) return std::optional(std::move(found).value());
    if (found.error().code == Errc::not_found) return std::optional<BlobStat>();
    return std::move(found).error();
  }

  /// The coldest first: who copies into a hotter tier meanwhile looks at the colder one afterwards, and sees that it is gone.
  Result<bool> remove(const Digest& digest) override {
    return on_all([&](BlobStore& store) { return store.remove(digest); });
  }
  /// What was set aside was set aside, whatever another tier says.
  Result<bool> quarantine(const Digest& digest) override {
    bool any = false;
    auto done = on_all([&](BlobStore& store) -> Result<bool> {
      MEDIA_TRY_ASSIGN(const bool aside, store.quarantine(digest));
      any = any || aside;
      return aside;
    });
    if (any) return true;
    return done;
  }
  Result<void> wipe(std::span<const Digest> removed, const std::stop_token& stop) override {
    MEDIA_TRY(on_all([&](BlobStore& store) -> Result<bool> {
      MEDIA_TRY(store.wipe(removed, stop));
      return true;
    }));
    return {};
  }
  Result<void> check() override {
    MEDIA_TRY(on_all([](BlobStore& store) -> Result<bool> {
      MEDIA_TRY(store.check());
      return true;
    }));
    return {};
  }

  Result<BlobPage> list(const std::string& cursor, std::size_t limit) const override {
    std::vector<ListedTier> tiers;
    for (const auto& level : levels_) {
      MEDIA_TRY_ASSIGN(const BlobStore* const store, level->get());
      tiers.push_back({store, level->name()});
    }
    return list_tiers(tiers, cursor, limit);
  }

  SegmentedStore* segmented() noexcept override {
    const bool any = std::any_of(levels_.begin(), levels_.end(), [](const auto& level) {
      const auto store = level->get();
      return store && (*store)->segmented() != nullptr;
    });
    return any ? &segments_ : nullptr;
  }
  [[nodiscard]] const TieredStore* tiered() const noexcept override { return this; }

 private:
  /// The first tier's that has it. A tier that fails is passed over; its error is what is left where nobody has it.
  template <class Value, class Ask>
  Result<Value> first(const Ask& ask, const Error& absent) const {
    std::optional<Error> failure;
    for (const auto& level : levels_) {
      const auto store = level->get();
      auto found = store ? ask(**store, *level) : Result<Value>(store.error());
      if (found) return found;
      if (found.error().code != Errc::not_found && !failure) failure = named(*level, std::move(found).error());
    }
    return failure.value_or(absent);
  }

  /// True where one of them said so; a failure after all have been asked.
  template <class Work>
  Result<bool> on_all(const Work& work) const {
    bool any = false;
    std::optional<Error> failure;
    for (auto level = levels_.rbegin(); level != levels_.rend(); ++level) {
      const auto store = (*level)->get();
      auto done = store ? work(**store) : Result<bool>(store.error());
      if (done) {
        any = any || *done;
      } else if (!failure) {
        failure = named(**level, std::move(done).error());
      }
    }
    if (failure) return *failure;
    return any;
  }

  const std::vector<std::unique_ptr<Level>> levels_;
  AllSegments segments_;
};

}  // namespace
}  // namespace store

Result<std::unique_ptr<BlobStore>> make_tiered_store(std::vector<Tier> tiers) {
  if (tiers.empty()) return Error{Errc::invalid_argument, "a tiered store has one tier at least"};
  std::set<std::string> names;
  std::vector<std::unique_ptr<store::Level>> levels;
  for (Tier& tier : tiers) {
    if (tier.name.empty() || tier.name.find_first_of("/:") != std::string::npos || !names.insert(tier.name).second) {
      return Error{Errc::invalid_argument, "a tiered store: the name of a tier is empty, or there twice"};
    }
    levels.push_back(std::make_unique<store::Level>(std::move(tier)));
  }
  MEDIA_TRY(levels.front()->get());
  return std::unique_ptr<BlobStore>(std::make_unique<store::TieredBlobStore>(std::move(levels)));
}

}  // namespace media
