/// Stores one above the other: hot, and below it what is larger, cheaper and slower.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "media/blob_store.hpp"
#include "media/export.hpp"
#include "media/placement.hpp"
#include "media/result.hpp"

namespace media {

/// A store that is several, the hottest first.
///
/// Nothing moves by itself. Who moves a blob may remove a copy of it only where a whole one lies in a colder tier: then any number may move
/// at once, in whatever directions, and the coldest copy of all stays.
///
/// Thread-safety: as BlobStore.
class MEDIA_EXPORT TieredStore {
 public:
  virtual ~TieredStore() = default;
  TieredStore(const TieredStore&) = delete;
  TieredStore& operator=(const TieredStore&) = delete;

  [[nodiscard]] virtual std::size_t tier_count() const noexcept = 0;
  /// "hot", "warm", "cold". 0 is the hottest.
  [[nodiscard]] virtual const std::string& tier_name(std::size_t index) const noexcept = 0;
  /// A tier as the store that it is. `unavailable` where it could not be opened; it is tried again from time to time.
  virtual Result<BlobStore*> tier(std::size_t index) const = 0;

 protected:
  TieredStore() = default;
};

struct Tier {
  std::string name{};
  /// Absent: to be opened by `open`, now and whenever it is wanted.
  std::unique_ptr<BlobStore> store{};
  std::function<Result<std::unique_ptr<BlobStore>>()> open{};
};

/// One store made of several. New blobs go into the first; reading falls through them in their order, and where one of them does not answer
/// the others still do: `unavailable` is only what none of those that answer has. Removing, quarantining, wiping and compacting act on all
/// of them, and fail where one does not answer. A blob that lies in several is listed once. `invalid_argument` without a first store, and
/// for names that are empty or there twice.
MEDIA_EXPORT Result<std::unique_ptr<BlobStore>> make_tiered_store(std::vector<Tier> tiers);

/// Where the tiers below the hot one are: folders, or "s3://…". Empty: there is none.
struct TierPlaces {
  std::string warm{};
  std::string cold{};

  [[nodiscard]] bool any() const noexcept { return !warm.empty() || !cold.empty(); }
  friend bool operator==(const TierPlaces&, const TierPlaces&) = default;
};

/// Where a library whose catalog is in `base_path` has its tiers, as noted there in the file `tiers`; none where there is no note. Errors:
/// `io`, `denied`, `corrupt` (the note is none).
MEDIA_EXPORT Result<TierPlaces> read_tier_note(const std::filesystem::path& base_path);

struct OpenTiersOptions {
  TierPlaces places{};  ///< None: as noted.
  bool read_only = false;
  std::uint64_t pack_below_bytes = FilesystemStoreOptions{}.pack_below_bytes;
  std::filesystem::path temp_path{};  ///< Of tiers that are in buckets.
};

/// Puts the hot store of a library above its other tiers, and notes where these are, durably, so that nobody opens the library another time
/// without them and takes their blobs for lost. Without tiers, wanted or noted, `hot` comes back as it is. A tier that cannot be opened is
/// an error the first time; once it is noted it counts as one that is down. `conflict` where others are noted, `invalid_argument` for a
/// place that is none, or the same twice.
MEDIA_EXPORT Result<std::unique_ptr<BlobStore>> open_tiers(std::unique_ptr<BlobStore> hot, const std::filesystem::path& base_path,
                                                           const OpenTiersOptions& options);

/// What is to become of one blob.
struct TierMove {
  enum class Kind : std::uint8_t {
    demote,   ///< Copied into a colder tier, and removed from the hotter ones.
    promote,  ///< Copied into a hotter tier; the colder copy stays.
    trim,     ///< Removed from hotter tiers; the colder copy is there already.
  };
  Kind kind = Kind::demote;
  Digest digest{};
  std::uint64_t size_bytes = 0;
  BlobKind blob_kind = BlobKind::other;
  std::string from{};    ///< The hottest tier that has it.
  std::string to{};      ///< The tier that it belongs to.
  std::string reason{};  ///< For people.
};
MEDIA_EXPORT std::string_view to_string(TierMove::Kind kind) noexcept;

struct ArrangeOptions {
  /// Of the tiers below the hot one, in their order; missing ones are met by nothing. A blob belongs to the coldest tier whose rule it
  /// meets, else to the hot one.
  std::vector<PlacementRule> rules{};
  bool dry_run = false;                         ///< Nothing is moved or removed.
  std::optional<std::uint64_t> budget_bytes{};  ///< To copy at most; what is beyond it is left for another run.
  std::stop_token stop{};
  std::function<void(const TierMove&)> on_move{};  ///< After it was done; under dry_run: what would be.
  std::function<void(const TierMove&, const Error&)> on_problem{};
};

struct ArrangeReport {
  std::uint64_t blobs = 0;  ///< Looked at.
  std::uint64_t demoted = 0;
  std::uint64_t promoted = 0;
  std::uint64_t trimmed = 0;
  std::uint64_t copied_bytes = 0;
  std::uint64_t freed_bytes = 0;  ///< In hotter tiers.
  std::uint64_t left = 0;         ///< Beyond the budget.
  std::uint64_t left_bytes = 0;
  std::uint64_t problems = 0;  ///< Blobs that could not be moved, and stayed where they were.
  bool complete = true;        ///< False where it was stopped.
};

}  // namespace media
