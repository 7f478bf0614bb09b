/// What a frame of a video says of its light.
#pragma once

#include "image/light.hpp"
#include "video/handles.hpp"

namespace media::video {

using image::Light;

Light light_of(const AVFrame& frame) noexcept;

}  // namespace media::video
