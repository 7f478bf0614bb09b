/// Every setting that changes the bytes of an output. Who changes one, raises the revision of its format: renditions
/// are named by it.
#pragma once

#include <cstdint>

#include "media/media_info.hpp"

namespace media::image {

/// Raised when the pixels change before they come to an encoder (resampling, colour).
inline constexpr int kPixelsRevision = 3;
/// The same of videos: goes up whenever the same source would be encoded to something else.
inline constexpr int kVideoRevision = 2;

namespace jpeg_settings {
inline constexpr int kRevision = 1;
inline constexpr int kDefaultQuality = 80;
}  // namespace jpeg_settings

namespace webp_settings {
inline constexpr int kRevision = 1;
inline constexpr int kDefaultQuality = 80;
/// 4 is where more time stops to pay: 6 takes twice as long for 2 % of the bytes.
inline constexpr int kMethod = 4;
}  // namespace webp_settings

namespace png_settings {
inline constexpr int kRevision = 1;
inline constexpr int kCompressionLevel = 6;
}  // namespace png_settings

namespace gif_settings {
inline constexpr int kRevision = 1;
}  // namespace gif_settings

namespace avif_settings {
inline constexpr int kRevision = 1;
inline constexpr int kDefaultQuality = 50;
/// aom takes 0.3 s for 800 x 600 at speed 6 and 0.13 s at 8, which needs about a tenth more bytes for the same
/// picture: small pictures, of which pages show many, get the better ratio.
inline constexpr std::uint64_t kCarefulPixels = 640'000;
inline constexpr int kCarefulSpeed = 6;
inline constexpr int kSpeed = 8;
/// Of animations. From 7 on aom takes frames as they come and holds none back, so that memory is bounded; 0.11 of libavif does so, too.
inline constexpr int kSequenceSpeed = 8;
/// Of pictures with `Transform::depth` 10.
inline constexpr unsigned kDeepBits = 10;
}  // namespace avif_settings

/// 0 for a format without quality.
constexpr int default_quality(Format format) noexcept {
  switch (format) {
    case Format::jpeg:
      return jpeg_settings::kDefaultQuality;
    case Format::webp:
      return webp_settings::kDefaultQuality;
    case Format::avif:
      return avif_settings::kDefaultQuality;
    default:
      return 0;
  }
}

}  // namespace media::image
