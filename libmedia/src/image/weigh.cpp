#include "image/weigh.hpp"

// Vectors of unknown length do not keep the order of lanes that this code relies on; NEON and the emulation stand in.
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "image/weigh.cpp"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

HWY_BEFORE_NAMESPACE();
namespace media::image::HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR

// Highway's last resort has vectors of one lane, in which there is nothing to interleave.
void weigh(const std::int16_t* const* rows, const std::int16_t* weights, std::size_t count, std::size_t length, std::int16_t* out) {
  for (std::size_t x = 0; x < length; ++x) {
    std::int32_t sum = kWeightOne / 2;
    for (std::size_t k = 0; k < count; ++k) sum += rows[k][x] * weights[k];
    out[x] = static_cast<std::int16_t>(std::clamp(sum >> 14, 0, 32767));
  }
}

void weigh_deep(const std::int32_t* const* rows, const std::int32_t* weights, std::size_t count, std::size_t length, std::int32_t most,
                std::int32_t* out) {
  for (std::size_t x = 0; x < length; ++x) {
    std::int64_t sum = kDeepWeightOne / 2;
    for (std::size_t k = 0; k < count; ++k) sum += std::int64_t{rows[k][x]} * weights[k];
    out[x] = static_cast<std::int32_t>(std::clamp<std::int64_t>(sum >> 24, 0, most));
  }
}

#else

namespace hn = hwy::HWY_NAMESPACE;

void weigh(const std::int16_t* const* rows, const std::int16_t* weights, std::size_t count, std::size_t length, std::int16_t* out) {
  const hn::ScalableTag<std::int16_t> d16;
  const hn::ScalableTag<std::int32_t> d32;
  using Sum = hn::Vec<decltype(d32)>;
  const std::size_t lanes = hn::Lanes(d16);
  const Sum half = hn::Set(d32, kWeightOne / 2);
  const auto zero = hn::Zero(d16);
  for (std::size_t x = 0; x < length; x += lanes) {
    // Two rows are interleaved, so that one multiply-add makes r0 * w0 + r1 * w1 in 32 bits for each column.
    Sum low = hn::Zero(d32);
    Sum high = hn::Zero(d32);
    Sum low_rest = hn::Zero(d32);
    Sum high_rest = hn::Zero(d32);
    for (std::size_t k = 0; k < count; k += 2) {
      std::int32_t pair = 0;
      std::memcpy(&pair, weights + k, sizeof pair);
      const auto both = hn::BitCast(d16, hn::Set(d32, pair));
      const auto first = hn::LoadU(d16, rows[k] + x);
      const auto second = hn::LoadU(d16, rows[k + 1] + x);
      low = hn::ReorderWidenMulAccumulate(d32, hn::InterleaveLower(d16, first, second), both, low, low_rest);
      high = hn::ReorderWidenMulAccumulate(d32, hn::InterleaveUpper(d16, first, second), both, high, high_rest);
    }
    // Where the machine keeps the two halves of a pair apart, they meet here.
    const Sum low_sum = hn::Add(hn::RearrangeToOddPlusEven(low, low_rest), half);
    const Sum high_sum = hn::Add(hn::RearrangeToOddPlusEven(high, high_rest), half);
    const auto packed = hn::ReorderDemote2To(d16, hn::ShiftRight<14>(low_sum), hn::ShiftRight<14>(high_sum));
    hn::StoreU(hn::Max(packed, zero), d16, out + x);
  }
}

void weigh_deep(const std::int32_t* const* rows, const std::int32_t* weights, std::size_t count, std::size_t length, std::int32_t most,
                std::int32_t* out) {
  const hn::ScalableTag<std::int32_t> d32;
  const hn::RepartitionToWide<decltype(d32)> d64;
  const hn::RebindToUnsigned<decltype(d64)> du64;
  const std::size_t lanes = hn::Lanes(d32);
  // Shifted as unsigned numbers, which every machine can: what is added to make them so is gone from the lower half afterwards.
  const auto half = hn::Set(d64, (std::int64_t{1} << 60) + kDeepWeightOne / 2);
  const auto zero = hn::Zero(d32);
  const auto white = hn::Set(d32, most);
  for (std::size_t x = 0; x < length; x += lanes) {
    auto even = half;
    auto odd = half;
    for (std::size_t k = 0; k < count; ++k) {
      const auto weight = hn::Set(d32, weights[k]);
      const auto samples = hn::LoadU(d32, rows[k] + x);
      const auto next = hn::BitCast(d32, hn::ShiftRight<32>(hn::BitCast(du64, samples)));
      even = hn::Add(even, hn::MulEven(samples, weight));
      odd = hn::Add(odd, hn::MulEven(next, weight));
    }
    const auto low = hn::BitCast(d32, hn::ShiftRight<24>(hn::BitCast(du64, even)));
    const auto high = hn::BitCast(d32, hn::ShiftLeft<32>(hn::ShiftRight<24>(hn::BitCast(du64, odd))));
    hn::StoreU(hn::Min(hn::Max(hn::OddEven(high, low), zero), white), d32, out + x);
  }
}

#endif

}  // namespace media::image::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace media::image {

HWY_EXPORT(weigh);
HWY_EXPORT(weigh_deep);

void weigh_rows(const std::int16_t* const* rows, const std::int16_t* weights, std::size_t count, std::size_t length, std::int16_t* out) {
  HWY_DYNAMIC_DISPATCH(weigh)(rows, weights, count, length, out);
}

void weigh_rows(const std::int32_t* const* rows, const std::int32_t* weights, std::size_t count, std::size_t length, std::int32_t most,
                std::int32_t* out) {
  HWY_DYNAMIC_DISPATCH(weigh_deep)(rows, weights, count, length, most, out);
}

}  // namespace media::image
#endif
