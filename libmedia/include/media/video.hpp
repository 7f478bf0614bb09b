/// What can be told and done of a video without decoding it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "media/export.hpp"
#include "media/io.hpp"
#include "media/media_info.hpp"
#include "media/result.hpp"

namespace media {

/// Which frames a sheet (`Frames::sheet`) shows: `count` of them, `interval` apart, in rows of `columns`, the first one at the upper left.
struct SheetLayout {
  std::uint32_t columns = 1;
  std::uint32_t rows = 1;
  std::uint32_t count = 1;
  std::chrono::milliseconds interval{0};
  std::chrono::milliseconds duration{0};

  /// The middle of a tile's time.
  [[nodiscard]] std::chrono::milliseconds time_of(std::uint32_t tile) const noexcept { return tile * interval + interval / 2; }
};

/// A tile for each second, and at most 100, in rows of at most 10: follows from the duration alone, which has to be that of `probe`.
/// `unsupported` where the header does not say how long the video is.
MEDIA_EXPORT Result<SheetLayout> sheet_layout(const MediaInfo& info);

/// The index of a sheet of `width` x `height` pixels as WebVTT: for each stretch of time `image` (a URL or a path, without blanks) and the
/// tile's place in it as a media fragment (#xywh=left,top,width,height). `invalid_argument` where the sheet has no such size, or `image`
/// could not stand in a line.
MEDIA_EXPORT Result<std::string> sheet_index(const SheetLayout& layout, std::uint32_t width, std::uint32_t height, std::string_view image);

/// The same MP4 or MOV with its index (`moov`, ISO/IEC 14496-12 section 8.2.1) in front of its frames, so that it can be played while it
/// still comes: what is read are the source's own bytes, and the index with the places of the frames moved. Where the index is in front it
/// is the source as it is. The reader reads from the source, which has to live on for as long; of the file only the index is in memory.
///
/// Errors: `unsupported` (another format; encrypted; tracks that browsers do not play, or whose frames lie in another file; places that
/// are noted in a way that is not known here), `corrupt`, `too_large` (an index beyond 64 MiB), and the source's own.
MEDIA_EXPORT Result<std::shared_ptr<const ByteReader>> open_web_ready(const ByteReader& source);

/// Whether an error of `Library::order_video` says that too many videos wait (LibraryOptions::encoding_queue), or too many of this owner's.
/// Its code is `unavailable`, as that of a catalog that does not answer, which is another thing to tell people and operators.
MEDIA_EXPORT bool is_full_encoding_queue(const Error& error) noexcept;

}  // namespace media
