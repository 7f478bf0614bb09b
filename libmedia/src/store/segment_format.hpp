/// How small blobs lie in segment files: headers, entries, and the index beside a segment. Bytes only, no files.
///
/// A segment `<id>.segment` is a header of 64 bytes and then entries, each a header of 64 bytes, the content, and zeros up to the next
/// multiple of 64. Entries are only ever appended; the one byte that changes later says that an entry is dead. Numbers are little-endian.
/// Every header carries a check over itself, the segment's id and its own place, so that neither a damaged header nor one that somebody
/// hid in a content passes for an entry.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "media/digest.hpp"
#include "media/result.hpp"

namespace media::store {

inline constexpr std::size_t kSegmentBlock = 64;
/// Where the first entry lies.
inline constexpr std::uint64_t kFirstEntry = kSegmentBlock;
/// Longer contents are never packed, so a header that claims more is damaged.
inline constexpr std::uint64_t kMaxPackedBytes = std::uint64_t{16} << 20U;
/// Below the store's base.
inline constexpr const char* kSegmentsFolder = "segments";
inline constexpr std::string_view kSegmentSuffix = ".segment";
inline constexpr std::string_view kIndexSuffix = ".index";
inline constexpr std::string_view kDeathsSuffix = ".dead";

using SegmentBlock = std::array<std::byte, kSegmentBlock>;

/// Names a segment. Its first half is the time at which it was made: ids sort by age.
struct SegmentId {
  std::array<std::uint8_t, 16> bytes{};

  static SegmentId make();
  /// Exactly 32 lower-case hexadecimal digits; absent otherwise.
  static std::optional<SegmentId> from_hex(std::string_view hex);
  [[nodiscard]] std::string to_hex() const;
  friend auto operator<=>(const SegmentId&, const SegmentId&) = default;
};

enum class EntryState : std::uint8_t { live, dead };

struct EntryHeader {
  Digest digest{};
  std::uint64_t length = 0;
  EntryState state = EntryState::live;
};

/// Where an entry lies: `offset` is that of its header, `length` that of its content.
struct SegmentEntry {
  Digest digest{};
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  friend bool operator==(const SegmentEntry&, const SegmentEntry&) = default;
};

/// What an entry takes up, header and padding included.
constexpr std::uint64_t entry_span(std::uint64_t length) {
  return kSegmentBlock + (length + kSegmentBlock - 1) / kSegmentBlock * kSegmentBlock;
}

SegmentBlock encode_segment_header(const SegmentId& id);
/// Errors: `corrupt`, `unsupported` (made by a newer version).
Result<SegmentId> decode_segment_header(std::span<const std::byte> bytes);

SegmentBlock encode_entry_header(const SegmentId& id, std::uint64_t offset, const Digest& digest, std::uint64_t length);
/// Absent where these bytes are no header of an entry at this place of this segment.
std::optional<EntryHeader> decode_entry_header(const SegmentId& id, std::uint64_t offset, std::span<const std::byte> bytes);

/// The byte that tells a dead entry, and where it is in the entry's header.
inline constexpr std::uint64_t kStateOffset = 4;
inline constexpr std::byte kDeadState{0xff};

/// The live entries of a segment up to `covered` bytes of it: what spares reading the segment. Only ever a shortcut: a segment is read
/// without it where it is missing or wrong.
struct SegmentIndex {
  SegmentId id{};
  std::uint64_t covered = 0;
  std::vector<SegmentEntry> entries{};  ///< Ascending by offset.
};

std::vector<std::byte> encode_segment_index(const SegmentIndex& index);
/// Errors: `corrupt` (also where entries overlap or lie outside of what is covered), `unsupported` (made by a newer version).
Result<SegmentIndex> decode_segment_index(std::span<const std::byte> bytes);

}  // namespace media::store
