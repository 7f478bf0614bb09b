/// From a video or an animation to a video that browsers play, on the calling thread: what media-video-worker does.
#pragma once

#include <chrono>

#include "image/control.hpp"
#include "image/pixels.hpp"
#include "media/io.hpp"
#include "media/processor.hpp"
#include "media/result.hpp"
#include "media/transform.hpp"
#include "video/muxer.hpp"

namespace media::video {

struct EncodedVideo {
  MediaInfo source;
  image::Size size;
  /// How much of the source's sound is missing because it could not be decoded, in between and at the end; 0 where that is less than two
  /// seconds, and where there is no track of sound.
  std::chrono::milliseconds lost_sound{0};
};

/// Encodes a video (`encodes_video`): H.264 and AAC in MP4, whose index comes behind its frames, or VP9 and Opus in WebM. The bytes go
/// where `put` says. Progress is told by the time that was encoded. Errors as Processor's.
Result<EncodedVideo> encode(const ByteReader& source, const Transform& transform, const DeriveOptions& options, image::Decoders decoders,
                            const PutBytes& put);

}  // namespace media::video
