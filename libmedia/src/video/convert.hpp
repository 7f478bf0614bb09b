/// From a decoder's frame to pixels.
#pragma once

#include <memory>
#include <optional>

#include "image/control.hpp"
#include "image/pixels.hpp"
#include "media/result.hpp"
#include "video/handles.hpp"
#include "video/light.hpp"

namespace media::video {

/// The frame's matrix, as swscale counts them (SWS_CS_…); see `Converter::convert` for one that does not say.
int matrix_of(const AVFrame& frame) noexcept;
/// True where its code values use the full range.
bool is_full_range(const AVFrame& frame) noexcept;

/// Scales while it converts. Keeps swscale's tables from frame to frame, as long as they are alike.
///
/// Thread-safety: none; it works in its tables.
class Converter {
 public:
  /// The whole frame as sRGB (`rgb`), at this size. Matrix and range are the frame's own; where it does not say, BT.709 from 577 lines on
  /// and BT.601 below, and limited. Errors: `too_large`, `unsupported`.
  Result<image::Image> convert(const AVFrame& frame, image::Size size, const image::Control& control);

 private:
  struct Shape {
    int width = 0;
    int height = 0;
    int format = -1;
    int matrix = 0;
    bool full = false;
    image::Size size;
    bool deep = false;
    friend bool operator==(const Shape&, const Shape&) = default;
  };
  Result<void> prepare(const AVFrame& frame, const Shape& shape);

  Shape shape_;
  ScalerHandle scaler_;
  std::optional<Light> light_;
  std::unique_ptr<image::ToSrgb> to_srgb_;
};

}  // namespace media::video
