/// What a worker says that it encoded, looked at before anybody else sees it.
#pragma once

#include "media/io.hpp"
#include "media/processor.hpp"
#include "media/result.hpp"
#include "media/transform.hpp"

namespace media::cage {

/// Whether `output` is what was ordered by `transform` of `source`, by our own probe of both: its type and codecs, one picture track of the
/// size that the worker told and within the box, one sound track at most, no encryption, not much longer than the source says that it is,
/// and put together as `encoded_length` wants it. A film that ends early is not told from one whose source does. `internal` where it is
/// not: a worker that says so is as good as dead.
Result<void> check_encoded(const ByteReader& source, const Transform& transform, const Encoded& output);

}  // namespace media::cage
