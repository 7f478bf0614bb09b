/// Turning pictures upright.
#pragma once

#include <cstdint>

#include "image/pixels.hpp"

namespace media::image {

/// Width and height as seen: exchanged by orientations 5 to 8.
constexpr Size upright(Size coded, std::uint8_t orientation) noexcept { return orientation >= 5 ? Size{coded.height, coded.width} : coded; }

/// Which sides, as they are coded, run the other way in the upright picture.
struct Reversed {
  bool x = false;
  bool y = false;
};
constexpr Reversed reversed_by(std::uint8_t orientation) noexcept {
  return {orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8,
          orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7};
}

/// The one orientation that turns a picture as `first` and then `second` do.
std::uint8_t combined(std::uint8_t first, std::uint8_t second) noexcept;
/// What a transform asks to be rotated and then mirrored, as an orientation.
std::uint8_t turn_of(const Transform& transform) noexcept;

/// Applies an EXIF orientation (1 to 8; anything else is 1): the result is upright.
Image orient(const Image& image, std::uint8_t orientation);
/// Without a copy where there is nothing to do.
Image orient(Image&& image, std::uint8_t orientation);
DeepImage orient(DeepImage&& image, std::uint8_t orientation);

}  // namespace media::image
