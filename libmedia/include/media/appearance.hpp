/// How a picture looks, in a few bytes.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "media/export.hpp"

namespace media {

/// 64 bits of which pictures that look alike have nearly all in common, whatever their size, format and quality. Not turned or
/// mirrored ones: those are other pictures. To be compared with hashes of this library alone.
struct PerceptualHash {
  std::uint64_t bits = 0;
  friend bool operator==(const PerceptualHash&, const PerceptualHash&) = default;
};

/// 16 hexadecimal digits, the first bit first.
MEDIA_EXPORT std::string to_string(PerceptualHash hash);

/// The number of bits that differ: 0 to 64. Pictures that have nothing to do with each other are about 32 apart.
constexpr unsigned distance(PerceptualHash a, PerceptualHash b) noexcept { return static_cast<unsigned>(std::popcount(a.bits ^ b.bits)); }

/// Of the first frame, turned upright.
struct Appearance {
  /// A blurred picture (https://evanw.github.io/thumbhash/) of 17 to 25 bytes, with proportions and transparency; empty: not known.
  std::vector<std::byte> thumbhash{};
  /// "#rrggbb": the colour that most of the picture is near, transparent parts left out; empty: not known.
  std::string dominant_colour{};
  /// Absent: not known, or the picture shows too little to be told by it (one colour, a plain gradient).
  std::optional<PerceptualHash> perceptual_hash{};

  /// False: nobody has looked yet.
  [[nodiscard]] bool known() const noexcept { return !thumbhash.empty(); }
  friend bool operator==(const Appearance&, const Appearance&) = default;
};

}  // namespace media
