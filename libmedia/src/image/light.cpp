#include "image/light.hpp"

#include <algorithm>
#include <cmath>

#include "image/tone.hpp"

namespace media::image {
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

}  // namespace

ToSrgb::ToSrgb(const Light& light) : light_(light), matrix_(matrix_of(light.primaries)) {
  const bool bends = light.transfer != Light::Transfer::srgb;
  const double peak_nits = light.transfer == Light::Transfer::pq ? std::clamp(light.peak_nits, kLeastPeakNits, kMostPeakNits)
                           : bends                               ? kHlgPeakNits
                                                                 : kWhiteNits;
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
    code_[i] = static_cast<std::uint16_t>(std::lround(light_to_srgb(square) * 65535));
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

template <class Code>
void ToSrgb::convert_to(std::span<const std::uint16_t> from, std::span<Code> into, Layout layout) const noexcept {
  const auto code = [this](float light) {
    const std::uint16_t exact = code_[static_cast<std::size_t>(std::sqrt(std::clamp(light, 0.0F, 1.0F)) * (kSteps - 1) + 0.5F)];
    if constexpr (sizeof(Code) == 1) return narrowed(exact);
    return static_cast<Code>(exact);
  };
  const auto& m = matrix_;
  const std::size_t step = channels(layout);
  for (std::size_t i = 0; i + step <= from.size(); i += step) {
    const Rgb c = shown({linear_[from[i] >> 4U], linear_[from[i + 1] >> 4U], linear_[from[i + 2] >> 4U]});
    if (step == 4) {
      if constexpr (sizeof(Code) == 1) {
        into[i + 3] = narrowed(from[i + 3]);
      } else {
        into[i + 3] = from[i + 3];
      }
    }
    into[i] = code(m[0] * c.red + m[1] * c.green + m[2] * c.blue);
    into[i + 1] = code(m[3] * c.red + m[4] * c.green + m[5] * c.blue);
    into[i + 2] = code(m[6] * c.red + m[7] * c.green + m[8] * c.blue);
  }
}

void ToSrgb::convert(std::span<const std::uint16_t> from, std::span<std::uint8_t> into, Layout layout) const noexcept {
  convert_to(from, into, layout);
}
void ToSrgb::convert(std::span<const std::uint16_t> from, std::span<std::uint16_t> into, Layout layout) const noexcept {
  convert_to(from, into, layout);
}

}  // namespace media::image
