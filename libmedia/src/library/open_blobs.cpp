#include "library/open_blobs.hpp"

namespace media {

void OpenBlobs::drop_old(Clock::time_point now, std::list<Entry>& gone) {
  while (!entries_.empty() && (entries_.front().until <= now || entries_.size() > kMost)) {
    by_digest_.erase(entries_.front().digest);
    gone.splice(gone.end(), entries_, entries_.begin());
  }
}

std::shared_ptr<const ByteReader> OpenBlobs::find(const Digest& digest, Clock::time_point now) {
  std::list<Entry> gone;
  const std::lock_guard lock(mutex_);
  drop_old(now, gone);
  const auto found = by_digest_.find(digest);
  return found == by_digest_.end() ? nullptr : found->second->reader;
}

void OpenBlobs::keep(const Digest& digest, std::shared_ptr<const ByteReader> reader, Clock::time_point now) {
  std::list<Entry> gone;
  const std::lock_guard lock(mutex_);
  if (by_digest_.contains(digest)) return;
  std::list<Entry> entering;
  entering.push_back({digest, std::move(reader), now + kLifetime});
  by_digest_.emplace(digest, entering.begin());
  entries_.splice(entries_.end(), entering);
  drop_old(now, gone);
}

void OpenBlobs::close_old(Clock::time_point now) {
  std::list<Entry> gone;
  const std::lock_guard lock(mutex_);
  drop_old(now, gone);
}

void OpenBlobs::forget(const Digest& digest) {
  std::list<Entry> gone;
  const std::lock_guard lock(mutex_);
  const auto found = by_digest_.find(digest);
  if (found == by_digest_.end()) return;
  gone.splice(gone.end(), entries_, found->second);
  by_digest_.erase(found);
}

}  // namespace media
