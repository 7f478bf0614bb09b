#include "library/arrangements.hpp"

#include <algorithm>
#include <utility>

namespace media {
namespace {

std::size_t size_of(const inspect::Arrangement& arrangement) noexcept { return arrangement.index.size() + sizeof arrangement; }

}  // namespace

std::shared_ptr<const inspect::Arrangement> Arrangements::find(const Digest& digest) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.digest == digest; });
  if (found == entries_.end()) return nullptr;
  auto arrangement = found->shared.lock();
  found->kept = arrangement;
  entries_.splice(entries_.begin(), entries_, found);
  let_go();
  return arrangement;
}

Result<std::shared_ptr<const inspect::Arrangement>> Arrangements::keep(const Digest& digest, inspect::Arrangement arrangement) {
  const std::size_t size = size_of(arrangement);
  const std::lock_guard lock(mutex_);
  const auto counted = bytes_;
  if (counted->fetch_add(size) + size > kMost) {
    for (Entry& entry : entries_) entry.kept.reset();
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
  entries_.push_front({digest, kept, kept});
  let_go();
  return kept;
}

void Arrangements::forget(const Digest& digest) {
  const std::lock_guard lock(mutex_);
  entries_.remove_if([&](const Entry& entry) { return entry.digest == digest; });
}

void Arrangements::let_go() {
  std::size_t sum = 0;
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
    if (!entry->kept || entry == entries_.begin()) continue;
    // One that is too large makes no room of those behind it.
    const std::size_t size = size_of(*entry->kept);
    if (sum + size > kKept) {
      entry->kept.reset();
    } else {
      sum += size;
    }
  }
  entries_.remove_if([](const Entry& entry) { return entry.shared.expired(); });
}

}  // namespace media
