/// Turning pictures upright.
#pragma once

#include <cstdint>

#include "image/pixels.hpp"

namespace media::image {

/// Width and height as seen: exchanged by orientations 5 to 8.
constexpr Size upright(Size coded, std::uint8_t orientation) noexcept { return orientation >= 5 ? Size{coded.height, coded.width} : coded; }

/// The one orientation that turns a picture as `first` and then `second` do.
std::uint8_t combined(std::uint8_t first, std::uint8_t second) noexcept;
/// What a transform asks to be rotated and then mirrored, as an orientation.
std::uint8_t turn_of(const Transform& transform) noexcept;

/// Applies an EXIF orientation (1 to 8; anything else is 1): the result is upright.
Image orient(const Image& image, std::uint8_t orientation);

}  // namespace media::image
