// Garbage collection: condemn, wait, claim, delete. A blob that is referred to again before it is claimed lives on; once
// claimed (`deleting`), nobody may rely on it, so its bytes can go without a lock held over the unlink.

#include <algorithm>
#include <set>

#include "library/library_impl.hpp"

namespace media {
namespace {

constexpr std::size_t kBatch = 256;
/// Claimed in one transaction, and removed within a lease.
constexpr std::size_t kClaims = 64;
/// One that lives renews its claims before a removal could outlast them.
constexpr std::chrono::seconds kRenewAfter{15};
/// After the first failure to wipe what was claimed, twice as long after each that follows, up to the longest.
constexpr std::chrono::milliseconds kFirstWipePause{std::chrono::minutes(1)};
constexpr std::chrono::milliseconds kLongestWipePause{std::chrono::hours(24)};
/// In one collection, before what is left waits for the next one.
constexpr std::size_t kMostWipeFailures = 8;

std::chrono::milliseconds wipe_pause(std::uint32_t failures) noexcept {
  return std::min(kLongestWipePause, kFirstWipePause * (1U << std::min(failures - 1, 16U)));
}

}  // namespace

Result<std::vector<Blob>> LibraryImpl::renew_claims(std::span<const Blob> claims) const {
  std::vector<Blob> held;
  MEDIA_TRY(repository_->write([&](Transaction& transaction) -> Result<void> {
    held.clear();
    for (const Blob& claim : claims) {
      MEDIA_TRY_ASSIGN(auto row, transaction.find_blob(claim.digest));
      // Somebody else took it over, or was done with it: its bytes may be another upload's by now.
      if (!row || row->state != BlobState::deleting || row->condemned_at != claim.condemned_at) continue;
      row->condemned_at = std::max(clock_->now(), *claim.condemned_at + std::chrono::milliseconds(1));
      MEDIA_TRY(transaction.put_blob(*row));
      held.push_back(std::move(*row));
    }
    return {};
  }));
  return held;
}

Result<std::vector<Blob>> LibraryImpl::remove_claimed(std::vector<Blob> claims, std::uint64_t& freed) const {
  std::vector<Blob> removed;
  auto renew_at = std::chrono::steady_clock::now() + kRenewAfter;
  for (std::size_t at = 0; at < claims.size(); ++at) {
    if (std::chrono::steady_clock::now() >= renew_at) {
      // A slow store must not remove what is claimed no more.
      MEDIA_TRY_ASSIGN(claims, renew_claims(std::span(claims).subspan(at)));
      renew_at = std::chrono::steady_clock::now() + kRenewAfter;
      at = 0;
      if (claims.empty()) break;
    }
    const Blob& blob = claims[at];
    open_blobs_.forget(blob.digest);
    blob_cache_.forget(blob.digest);
    arrangements_.forget(blob.digest);
    MEDIA_TRY_ASSIGN(const bool was_there, store_->remove(blob.digest));
    if (was_there) freed += blob.size_bytes;
    removed.push_back(blob);
  }
  return removed;
}

Result<void> LibraryImpl::forget_claimed(std::span<const Blob> removed) const {
  return repository_->write([&](Transaction& transaction) -> Result<void> {
    for (const Blob& blob : removed) {
      MEDIA_TRY_ASSIGN(const auto row, transaction.find_blob(blob.digest));
      // Claimed by somebody else since: whoever removes the row must know that nobody removes the bytes any more.
      if (!row || row->state != BlobState::deleting || row->condemned_at != blob.condemned_at) continue;
      MEDIA_TRY(transaction.remove_blob(blob.digest));
      // What was decided about the bytes outlives them: or whoever deletes a refused file could send it once more.
      MEDIA_TRY_ASSIGN(const auto kept_back, transaction.find_quarantined(blob.digest));
      const bool is_decision = kept_back && (kept_back->forced || kept_back->reason == Hold::infected || kept_back->reason == Hold::banned);
      if (!is_decision) MEDIA_TRY(transaction.remove_quarantined(blob.digest));
    }
    return {};
  });
}

Result<std::uint64_t> LibraryImpl::delete_claimed(std::vector<Blob> claims) const {
  std::uint64_t freed = 0;
  MEDIA_TRY_ASSIGN(const auto removed, remove_claimed(std::move(claims), freed));
  MEDIA_TRY(forget_claimed(removed));
  return freed;
}

Result<std::uint64_t> LibraryImpl::wipe_claimed(std::vector<Blob> claims) const {
  std::uint64_t freed = 0;
  MEDIA_TRY_ASSIGN(const auto removed, remove_claimed(std::move(claims), freed));
  if (removed.empty()) return freed;
  std::vector<Digest> digests;
  for (const Blob& blob : removed) digests.push_back(blob.digest);
  MEDIA_TRY(store_->wipe(digests, {}));
  MEDIA_TRY(forget_claimed(removed));
  return freed;
}

/// A place that cannot be wiped must not keep everything else from being collected.
Result<bool> LibraryImpl::wipe_abandoned(CollectReport& report) {
  auto unwiped = [&] {
    const std::lock_guard lock(unwiped_mutex_);
    return unwiped_;
  }();
  const auto is_due = [&](const Blob& claim) {
    const auto known = unwiped.find(claim.digest);
    if (known == unwiped.end()) return true;
    const auto wait = known->second.again_at - clock_->now();
    // Longer than any pause: the clock was put back.
    return wait <= std::chrono::milliseconds(0) || wait > kLongestWipePause;
  };
  bool any = false;
  std::size_t failures = 0;
  const auto wipe_some = [&]() -> Result<bool> {
    // Those that wait for their time are listed, too, and must not fill the page.
    MEDIA_TRY_ASSIGN(auto abandoned,
                     repository_->list_blobs_in_state(BlobState::deleting, clock_->now() - kClaimLease, kClaims + unwiped.size()));
    std::erase_if(abandoned, [&](const Blob& each) { return !is_due(each); });
    if (abandoned.empty()) return false;
    any = true;
    // What has failed before goes by itself: one that can never be wiped must not hold up those that were claimed with it.
    const auto fresh =
        std::stable_partition(abandoned.begin(), abandoned.end(), [&](const Blob& each) { return !unwiped.contains(each.digest); });
    const auto count = static_cast<std::size_t>(fresh - abandoned.begin());
    abandoned.resize(count == 0 ? 1 : std::min(count, kClaims));
    // Two collections may find them at once; one of the two gets each.
    MEDIA_TRY_ASSIGN(const auto taken_over, renew_claims(abandoned));
    const auto freed = wipe_claimed(taken_over);
    if (freed) {
      report.removed += taken_over.size();
      report.removed_bytes += *freed;
      return true;
    }
    for (const Blob& each : taken_over) {
      Unwiped& noted = unwiped[each.digest];
      ++noted.failures;
      noted.again_at = clock_->now() + wipe_pause(noted.failures);
      noted.reason = freed.error();
    }
    // Where the place is down the others would not fare better.
    return !is_retryable(freed.error().code) && ++failures < kMostWipeFailures;
  };
  for (bool more = true; more;) {
    MEDIA_TRY_ASSIGN(more, wipe_some());
  }
  for (auto each = unwiped.begin(); each != unwiped.end();) {
    MEDIA_TRY_ASSIGN(const auto row, repository_->find_blob(each->first));
    // Gone by now, through this call or somebody else's.
    each = row && row->state == BlobState::deleting ? std::next(each) : unwiped.erase(each);
  }
  const std::lock_guard lock(unwiped_mutex_);
  unwiped_ = std::move(unwiped);
  return any;
}

Result<void> LibraryImpl::tell_unwiped() const {
  const std::lock_guard lock(unwiped_mutex_);
  if (unwiped_.empty()) return {};
  const auto& [digest, noted] = *std::max_element(
      unwiped_.begin(), unwiped_.end(), [](const auto& one, const auto& other) { return one.second.failures < other.second.failures; });
  return Error{noted.reason.code, std::to_string(unwiped_.size()) + " removed blobs cannot be wiped, such as " + digest.to_hex() +
                                      " (tried " + std::to_string(noted.failures) + " times, again after " + to_rfc3339(noted.again_at) +
                                      "): " + noted.reason.message};
}

Result<std::uint64_t> LibraryImpl::condemn(std::span<const Blob> candidates) {
  std::uint64_t condemned = 0;
  MEDIA_TRY(repository_->write([&](Transaction& transaction) -> Result<void> {
    condemned = 0;
    for (const Blob& candidate : candidates) {
      MEDIA_TRY_ASSIGN(auto row, transaction.find_blob(candidate.digest));
      if (!row || row->state != BlobState::live) continue;
      MEDIA_TRY_ASSIGN(const bool referenced, transaction.is_referenced(candidate.digest));
      if (referenced) continue;
      row->state = BlobState::condemned;
      row->condemned_at = clock_->now();
      MEDIA_TRY(transaction.put_blob(*row));
      ++condemned;
    }
    return {};
  }));
  return condemned;
}

Result<CollectReport> LibraryImpl::collect(std::optional<std::chrono::seconds> grace, std::stop_token stop) {
  open_blobs_.close_old();  // what is removed below takes up its space as long as it is open
  blob_cache_.drop_idle();
  if (options_.read_only) return Error{Errc::denied, "collect: the library is open for reading only"};
  const auto wait = grace.value_or(options_.collect_grace);
  CollectReport report;
  MEDIA_TRY_ASSIGN(report.evicted, evict_renditions());

  // Bytes without a row, left by a crash: they get a condemned row, and from there on take the way of everything else.
  // (An ingest that has published but not yet catalogued finds that row and makes it live.)
  // A catalog without one blob beside a store that has some is rather the wrong catalog than a store full of leftovers.
  MEDIA_TRY_ASSIGN(const auto any_blob, repository_->list_blobs(std::nullopt, 1));
  std::string cursor;
  while (!any_blob.empty()) {
    MEDIA_TRY_ASSIGN(const auto page, store_->list(cursor, kBatch));
    std::vector<const ListedBlob*> unknown;
    for (const ListedBlob& listed : page.blobs) {
      if (!listed.digest) continue;
      MEDIA_TRY_ASSIGN(const auto row, repository_->find_blob(*listed.digest));
      if (!row) unknown.push_back(&listed);
    }
    if (!unknown.empty()) {
      std::uint64_t added = 0;
      MEDIA_TRY(repository_->write([&](Transaction& transaction) -> Result<void> {
        added = 0;
        for (const ListedBlob* listed : unknown) {
          MEDIA_TRY_ASSIGN(const auto row, transaction.find_blob(*listed->digest));
          if (row) continue;
          Blob blob;
          blob.digest = *listed->digest;
          blob.size_bytes = listed->size;
          blob.state = BlobState::condemned;
          blob.condemned_at = clock_->now();
          MEDIA_TRY(transaction.put_blob(blob));
          ++added;
        }
        return {};
      }));
      report.strays_removed += added;
    }
    cursor = page.next_cursor;
    if (cursor.empty()) break;
  }

  std::optional<Digest> after;
  do {
    MEDIA_TRY_ASSIGN(const auto page, repository_->list_unreferenced_blobs(after));
    after = page.scanned_to;
    for (std::size_t at = 0; at < page.blobs.size(); at += kBatch) {
      MEDIA_TRY_ASSIGN(const std::uint64_t condemned, condemn(std::span(page.blobs).subspan(at, std::min(kBatch, page.blobs.size() - at))));
      report.condemned += condemned;
    }
  } while (after);

  const auto finish = [&](const std::vector<Blob>& claimed) -> Result<void> {
    report.removed += claimed.size();
    MEDIA_TRY_ASSIGN(const std::uint64_t freed, delete_claimed(claimed));
    report.removed_bytes += freed;
    return {};
  };

  // What a collection that died had claimed, or an erasure. Which of the two nothing tells, so that of these nothing stays at all.
  MEDIA_TRY_ASSIGN(const bool any_abandoned, wipe_abandoned(report));
  // Where somebody reads from the catalog's log at this moment, it is written back later, as ever.
  if (any_abandoned) static_cast<void>(repository_->wipe());

  for (;;) {
    const Timestamp now = clock_->now();
    MEDIA_TRY_ASSIGN(const auto due, repository_->list_blobs_in_state(BlobState::condemned, now - wait, kClaims));
    if (due.empty()) break;
    std::vector<Blob> claimed;
    std::uint64_t revived = 0;
    MEDIA_TRY(repository_->write([&](Transaction& transaction) -> Result<void> {
      claimed.clear();
      revived = 0;
      for (const Blob& candidate : due) {
        MEDIA_TRY_ASSIGN(auto row, transaction.find_blob(candidate.digest));
        if (!row || row->state != BlobState::condemned) continue;
        MEDIA_TRY_ASSIGN(const bool referenced, transaction.is_referenced(candidate.digest));
        if (referenced) {
          row->state = BlobState::live;
          row->condemned_at.reset();
          MEDIA_TRY(transaction.put_blob(*row));
          ++revived;
          continue;
        }
        row->state = BlobState::deleting;
        row->condemned_at = now;
        MEDIA_TRY(transaction.put_blob(*row));
        // No rendition row may outlive its source or its bytes.
        MEDIA_TRY(transaction.remove_renditions(candidate.digest));
        MEDIA_TRY(transaction.remove_renditions_stored_as(candidate.digest));
        claimed.push_back(std::move(*row));
      }
      return {};
    }));
    report.revived += revived;
    MEDIA_TRY(finish(claimed));
  }
  if (SegmentedStore* const segments = store_->segmented()) {
    CompactOptions compact;
    compact.stop = std::move(stop);
    compact.bytes_per_second = options_.compact_bytes_per_second;
    MEDIA_TRY_ASSIGN(report.compacted, segments->compact(compact));
  }
  MEDIA_TRY(tell_unwiped());
  return report;
}

}  // namespace media
