// Garbage collection: condemn, wait, claim, delete. A blob that is referred to again before it is claimed lives on; once
// claimed (`deleting`), nobody may rely on it, so its bytes can go without a lock held over the unlink.

#include "library/library_impl.hpp"

namespace media {
namespace {

constexpr std::size_t kBatch = 256;
/// A claim older than this belongs to a collection that died; one that lives unlinks a batch within moments.
constexpr std::chrono::seconds kClaimLease{60};

}  // namespace

Result<std::uint64_t> LibraryImpl::delete_claimed(std::span<const Blob> claimed) {
  std::uint64_t freed = 0;
  for (const Blob& blob : claimed) {
    open_blobs_.forget(blob.digest);
    MEDIA_TRY_ASSIGN(const bool removed, store_->remove(blob.digest));
    if (removed) freed += blob.size_bytes;
  }
  MEDIA_TRY(repository_->write([&](Transaction& transaction) -> Result<void> {
    for (const Blob& blob : claimed) {
      MEDIA_TRY_ASSIGN(const auto row, transaction.find_blob(blob.digest));
      if (row && row->state == BlobState::deleting) MEDIA_TRY(transaction.remove_blob(blob.digest));
    }
    return {};
  }));
  return freed;
}

Result<CollectReport> LibraryImpl::collect(std::optional<std::chrono::seconds> grace, std::stop_token stop) {
  open_blobs_.close_old();  // what is removed below takes up its space as long as it is open
  if (options_.read_only) return Error{Errc::denied, "collect: the library is open for reading only"};
  const auto wait = grace.value_or(options_.collect_grace);
  CollectReport report;
  MEDIA_TRY_ASSIGN(report.evicted, evict_renditions());

  // Bytes without a row, left by a crash: they get a condemned row, and from there on take the way of everything else.
  // (An ingest that has published but not yet catalogued finds that row and makes it live.)
  std::string cursor;
  do {
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
  } while (!cursor.empty());

  std::optional<Digest> after;
  for (;;) {
    MEDIA_TRY_ASSIGN(const auto blobs, repository_->list_unreferenced_blobs(after, kBatch));
    if (blobs.empty()) break;
    after = blobs.back().digest;
    std::uint64_t condemned = 0;
    MEDIA_TRY(repository_->write([&](Transaction& transaction) -> Result<void> {
      condemned = 0;
      for (const Blob& candidate : blobs) {
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
    report.condemned += condemned;
  }

  const auto finish = [&](const std::vector<Blob>& claimed) -> Result<void> {
    MEDIA_TRY_ASSIGN(const std::uint64_t freed, delete_claimed(claimed));
    report.removed_bytes += freed;
    report.removed += claimed.size();
    return {};
  };

  // What a collection that died had claimed.
  for (;;) {
    MEDIA_TRY_ASSIGN(const auto abandoned, repository_->list_blobs_in_state(BlobState::deleting, clock_->now() - kClaimLease, kBatch));
    if (abandoned.empty()) break;
    MEDIA_TRY(finish(abandoned));
  }

  for (;;) {
    const Timestamp now = clock_->now();
    MEDIA_TRY_ASSIGN(const auto due, repository_->list_blobs_in_state(BlobState::condemned, now - wait, kBatch));
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
  return report;
}

}  // namespace media
