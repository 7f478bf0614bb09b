#include "store/packed_index.hpp"

#include <algorithm>
#include <numeric>
#include <span>

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

std::vector<std::size_t> PackedIndex::put_unknown(std::span<const PackedEntry> entries) {
  // Brought to their ranges first: what is sorted then fits into the cache.
  std::vector<std::uint32_t> ends(kShards + 1);
  for (const PackedEntry& entry : entries) ++ends[shard_of(entry.digest) + 1];
  std::partial_sum(ends.begin(), ends.end(), ends.begin());
  std::vector<std::uint32_t> places(entries.size());
  for (std::size_t at = 0; at < entries.size(); ++at) places[ends[shard_of(entries[at].digest)]++] = static_cast<std::uint32_t>(at);

  std::vector<std::size_t> known;
  std::vector<Entry> merged;
  for (std::size_t shard = 0, from = 0; shard < kShards; from = ends[shard++]) {
    const std::span<std::uint32_t> some = std::span(places).subspan(from, ends[shard] - from);
    if (some.empty()) continue;
    std::sort(some.begin(), some.end(), [&](std::uint32_t a, std::uint32_t b) {
      const auto order = entries[a].digest.bytes() <=> entries[b].digest.bytes();
      return order != 0 ? order < 0 : a < b;
    });
    std::vector<Entry>& old = shards_[shard];
    auto next = old.begin();
    merged.clear();
    for (const std::uint32_t at : some) {
      const auto& [digest, place] = entries[at];
      for (; next != old.end() && next->digest < digest.bytes(); ++next) merged.push_back(*next);
      const bool is_known =
          (next != old.end() && next->digest == digest.bytes()) || (!merged.empty() && merged.back().digest == digest.bytes());
      if (is_known) {
        known.push_back(at);
        continue;
      }
      merged.push_back({digest.bytes(), place.segment, static_cast<std::uint32_t>(place.offset / kSegmentBlock), place.length});
      ++size_;
    }
    merged.insert(merged.end(), next, old.end());
    if (old.capacity() < merged.size()) {
      // Before the old one goes: what it names would be lost where there is no memory for the new one.
      std::vector<Entry> grown;
      grown.reserve(merged.size() + merged.size() / 8 + 2);
      old.swap(grown);
    }
    old.assign(merged.begin(), merged.end());
  }
  return known;
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
