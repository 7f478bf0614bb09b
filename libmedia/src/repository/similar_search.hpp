/// Which hashes are near another one: what every repository's search has in common.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <set>
#include <utility>
#include <vector>

#include "media/repository.hpp"

namespace media {

/// The best of what was offered, at most as many as are wanted: memory does not grow with what matches.
class Nearest {
 public:
  explicit Nearest(const SimilarQuery& query) noexcept : limit_(query.limit), max_distance_(query.max_distance) {}

  /// Farther ones cannot be among the best any more.
  [[nodiscard]] unsigned max_distance() const noexcept {
    return ranks_.size() < limit_ || ranks_.empty() ? max_distance_ : ranks_.rbegin()->first;
  }
  /// The same one may be offered again.
  void offer(unsigned distance, MediaId id) {
    if (distance > max_distance()) return;
    ranks_.emplace(distance, id);
    if (ranks_.size() > limit_) ranks_.erase(std::prev(ranks_.end()));
  }
  /// By distance, then id.
  [[nodiscard]] const std::set<std::pair<unsigned, MediaId>>& ranks() const noexcept { return ranks_; }

 private:
  std::size_t limit_;
  unsigned max_distance_;
  std::set<std::pair<unsigned, MediaId>> ranks_;
};

inline constexpr unsigned kHashQuarters = 4;
inline constexpr unsigned kQuarterBits = 16;

/// The numbered quarter of a hash, the first bits first.
constexpr std::int64_t hash_quarter(PerceptualHash hash, unsigned number) noexcept {
  return static_cast<std::int64_t>(hash.bits >> (kQuarterBits * (kHashQuarters - 1 - number)) & 0xFFFFU);
}

/// By how many bits a quarter may differ, at most, in one at least of the quarters, where the whole differs by at most `distance`
/// (multi-index hashing: M. Norouzi, A. Punjani, D. Fleet, 2012). Negative: the other quarters find all that there is.
/// If every quarter differed by more, the bits would add up to more than `distance`.
constexpr int quarter_distance(unsigned distance, unsigned number) noexcept {
  const int shared = static_cast<int>(distance / kHashQuarters);
  return number <= distance % kHashQuarters ? shared : shared - 1;
}

/// Every value of 16 bits that differs from `quarter` in at most `bits` of them.
std::vector<std::int64_t> quarters_near(std::int64_t quarter, int bits);

}  // namespace media
