/// One frame of a video as a picture.
#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include "image/control.hpp"
#include "image/format.hpp"
#include "media/io.hpp"
#include "media/result.hpp"
#include "video/frames.hpp"

namespace media::video {

struct Still {
  MediaInfo info;       ///< The container's.
  image::Size picture;  ///< As it is seen, before it is turned.
  FrameHandle frame;
};

/// The frame at a time, or one that stands for the video. Errors as Processor's.
Result<std::shared_ptr<const Still>> take_still(const ByteReader& source, std::optional<std::chrono::milliseconds> at,
                                                const image::Control& control);

/// Gives the frame's rows, at a smaller size where that will do. Cheap: nothing is decoded again.
std::unique_ptr<image::Decoder> decoder_of(std::shared_ptr<const Still> still, const image::Control& control);

/// The size in which a frame is seen before it is turned.
image::Size picture_of(const AVFrame& frame, const AVStream& stream) noexcept;

/// From so large a picture one of `wanted` is made well: at least twice as large, and a whole part of the picture.
image::Size enough_for(image::Size picture, image::Size wanted) noexcept;

}  // namespace media::video
