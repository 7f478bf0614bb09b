/// Which blobs belong where, by what the catalog knows of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "media/clock.hpp"
#include "media/digest.hpp"
#include "media/export.hpp"
#include "media/records.hpp"
#include "media/result.hpp"

namespace media {

enum class BlobKind : std::uint8_t { image, video, other, rendition };
/// "image", "video", "other", "rendition".
MEDIA_EXPORT std::string_view to_string(BlobKind kind) noexcept;

/// A blob as placement sees it.
struct BlobUse {
  Digest digest{};
  std::uint64_t size_bytes = 0;
  BlobState state = BlobState::live;
  /// A rendition is what no media has for its original.
  BlobKind kind = BlobKind::other;
  Timestamp since{};                   ///< The newest upload of it, or when it was last derived; the epoch where nothing refers to it.
  std::uint64_t reads = 0;             ///< As far as they were noted.
  std::optional<Timestamp> read_at{};  ///< The last of them.

  friend bool operator==(const BlobUse&, const BlobUse&) = default;
};

/// Reads of one blob that are to be added to what is noted.
struct BlobReads {
  Digest digest{};
  std::uint64_t reads = 0;
  Timestamp read_at{};
};

/// Tells by conditions whether a blob belongs to a tier.
///
/// "unread>30d size>=1M; kind=video age>7d": what meets all conditions of one of the alternatives. Conditions compare `age` (since it was
/// stored), `unread` (since it was last read, or else stored), `size` and `reads` by <, <=, > and >=; and `kind` by = and !=, with |
/// between several. Times are in s, m, h or d, sizes in bytes, or in k, M, G or T of 1000.
///
/// Thread-safety: a value.
class MEDIA_EXPORT PlacementRule {
 public:
  /// Nothing meets it.
  PlacementRule() = default;
  /// An empty text, or "none": nothing meets it. `invalid_argument` names the condition that is none.
  static Result<PlacementRule> parse(std::string_view text);

  /// Why the blob meets it: "not read for 42d (unread>30d), 3200000 bytes (size>=1M)". Absent where it does not.
  [[nodiscard]] std::optional<std::string> reason(const BlobUse& use, Timestamp now) const;

 private:
  enum class Subject : std::uint8_t { age, unread, size, reads, kind };
  enum class Comparison : std::uint8_t { less, at_most, more, at_least };
  struct Condition {
    Subject subject = Subject::age;
    Comparison comparison = Comparison::more;
    std::uint64_t value = 0;  ///< Seconds, bytes, reads; of kinds a set of bits.
    std::string text{};       ///< As it was written.
  };
  static Result<Condition> parse_condition(std::string_view text);
  static bool meets(const Condition& condition, const BlobUse& use, Timestamp now, std::string& reason);

  std::vector<std::vector<Condition>> alternatives_;
};

}  // namespace media
