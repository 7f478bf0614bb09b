/// The ranges of a transform's members, for texts, for messages between processes, and for programs that fill in a struct.
#pragma once

#include <chrono>
#include <cstdint>

#include "media/transform.hpp"

namespace media::image {

namespace limits {
inline constexpr std::uint32_t kMaxSide = 16384;
inline constexpr std::uint32_t kWholeShare = 1000;  ///< Of Gravity's thousandths.
inline constexpr std::uint32_t kMaxDpr = 400;
inline constexpr std::uint32_t kMaxTrim = 100;
inline constexpr std::uint32_t kMaxSharpen = 500;
inline constexpr std::uint32_t kMinSigma = 30;
inline constexpr std::uint32_t kMaxSharpenSigma = 1000;
inline constexpr std::uint32_t kMaxBlur = 10'000;
inline constexpr std::uint32_t kMaxScore = 999;  ///< In tenths: a picture is not told to be equal.
inline constexpr std::uint32_t kMaxBytes = 1U << 30U;
inline constexpr std::uint8_t kUsualDepth = 8;
inline constexpr std::uint8_t kDeepDepth = 10;
inline constexpr std::chrono::milliseconds kMaxAt = std::chrono::hours(100);
}  // namespace limits

/// True where everything that has to be done to the pixels is within what `set_transform_key` would take.
constexpr bool edits_are_in_range(const Transform& transform) noexcept {
  const auto is_sigma = [](std::uint32_t sigma, std::uint32_t highest) { return sigma >= limits::kMinSigma && sigma <= highest; };
  return transform.width <= limits::kMaxSide && transform.height <= limits::kMaxSide && transform.quality <= 100 &&
         transform.score <= limits::kMaxScore && transform.max_bytes <= limits::kMaxBytes && transform.gravity.x <= limits::kWholeShare &&
         transform.gravity.y <= limits::kWholeShare && transform.dpr_hundredths >= 100 && transform.dpr_hundredths <= limits::kMaxDpr &&
         transform.rotate_degrees % 90 == 0 && transform.rotate_degrees < 360 && transform.trim <= limits::kMaxTrim &&
         transform.sharpen_hundredths <= limits::kMaxSharpen && is_sigma(transform.sharpen_sigma_hundredths, limits::kMaxSharpenSigma) &&
         (transform.blur_hundredths == 0 || is_sigma(transform.blur_hundredths, limits::kMaxBlur)) &&
         (transform.depth == limits::kUsualDepth || transform.depth == limits::kDeepDepth) &&
         (!transform.at || (transform.at->count() >= 0 && *transform.at <= limits::kMaxAt));
}

}  // namespace media::image
