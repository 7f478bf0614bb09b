/// What a transform does to the pixels of an upright picture that has its size.
#pragma once

#include <cstdint>

#include "image/pixels.hpp"
#include "media/transform.hpp"

namespace media::image {

/// True where `edit` would change a picture.
bool has_edits(const Transform& transform) noexcept;

/// Sharpens, blurs and pads, in this order, as far as the transform asks for it. The picture is grey, rgb or rgba; padded,
/// it may come out in another of these layouts. Pixels are whole numbers all the way, so that every machine makes the same bytes.
/// Memory: about 16 bytes a pixel beside the picture.
Image edit(Image picture, const Transform& transform);
DeepImage edit(DeepImage picture, const Transform& transform);

/// Gaussian blur of code values, as CSS has it; beyond an edge the picture is mirrored. Alpha is blurred along, and colours
/// count by it, so that what hides behind transparent pixels does not come out. From a sigma of 2 on four extended box
/// filters (Gwosdek et al., "Theoretical foundations of Gaussian convolution by extended box filtering", 2011) stand for
/// the Gaussian: the time does not depend on sigma, and an edge is off by less than a hundredth of its height.
Image blur(Image picture, std::uint32_t sigma_hundredths);
DeepImage blur(DeepImage picture, std::uint32_t sigma_hundredths);

/// Unsharp mask on brightness, which leaves hues alone. No code value moves by more than kMaxSharpening (of 255): at a hard edge
/// more is a halo.
Image sharpen(Image picture, std::uint32_t amount_hundredths, std::uint32_t sigma_hundredths);
DeepImage sharpen(DeepImage picture, std::uint32_t amount_hundredths, std::uint32_t sigma_hundredths);
inline constexpr int kMaxSharpening = 48;

}  // namespace media::image
