// How bytes become durable and catalogued, and how they are opened again: store and repository held together.
//
// The order that everything rests on: publish first, then the row. A blob whose row says `deleting` is being unlinked by
// a collection right now; nothing may rely on it, and nothing publishes it until that row has gone.

#include <algorithm>
#include <thread>
#include <unordered_set>

#include "library/hashing.hpp"
#include "library/library_impl.hpp"
#include "media/trace.hpp"

namespace media {
namespace {

constexpr std::chrono::seconds kDeletingWait{5};
constexpr int kKeepRounds = 3;
/// A blob without an identity is proven again and again; it is not noted each time.
constexpr std::chrono::hours kNoteAgainAfter{24};

Result<Digest> read_and_hash(const ByteReader& reader, std::vector<std::byte>& bytes) {
  MEDIA_TRY_ASSIGN(bytes, read_all(reader, reader.size()));
  return Digest::of(bytes);
}

struct OpenedBlob {
  std::shared_ptr<const ByteReader> reader;
  std::optional<BlobStat> stat;  ///< Of the copy that is open.
};

/// The stat of another tier's copy would vouch for bytes that nobody looked at: a file that can be found and not opened is passed over.
Result<OpenedBlob> open_with_stat(const BlobStore& store, const Digest& digest) {
  const TieredStore* const tiers = store.tiered();
  for (std::size_t i = 0; tiers != nullptr && i < tiers->tier_count(); ++i) {
    const auto tier = tiers->tier(i);
    if (!tier) continue;
    auto reader = (*tier)->open(digest);
    if (!reader) continue;
    OpenedBlob opened{std::move(reader).value(), {}};
    if (auto stat = (*tier)->stat(digest); stat && *stat) {
      opened.stat = std::move(*stat);
      if (!opened.stat->identity.empty()) opened.stat->identity = tiers->tier_name(i) + '/' + opened.stat->identity;
    }
    return opened;
  }
  MEDIA_TRY_ASSIGN(auto reader, store.open(digest));
  OpenedBlob opened{std::move(reader), {}};
  if (tiers != nullptr) return opened;
  MEDIA_TRY_ASSIGN(opened.stat, store.stat(digest));
  return opened;
}

}  // namespace

Result<bool> LibraryImpl::holds(const Digest& digest, std::uint64_t size_bytes) const {
  MEDIA_TRY_ASSIGN(const auto row, repository_->find_blob(digest));
  return holds(row, digest, size_bytes);
}

Result<bool> LibraryImpl::holds(const std::optional<Blob>& row, const Digest& digest, std::uint64_t size_bytes) const {
  if (!row || row->state != BlobState::live || row->size_bytes != size_bytes) return false;
  // Found damaged, or never looked at: these bytes are at hand, and whole.
  if (!row->verified_at) return false;
  // The row is the authority, but a look costs a microsecond and heals a store that lost a file.
  MEDIA_TRY_ASSIGN(const auto stat, store_->stat(digest));
  return stat && stat->size == size_bytes;
}

Result<void> LibraryImpl::wait_while_deleting(const Digest& digest, std::chrono::seconds patience) const {
  const auto end = std::chrono::steady_clock::now() + patience;
  for (;;) {
    MEDIA_TRY_ASSIGN(const auto row, repository_->find_blob(digest));
    if (!row || row->state != BlobState::deleting) return {};
    if (std::chrono::steady_clock::now() >= end) {
      return Error{Errc::unavailable, "blob " + digest.to_hex() + " is being removed; try again"};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

/// A content that the store lacks goes on its way before its group is formed, beside the others', each on its own thread. Whatever fails
/// here comes up again in the group.
void LibraryImpl::write_ahead(Keeping& keeping) const {
  // Other stores do nothing with the hint, and a look at some of them is a request.
  if (!keeping.staged || store_->segmented() == nullptr) return;
  // Most are new, and that the store tells without the catalog. Nothing of what is written ahead can be seen before it is published.
  const auto stat = store_->stat(keeping.digest);
  if (!stat) return;
  if (!*stat) return keeping.staged->write_ahead();
  const auto row = repository_->find_blob(keeping.digest);
  if (!row || (*row && (*row)->state == BlobState::deleting)) return;
  const auto held = holds(*row, keeping.digest, keeping.size_bytes);
  if (held && !*held) keeping.staged->write_ahead();
}

/// `may_wait`: for a collection to let go of a blob, which others must not have to.
Result<void> LibraryImpl::publish_missing(std::span<Keeping* const> keepings, bool all, bool may_wait) {
  std::vector<Keeping*> members;
  std::unordered_set<Digest> in_group;
  for (Keeping* const each : keepings) {
    Keeping& keeping = *each;
    if (keeping.published || !in_group.insert(keeping.digest).second) continue;
    // Again, where it was written ahead: a twin may have come in meanwhile, or a collection begun.
    MEDIA_TRY_ASSIGN(const auto row, repository_->find_blob(keeping.digest));
    if (!all) {
      MEDIA_TRY_ASSIGN(const bool held, holds(row, keeping.digest, keeping.size_bytes));
      if (held) continue;
    }
    // Nobody's fault: whoever sends the same bytes again has them stored.
    if (!keeping.staged && keeping.content == nullptr) {
      return Error{Errc::unavailable, "blob " + keeping.digest.to_hex() + " went away meanwhile; try again"};
    }
    if (row && row->state == BlobState::deleting) {
      MEDIA_TRY(wait_while_deleting(keeping.digest, may_wait ? kDeletingWait : std::chrono::seconds(0)));
    }
    if (!keeping.staged) {
      MEDIA_TRY_ASSIGN(auto writer, store_->begin(keeping.size_bytes));
      MEDIA_TRY(copy_bytes(*keeping.content, *writer));
      MEDIA_TRY_ASSIGN(keeping.staged, writer->finish());
      keeping.read_again = true;
      if (keeping.staged->digest() != keeping.digest) return Error{Errc::conflict, "the content changed while it was read"};
    }
    members.push_back(&keeping);
  }
  if (members.empty()) return {};
  // Spent from here on, and not before: what fails for one must leave the others theirs.
  std::vector<std::unique_ptr<Staged>> group;
  for (Keeping* member : members) group.push_back(std::move(member->staged));
  {
    Span span("store.publish");
    span.set("media.blobs", std::ssize(group));
    MEDIA_TRY(span.check(store_->publish(group)));
  }
  for (Keeping* member : members) {
    MEDIA_TRY_ASSIGN(const auto stat, store_->stat(member->digest));
    member->published = true;
    if (stat) member->identity = stat->identity;
  }
  // Twins in the same call stand on the one that was published.
  for (Keeping* const each : keepings) {
    Keeping& keeping = *each;
    if (keeping.published || !in_group.contains(keeping.digest)) continue;
    const auto twin = std::find_if(members.begin(), members.end(), [&](const Keeping* member) { return member->digest == keeping.digest; });
    if (twin == members.end()) continue;
    keeping.published = true;
    keeping.identity = (*twin)->identity;
  }
  return {};
}

Result<void> LibraryImpl::keep(std::span<Keeping* const> keepings, const Repository::Closure& rows, bool may_wait) {
  for (int round = 0; round < kKeepRounds; ++round) {
    MEDIA_TRY(publish_missing(keepings, round > 0, may_wait));
    bool vanished = false;  // a collection has taken, or is taking, what looked as if it were there
    const Timestamp now = clock_->now();
    Span span("catalog.write");
    const auto outcome = repository_->write([&](Transaction& transaction) -> Result<void> {
      vanished = false;
      for (Keeping* const each : keepings) {
        Keeping& keeping = *each;
        MEDIA_TRY_ASSIGN(auto row, transaction.find_blob(keeping.digest));
        if (keeping.published && !row) {
          // No row: either the blob is new, or a collection has claimed, unlinked and forgotten it since it was published. The
          // store tells which: while a row is absent nobody is unlinking, and nobody can claim before this commits.
          MEDIA_TRY_ASSIGN(const auto stat, store_->stat(keeping.digest));
          keeping.published = stat && stat->size == keeping.size_bytes;
        }
        const bool live = row && row->state == BlobState::live && row->size_bytes == keeping.size_bytes;
        if (!keeping.published) {
          if (live) continue;
          vanished = true;
          return Error{Errc::unavailable, "blob " + keeping.digest.to_hex() + " went away meanwhile; try again"};
        }
        if (row && row->state == BlobState::deleting) {
          // Claimed since it was published: what was published goes too.
          vanished = true;
          keeping.published = false;
          return Error{Errc::unavailable, "blob " + keeping.digest.to_hex() + " is being removed; try again"};
        }
        Blob blob;
        blob.digest = keeping.digest;
        blob.size_bytes = keeping.size_bytes;
        blob.identity = keeping.identity;
        blob.verified_at = now;
        MEDIA_TRY(transaction.put_blob(blob));
        // Published again although it had a row: it was damaged or missing.
        if (row) MEDIA_TRY(forget_damage(transaction, keeping.digest));
      }
      return rows(transaction);
    });
    if (span.check(outcome)) return {};
    if (!vanished) return outcome.error();
  }
  return Error{Errc::unavailable, "a blob went away again and again while it was catalogued; try again"};
}

Result<void> LibraryImpl::note_whole(const Digest& digest, std::uint64_t size_bytes) const {
  MEDIA_TRY_ASSIGN(const auto stat, store_->stat(digest));
  return repository_->write([&](Transaction& transaction) -> Result<void> {
    MEDIA_TRY_ASSIGN(auto current, transaction.find_blob(digest));
    if (!current) return {};
    current->size_bytes = size_bytes;
    current->verified_at = clock_->now();
    current->identity = stat ? stat->identity : std::string();
    MEDIA_TRY(transaction.put_blob(*current));
    return forget_damage(transaction, digest);
  });
}

Result<std::shared_ptr<const ByteReader>> LibraryImpl::open_verified(const Digest& digest) const {
  auto known = open_blobs_.find(digest);
  if (!known) known = blob_cache_.find(digest);
  if (known) {
    note_read(digest);
    return known;
  }
  MEDIA_TRY_ASSIGN(auto row, repository_->find_blob(digest));
  if (!row || row->state == BlobState::deleting) {
    blob_cache_.forget(digest);
    return Error{Errc::not_found, "blob " + digest.to_hex() + " is gone"};
  }
  if (auto cached = blob_cache_.renew(digest, row->size_bytes)) {
    note_read(digest);
    return cached;
  }
  auto opened = open_with_stat(*store_, digest);
  if (!opened) {
    if (opened.error().code == Errc::not_found) {
      note_damage(digest, Hold::missing, "the catalog has it, the store has not");
      return Error{Errc::corrupt, "the bytes of blob " + digest.to_hex() + " are missing"};
    }
    return std::move(opened).error();
  }
  std::shared_ptr<const ByteReader> reader = std::move(opened->reader);
  const std::optional<BlobStat> stat = std::move(opened->stat);
  const Timestamp now = clock_->now();
  // Without an identity nothing tells whether the bytes are those that were verified; such blobs are small.
  const bool same = stat && !stat->identity.empty() && row->identity == stat->identity;
  const bool fresh = same && row->verified_at && now - *row->verified_at < options_.verify_interval && reader->size() == row->size_bytes;
  const bool is_cached = blob_cache_.takes(reader->size());
  if (fresh && !is_cached) {
    note_read(digest);
    open_blobs_.keep(digest, reader);
    return reader;
  }

  // What stays in memory is what was hashed, and not what is read a moment later.
  std::vector<std::byte> bytes;
  const auto actual = is_cached ? read_and_hash(*reader, bytes) : hash_content(*reader);
  // A store that hashes on the way says `corrupt` in the place of the last bytes.
  const bool is_bad = !actual || *actual != digest || reader->size() != row->size_bytes;
  if (is_bad && store_->tiered() != nullptr) {
    MEDIA_TRY_ASSIGN(const auto whole, find_whole_copy(digest));
    if (whole.reader && whole.reader->size() == row->size_bytes) {
      note_read(digest);
      // Proven a moment ago: where it could not be put back in its place, the next read need not go through all of this again.
      open_blobs_.keep(digest, whole.reader);
      if (!options_.read_only && whole.is_clean) static_cast<void>(note_whole(digest, row->size_bytes));
      return whole.reader;
    }
  }
  if (!actual && actual.error().code != Errc::corrupt) return actual.error();
  if (is_bad) {
    if (options_.read_only) return Error{Errc::corrupt, "the bytes of blob " + digest.to_hex() + " are damaged"};
    MEDIA_TRY_ASSIGN(const bool aside, store_->quarantine(digest));
    const bool damaged_on_the_way = !aside && reader->size() == row->size_bytes;
    if (damaged_on_the_way) {
      return Error{Errc::unavailable,
                   "the bytes of blob " + digest.to_hex() + " came damaged out of a store in which they are whole; try again"};
    }
    note_damage(digest, Hold::damaged, aside ? "found when it was read; set aside" : "found when it was read");
    return Error{Errc::corrupt, "the bytes of blob " + digest.to_hex() + " are damaged" + (aside ? "; they were set aside" : "")};
  }
  note_read(digest);
  if (is_cached) {
    reader = blob_cache_.keep(digest, std::move(bytes));
  } else {
    open_blobs_.keep(digest, reader);
  }
  const bool noted = row->verified_at && now - *row->verified_at < kNoteAgainAfter && stat && row->identity == stat->identity;
  if (!options_.read_only && stat && !noted) {
    // A note for later readers; these bytes are proven whether or not it can be written.
    const auto written = repository_->write([&](Transaction& transaction) -> Result<void> {
      MEDIA_TRY_ASSIGN(auto current, transaction.find_blob(digest));
      if (!current) return {};
      current->verified_at = now;
      current->identity = stat->identity;
      return transaction.put_blob(*current);
    });
    static_cast<void>(written);
  }
  return reader;
}

}  // namespace media
