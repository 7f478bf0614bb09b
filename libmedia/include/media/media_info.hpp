/// What is known of a media file from its headers.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "media/export.hpp"

namespace media {

/// The file formats that the library can name from content.
enum class Format : std::uint8_t { unknown, jpeg, png, webp, avif, heic, gif, bmp, tiff, svg, mp4, mov, webm, mkv, ogg };

/// "image/jpeg"; "application/octet-stream" for `unknown`.
MEDIA_EXPORT std::string_view mime_type(Format format) noexcept;
/// "jpeg", "avif", …: the word used in transforms, JSON and on the command line.
MEDIA_EXPORT std::string_view to_string(Format format) noexcept;
/// The usual file name extension without a dot ("jpg"); "bin" for `unknown`.
MEDIA_EXPORT std::string_view file_extension(Format format) noexcept;
/// From a media type (parameters and case ignored, common aliases such as image/jpg known); `unknown` where it is none of ours.
MEDIA_EXPORT Format format_from_mime(std::string_view mime) noexcept;
/// From the word of `to_string` or a usual extension ("jpg", "JPEG"); `unknown` where it is none of ours.
MEDIA_EXPORT Format format_from_name(std::string_view name) noexcept;
MEDIA_EXPORT bool is_image(Format format) noexcept;
MEDIA_EXPORT bool is_video(Format format) noexcept;

/// The facts that a header states, unchecked against pixels.
struct MediaInfo {
  Format format = Format::unknown;
  /// As coded, before `orientation`; 0 where the header does not say (SVG, OGG).
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  /// Pictures in an animation or sequence; 1 for a still, 0 for a video whose header does not say.
  std::uint32_t frames = 1;
  /// EXIF orientation 1 to 8 (CIPA DC-008 tag 0x0112), or what `irot`, `imir` or a track matrix amount to.
  std::uint8_t orientation = 1;
  bool has_alpha = false;
  std::optional<std::chrono::milliseconds> duration{};

  /// Width and height as seen, after `orientation`.
  [[nodiscard]] std::uint32_t display_width() const noexcept { return orientation >= 5 ? height : width; }
  [[nodiscard]] std::uint32_t display_height() const noexcept { return orientation >= 5 ? width : height; }

  friend bool operator==(const MediaInfo&, const MediaInfo&) = default;
};

}  // namespace media
