#include "image/jpeg_idct.hpp"

#include <algorithm>

// The code below is of vectors of four; wider ones would not help it.
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "image/jpeg_idct.cpp"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

#ifndef MEDIA_IMAGE_JPEG_IDCT_CONSTANTS
#define MEDIA_IMAGE_JPEG_IDCT_CONSTANTS
namespace media::image {
namespace {

/// Beyond what pictures of 8 bits have; keeps the sums below within 32 bits whatever a file says.
constexpr std::int32_t kMaxFrequency = 4095;
// cos(pi/8) / sqrt(2) and cos(3 pi/8) / sqrt(2), times 2^13; the even part's factor is 1/2.
constexpr std::int32_t kOuter = 5352;
constexpr std::int32_t kInner = 2217;
constexpr std::int32_t kEvenBits = 12;
constexpr int kFirstShift = 11;  // Leaves two bits of fraction between the two passes.
constexpr std::int32_t kFirstRound = 1 << 10;
constexpr int kLastShift = 16;                                // 13, those two bits, and the factor 1/2 of going from eight to four.
constexpr std::int32_t kLastRound = (1 << 15) + (128 << 16);  // And from signed to unsigned.

std::int32_t dequantise(std::int16_t coefficient, std::uint16_t step) {
  return std::clamp(std::int32_t{coefficient} * step, -kMaxFrequency, kMaxFrequency);
}

std::uint8_t to_sample(std::int32_t eighths) { return static_cast<std::uint8_t>(std::clamp(((eighths + 4) >> 3) + 128, 0, 255)); }

}  // namespace
}  // namespace media::image
#endif

HWY_BEFORE_NAMESPACE();
namespace media::image::HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR

// Highway's last resort has vectors of one lane.
void inverse_dct_4(const std::int16_t* coefficients, std::size_t count, const std::uint16_t* steps, std::uint8_t* out, std::size_t stride) {
  for (; count > 0; --count, coefficients += 16, out += 4) {
    std::int32_t half[16];
    for (std::size_t x = 0; x < 4; ++x) {
      std::int32_t row[4];
      for (std::size_t y = 0; y < 4; ++y) row[y] = dequantise(coefficients[4 * y + x], steps[4 * y + x]);
      const std::int32_t sum = (row[0] + row[2]) * (1 << kEvenBits) + kFirstRound;
      const std::int32_t difference = (row[0] - row[2]) * (1 << kEvenBits) + kFirstRound;
      const std::int32_t outer = row[1] * kOuter + row[3] * kInner;
      const std::int32_t inner = row[1] * kInner - row[3] * kOuter;
      half[x] = (sum + outer) >> kFirstShift;
      half[x + 4] = (difference + inner) >> kFirstShift;
      half[x + 8] = (difference - inner) >> kFirstShift;
      half[x + 12] = (sum - outer) >> kFirstShift;
    }
    for (std::size_t y = 0; y < 4; ++y) {
      const std::int32_t* row = half + 4 * y;
      const std::int32_t sum = (row[0] + row[2]) * (1 << kEvenBits) + kLastRound;
      const std::int32_t difference = (row[0] - row[2]) * (1 << kEvenBits) + kLastRound;
      const std::int32_t outer = row[1] * kOuter + row[3] * kInner;
      const std::int32_t inner = row[1] * kInner - row[3] * kOuter;
      const std::int32_t samples[4] = {sum + outer, difference + inner, difference - inner, sum - outer};
      for (std::size_t x = 0; x < 4; ++x) out[y * stride + x] = static_cast<std::uint8_t>(std::clamp(samples[x] >> kLastShift, 0, 255));
    }
  }
}

#else

namespace hn = hwy::HWY_NAMESPACE;
using Wide = hn::FixedTag<std::int32_t, 4>;
using Row = hn::Vec<Wide>;

/// One pass of four points on each lane: the four frequencies become the four samples, times 2^13 and with `round` added.
HWY_INLINE void pass(Row& a, Row& b, Row& c, Row& d, Row round) {
  const Wide wide;
  const Row outer_factor = hn::Set(wide, kOuter);
  const Row inner_factor = hn::Set(wide, kInner);
  const Row sum = hn::Add(hn::ShiftLeft<kEvenBits>(hn::Add(a, c)), round);
  const Row difference = hn::Add(hn::ShiftLeft<kEvenBits>(hn::Sub(a, c)), round);
  const Row outer = hn::Add(hn::Mul(b, outer_factor), hn::Mul(d, inner_factor));
  const Row inner = hn::Sub(hn::Mul(b, inner_factor), hn::Mul(d, outer_factor));
  a = hn::Add(sum, outer);
  b = hn::Add(difference, inner);
  c = hn::Sub(difference, inner);
  d = hn::Sub(sum, outer);
}

/// Lanes become rows.
HWY_INLINE void transpose(Row& a, Row& b, Row& c, Row& d) {
  const Wide wide;
  const hn::Repartition<std::int64_t, Wide> pairs;
  const auto ab_low = hn::BitCast(pairs, hn::InterleaveLower(wide, a, b));
  const auto ab_high = hn::BitCast(pairs, hn::InterleaveUpper(wide, a, b));
  const auto cd_low = hn::BitCast(pairs, hn::InterleaveLower(wide, c, d));
  const auto cd_high = hn::BitCast(pairs, hn::InterleaveUpper(wide, c, d));
  a = hn::BitCast(wide, hn::InterleaveLower(pairs, ab_low, cd_low));
  b = hn::BitCast(wide, hn::InterleaveUpper(pairs, ab_low, cd_low));
  c = hn::BitCast(wide, hn::InterleaveLower(pairs, ab_high, cd_high));
  d = hn::BitCast(wide, hn::InterleaveUpper(pairs, ab_high, cd_high));
}

void inverse_dct_4(const std::int16_t* coefficients, std::size_t count, const std::uint16_t* steps, std::uint8_t* out, std::size_t stride) {
  const Wide wide;
  const hn::FixedTag<std::int16_t, 4> narrow;
  const hn::FixedTag<std::uint16_t, 4> narrow_unsigned;
  const hn::FixedTag<std::uint8_t, 4> bytes;
  const Row most = hn::Set(wide, kMaxFrequency);
  const Row least = hn::Set(wide, -kMaxFrequency);
  const Row first_round = hn::Set(wide, kFirstRound);
  const Row last_round = hn::Set(wide, kLastRound);
  const auto step_row = [&](std::size_t y) { return hn::PromoteTo(wide, hn::LoadU(narrow_unsigned, steps + 4 * y)); };
  const Row steps_a = step_row(0);
  const Row steps_b = step_row(1);
  const Row steps_c = step_row(2);
  const Row steps_d = step_row(3);
  const auto frequencies = [&](const std::int16_t* from, Row step) {
    return hn::Max(hn::Min(hn::Mul(hn::PromoteTo(wide, hn::LoadU(narrow, from)), step), most), least);
  };
  for (; count > 0; --count, coefficients += 16, out += 4) {
    Row a = frequencies(coefficients, steps_a);
    Row b = frequencies(coefficients + 4, steps_b);
    Row c = frequencies(coefficients + 8, steps_c);
    Row d = frequencies(coefficients + 12, steps_d);
    pass(a, b, c, d, first_round);
    a = hn::ShiftRight<kFirstShift>(a);
    b = hn::ShiftRight<kFirstShift>(b);
    c = hn::ShiftRight<kFirstShift>(c);
    d = hn::ShiftRight<kFirstShift>(d);
    transpose(a, b, c, d);
    pass(a, b, c, d, last_round);
    transpose(a, b, c, d);
    hn::StoreU(hn::DemoteTo(bytes, hn::ShiftRight<kLastShift>(a)), bytes, out);
    hn::StoreU(hn::DemoteTo(bytes, hn::ShiftRight<kLastShift>(b)), bytes, out + stride);
    hn::StoreU(hn::DemoteTo(bytes, hn::ShiftRight<kLastShift>(c)), bytes, out + 2 * stride);
    hn::StoreU(hn::DemoteTo(bytes, hn::ShiftRight<kLastShift>(d)), bytes, out + 3 * stride);
  }
}

#endif

}  // namespace media::image::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace media::image {

HWY_EXPORT(inverse_dct_4);

namespace {

void inverse_dct_2(const std::int16_t* coefficients, std::size_t count, const std::uint16_t* steps, std::uint8_t* out, std::size_t stride) {
  for (; count > 0; --count, coefficients += 4, out += 2) {
    const std::int32_t mean = dequantise(coefficients[0], steps[0]);
    const std::int32_t across = dequantise(coefficients[1], steps[1]);
    const std::int32_t down = dequantise(coefficients[2], steps[2]);
    const std::int32_t both = dequantise(coefficients[3], steps[3]);
    out[0] = to_sample(mean + across + down + both);
    out[1] = to_sample(mean - across + down - both);
    out[stride] = to_sample(mean + across - down - both);
    out[stride + 1] = to_sample(mean - across - down + both);
  }
}

}  // namespace

void inverse_dct(std::uint32_t side, const std::int16_t* coefficients, std::size_t count, const std::uint16_t* steps, std::uint8_t* out,
                 std::size_t stride) {
  switch (side) {
    case 1:
      for (std::size_t i = 0; i < count; ++i) out[i] = to_sample(dequantise(coefficients[i], steps[0]));
      break;
    case 2:
      inverse_dct_2(coefficients, count, steps, out, stride);
      break;
    default:
      HWY_DYNAMIC_DISPATCH(inverse_dct_4)(coefficients, count, steps, out, stride);
      break;
  }
}

}  // namespace media::image
#endif
