/// From the light of other screens to sRGB: high dynamic range, and wider colours.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "image/pixels.hpp"

namespace media::image {

/// What is told of a picture's light, as far as it matters here.
struct Light {
  enum class Transfer : std::uint8_t { srgb, pq, hlg } transfer = Transfer::srgb;
  enum class Primaries : std::uint8_t { bt709, bt2020, p3 } primaries = Primaries::bt709;
  double peak_nits = 1000;  ///< Of PQ: the brightest that the picture claims to have; held within 400 and 10,000.

  /// sRGB as it is, as nearly every viewer takes BT.709 and BT.601 for.
  [[nodiscard]] bool plain() const noexcept { return transfer == Transfer::srgb && primaries == Primaries::bt709; }
  friend bool operator==(const Light&, const Light&) = default;
};

/// Brings pixels to sRGB. Of PQ (SMPTE ST 2084) and HLG (ITU-R BT.2100-2) 203 cd/m2 are about white, as BT.2408 has it, and what is
/// brighter is bent down by the curve of BT.2390-10 section 5.4.1; colours outside sRGB are cut at its edge.
///
/// Thread-safety: const, safe to use concurrently: its tables do not change.
class ToSrgb {
 public:
  explicit ToSrgb(const Light& light);
  /// Equally many of both, in this layout, rgb or rgba: alpha stays as it is. They may be the same where they are of 16 bits.
  void convert(std::span<const std::uint16_t> from, std::span<std::uint8_t> into, Layout layout = Layout::rgb) const noexcept;
  void convert(std::span<const std::uint16_t> from, std::span<std::uint16_t> into, Layout layout = Layout::rgb) const noexcept;

 private:
  static constexpr std::size_t kSteps = 4096;
  struct Rgb {
    float red;
    float green;
    float blue;
  };
  [[nodiscard]] Rgb shown(const Rgb& linear) const noexcept;
  template <class Code>
  void convert_to(std::span<const std::uint16_t> from, std::span<Code> into, Layout layout) const noexcept;

  Light light_;
  std::array<float, 9> matrix_{};
  std::array<float, kSteps> linear_{};  ///< By code value: light, white being 1.
  std::array<float, kSteps> bend_{};    ///< By the square root of the brightest channel's share of the peak: what all are multiplied with.
  std::array<float, kSteps> system_{};  ///< HLG: by the square root of the luminance, the factor of its system gamma.
  std::array<std::uint16_t, kSteps> code_{};  ///< By the square root of light: the sRGB code value, of 65535.
  float peak_ = 1;                            ///< In whites.
};

}  // namespace media::image
