/// From the bytes of a picture to facts and encoded pictures, on the calling thread. What Processors are built on.
#pragma once

#include <functional>
#include <memory>
#include <span>

#include "image/control.hpp"
#include "image/format.hpp"
#include "media/io.hpp"
#include "media/media_info.hpp"
#include "media/processor.hpp"
#include "media/result.hpp"
#include "media/transform.hpp"

namespace media::image {

/// Decodes once and makes every output; the work behind Processor::derive. Errors as Processor's.
/// Of an animation or a sequence the first frame is taken, unless a transform keeps frames and its format can. The outputs do not depend on
/// `decoders`. Thread-safety: may be called concurrently, the reader's `read_at` permitting; there is no shared state.
Result<Derived> derive(const ByteReader& source, std::span<const Transform> transforms, const DeriveOptions& options,
                       Decoders decoders = Decoders::established);

/// Opens what has rows to give, as often as it is asked.
using OpenSource = std::function<Result<std::unique_ptr<Decoder>>(const Control&)>;
/// The same of whatever `open` gives: how pictures are made of a video's frames.
Result<Derived> derive(const OpenSource& open, std::span<const Transform> transforms, const DeriveOptions& options,
                       Decoders decoders = Decoders::established);

/// Lets the codec read the headers, but no pixels: what decoding would start from; the work behind Processor::probe.
/// Errors and thread-safety as `derive`'s; `corrupt` is said only of what the headers show.
Result<MediaInfo> probe(const ByteReader& source, const DeriveOptions& options);

}  // namespace media::image
