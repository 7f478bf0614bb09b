/// From a video or an animation to a video that browsers play, on the calling thread: what media-video-worker does.
#pragma once

#include "image/control.hpp"
#include "media/io.hpp"
#include "media/processor.hpp"
#include "media/result.hpp"
#include "media/transform.hpp"
#include "video/muxer.hpp"

namespace media::video {

/// Encodes a video (`encodes_video`): H.264 and AAC in MP4, whose index comes behind its frames, or VP9 and Opus in WebM. The bytes go
/// where `put` says; the one output has its size and no bytes. Progress is told by the time that was encoded. Errors as Processor's.
Result<Derived> encode(const ByteReader& source, const Transform& transform, const DeriveOptions& options, image::Decoders decoders,
                       const PutBytes& put);

}  // namespace media::video
