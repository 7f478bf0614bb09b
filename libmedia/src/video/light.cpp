#include "video/light.hpp"

extern "C" {
#include <libavutil/mastering_display_metadata.h>
}

namespace media::video {
namespace {

double claimed_peak(const AVFrame& frame) noexcept {
  if (const auto* side = av_frame_get_side_data(&frame, AV_FRAME_DATA_CONTENT_LIGHT_LEVEL); side != nullptr) {
    const auto* level = reinterpret_cast<const AVContentLightMetadata*>(side->data);
    if (level->MaxCLL > 0) return level->MaxCLL;
  }
  if (const auto* side = av_frame_get_side_data(&frame, AV_FRAME_DATA_MASTERING_DISPLAY_METADATA); side != nullptr) {
    const auto* display = reinterpret_cast<const AVMasteringDisplayMetadata*>(side->data);
    if (display->has_luminance != 0 && display->max_luminance.den != 0) return av_q2d(display->max_luminance);
  }
  return Light{}.peak_nits;
}

}  // namespace

Light light_of(const AVFrame& frame) noexcept {
  Light light;
  if (frame.color_trc == AVCOL_TRC_SMPTE2084) light.transfer = Light::Transfer::pq;
  if (frame.color_trc == AVCOL_TRC_ARIB_STD_B67) light.transfer = Light::Transfer::hlg;
  if (frame.color_primaries == AVCOL_PRI_BT2020) light.primaries = Light::Primaries::bt2020;
  if (frame.color_primaries == AVCOL_PRI_SMPTE432) light.primaries = Light::Primaries::p3;
  // Unsaid, it is what all such material has.
  if (light.transfer != Light::Transfer::srgb && frame.color_primaries == AVCOL_PRI_UNSPECIFIED) light.primaries = Light::Primaries::bt2020;
  if (light.transfer == Light::Transfer::pq) light.peak_nits = claimed_peak(frame);
  return light;
}

}  // namespace media::video
