/// What can be told of a video's previews without decoding it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "media/export.hpp"
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

}  // namespace media
