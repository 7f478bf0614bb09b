#include <algorithm>
#include <array>
#include <vector>

#include "core/sha256_blocks.hpp"
#include "core/sha256_lanes.hpp"

namespace media {
namespace {

using Steady = std::chrono::steady_clock;

constexpr std::size_t kPiece = 16U << 10U;
constexpr std::size_t kPieces = 12;

/// The fastest of the runs: whatever else the machine does can only make one slower.
template <class Run>
double fastest(std::chrono::milliseconds time, const Run& run) {
  std::chrono::duration<double> best = std::chrono::hours(1);
  const auto end = Steady::now() + time;
  do {
    const auto start = Steady::now();
    run();
    best = std::min<std::chrono::duration<double>>(best, Steady::now() - start);
  } while (Steady::now() < end);
  return static_cast<double>(kPiece * kPieces) / std::max(best.count(), 1e-9);
}

}  // namespace

HashingFacts measure_hashing(std::chrono::milliseconds each) {
  std::vector<std::byte> bytes(kPiece * kPieces);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 131U >> 3U);
  std::array<std::span<const std::byte>, kPieces> contents;
  for (std::size_t i = 0; i < kPieces; ++i) contents.at(i) = std::span(bytes).subspan(i * kPiece, kPiece);
  std::array<Digest, kPieces> digests;
  Sha256 one;

  HashingFacts facts;
  facts.implementation = sha256_lanes_in_use() ? "SHA-NI" : "OpenSSL";
  facts.lanes = sha256_lanes_in_use() ? kSha256Lanes : 1;
  facts.together_bytes_per_second = fastest(each, [&] { hash_together(contents, digests); });
  facts.one_stream_bytes_per_second = fastest(each, [&] {
    for (const auto& piece : contents) one.update(piece);
  });
  return facts;
}

}  // namespace media
