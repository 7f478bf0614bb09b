#include "library/arrangements.hpp"

#include <algorithm>
#include <utility>

namespace media {

std::shared_ptr<const inspect::Arrangement> Arrangements::find(const Digest& digest) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.digest == digest; });
  if (found == entries_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found);
  return found->arrangement;
}

Result<std::shared_ptr<const inspect::Arrangement>> Arrangements::keep(const Digest& digest, inspect::Arrangement arrangement) {
  const std::size_t size = arrangement.index.size();
  const std::lock_guard lock(mutex_);
  const auto counted = bytes_;
  if (counted->fetch_add(size) + size > kMost) {
    entries_.clear();
    if (counted->load() > kMost) {
      *counted -= size;
      return Error{Errc::unavailable, "too many videos are being arranged and read at this moment"};
    }
  }
  const std::shared_ptr<const inspect::Arrangement> kept(new inspect::Arrangement(std::move(arrangement)),
                                                         [counted, size](const inspect::Arrangement* gone) {
                                                           *counted -= size;
                                                           delete gone;
                                                         });
  entries_.remove_if([&](const Entry& entry) { return entry.digest == digest; });
  entries_.push_front({digest, kept});
  std::size_t sum = 0;
  const auto last = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    sum += entry.arrangement->index.size() + sizeof(inspect::Arrangement);
    return sum > kKept;
  });
  entries_.erase(last, entries_.end());
  return kept;
}

void Arrangements::forget(const Digest& digest) {
  const std::lock_guard lock(mutex_);
  entries_.remove_if([&](const Entry& entry) { return entry.digest == digest; });
}

}  // namespace media
