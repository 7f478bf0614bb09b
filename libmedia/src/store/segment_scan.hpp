/// Reading a segment without its index.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "media/result.hpp"
#include "store/segment_format.hpp"

namespace media::store {

/// The header of an entry as it is on the disk now.
struct ReadHeader {
  std::optional<EntryHeader> header;  ///< Absent where no entry begins.
  bool past_the_end = false;          ///< The file ends before.
};
Result<ReadHeader> read_header(int descriptor, const SegmentId& id, std::uint64_t offset);

enum class Proof : std::uint8_t {
  /// Headers are believed and contents skipped; the first place without a header ends it. For what a living process has appended.
  headers,
  /// Contents are hashed, those that are not whole are left out, and behind damage the next entry is looked for. For what a crash has left.
  contents,
};

struct SegmentScan {
  std::vector<SegmentEntry> entries{};  ///< The live ones, ascending.
  /// Behind the last entry that has a good header and all of its length, dead and damaged ones among them: what follows was never
  /// anybody's.
  std::uint64_t end = 0;
};

/// Reads the entries of the segment `id` that lie between `from` (an entry's place, or the end) and `size`. Errors: `io`, `corrupt` (the
/// file got shorter).
Result<SegmentScan> scan_segment(int descriptor, const SegmentId& id, std::uint64_t from, std::uint64_t size, Proof proof);

}  // namespace media::store
