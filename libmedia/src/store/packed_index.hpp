/// Which packed blob lies where, in memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "media/digest.hpp"
#include "store/segment_format.hpp"

namespace media::store {

/// The place of an entry: the number that this process gave its segment, and the entry's place in it.
struct PackedPlace {
  std::uint32_t segment = 0;
  std::uint64_t offset = 0;
  std::uint32_t length = 0;
  friend bool operator==(const PackedPlace&, const PackedPlace&) = default;
};

struct PackedEntry {
  Digest digest{};
  PackedPlace place{};
};

/// Bit of `ListedBlob::place` that sets packed blobs apart from files.
inline constexpr std::uint64_t kPackedPlace = std::uint64_t{1} << 63U;

/// Sorted arrays, one for each of 4096 ranges of digests: 44 bytes a blob and an eighth in reserve, in the order in which they are listed.
/// A hash table would need twice that, or forget the digests.
///
/// Thread-safety: as a container: readers may be concurrent while nobody changes it.
class PackedIndex {
 public:
  [[nodiscard]] std::optional<PackedPlace> find(const Digest& digest) const;
  /// Answers the place that the blob had before.
  std::optional<PackedPlace> put(const Digest& digest, const PackedPlace& place);
  /// Puts the entries whose blobs are not known yet, in one pass over the arrays; answers which of them are known, or come a second time. A
  /// million that are put one by one take seconds, each with its own way through memory. At most 2^32 at once.
  std::vector<std::size_t> put_unknown(std::span<const PackedEntry> entries);
  /// Takes the blob out where it lies there; false where it lies elsewhere or is not known.
  bool erase(const Digest& digest, const PackedPlace& place);
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t memory_bytes() const noexcept;

  /// Calls `take(digest, place)` for the blobs from `from` on in ascending order, until it answers false.
  template <class Take>
  void each_from(const Digest& from, const Take& take) const {
    for (std::size_t shard = shard_of(from); shard < kShards; ++shard) {
      const auto& entries = shards_[shard];
      for (auto at = shard == shard_of(from) ? lower_bound(entries, from) : 0; at < entries.size(); ++at) {
        if (!take(Digest(entries[at].digest), place_of(entries[at]))) return;
      }
    }
  }

 private:
  /// Offsets are multiples of 64 bytes, so 32 bits reach 256 GiB into a segment.
  struct Entry {
    std::array<std::uint8_t, Digest::kSize> digest;
    std::uint32_t segment;
    std::uint32_t block;
    std::uint32_t length;
  };
  static constexpr std::size_t kShards = 4096;
  static std::size_t shard_of(const Digest& digest) { return std::size_t{digest.bytes()[0]} << 4U | digest.bytes()[1] >> 4U; }
  static std::size_t lower_bound(const std::vector<Entry>& entries, const Digest& digest);
  static PackedPlace place_of(const Entry& entry);

  std::array<std::vector<Entry>, kShards> shards_;
  std::size_t size_ = 0;
};

}  // namespace media::store
