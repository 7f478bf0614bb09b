/// From the bytes of a video to facts and encoded pictures, on the calling thread: what media-video-worker does.
#pragma once

#include <span>

#include "image/control.hpp"
#include "media/io.hpp"
#include "media/media_info.hpp"
#include "media/processor.hpp"
#include "media/result.hpp"
#include "media/transform.hpp"

namespace media::video {

/// Makes every output: stills of one moment share one decoded frame, a clip or a sheet is made by itself. What is described is the frame
/// that stands for the video, where any output shows it. Errors as Processor's. Thread-safety: as image::derive's.
Result<Derived> derive(const ByteReader& source, std::span<const Transform> transforms, const DeriveOptions& options,
                       image::Decoders decoders = image::Decoders::established);

/// What the container says; nothing is decoded. Errors and thread-safety as `derive`'s.
Result<MediaInfo> probe(const ByteReader& source, const DeriveOptions& options);

}  // namespace media::video
