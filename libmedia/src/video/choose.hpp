/// Which frame stands for a video.
#pragma once

#include "image/control.hpp"
#include "image/pixels.hpp"
#include "media/result.hpp"
#include "video/frames.hpp"

namespace media::video {

/// How much a picture (rgb, small) has to show: 0 (black, white, one colour) to 1. Well lit, with different tones, and sharp; a blend of
/// two scenes and a fade are less of all that than the scenes themselves.
double liveliness(const image::Image& picture);

/// Looks at key frames from all over the video, of which each costs one decoded frame, until one of at least three shows enough; where
/// none does, at a few frames between. The same video gives the same frame. Errors: `corrupt` (no frame can be decoded), `too_large`,
/// `cancelled`.
Result<Timed> representative(Container& container, FrameSource& frames, const image::Control& control);

}  // namespace media::video
