/// The inverse DCT at reduced size: of a block's side x side lowest frequencies to a block of side x side samples.
///
/// What a picture of a half, a quarter or an eighth of the size shows is in those frequencies alone; the others would be filtered
/// out after they were made. Integers throughout, so that every machine makes the same samples.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace media::image {

/// Beyond what pictures of 8 bits have; keeps the sums below within 32 bits whatever a file says.
inline constexpr std::int32_t kMaxFrequency = 4095;

/// A coefficient times its quantiser step.
inline std::int32_t dequantise(std::int16_t coefficient, std::uint16_t step) noexcept {
  return std::clamp(std::int32_t{coefficient} * step, -kMaxFrequency, kMaxFrequency);
}

inline std::uint8_t to_sample(std::int32_t value) noexcept { return static_cast<std::uint8_t>(std::clamp(value + 128, 0, 255)); }

/// `coefficients` and `steps` are side x side in natural order; rows of the result are `stride` bytes apart.
template <std::uint32_t kSide>
void inverse_dct(const std::int16_t* coefficients, const std::uint16_t* steps, std::uint8_t* out, std::size_t stride) noexcept;

template <>
inline void inverse_dct<1>(const std::int16_t* coefficients, const std::uint16_t* steps, std::uint8_t* out, std::size_t) noexcept {
  *out = to_sample((dequantise(coefficients[0], steps[0]) + 4) >> 3);
}

template <>
inline void inverse_dct<2>(const std::int16_t* coefficients, const std::uint16_t* steps, std::uint8_t* out, std::size_t stride) noexcept {
  const std::int32_t mean = dequantise(coefficients[0], steps[0]) + 4;
  const std::int32_t across = dequantise(coefficients[1], steps[1]);
  const std::int32_t down = dequantise(coefficients[2], steps[2]);
  const std::int32_t both = dequantise(coefficients[3], steps[3]);
  out[0] = to_sample((mean + across + down + both) >> 3);
  out[1] = to_sample((mean - across + down - both) >> 3);
  out[stride] = to_sample((mean + across - down - both) >> 3);
  out[stride + 1] = to_sample((mean - across - down + both) >> 3);
}

template <>
inline void inverse_dct<4>(const std::int16_t* coefficients, const std::uint16_t* steps, std::uint8_t* out, std::size_t stride) noexcept {
  // cos(pi/8) / sqrt(2) and cos(3 pi/8) / sqrt(2), times 2^13; the even part's factor is 1/2.
  constexpr std::int32_t kOuter = 5352;
  constexpr std::int32_t kInner = 2217;
  constexpr int kKeptBits = 2;  // Of fraction, between the two passes.
  constexpr int kFirstShift = 13 - kKeptBits;
  // The second pass, and the factor 1/2 of the reduction from eight to four.
  constexpr int kLastShift = 13 + kKeptBits + 1;

  std::array<std::int32_t, 16> frequency;
  std::int32_t others = 0;
  for (std::size_t i = 0; i < 16; ++i) {
    frequency[i] = dequantise(coefficients[i], steps[i]);
    if (i > 0) others |= coefficients[i];
  }
  if (others == 0) {
    const std::uint8_t sample = to_sample((frequency[0] + 4) >> 3);
    for (std::size_t y = 0; y < 4; ++y) std::fill_n(out + y * stride, 4, sample);
    return;
  }
  std::array<std::int32_t, 16> half;
  for (std::size_t x = 0; x < 4; ++x) {
    const std::int32_t sum = (frequency[x] + frequency[x + 8]) * 4096;
    const std::int32_t difference = (frequency[x] - frequency[x + 8]) * 4096;
    const std::int32_t outer = frequency[x + 4] * kOuter + frequency[x + 12] * kInner;
    const std::int32_t inner = frequency[x + 4] * kInner - frequency[x + 12] * kOuter;
    constexpr std::int32_t kRound = 1 << (kFirstShift - 1);
    half[x] = (sum + outer + kRound) >> kFirstShift;
    half[x + 4] = (difference + inner + kRound) >> kFirstShift;
    half[x + 8] = (difference - inner + kRound) >> kFirstShift;
    half[x + 12] = (sum - outer + kRound) >> kFirstShift;
  }
  for (std::size_t y = 0; y < 4; ++y) {
    const std::int32_t* row = half.data() + 4 * y;
    const std::int32_t sum = (row[0] + row[2]) * 4096;
    const std::int32_t difference = (row[0] - row[2]) * 4096;
    const std::int32_t outer = row[1] * kOuter + row[3] * kInner;
    const std::int32_t inner = row[1] * kInner - row[3] * kOuter;
    constexpr std::int32_t kRound = 1 << (kLastShift - 1);
    std::uint8_t* to = out + y * stride;
    to[0] = to_sample((sum + outer + kRound) >> kLastShift);
    to[1] = to_sample((difference + inner + kRound) >> kLastShift);
    to[2] = to_sample((difference - inner + kRound) >> kLastShift);
    to[3] = to_sample((sum - outer + kRound) >> kLastShift);
  }
}

}  // namespace media::image
