#include "video/convert.hpp"

extern "C" {
#include <libavutil/pixdesc.h>
}

#include <cstring>
#include <span>
#include <string>

namespace media::video {
namespace {

/// So many lines of standard definition has PAL; what has more is encoded as BT.709 where it does not say.
constexpr int kStandardLines = 576;

/// The old names for planes of full range: swscale knows them, and says so on standard error.
bool is_jpeg_format(int format) noexcept {
  return format == AV_PIX_FMT_YUVJ420P || format == AV_PIX_FMT_YUVJ422P || format == AV_PIX_FMT_YUVJ444P || format == AV_PIX_FMT_YUVJ440P ||
         format == AV_PIX_FMT_YUVJ411P;
}

Error no_memory() { return Error{Errc::too_large, "a frame takes more memory than the budget allows"}; }

}  // namespace

int matrix_of(const AVFrame& frame) noexcept {
  switch (frame.colorspace) {
    case AVCOL_SPC_BT709:
      return SWS_CS_ITU709;
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL:
      return SWS_CS_BT2020;
    case AVCOL_SPC_SMPTE240M:
      return SWS_CS_SMPTE240M;
    case AVCOL_SPC_FCC:
      return SWS_CS_FCC;
    case AVCOL_SPC_BT470BG:
    case AVCOL_SPC_SMPTE170M:
      return SWS_CS_ITU601;
    default:
      return frame.height > kStandardLines ? SWS_CS_ITU709 : SWS_CS_ITU601;
  }
}

bool is_full_range(const AVFrame& frame) noexcept { return frame.color_range == AVCOL_RANGE_JPEG || is_jpeg_format(frame.format); }

Result<void> Converter::prepare(const AVFrame& frame, const Shape& shape) {
  if (scaler_ && shape == shape_) return {};
  const auto format = static_cast<AVPixelFormat>(shape.format);
  if (sws_isSupportedInput(format) == 0) {
    const char* const name = av_get_pix_fmt_name(format);
    return Error{Errc::unsupported, std::string("frames of the pixel format ") + (name != nullptr ? name : "?") + " cannot be converted"};
  }
  const auto width = static_cast<std::uint32_t>(frame.width);
  const bool same = shape.size == image::Size{width, static_cast<std::uint32_t>(frame.height)};
  // Averages where it gets smaller. At the same size exact rounding would keep swscale from its fast ways (1080p: 0.7 against 8 ms), which
  // are exact enough; elsewhere it is what keeps colours from being two values off.
  const int flags = (shape.size.width < width ? SWS_AREA : SWS_BILINEAR) | SWS_FULL_CHR_H_INT | (same ? 0 : SWS_ACCURATE_RND);
  scaler_.reset(sws_getContext(frame.width, frame.height, format, static_cast<int>(shape.size.width), static_cast<int>(shape.size.height),
                               shape.deep ? AV_PIX_FMT_RGB48 : AV_PIX_FMT_RGB24, flags, nullptr, nullptr, nullptr));
  if (!scaler_) return no_memory();
  const int* const coefficients = sws_getCoefficients(shape.matrix);
  // Fails for frames that are RGB already, which need none of it.
  sws_setColorspaceDetails(scaler_.get(), coefficients, shape.full ? 1 : 0, coefficients, 1, 0, 1 << 16, 1 << 16);
  shape_ = shape;
  return {};
}

Result<image::Image> Converter::convert(const AVFrame& frame, image::Size size, const image::Control& control) {
  const Light light = light_of(frame);
  const bool deep = !light.plain();
  MEDIA_TRY(control.check_memory(size.pixels() * (deep ? 12 : 9), "a frame"));
  const Shape shape{frame.width, frame.height, frame.format, matrix_of(frame), is_full_range(frame), size, deep};
  MEDIA_TRY(prepare(frame, shape));
  // In a frame of FFmpeg's own, because swscale writes whole registers, past the end of a row.
  const FrameHandle out(av_frame_alloc());
  if (!out) return no_memory();
  out->width = static_cast<int>(size.width);
  out->height = static_cast<int>(size.height);
  out->format = deep ? AV_PIX_FMT_RGB48 : AV_PIX_FMT_RGB24;
  if (av_frame_get_buffer(out.get(), 0) < 0) return no_memory();
  if (sws_scale(scaler_.get(), frame.data, frame.linesize, 0, frame.height, out->data, out->linesize) < 0) return no_memory();
  image::Image image(size, image::Layout::rgb);
  if (deep && light_ != light) {
    to_srgb_ = std::make_unique<image::ToSrgb>(light);
    light_ = light;
  }
  for (std::uint32_t y = 0; y < size.height; ++y) {
    const std::uint8_t* const row = out->data[0] + static_cast<std::ptrdiff_t>(y) * out->linesize[0];
    if (deep) {
      to_srgb_->convert({reinterpret_cast<const std::uint16_t*>(row), image.stride()}, image.row(y));
    } else {
      std::memcpy(image.row(y).data(), row, image.stride());
    }
  }
  return image;
}

}  // namespace media::video
