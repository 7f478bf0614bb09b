/// Between 8-bit code values and the 15-bit samples in which pictures are resampled.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

namespace media::image {

/// White. 15 bits, because the products of the resampler are of signed 16-bit numbers, and because the darkest
/// steps of sRGB are still 10 apart there.
inline constexpr int kFullLight = 32767;

using ToSamples = std::array<std::int16_t, 256>;
using FromSamples = std::array<std::uint8_t, kFullLight + 1>;

/// sRGB code values to light (IEC 61966-2-1).
inline const ToSamples& to_light() {
  static const ToSamples kTable = [] {
    ToSamples out{};
    for (std::size_t i = 0; i < out.size(); ++i) {
      const double code = static_cast<double>(i) / 255.0;
      const double light = code <= 0.04045 ? code / 12.92 : std::pow((code + 0.055) / 1.055, 2.4);
      out[i] = static_cast<std::int16_t>(std::lround(light * kFullLight));
    }
    return out;
  }();
  return kTable;
}

inline const FromSamples& from_light() {
  static const FromSamples kTable = [] {
    FromSamples out{};
    for (std::size_t i = 0; i < out.size(); ++i) {
      const double light = static_cast<double>(i) / kFullLight;
      const double code = light <= 0.0031308 ? light * 12.92 : 1.055 * std::pow(light, 1 / 2.4) - 0.055;
      out[i] = static_cast<std::uint8_t>(std::lround(code * 255.0));
    }
    return out;
  }();
  return kTable;
}

/// Code values spread evenly, for what is not sRGB light (ink, alpha) and for enlarging, where ringing in light shows.
inline const ToSamples& to_even() {
  static const ToSamples kTable = [] {
    ToSamples out{};
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::int16_t>((i * kFullLight + 127) / 255);
    return out;
  }();
  return kTable;
}

inline const FromSamples& from_even() {
  static const FromSamples kTable = [] {
    FromSamples out{};
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::uint8_t>((i * 255 + kFullLight / 2) / kFullLight);
    return out;
  }();
  return kTable;
}

}  // namespace media::image
