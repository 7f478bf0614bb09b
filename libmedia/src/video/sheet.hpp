/// Frames from all over a video, side by side.
#pragma once

#include <memory>

#include "image/control.hpp"
#include "image/format.hpp"
#include "media/io.hpp"
#include "media/result.hpp"
#include "media/transform.hpp"

namespace media::video {

/// A decoder whose picture is the sheet, upright, of tiles as large as the transform, which is canonical, makes of one frame; which frames
/// there are `sheet_layout` says. Each tile shows the key frame before its time. Errors as Processor's; `unsupported` where the file does
/// not say how long it is.
Result<std::unique_ptr<image::Decoder>> open_sheet(const ByteReader& source, const Transform& transform, const image::Control& control);

}  // namespace media::video
