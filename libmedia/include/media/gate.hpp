/// What may come in, and what may not go out: quotas, bans, scanning, quarantine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "media/export.hpp"
#include "media/gate_records.hpp"
#include "media/records.hpp"
#include "media/result.hpp"
#include "media/scanner.hpp"

namespace media {

/// What becomes of content that the scanner has not seen: it is down, or does not take as much.
enum class UnscannedRule : std::uint8_t {
  refuse,  ///< It does not come in: `unavailable` while the scanner is down, `Refusal::unscannable` where it is too large for it.
  hold,    ///< It comes in and is kept back until the scanner has seen it, or a person lets it go.
  accept,  ///< It comes in as if it were clean.
};

struct GateOptions {
  Quota default_quota{};               ///< Of owners without one of their own.
  std::shared_ptr<Scanner> scanner{};  ///< Null: nothing is scanned.
  UnscannedRule unscanned = UnscannedRule::refuse;
};

/// An owner's quota and what is used of it.
struct QuotaState {
  Quota quota{};
  bool is_own = false;  ///< False: everybody's (`GateOptions::default_quota`).
  /// The bytes are those of the media and of the videos that were encoded of them.
  OwnerUsage usage{};
};

/// What to ban: by bytes or by looks.
struct BanRequest {
  std::optional<Digest> digest{};
  std::optional<PerceptualHash> perceptual_hash{};
  /// Takes the hash of a picture in the library instead. `invalid_argument` where it has none.
  std::optional<MediaId> like_media{};
  unsigned max_distance = 6;  ///< Of a perceptual hash: at most kMaxSimilarDistance. Beyond 10 others are hit as well.
  std::string reason{};       ///< At most 255 bytes.
  bool put_away = false;      ///< What is in the library already goes into quarantine, too.
};

struct BanReport {
  Ban ban{};
  std::vector<Media> stored{};  ///< All that is in the library and banned by it.
  bool put_away = false;
};

struct QuarantineFilter {
  bool released = false;  ///< Those that were released, instead of those that are kept back.
  std::size_t limit = 1000;
};

struct ReleaseRequest {
  Digest digest{};
  std::string note{};  ///< Who, and why: kept with the entry; at most 255 bytes.
  /// Whatever the checks say. Bytes that are damaged or missing cannot be released all the same.
  bool force = false;
};

struct PurgeReport {
  std::vector<MediaId> media{};  ///< Removed, whosever they were.
  std::uint64_t freed_bytes = 0;
};

/// Since the library was opened.
struct ScanStats {
  std::uint64_t clean = 0;
  std::uint64_t infected = 0;
  std::uint64_t too_large = 0;
  std::uint64_t failed = 0;  ///< The scanner was down, or did not answer as it should.
};

/// The part of a library that says what may come in. Where it speaks, it speaks for every way in: `begin`, `prepare`, promises, resumable
/// uploads.
///
/// Thread-safety: every method may be called concurrently.
class MEDIA_EXPORT Gate {
 public:
  virtual ~Gate() = default;
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  /// An owner without media has used nothing.
  virtual Result<QuotaState> quota(const std::string& owner) const = 0;
  /// Quotas of owners' own, ascending by owner.
  virtual Result<std::vector<OwnerQuota>> list_quotas() const = 0;
  /// From now on; what is there beyond it stays. `invalid_argument` (no owner).
  virtual Result<void> set_quota(const std::string& owner, const Quota& quota) = 0;
  /// Everybody's rules again. False where there was none.
  virtual Result<bool> clear_quota(const std::string& owner) = 0;

  /// `invalid_argument`, `not_found` (`like_media`), `already_exists`.
  virtual Result<BanReport> add_ban(const BanRequest& request) = 0;
  /// Ascending by id.
  virtual Result<std::vector<Ban>> list_bans() const = 0;
  /// What it has put into quarantine stays there. False where there is none.
  virtual Result<bool> remove_ban(std::int64_t id) = 0;

  /// Ascending by digest.
  virtual Result<std::vector<Quarantined>> list_quarantine(const QuarantineFilter& filter) const = 0;
  virtual Result<std::optional<Quarantined>> find_quarantined(const Digest& digest) const = 0;
  /// How much is kept back, for health checks and metrics.
  virtual Result<QuarantineCounts> quarantine_counts() const = 0;
  /// The media that have these bytes, whosever they are, ascending by id.
  virtual Result<std::vector<Media>> media_of(const Digest& digest) const = 0;
  /// Keeps these bytes back from everybody: a person's decision. `not_found` where no media has them; `invalid_argument` for a reason that
  /// is not `polyglot`, `infected` or `banned`.
  virtual Result<void> put_away(const Digest& digest, Hold reason, const std::string& detail) = 0;
  /// Lets bytes go again once every check has passed: digest, admission policy, bans, scanner. It is recorded. Their media are processed
  /// anew. Errors: `not_found` (not kept back), `denied` (a check says no, and which), `corrupt` (damaged or missing), `unavailable` (the
  /// scanner is down), `invalid_argument` (the note).
  virtual Result<void> release(const ReleaseRequest& request) = 0;
  /// Removes the media that have these bytes, whosever they are, and the bytes, at once. `not_found` where they are not kept back.
  virtual Result<PurgeReport> purge(const Digest& digest) = 0;

  /// The scanner's answer to a health check; success where there is none.
  virtual Result<void> check_scanner() = 0;
  [[nodiscard]] virtual bool has_scanner() const noexcept = 0;
  [[nodiscard]] virtual ScanStats scan_stats() const noexcept = 0;

 protected:
  Gate() = default;
};

}  // namespace media
