/// What the gate keeps in the catalog: quotas, bans, and what is kept back from everybody.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "media/appearance.hpp"
#include "media/clock.hpp"
#include "media/digest.hpp"
#include "media/export.hpp"

namespace media {

/// Why the bytes of a media are handed to nobody.
enum class Hold : std::uint8_t {
  none,
  unscanned,  ///< The malware scanner has not seen them yet.
  unseen,     ///< They have not been compared with the banned pictures, which is done when they are decoded.
  polyglot,   ///< They are a file of another kind as well.
  infected,
  banned,
  damaged,  ///< They are not what their digest says. Reading finds it out; media are not marked with it.
  missing,  ///< The store has lost them; likewise.
};
/// "none", "unscanned", …
MEDIA_EXPORT std::string_view to_string(Hold hold) noexcept;

/// How much one owner may have.
struct Quota {
  std::optional<std::uint64_t> max_bytes{};  ///< Absent: no limit.
  std::optional<std::uint64_t> max_media{};  ///< Absent: no limit.

  [[nodiscard]] bool limits() const noexcept { return max_bytes || max_media; }
  friend bool operator==(const Quota&, const Quota&) = default;
};

/// A quota of an owner's own, which takes the place of everybody's.
struct OwnerQuota {
  std::string owner{};
  Quota quota{};

  friend bool operator==(const OwnerQuota&, const OwnerQuota&) = default;
};

/// What an owner has. Every media counts with all its bytes, however many share its blob: who else has the same bytes is a secret, which a
/// smaller sum would tell. A promised upload counts with the size that was promised. Renditions do not count.
struct OwnerUsage {
  std::uint64_t media = 0;
  std::uint64_t size_bytes = 0;

  friend bool operator==(const OwnerUsage&, const OwnerUsage&) = default;
};

/// Content that must not come in: these bytes, or every picture that looks like one. One of the two is there.
struct Ban {
  std::int64_t id = 0;  ///< 0 until inserted.
  std::optional<Digest> digest{};
  std::optional<PerceptualHash> perceptual_hash{};
  unsigned max_distance = 0;  ///< Bits in which a picture's hash may differ and still be banned; 0 with a digest.
  std::string reason{};       ///< For people; any bytes.
  Timestamp created_at{};

  friend bool operator==(const Ban&, const Ban&) = default;
};

/// Bytes that are kept back, or were: one entry a digest.
struct Quarantined {
  Digest digest{};
  Hold reason = Hold::none;
  std::string detail{};  ///< The signature's name, what was found; any bytes.
  Timestamp since{};
  std::optional<Timestamp> released_at{};  ///< Absent: kept back now.
  std::string released_by{};               ///< What was said at the release; any bytes.
  bool forced = false;                     ///< Released against what the checks said: they do not keep these bytes back again.

  friend bool operator==(const Quarantined&, const Quarantined&) = default;
};

/// How much is kept back now, by reason.
struct QuarantineCounts {
  std::uint64_t unscanned = 0;
  std::uint64_t unseen = 0;
  std::uint64_t polyglot = 0;
  std::uint64_t infected = 0;
  std::uint64_t banned = 0;
  std::uint64_t damaged = 0;
  std::uint64_t missing = 0;

  [[nodiscard]] std::uint64_t held() const noexcept { return unscanned + unseen + polyglot + infected + banned; }
  friend bool operator==(const QuarantineCounts&, const QuarantineCounts&) = default;
};

/// What the catalog says of bytes that want to come in, in one question.
struct GateFacts {
  std::optional<Quota> quota{};              ///< The owner's own.
  std::optional<std::string> ban{};          ///< The reason for which the digest is banned.
  std::optional<Quarantined> quarantined{};  ///< Released ones too.
  bool bans_pictures = false;                ///< There are bans by perceptual hash.
};

}  // namespace media
