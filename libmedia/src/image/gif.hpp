/// GIF out: one file decodes, the other encodes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "image/format.hpp"

namespace media::image {

/// As `Codec::encode`; GIF has no quality.
Result<std::vector<std::byte>> encode_gif(const Image& image, const Encoding& encoding, const Control& control);
/// As `Codec::animate`.
Result<std::unique_ptr<FrameWriter>> write_gif_frames(Size size, int quality, std::uint32_t plays, const Control& control);
std::string gif_version();

}  // namespace media::image
