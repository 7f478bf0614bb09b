#include "video/light.hpp"

extern "C" {
#include <libavutil/mastering_display_metadata.h>
}

#include <algorithm>
#include <cmath>

namespace media::video {
namespace {

constexpr double kWhiteNits = 203;  // ITU-R BT.2408-7, section 2.2
constexpr double kHlgPeakNits = 1000;
constexpr double kLeastPeakNits = 400;
constexpr double kMostPeakNits = 10'000;

// SMPTE ST 2084.
constexpr double kM1 = 2610.0 / 16384;
constexpr double kM2 = 2523.0 / 4096 * 128;
constexpr double kC1 = 3424.0 / 4096;
constexpr double kC2 = 2413.0 / 4096 * 32;
constexpr double kC3 = 2392.0 / 4096 * 32;

double pq_to_nits(double code) {
  const double root = std::pow(code, 1 / kM2);
  return 10'000 * std::pow(std::max(root - kC1, 0.0) / (kC2 - kC3 * root), 1 / kM1);
}

double nits_to_pq(double nits) {
  const double root = std::pow(nits / 10'000, kM1);
  return std::pow((kC1 + kC2 * root) / (1 + kC3 * root), kM2);
}

/// BT.2100-2, table 5: from a code value to the scene's light.
double hlg_to_scene(double code) {
  constexpr double kA = 0.17883277;
  const double b = 1 - 4 * kA;
  const double c = 0.5 - kA * std::log(4 * kA);
  return code <= 0.5 ? code * code / 3 : (std::exp((code - c) / kA) + b) / 12;
}

double srgb_to_light(double code) { return code <= 0.04045 ? code / 12.92 : std::pow((code + 0.055) / 1.055, 2.4); }
double light_to_srgb(double light) { return light <= 0.0031308 ? light * 12.92 : 1.055 * std::pow(light, 1 / 2.4) - 0.055; }

/// BT.2390-10, 5.4.1: the curve from a peak down to white, in PQ.
double bent(double nits, double peak_nits) {
  const double source = nits_to_pq(peak_nits);
  const double target = nits_to_pq(kWhiteNits) / source;
  const double knee = 1.5 * target - 0.5;
  const double value = nits_to_pq(nits) / source;
  if (value < knee) return nits;
  const double t = (std::min(value, 1.0) - knee) / (1 - knee);
  const double t2 = t * t;
  const double t3 = t2 * t;
  const double out = (2 * t3 - 3 * t2 + 1) * knee + (t3 - 2 * t2 + t) * (1 - knee) + (-2 * t3 + 3 * t2) * target;
  return pq_to_nits(out * source);
}

/// To BT.709 primaries, white of D65 on both sides (BT.2087-0; P3 by the same way).
constexpr std::array<float, 9> kSame{1, 0, 0, 0, 1, 0, 0, 0, 1};
constexpr std::array<float, 9> kFrom2020{1.6605F, -0.5876F, -0.0728F, -0.1246F, 1.1329F, -0.0083F, -0.0182F, -0.1006F, 1.1187F};
constexpr std::array<float, 9> kFromP3{1.2249F, -0.2247F, 0, -0.0420F, 1.0419F, 0, -0.0197F, -0.0786F, 1.0979F};

const std::array<float, 9>& matrix_of(Light::Primaries primaries) {
  switch (primaries) {
    case Light::Primaries::bt2020:
      return kFrom2020;
    case Light::Primaries::p3:
      return kFromP3;
    case Light::Primaries::bt709:
      break;
  }
  return kSame;
}

double claimed_peak(const AVFrame& frame) noexcept {
  if (const auto* side = av_frame_get_side_data(&frame, AV_FRAME_DATA_CONTENT_LIGHT_LEVEL); side != nullptr) {
    const auto* level = reinterpret_cast<const AVContentLightMetadata*>(side->data);
    if (level->MaxCLL > 0) return level->MaxCLL;
  }
  if (const auto* side = av_frame_get_side_data(&frame, AV_FRAME_DATA_MASTERING_DISPLAY_METADATA); side != nullptr) {
    const auto* display = reinterpret_cast<const AVMasteringDisplayMetadata*>(side->data);
    if (display->has_luminance != 0 && display->max_luminance.den != 0) return av_q2d(display->max_luminance);
  }
  return kHlgPeakNits;
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
  if (light.transfer == Light::Transfer::pq) light.peak_nits = std::clamp(claimed_peak(frame), kLeastPeakNits, kMostPeakNits);
  return light;
}

ToSrgb::ToSrgb(const Light& light) : light_(light), matrix_(matrix_of(light.primaries)) {
  const bool bends = light.transfer != Light::Transfer::srgb;
  const double peak_nits = light.transfer == Light::Transfer::pq ? light.peak_nits : bends ? kHlgPeakNits : kWhiteNits;
  peak_ = static_cast<float>(peak_nits / kWhiteNits);
  for (std::size_t i = 0; i < kSteps; ++i) {
    const double share = static_cast<double>(i) / (kSteps - 1);
    const double square = share * share;
    switch (light.transfer) {
      case Light::Transfer::pq:
        linear_[i] = static_cast<float>(std::min(pq_to_nits(share), peak_nits) / kWhiteNits);
        break;
      case Light::Transfer::hlg:
        linear_[i] = static_cast<float>(hlg_to_scene(share));
        break;
      case Light::Transfer::srgb:
        linear_[i] = static_cast<float>(srgb_to_light(share));
        break;
    }
    const double nits = square * peak_nits;
    bend_[i] = bends && nits > 0 ? static_cast<float>(bent(nits, peak_nits) / nits) : 1;
    // BT.2100-2: the luminance to the power of gamma - 1, gamma being 1.2 for a peak of 1,000 cd/m2.
    system_[i] = static_cast<float>(std::pow(square, 0.2) * kHlgPeakNits / kWhiteNits);
    code_[i] = static_cast<std::uint8_t>(std::lround(light_to_srgb(square) * 255));
  }
}

ToSrgb::Rgb ToSrgb::shown(const Rgb& linear) const noexcept {
  const auto step = [](float share) { return static_cast<std::size_t>(std::sqrt(std::clamp(share, 0.0F, 1.0F)) * (kSteps - 1) + 0.5F); };
  Rgb out = linear;
  if (light_.transfer == Light::Transfer::hlg) {
    const float factor = system_[step(0.2627F * out.red + 0.6780F * out.green + 0.0593F * out.blue)];
    out = {out.red * factor, out.green * factor, out.blue * factor};
  }
  if (light_.transfer == Light::Transfer::srgb) return out;
  const float factor = bend_[step(std::max({out.red, out.green, out.blue}) / peak_)];
  return {out.red * factor, out.green * factor, out.blue * factor};
}

void ToSrgb::convert(std::span<const std::uint16_t> from, std::span<std::uint8_t> into) const noexcept {
  const auto code = [this](float light) {
    return code_[static_cast<std::size_t>(std::sqrt(std::clamp(light, 0.0F, 1.0F)) * (kSteps - 1) + 0.5F)];
  };
  const auto& m = matrix_;
  for (std::size_t i = 0; i + 3 <= from.size(); i += 3) {
    const Rgb c = shown({linear_[from[i] >> 4U], linear_[from[i + 1] >> 4U], linear_[from[i + 2] >> 4U]});
    into[i] = code(m[0] * c.red + m[1] * c.green + m[2] * c.blue);
    into[i + 1] = code(m[3] * c.red + m[4] * c.green + m[5] * c.blue);
    into[i + 2] = code(m[6] * c.red + m[7] * c.green + m[8] * c.blue);
  }
}

}  // namespace media::video
