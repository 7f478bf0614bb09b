/// A few seconds of a video as an animation.
#pragma once

#include <memory>

#include "image/control.hpp"
#include "image/format.hpp"
#include "media/io.hpp"
#include "media/result.hpp"
#include "media/transform.hpp"

namespace media::video {

/// A decoder whose frames are three seconds from `transform.at` on, or from a frame that stands for the video, ten a second; of a video
/// that ends before, fewer. They come as large as the transform, which is canonical, makes good use of. Errors as Processor's.
Result<std::unique_ptr<image::Decoder>> open_clip(const ByteReader& source, const Transform& transform, const image::Control& control);

}  // namespace media::video
