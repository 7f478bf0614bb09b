// Erasure: rows and claims in one transaction, so that whoever asks meanwhile finds all of a media or nothing; then the bytes, at once.
// Where the process dies in between, what was claimed goes with the next collection.

#include <algorithm>
#include <iterator>
#include <set>

#include "library/library_impl.hpp"

namespace media {

std::string_view to_string(ErasedBlob::Kind kind) noexcept { return kind == ErasedBlob::Kind::original ? "original" : "rendition"; }

std::string_view to_string(ErasedBlob::Outcome outcome) noexcept {
  switch (outcome) {
    case ErasedBlob::Outcome::erased:
      return "erased";
    case ErasedBlob::Outcome::retained:
      return "retained";
    case ErasedBlob::Outcome::left:
      return "left";
  }
  return "left";
}

namespace {

/// So few that a database at some distance is through with a batch in good time.
constexpr std::size_t kBatch = 16;
/// Shorter than anybody waits for a claim to go.
constexpr std::chrono::seconds kWipeEvery{3};
/// More unfinished uploads than one owner can have.
constexpr std::size_t kMostUploads = 1'000'000;

/// Claims a blob for removal where nobody refers to it any more.
class Claims {
 public:
  Claims(Transaction& transaction, Timestamp now) : transaction_(transaction), now_(now) {}

  Result<void> original(const Digest& digest) {
    MEDIA_TRY_ASSIGN(const auto outcome, blob(digest, ErasedBlob::Kind::original));
    if (outcome != ErasedBlob::Outcome::erased) return {};
    MEDIA_TRY_ASSIGN(const auto renditions, transaction_.list_renditions(digest));
    MEDIA_TRY(transaction_.remove_renditions(digest));
    for (const Rendition& rendition : renditions) MEDIA_TRY(blob(rendition.digest, ErasedBlob::Kind::rendition));
    // As somebody else's rendition these bytes are told of as retained, so none is left here.
    MEDIA_TRY(transaction_.remove_renditions_stored_as(digest));
    return {};
  }

  std::vector<ErasedBlob> blobs;
  std::vector<Blob> claimed;

 private:
  Result<ErasedBlob::Outcome> blob(const Digest& digest, ErasedBlob::Kind kind) {
    MEDIA_TRY_ASSIGN(auto row, transaction_.find_blob(digest));
    if (!row) return ErasedBlob::Outcome::left;
    ErasedBlob erased{digest, row->size_bytes, kind, ErasedBlob::Outcome::erased};
    MEDIA_TRY_ASSIGN(const bool referenced, transaction_.is_referenced(digest));
    if (referenced) {
      erased.outcome = ErasedBlob::Outcome::retained;
    } else if (claimed_here_.contains(digest)) {
      return ErasedBlob::Outcome::erased;  // An owner may have sent a rendition of a picture of his own as a picture, too.
    } else if (row->state == BlobState::deleting) {
      erased.outcome = ErasedBlob::Outcome::left;
    } else {
      row->state = BlobState::deleting;
      row->condemned_at = now_;
      MEDIA_TRY(transaction_.put_blob(*row));
      claimed_here_.insert(digest);
      claimed.push_back(std::move(*row));
    }
    blobs.push_back(erased);
    return erased.outcome;
  }

  Transaction& transaction_;
  const Timestamp now_;
  std::set<Digest> claimed_here_;
};

}  // namespace

Result<void> LibraryImpl::erase_rows(std::span<const MediaId> ids, const EraseRequest& request, EraseReport& report,
                                     std::vector<Blob>& claimed) {
  std::vector<ErasedMedia> media;
  std::vector<ErasedBlob> blobs;
  MEDIA_TRY(repository_->write([&](Transaction& transaction) -> Result<void> {
    media.clear();
    std::set<Digest> originals;
    for (const MediaId id : ids) {
      MEDIA_TRY_ASSIGN(const auto row, transaction.find_media(id));
      if (!row || row->owner != request.owner) continue;  // Removed since it was listed.
      MEDIA_TRY(transaction.remove_media(id));
      MEDIA_TRY(note_event(transaction, MediaEvent::removed, *row));
      media.push_back({id, row->digest, row->uploaded_at});
      if (row->digest) originals.insert(*row->digest);
    }
    Claims claims(transaction, clock_->now());
    for (const Digest& digest : originals) MEDIA_TRY(claims.original(digest));
    blobs = std::move(claims.blobs);
    claimed = std::move(claims.claimed);
    return {};
  }));
  for (const ErasedMedia& each : media) announce(each.id);
  report.media.insert(report.media.end(), media.begin(), media.end());
  for (const ErasedBlob& blob : blobs) {
    const auto told = std::find_if(report.blobs.begin(), report.blobs.end(), [&](const auto& each) { return each.digest == blob.digest; });
    // What was kept for another media of the same owner's, in an earlier batch, is gone now.
    if (told == report.blobs.end()) {
      report.blobs.push_back(blob);
    } else {
      *told = blob;
    }
  }
  return {};
}

Result<std::uint64_t> LibraryImpl::erase_uploads(const std::string& owner) {
  std::vector<std::string> ids;
  MEDIA_TRY(repository_->write([&](Transaction& transaction) -> Result<void> {
    ids.clear();
    MEDIA_TRY_ASSIGN(const auto all, transaction.list_expired_resumable_uploads(Timestamp::max(), kMostUploads));
    for (const ResumableUpload& upload : all) {
      if (upload.owner != owner) continue;
      MEDIA_TRY(transaction.remove_resumable_upload(upload.id));
      ids.push_back(upload.id);
    }
    return {};
  }));
  for (const std::string& id : ids) MEDIA_TRY(spool_->remove(id));
  return ids.size();
}

Result<EraseReport> LibraryImpl::erase(const EraseRequest& request) {
  if (options_.read_only) return Error{Errc::denied, "erase: the library is open for reading only"};
  if (request.owner.empty()) return Error{Errc::invalid_argument, "erase: whose media? An owner is wanted"};
  EraseReport report;
  report.owner = request.owner;

  std::vector<MediaId> ids = request.media;
  for (const MediaId id : ids) {
    MEDIA_TRY_ASSIGN(const auto media, repository_->find_media(id));
    if (!media || media->owner != request.owner) {
      return Error{Errc::not_found, "erase: there is no media " + std::to_string(id) + " of this owner; nothing was erased"};
    }
  }
  if (ids.empty()) {
    MediaQuery query;
    query.owner = request.owner;
    query.limit = 1000;
    for (std::optional<MediaId> from = 0; from;) {
      query.after = *from;
      MEDIA_TRY_ASSIGN(const auto page, repository_->list_media(query));
      for (const Media& media : page.media) ids.push_back(media.id);
      from = page.scanned_to;
    }
  }
  // A tier that is away would keep what the receipt says is gone.
  const TieredStore* const tiers = store_->tiered();
  for (std::size_t i = 0; tiers != nullptr && i < tiers->tier_count(); ++i) {
    if (auto there = check_tier(i); !there) {
      return Error{there.error().code,
                   "erase: the " + tiers->tier_name(i) + " tier does not answer, and nothing was erased: " + there.error().message};
    }
  }
  // Claimed, and without bytes. Their rows go when nothing of them can be brought back any more: whoever dies before leaves a claim, of
  // which the next collection leaves nothing.
  std::vector<Blob> erased;
  std::uint64_t freed = 0;
  const auto wipe_erased = [&]() -> Result<void> {
    std::vector<Digest> digests;
    for (const Blob& blob : erased) digests.push_back(blob.digest);
    MEDIA_TRY(store_->wipe(digests, {}));
    MEDIA_TRY(forget_claimed(erased));
    erased.clear();
    return {};
  };
  auto wiped_at = std::chrono::steady_clock::now();
  const auto erase_all = [&]() -> Result<void> {
    for (std::size_t at = 0; at < ids.size(); at += kBatch) {
      if (request.stop.stop_requested()) return Error{Errc::cancelled, "erase: stopped"};
      std::vector<Blob> claimed;
      MEDIA_TRY(erase_rows(std::span(ids).subspan(at, std::min(kBatch, ids.size() - at)), request, report, claimed));
      MEDIA_TRY_ASSIGN(auto removed, remove_claimed(std::move(claimed), freed));
      std::move(removed.begin(), removed.end(), std::back_inserter(erased));
      // Who sends one of these contents meanwhile waits for its claim, and a claim lapses.
      if (std::chrono::steady_clock::now() - wiped_at < kWipeEvery) continue;
      MEDIA_TRY(wipe_erased());
      wiped_at = std::chrono::steady_clock::now();
    }
    if (!request.media.empty()) return {};
    MEDIA_TRY_ASSIGN(report.uploads, erase_uploads(request.owner));
    return {};
  };
  // An erasure that died took the rows with it, so that nothing tells any more whose the bytes are that it left: they may be this owner's.
  CollectReport of_the_dead;
  const auto finished = wipe_abandoned(of_the_dead);
  auto done = erase_all();
  if (!done && report.media.empty()) return std::move(done).error();
  if (done && !finished) done = finished.error();
  if (done) done = tell_unwiped();
  // Whatever happened: of what is gone nothing stays.
  auto wiped = wipe_erased();
  auto forgotten = repository_->wipe();
  if (done && !wiped) done = std::move(wiped);
  if (done && !forgotten) done = std::move(forgotten);
  if (!done) report.failure = std::move(done).error();
  report.erased_at = clock_->now();
  return report;
}

}  // namespace media
