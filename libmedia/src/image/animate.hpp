/// Animations in, animations out: frame by frame, of which few are in memory at a time.
#pragma once

#include <span>

#include "image/control.hpp"
#include "image/format.hpp"
#include "image/place.hpp"
#include "media/processor.hpp"
#include "media/result.hpp"
#include "media/transform.hpp"

namespace media::image {

/// True where a transform asks for frames and this build can write them in its format.
bool keeps_frames(const Transform& transform) noexcept;

/// Makes an animation of each transform, which all keep frames, where its placement says. Each frame goes the way of a still: cut and
/// resized, to sRGB, upright, edited. A score, a profile and credits are of no account. `decoder` is asked for facts alone. A frame that
/// looks like the one before in an output is not written: that one is shown for longer. Of an animation that does not move a still is made.
/// Errors as Processor's; the budget's limits for animations hold for the source and for each output.
Result<Derived> derive_frames(const Decoder& decoder, FrameReader& reader, std::span<const Transform> transforms,
                              std::span<const Placement> placements, const Control& control);

}  // namespace media::image
