#include "library/blob_cache.hpp"

#include <algorithm>
#include "media/repository.hpp"

namespace media {
namespace {

/// Of the list's node, the table's node and what the allocator adds.
constexpr std::uint64_t kEntryBytes = 256;
constexpr std::uint64_t kProbationShare = 5;
/// No content has more of the budget than this part.
constexpr std::uint64_t kLargestShare = 16;

}  // namespace

std::uint64_t BlobCache::cost(const Entry& entry) noexcept { return entry.reader->size() + kEntryBytes; }

bool BlobCache::takes(std::uint64_t size_bytes) const noexcept {
  return size_bytes <= kSmallBlobBytes && size_bytes + kEntryBytes <= budget_bytes_ / kLargestShare;
}

void BlobCache::move_to(bool is_protected, Entries::iterator entry) {
  Segment& from = segment_of(*entry);
  entry->is_protected = is_protected;
  Segment& to = segment_of(*entry);
  from.bytes -= cost(*entry);
  to.bytes += cost(*entry);
  to.entries.splice(to.entries.begin(), from.entries, entry);
}

void BlobCache::drop(Entries::iterator entry, Gone& gone) {
  Segment& segment = segment_of(*entry);
  segment.bytes -= cost(*entry);
  by_digest_.erase(entry->digest);
  gone.splice(gone.end(), segment.entries, entry);
}

void BlobCache::fit(Gone& gone) {
  const std::uint64_t for_protected = budget_bytes_ - budget_bytes_ / kProbationShare;
  while (protected_.bytes > for_protected) {
    move_to(false, std::prev(protected_.entries.end()));
  }
  // While few are read again, those that were not have the whole budget.
  while (probation_.bytes + protected_.bytes > budget_bytes_) {
    drop(std::prev((probation_.entries.empty() ? protected_ : probation_).entries.end()), gone);
    ++numbers_.evictions;
  }
}

BlobCache::Reader BlobCache::touch(Entries::iterator entry, Gone& gone) {
  ++numbers_.hits;
  Reader reader = entry->reader;
  move_to(true, entry);
  fit(gone);
  return reader;
}

BlobCache::Reader BlobCache::find(const Digest& digest, Clock::time_point now) {
  if (budget_bytes_ == 0) return nullptr;
  Gone gone;
  const std::lock_guard lock(mutex_);
  const auto found = by_digest_.find(digest);
  if (found == by_digest_.end() || found->second->until <= now) return nullptr;
  return touch(found->second, gone);
}

BlobCache::Reader BlobCache::renew(const Digest& digest, std::uint64_t size_bytes, Clock::time_point now) {
  if (budget_bytes_ == 0) return nullptr;
  Gone gone;
  const std::lock_guard lock(mutex_);
  const auto found = by_digest_.find(digest);
  if (found == by_digest_.end() || found->second->reader->size() != size_bytes) return nullptr;
  found->second->until = now + kLifetime;
  return touch(found->second, gone);
}

BlobCache::Reader BlobCache::keep(const Digest& digest, std::vector<std::byte> bytes, Clock::time_point now) {
  auto reader = std::make_shared<const MemoryReader>(std::move(bytes));
  Gone gone;
  const std::lock_guard lock(mutex_);
  ++numbers_.misses;
  if (const auto found = by_digest_.find(digest); found != by_digest_.end()) return found->second->reader;  // of one who came first
  Entries entering;
  entering.push_front({digest, reader, now + kLifetime});
  by_digest_.emplace(digest, entering.begin());
  probation_.bytes += cost(entering.front());
  probation_.entries.splice(probation_.entries.begin(), entering);
  fit(gone);
  return reader;
}

void BlobCache::forget(const Digest& digest) {
  Gone gone;
  const std::lock_guard lock(mutex_);
  const auto found = by_digest_.find(digest);
  if (found != by_digest_.end()) drop(found->second, gone);
}

void BlobCache::drop_idle(Clock::time_point now) {
  Gone gone;
  const std::lock_guard lock(mutex_);
  for (Segment* const segment : {&probation_, &protected_}) {
    for (auto entry = segment->entries.begin(); entry != segment->entries.end();) {
      const auto next = std::next(entry);
      if (entry->until + kIdle <= now) drop(entry, gone);
      entry = next;
    }
  }
}

ReadCacheNumbers BlobCache::numbers() const {
  const std::lock_guard lock(mutex_);
  ReadCacheNumbers numbers = numbers_;
  numbers.entries = by_digest_.size();
  numbers.bytes = probation_.bytes + protected_.bytes;
  numbers.budget_bytes = budget_bytes_;
  return numbers;
}

}  // namespace media
