/// The one thing that pictures need from EXIF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace media::image {

/// Orientation, 1 to 8, from an EXIF block: a TIFF header and its first directory (CIPA DC-008-2019, 4.6), with or
/// without the six bytes "Exif\0\0" before it. 1 where it is absent or broken: a damaged block must not lose a photo.
std::uint8_t exif_orientation(std::span<const std::byte> block) noexcept;

}  // namespace media::image
