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

std::vector<std::size_t> PackedIndex::put_unknown(std::uint32_t segment, std::span<const SegmentEntry> entries) {
  /// The front of a digest orders all but one in many millions: what is sorted stays small.
  struct Key {
    std::uint64_t front = 0;
    std::size_t at = 0;
  };
  std::vector<Key> keys(entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) keys[i] = {std::hash<Digest>{}(entries[i].digest), i};
  std::sort(keys.begin(), keys.end(), [&](const Key& a, const Key& b) {
    if (a.front != b.front) return a.front < b.front;
    if (entries[a.at].digest != entries[b.at].digest) return entries[a.at].digest < entries[b.at].digest;
    return a.at < b.at;
  });
  std::vector<std::size_t> known;
  std::vector<Entry> merged;
  for (auto from = keys.begin(); from != keys.end();) {
    const std::size_t shard = shard_of(entries[from->at].digest);
    std::vector<Entry>& old = shards_[shard];
    auto next = old.begin();
    merged.clear();
    for (; from != keys.end() && shard_of(entries[from->at].digest) == shard; ++from) {
      const SegmentEntry& entry = entries[from->at];
      for (; next != old.end() && next->digest < entry.digest.bytes(); ++next) merged.push_back(*next);
      const bool is_known =
          (next != old.end() && next->digest == entry.digest.bytes()) || (!merged.empty() && merged.back().digest == entry.digest.bytes());
      if (is_known) {
        known.push_back(from->at);
        continue;
      }
      merged.push_back({entry.digest.bytes(), segment, static_cast<std::uint32_t>(entry.offset / kSegmentBlock),
                        static_cast<std::uint32_t>(entry.length)});
      ++size_;
    }
    merged.insert(merged.end(), next, old.end());
    if (old.capacity() < merged.size()) {
      old = std::vector<Entry>();
      old.reserve(merged.size() + merged.size() / 8 + 2);
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
