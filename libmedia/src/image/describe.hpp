/// What is known of a picture by its looks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "image/pixels.hpp"
#include "image/plan.hpp"
#include "media/appearance.hpp"

namespace media::image {

/// The whole of a picture, so small that no more of it is looked at than `describe` needs.
Geometry small_geometry(Size picture);

/// Describes a picture (grey, RGB or RGBA in sRGB, of any size from 1 x 1) as it is seen once an EXIF orientation (1 to 8) is applied.
/// Of a large one a sample of its pixels is looked at, so that it costs no more than a small one.
Appearance describe(const Image& picture, std::uint8_t orientation);

/// Is it as long as its first bytes say, with nothing set that means nothing?
bool is_thumbhash(std::span<const std::byte> bytes) noexcept;

}  // namespace media::image
