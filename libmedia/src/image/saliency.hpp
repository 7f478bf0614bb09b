/// Where in a picture its subject is.
#pragma once

#include "image/pixels.hpp"
#include "media/transform.hpp"

namespace media::image {

/// The longer side of a picture that is looked at: more pixels find the same subjects.
inline constexpr std::uint32_t kLookSide = 160;

/// The point about which a window of these shares of the width and the height (0 to 1, as Geometry has them) shows most of
/// what draws the eye: edges, strong colours, the colours of skin, and whatever differs from the rest. The picture is
/// upright, grey, rgb or rgba, and small (kLookSide). Where nothing stands out it is the centre. Whole numbers only.
Gravity salient_point(const Image& picture, double keep_width, double keep_height);

}  // namespace media::image
