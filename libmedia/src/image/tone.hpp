/// Between code values and the samples in which pictures are resampled: 15 bits for 8-bit pictures, 20 for those of 16.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace media::image {

/// White. 15 bits, because the products of the resampler are of signed 16-bit numbers, and because the darkest
/// steps of sRGB are still 10 apart there.
inline constexpr int kFullLight = 32767;

using ToSamples = std::array<std::int16_t, 256>;
using FromSamples = std::array<std::uint8_t, kFullLight + 1>;

/// Light of an sRGB code value and back, both from 0 to 1 (IEC 61966-2-1).
inline double srgb_to_light(double code) { return code <= 0.04045 ? code / 12.92 : std::pow((code + 0.055) / 1.055, 2.4); }
inline double light_to_srgb(double light) { return light <= 0.0031308 ? light * 12.92 : 1.055 * std::pow(light, 1 / 2.4) - 0.055; }

/// sRGB code values to light.
inline const ToSamples& to_light() {
  static const ToSamples kTable = [] {
    ToSamples out{};
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = static_cast<std::int16_t>(std::lround(srgb_to_light(static_cast<double>(i) / 255.0) * kFullLight));
    }
    return out;
  }();
  return kTable;
}

inline const FromSamples& from_light() {
  static const FromSamples kTable = [] {
    FromSamples out{};
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = static_cast<std::uint8_t>(std::lround(light_to_srgb(static_cast<double>(i) / kFullLight) * 255.0));
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

/// White among samples of pictures of 16 bits: sixteen for each code value, of which the darkest of sRGB are 1.2 apart in light.
inline constexpr std::int32_t kFullDeepLight = 65535 * 16;

using DeepToLight = std::vector<std::int32_t>;
/// 16-bit sRGB code values to light.
inline const DeepToLight& deep_to_light() {
  static const DeepToLight kTable = [] {
    DeepToLight out(65536);
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = static_cast<std::int32_t>(std::lround(srgb_to_light(static_cast<double>(i) / 65535.0) * kFullDeepLight));
    }
    return out;
  }();
  return kTable;
}

/// Light to 16-bit sRGB code values: every 256th of them, in 256ths of a code value, between which the curve is as good as straight (off by
/// 1.2 of 65,535 where it bends most).
class DeepFromLight {
 public:
  DeepFromLight() {
    for (std::size_t i = 0; i < codes_.size(); ++i) {
      const double light = static_cast<double>(i << kStepBits) / kFullDeepLight;
      codes_[i] = static_cast<std::uint32_t>(std::lround(light_to_srgb(std::min(light, 1.0)) * 65535 * 256));
    }
    // The last step ends behind white, on which the line has to go through white.
    constexpr std::int64_t kWhite = std::int64_t{65535} * 256;
    const std::int64_t before = codes_[codes_.size() - 2];
    constexpr std::int64_t kUpToWhite = kFullDeepLight % kStep == 0 ? kStep : kFullDeepLight % kStep;
    codes_.back() = static_cast<std::uint32_t>(before + ((kWhite - before) * kStep + kUpToWhite / 2) / kUpToWhite);
  }
  /// Of 0 to kFullDeepLight.
  [[nodiscard]] std::uint16_t code(std::int32_t light) const noexcept {
    const auto at = static_cast<std::size_t>(light) >> kStepBits;
    const std::uint64_t below = codes_[at];
    const std::uint64_t more = (codes_[at + 1] - below) * (static_cast<std::uint32_t>(light) % kStep);
    return static_cast<std::uint16_t>(((below << kStepBits) + more + (std::uint64_t{1} << (kStepBits + 7))) >> (kStepBits + 8));
  }

 private:
  static constexpr unsigned kStepBits = 8;
  static constexpr std::int64_t kStep = 1 << kStepBits;
  std::array<std::uint32_t, (std::size_t{kFullDeepLight} >> kStepBits) + 2> codes_{};
};
inline const DeepFromLight& deep_from_light() {
  static const DeepFromLight kTable;
  return kTable;
}

}  // namespace media::image
