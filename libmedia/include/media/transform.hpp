/// What to derive from a picture or a video: one value, one canonical spelling.
#pragma once

#include <chrono>
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
  cover,    ///< Box filled, proportions kept, what hangs over is cut off; `gravity` says where.
  fill,     ///< Box filled by stretching.
  inside,   ///< As contain; a box that lacks one side takes the picture's proportions. The default.
  none,     ///< Not scaled: what hangs over the box is cut off, as with cover.
  pad,      ///< As contain, and the box is filled up with `background` (unset: transparent, in a JPEG white).
};

/// The point of a picture that is to be seen, where not all of it is, as shares of the upright picture from its upper
/// left, in thousandths. The compass points are nine of these: north is (500, 0), southeast (1000, 1000).
struct Gravity {
  std::uint16_t x = 500;
  std::uint16_t y = 500;
  /// Found by looking at the picture: `x` and `y` mean nothing then.
  bool smart = false;
  friend bool operator==(const Gravity&, const Gravity&) = default;
};

/// Which frames of an animation or a video are kept. A still has one.
enum class Frames : std::uint8_t {
  first,  ///< One, as a still: the first of an animation; of a video the one that `Transform::at` says.
  all,    ///< All of an animation, with their times and the number of plays, where the output's format can hold them (`can_animate`).
  clip,   ///< Three seconds of a video as an animation without end, ten frames a second, where the output's format can hold them.
  sheet,  ///< Frames from all over a video as tiles of one still, row by row; each meets the box. See `sheet_layout` for their times.
};

/// An opaque colour, 8 bits a channel, sRGB.
struct Colour {
  std::uint8_t red = 255;
  std::uint8_t green = 255;
  std::uint8_t blue = 255;
  friend bool operator==(const Colour&, const Colour&) = default;
};

/// What to make of an image, or of a video's frames. Zero means "not given".
///
/// What is done comes in one order, whatever the order of the keys: the picture is turned upright (EXIF), rotated,
/// mirrored, trimmed, cut and scaled to its box, sharpened, blurred, laid over its background, and padded. Turning goes
/// first, so that the box, the gravity and the edges are those of the picture that is seen.
struct Transform {
  std::uint32_t width = 0;   ///< Pixels, at most 16384; 0: by proportion, or the picture's own.
  std::uint32_t height = 0;  ///< As width.
  Fit fit = Fit::inside;
  /// jpeg, png, webp, avif or gif; mp4 or webm for a video (`makes_video`), of which the size, `keep_codecs` and nothing else is said.
  Format format = Format::avif;
  /// 1 to 100 of the encoder's own scale; 0: the format's default. Ignored by PNG and GIF, and where a score is given.
  std::uint8_t quality = 0;
  /// Never more pixels than the source has, unless set.
  bool enlarge = false;
  /// Where alpha goes: unset keeps it (JPEG, which has none, takes white).
  std::optional<Colour> background{};
  /// What `cover` and `none` keep, and where in its box `pad` puts the picture.
  Gravity gravity{};
  /// Device pixels for each of `width` and `height`, in hundredths: 100 to 400.
  std::uint16_t dpr_hundredths = 100;
  /// Clockwise: 0, 90, 180 or 270.
  std::uint16_t rotate_degrees = 0;
  bool flip_horizontal = false;  ///< Left and right exchanged, after rotating.
  bool flip_vertical = false;    ///< Top and bottom exchanged, after rotating.
  /// 1 to 100; 0: not. Whole rows and columns at an edge go whose code values differ by no more than this.
  std::uint8_t trim = 0;
  /// Unsharp mask: how much of the difference to the blurred picture is added, 1 to 500; 0: not.
  std::uint16_t sharpen_hundredths = 0;
  /// Standard deviation of its blur, in pixels of the output: 30 to 1000.
  std::uint16_t sharpen_sigma_hundredths = 100;
  /// Gaussian blur: its standard deviation in pixels of the output, 30 to 10000; 0: not.
  std::uint16_t blur_hundredths = 0;
  /// The pixels stay in the source's RGB profile, which is written along, instead of being converted to sRGB.
  bool keep_profile = false;
  /// Copyright and creator of the source's EXIF are written along; nothing else of it ever is.
  bool keep_copyright = false;
  /// Likeness to the picture before it is encoded, in tenths of a percent of structural similarity: 965 is 96.5. The smallest file that
  /// reaches it is made, whatever the format's own scale. 0: not asked for. Ignored by PNG and GIF, and of an animation whose frames are
  /// kept.
  std::uint16_t score = 0;
  /// Bytes that the picture may have at most; quality goes down to keep within. 0: any.
  std::uint32_t max_bytes = 0;
  Frames frames = Frames::first;
  /// Of a video: which frame is taken, or where a clip begins, from the beginning on, at most 100 hours. Absent: a frame that stands for
  /// the video, found by looking at some. The last one where the video is shorter.
  std::optional<std::chrono::milliseconds> at{};
  /// Of an mp4: nothing is encoded anew. The same tracks in the same file, arranged so that it can be played while it still comes.
  bool keep_codecs = false;
  /// Bits a sample of the output: 8, or 10 of a single picture as AVIF. All that sources of 10 to 16 bits have goes that way. What is cut
  /// by looking (`trim`, a smart gravity) and a score are judged at 8 bits in any case. Other outputs ignore it.
  std::uint8_t depth = 8;

  friend bool operator==(const Transform&, const Transform&) = default;
};

/// The same picture in other words: what means nothing is left at its default, and `dpr` is multiplied into the box.
/// Two transforms that mean the same are equal then.
MEDIA_EXPORT Transform canonical(const Transform& transform);
/// The one spelling, of the canonical transform:
/// `w=320,h=240,fit=cover,gravity=north,format=avif,q=50,max_bytes=20000,enlarge=1,bg=ffffff,rotate=90,flip=h,trim=10,sharpen=1,blur=2.5,icc=keep,meta=copyright,frames=all,at=12.5`,
/// or with `depth=10` behind the format, in this order, defaults left out (format is always there). Two transforms that mean the same spell
/// the same.
MEDIA_EXPORT std::string to_string(const Transform& transform);
/// Reads what `to_string` writes, keys in any order. `invalid_argument` names the key and what it accepts.
MEDIA_EXPORT Result<Transform> parse_transform(std::string_view text);
/// Sets one key ("w", "fit", "gravity", "dpr", …: docs/transforms.md has them all) from text; `invalid_argument` as above.
/// The one place where the keys and their ranges are known: query strings and flags go through it.
MEDIA_EXPORT Result<void> set_transform_key(Transform& transform, std::string_view key, std::string_view value);

/// True where a video comes of it, and no picture: of a video or an animation, encoded for browsers (H.264 and AAC in mp4, VP9 and Opus in
/// webm) at most as large as its box (1280 x 720, or 720 x 1280 where it is upright), or as it is (`Transform::keep_codecs`).
MEDIA_EXPORT bool makes_video(const Transform& transform) noexcept;
/// True where frames are decoded and encoded anew for it, which takes about as long as the video plays.
MEDIA_EXPORT bool encodes_video(const Transform& transform) noexcept;

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
