/// The inner loop of the resampler.
#pragma once

#include <cstddef>
#include <cstdint>

namespace media::image {

/// Rows may be read and written up to so many samples past `length`.
inline constexpr std::size_t kWeighOverrun = 64;
/// What 1 is among weights.
inline constexpr int kWeightOne = 1 << 14;

/// out[i] = sum over k of rows[k][i] * weights[k] / kWeightOne, rounded and held within 0 and 32767, for i below `length`
/// (rounded up to whole vectors). `count` is even and at least 2. Samples are 0 to 32767.
/// Thread-safety: pure.
void weigh_rows(const std::int16_t* const* rows, const std::int16_t* weights, std::size_t count, std::size_t length, std::int16_t* out);

/// What 1 is among weights of deep samples.
inline constexpr int kDeepWeightOne = 1 << 24;

/// The same of samples from 0 to `most`, which is below 1 << 21; `count` is at least 1. The absolute weights add up to less than 1 << 30.
void weigh_rows(const std::int32_t* const* rows, const std::int32_t* weights, std::size_t count, std::size_t length, std::int32_t most,
                std::int32_t* out);

}  // namespace media::image
