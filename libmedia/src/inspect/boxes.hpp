/// The boxes of the ISO base media file format (ISO/IEC 14496-12), of which MP4, MOV, HEIC and AVIF are made.
#pragma once

#include <cstdint>
#include <optional>

#include "inspect/cursor.hpp"
#include "media/result.hpp"

namespace media::inspect {

struct Box {
  std::uint32_t type = 0;
  std::uint64_t begin = 0;
  std::uint64_t body = 0;
  std::uint64_t end = 0;
};

/// The box at the cursor, which is left at its body; nothing at the limit, or where fewer bytes are left than a box has
/// (QuickTime ends some containers with four zero bytes). Errors: `corrupt` where the box does not fit into the limit.
Result<std::optional<Box>> next_box(Cursor& cursor);

/// As `next_box`, at the outermost level, where files carry other people's bytes after their own: an unknown box that does not
/// fit is taken for such a trailer and ends the walk, a known one is `corrupt`.
Result<std::optional<Box>> next_top_box(Cursor& cursor);

/// Calls `visit(box)` for each box from the cursor to `end`, with the limit narrowed to the box.
template <class Visit>
Result<void> for_each_box(Cursor& cursor, std::uint64_t end, const Visit& visit) {
  const Cursor::Within all(cursor, end);
  for (;;) {
    MEDIA_TRY_ASSIGN(const auto box, next_box(cursor));
    if (!box) return {};
    {
      const Cursor::Within one(cursor, box->end);
      MEDIA_TRY(visit(*box));
    }
    MEDIA_TRY(cursor.seek(box->end, "a box"));
  }
}

/// What `ftyp` says: which family the file belongs to.
enum class Brand : std::uint8_t { none, avif, heic, mp4, quicktime };
struct FileType {
  Brand brand = Brand::none;
  /// The major brand is one of image sequences: the pictures are in a track, not in items.
  bool is_sequence = false;
};
/// Reads as much of an `ftyp` box as `head` holds.
FileType file_type(Bytes head) noexcept;

}  // namespace media::inspect
