/// How a file that a worker encoded is put together, by tables and blocks and not by what its head says.
#pragma once

#include <chrono>

#include "media/io.hpp"
#include "media/media_info.hpp"
#include "media/result.hpp"

namespace media::cage {

/// How long the frames of an MP4 or WebM are, as our own muxer writes it: nothing behind it, nothing in it that does not belong to one
/// film, every frame within its bytes, none in another file, and each of the pictures' beginning as H.264's and VP9's do. What a frame
/// holds beyond that only a decoder could say. `corrupt` with the reason where it is anything else; the reader's own errors.
Result<std::chrono::milliseconds> encoded_length(const ByteReader& content, Format format);

}  // namespace media::cage
