/// From millions of colours to a palette.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "image/pixels.hpp"

namespace media::image {

using PaletteColour = std::array<std::uint8_t, 3>;

struct Indexed {
  std::vector<PaletteColour> palette;
  /// One a pixel; `palette.size()` where no colour was asked for.
  std::vector<std::uint8_t> indices;
};

/// Chooses at most `most` (1 to 255) colours for those pixels of an rgba picture whose `wanted` (one byte a pixel) is not 0; alpha is
/// not looked at. Where these have no more colours than that, each keeps its own; else the palette is made by splitting the box of
/// colours that errs most (median cut by variance), bettered once by the colours that came to it, and what a pixel lacks is passed on to
/// its neighbours (Floyd and Steinberg, three quarters of it, so that plain areas stay calm).
Indexed quantise(const Image& image, std::span<const std::uint8_t> wanted, std::size_t most);

}  // namespace media::image
