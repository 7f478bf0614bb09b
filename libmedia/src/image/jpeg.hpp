/// What the two halves of the JPEG format share.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "image/format.hpp"
#include "media/result.hpp"

namespace media::image {

/// How much bigger than its use a JPEG is decoded, at least: the box filter that scaling in the DCT amounts to
/// then touches little but what Lanczos takes away anyhow.
inline constexpr double kJpegReserve = 2;
/// The same where more would mean to decode at full size, which costs twice as much as half size does.
inline constexpr double kJpegReserveAtHalf = 1.2;

/// The scale, in eighths, at which a picture is decoded that is going to be used at `wanted`.
int jpeg_scale(Size picture, Size wanted) noexcept;

Result<std::vector<std::byte>> encode_jpeg(const Image& image, const Encoding& encoding, const Control& control);
/// `planes` with half of the colour.
Result<std::vector<std::byte>> encode_jpeg_planes(const Planes& planes, const Encoding& encoding, const Control& control);
std::string jpeg_version();

}  // namespace media::image
