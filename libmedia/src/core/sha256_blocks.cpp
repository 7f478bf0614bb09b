#include "core/sha256_blocks.hpp"

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>

#define MEDIA_SHA_CODE __attribute__((target("sha,sse4.1,ssse3")))

namespace media {
namespace {

// FIPS 180-4, section 4.2.2.
alignas(16) constexpr std::uint32_t kRoundConstants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

/// The instructions want the words as (a b e f) and (c d g h), highest first.
struct Words {
  __m128i abef;
  __m128i cdgh;
};

MEDIA_SHA_CODE inline Words load_words(const std::uint32_t* state) {
  const __m128i abcd = _mm_shuffle_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(state)), 0x1b);
  const __m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(state + 4)), 0x1b);
  return {_mm_unpackhi_epi64(efgh, abcd), _mm_unpacklo_epi64(efgh, abcd)};
}

MEDIA_SHA_CODE inline void store_words(std::uint32_t* state, const Words& words) {
  const __m128i abcd = _mm_unpackhi_epi64(words.cdgh, words.abef);
  const __m128i efgh = _mm_unpacklo_epi64(words.cdgh, words.abef);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(state), _mm_shuffle_epi32(abcd, 0x1b));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(state + 4), _mm_shuffle_epi32(efgh, 0x1b));
}

/// Every loop over lanes and rounds has constant bounds and is unrolled: what remains is one long run of instructions in which a lane's
/// next round stands between the rounds of the others.
template <std::size_t Lanes>
MEDIA_SHA_CODE void compress(Sha256Lane* lanes, std::size_t count) noexcept {
  const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  Words words[Lanes];
#pragma GCC unroll 4
  for (std::size_t lane = 0; lane < Lanes; ++lane) words[lane] = load_words(lanes[lane].state);
  for (; count > 0; --count) {
    Words before[Lanes];
    __m128i message[Lanes][4];
#pragma GCC unroll 4
    for (std::size_t lane = 0; lane < Lanes; ++lane) {
      before[lane] = words[lane];
#pragma GCC unroll 4
      for (std::size_t i = 0; i < 4; ++i) {
        const auto* const from = reinterpret_cast<const __m128i*>(lanes[lane].blocks + 16 * i);
        message[lane][i] = _mm_shuffle_epi8(_mm_loadu_si128(from), big_endian);
      }
      lanes[lane].blocks += 64;
    }
#pragma GCC unroll 16
    for (std::size_t four = 0; four < 16; ++four) {
      const __m128i constants = _mm_load_si128(reinterpret_cast<const __m128i*>(kRoundConstants + 4 * four));
      __m128i sum[Lanes];
#pragma GCC unroll 4
      for (std::size_t lane = 0; lane < Lanes; ++lane) sum[lane] = _mm_add_epi32(message[lane][four % 4], constants);
#pragma GCC unroll 4
      for (std::size_t lane = 0; lane < Lanes; ++lane) {
        words[lane].cdgh = _mm_sha256rnds2_epu32(words[lane].cdgh, words[lane].abef, sum[lane]);
      }
      if (four < 12) {
#pragma GCC unroll 4
        for (std::size_t lane = 0; lane < Lanes; ++lane) {
          __m128i* const w = message[lane];
          const __m128i middle = _mm_alignr_epi8(w[(four + 3) % 4], w[(four + 2) % 4], 4);
          const __m128i partial = _mm_add_epi32(_mm_sha256msg1_epu32(w[four % 4], w[(four + 1) % 4]), middle);
          w[four % 4] = _mm_sha256msg2_epu32(partial, w[(four + 3) % 4]);
        }
      }
#pragma GCC unroll 4
      for (std::size_t lane = 0; lane < Lanes; ++lane) {
        words[lane].abef = _mm_sha256rnds2_epu32(words[lane].abef, words[lane].cdgh, _mm_shuffle_epi32(sum[lane], 0x0e));
      }
    }
#pragma GCC unroll 4
    for (std::size_t lane = 0; lane < Lanes; ++lane) {
      words[lane].abef = _mm_add_epi32(words[lane].abef, before[lane].abef);
      words[lane].cdgh = _mm_add_epi32(words[lane].cdgh, before[lane].cdgh);
    }
  }
#pragma GCC unroll 4
  for (std::size_t lane = 0; lane < Lanes; ++lane) store_words(lanes[lane].state, words[lane]);
}

}  // namespace

bool sha256_blocks_available() noexcept {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0 || (ecx & bit_SSSE3) == 0 || (ecx & bit_SSE4_1) == 0) return false;
  constexpr unsigned kShaBit = 1U << 29U;
  return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (ebx & kShaBit) != 0;
}

void sha256_blocks(std::span<Sha256Lane> lanes, std::size_t count) noexcept {
  static_assert(kSha256Lanes == 3);
  switch (lanes.size()) {
    case 1:
      return compress<1>(lanes.data(), count);
    case 2:
      return compress<2>(lanes.data(), count);
    case 3:
      return compress<3>(lanes.data(), count);
    default:
      return;
  }
}

}  // namespace media

#else

namespace media {

bool sha256_blocks_available() noexcept { return false; }
void sha256_blocks(std::span<Sha256Lane>, std::size_t) noexcept {}

}  // namespace media

#endif
