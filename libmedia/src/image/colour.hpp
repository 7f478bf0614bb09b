/// From a picture's own colours to sRGB.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "image/pixels.hpp"

namespace media::image {

/// The picture in sRGB (or in grey, where it is grey and has no profile to say otherwise): `rgb`, `rgba` or `grey`.
/// A profile that is absent, broken, of another kind than the pixels or sRGB itself changes nothing: a photo with a
/// damaged profile is shown as every viewer shows it. CMYK without a usable profile is mixed as light over ink.
Image to_srgb(Image image, std::span<const std::byte> profile);
/// The same at 16 bits.
DeepImage to_srgb(DeepImage image, std::span<const std::byte> profile);
/// True where `to_srgb` would leave RGB pixels of this profile as they are.
bool is_srgb(std::span<const std::byte> profile);

/// True for a profile that describes RGB, can be read, and is short enough to be written beside every picture (1 MiB).
bool is_rgb_profile(std::span<const std::byte> profile);
/// An sRGB colour in the space of such a profile; the colour itself where it cannot be converted.
Colour from_srgb(Colour colour, std::span<const std::byte> profile);

/// An ICC profile of RGB with these primaries (x and y of red, green, blue and white) and the transfer curve of sRGB;
/// empty where they make no sense.
std::vector<std::byte> profile_from_primaries(const std::array<float, 8>& primaries);

}  // namespace media::image
