#include "store/packed_index.hpp"

#include <algorithm>

#include "store/segment_format.hpp"

namespace media::store {

std::size_t PackedIndex::lower_bound(const std::vector<Entry>& entries, const Digest& digest) {
  const auto found = std::lower_bound(entries.begin(), entries.end(), digest.bytes(),
                                      [](const Entry& entry, const auto& wanted) { return entry.digest < wanted; });
  return static_cast<std::size_t>(found - entries.begin());
}

PackedPlace PackedIndex::place_of(const Entry& entry) { return {entry.segment, std::uint64_t{entry.block} * kSegmentBlock, entry.length}; }

std::size_t PackedIndex::memory_bytes() const noexcept {
  std::size_t bytes = sizeof *this;
  for (const auto& entries : shards_) bytes += entries.capacity() * sizeof(Entry);
  return bytes;
}

std::optional<PackedPlace> PackedIndex::find(const Digest& digest) const {
  const auto& entries = shards_[shard_of(digest)];
  const std::size_t at = lower_bound(entries, digest);
  if (at == entries.size() || entries[at].digest != digest.bytes()) return std::nullopt;
  return place_of(entries[at]);
}

std::optional<PackedPlace> PackedIndex::put(const Digest& digest, const PackedPlace& place) {
  auto& entries = shards_[shard_of(digest)];
  const std::size_t at = lower_bound(entries, digest);
  const Entry entry{digest.bytes(), place.segment, static_cast<std::uint32_t>(place.offset / kSegmentBlock), place.length};
  if (at < entries.size() && entries[at].digest == digest.bytes()) {
    const PackedPlace before = place_of(entries[at]);
    entries[at] = entry;
    return before;
  }
  // By an eighth and not twofold: with a million blobs the reserve would be most of it.
  if (entries.size() == entries.capacity()) entries.reserve(entries.size() + entries.size() / 8 + 2);
  entries.insert(entries.begin() + static_cast<std::ptrdiff_t>(at), entry);
  ++size_;
  return std::nullopt;
}

bool PackedIndex::erase(const Digest& digest, const PackedPlace& place) {
  auto& entries = shards_[shard_of(digest)];
  const std::size_t at = lower_bound(entries, digest);
  if (at == entries.size() || entries[at].digest != digest.bytes() || place_of(entries[at]) != place) return false;
  entries.erase(entries.begin() + static_cast<std::ptrdiff_t>(at));
  --size_;
  return true;
}

}  // namespace media::store
