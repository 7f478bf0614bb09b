/// What to derive from an image: one value, one canonical spelling.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "media/export.hpp"
#include "media/media_info.hpp"
#include "media/result.hpp"

namespace media {

/// How a picture meets the box `width` x `height`. Names follow CSS object-fit where it has one.
enum class Fit : std::uint8_t {
  contain,  ///< Whole picture inside the box, proportions kept; the result may be smaller on one side.
  cover,    ///< Box filled, proportions kept, what hangs over is cut off at the centre.
  fill,     ///< Box filled by stretching.
  inside,   ///< As contain; a box that lacks one side takes the picture's proportions. The default.
};

/// Which frames of an animation are kept. A still has one.
enum class Frames : std::uint8_t {
  first,  ///< The first one, as a still.
  all,    ///< All of them, with their times and the number of plays, where the output's format can hold them (`can_animate`).
};

/// An opaque colour, 8 bits a channel, sRGB.
struct Colour {
  std::uint8_t red = 255;
  std::uint8_t green = 255;
  std::uint8_t blue = 255;
  friend bool operator==(const Colour&, const Colour&) = default;
};

/// What to make of an image. Zero means "not given".
struct Transform {
  std::uint32_t width = 0;   ///< Pixels, at most 16384; 0: by proportion, or the picture's own.
  std::uint32_t height = 0;  ///< As width.
  Fit fit = Fit::inside;
  /// jpeg, png, webp, avif or gif.
  Format format = Format::avif;
  /// 1 to 100; 0: the format's default. Ignored by PNG and GIF.
  std::uint8_t quality = 0;
  /// Never more pixels than the source has, unless set.
  bool enlarge = false;
  /// Where alpha goes: unset keeps it (JPEG, which has none, takes white).
  std::optional<Colour> background{};
  Frames frames = Frames::first;

  friend bool operator==(const Transform&, const Transform&) = default;
};

/// The one spelling: `w=320,h=240,fit=cover,format=avif,q=50,enlarge=1,bg=ffffff,frames=all`, in this order, defaults left out
/// (format is always there). Two transforms that mean the same spell the same.
MEDIA_EXPORT std::string to_string(const Transform& transform);
/// Reads what `to_string` writes, keys in any order. `invalid_argument` names the key and what it accepts.
MEDIA_EXPORT Result<Transform> parse_transform(std::string_view text);
/// Sets one key ("w", "h", "fit", "format", "q", "enlarge", "bg", "frames") from text; `invalid_argument` as above.
/// The one place where the keys and their ranges are known: query strings and flags go through it.
MEDIA_EXPORT Result<void> set_transform_key(Transform& transform, std::string_view key, std::string_view value);

/// True where pictures of this format may have several frames: webp, avif and gif.
MEDIA_EXPORT bool can_animate(Format format) noexcept;

/// A transform under a name, in each of several formats: `thumb` is w=320,h=320 as AVIF, WebP and JPEG.
struct Preset {
  std::string name{};
  Transform transform{};
  std::vector<Format> formats{};
};

/// thumb 320, medium 800, large 1600: the longer side at most that, in AVIF, WebP and JPEG.
MEDIA_EXPORT std::vector<Preset> default_presets();

}  // namespace media
