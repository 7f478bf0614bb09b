/// Everything that is not bytes, behind one interface.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "media/export.hpp"
#include "media/placement.hpp"
#include "media/records.hpp"
#include "media/result.hpp"

namespace media {

/// Which media, in which order: a page of a keyset walk over ids.
struct MediaQuery {
  std::optional<std::string> owner{};  ///< Absent: everybody's.
  std::optional<MediaStatus> status{};
  std::string media_type_prefix{};           ///< "image/"; empty: any.
  std::string filename_contains{};           ///< ASCII case ignored; empty: any.
  std::optional<Timestamp> uploaded_from{};  ///< Inclusive.
  std::optional<Timestamp> uploaded_to{};    ///< Exclusive.
  std::string tag{};                         ///< Has exactly this tag; empty: any.
  std::optional<Timestamp> alive_at{};       ///< Only what has not expired by then; absent: all.
  /// Only ids beyond this one in the direction of the walk; 0: from the beginning.
  MediaId after = 0;
  bool descending = false;
  std::size_t limit = 50;
  std::size_t offset = 0;  ///< Matches to pass over, for legacy clients.
  /// Rows of the owner (and, with one, of the status) that one call looks at, at most: a filter that nothing matches must not read a
  /// whole catalog.
  std::size_t scan_limit = 10'000;
};

/// What one call of `list_media` found.
struct MediaPage {
  std::vector<Media> media{};
  /// The last id looked at, where there is more to look at: the walk goes on from it (`MediaQuery::after`), whether the page is full,
  /// not full or empty. Absent: the walk is at its end.
  std::optional<MediaId> scanned_to{};
};

/// Beyond it pictures that have nothing to do with each other are as near.
inline constexpr unsigned kMaxSimilarDistance = 32;

/// Which media look like a picture.
struct SimilarQuery {
  PerceptualHash perceptual_hash{};
  /// Bits that may differ, at most kMaxSimilarDistance. Copies that were made smaller or compressed again are nearly always within the
  /// default.
  unsigned max_distance = 10;
  std::optional<std::string> owner{};  ///< Absent: everybody's.
  /// Where there is an owner: what others let at least these people see is looked at too. Absent: the owner's alone.
  std::optional<Visibility> others{};
  std::optional<Timestamp> alive_at{};  ///< Only what has not expired by then; absent: all.
  MediaId except = 0;                   ///< Left out; 0: none.
  std::size_t limit = 20;
};

struct SimilarMedia {
  unsigned distance = 0;
  Media media{};

  friend bool operator==(const SimilarMedia&, const SimilarMedia&) = default;
};

/// What one call of `list_unreferenced_blobs` found.
struct UnreferencedPage {
  std::vector<Blob> blobs{};
  /// The last row looked at, where there are more: the walk goes on from it. Absent: it is at its end.
  std::optional<Digest> scanned_to{};
};

/// Rows that one call of `list_unreferenced_blobs` looks at.
inline constexpr std::size_t kUnreferencedScan = 1000;

/// Up to here a content is held in memory until it is stored, and no size of it is looked for.
inline constexpr std::uint64_t kSmallBlobBytes = 256U << 10U;

/// Reading. Sees one consistent state within a `Transaction`, the newest committed one outside.
class MEDIA_EXPORT RepositoryReader {
 public:
  virtual ~RepositoryReader() = default;

  virtual Result<std::optional<Media>> find_media(MediaId id) const = 0;
  virtual Result<MediaPage> list_media(const MediaQuery& query) const = 0;
  /// The nearest first, of equally near ones the oldest. Those within 12 bits are found by an index; for farther ones every hash is looked
  /// at, a tenth of a second a million.
  virtual Result<std::vector<SimilarMedia>> list_similar_media(const SimilarQuery& query) const = 0;
  /// Whose `expires_at` is at or before `now`, the earliest first.
  virtual Result<std::vector<Media>> list_expired_media(Timestamp now, std::size_t limit) const = 0;
  /// One of the owner's media with this content, not Pending; where a file name is given, the newest that has it too.
  virtual Result<std::optional<Media>> find_media_by_content(const std::string& owner, const Digest& digest,
                                                             const std::optional<std::string>& filename) const = 0;
  /// Likewise, of those whose content was judged when it came in: the format is known.
  virtual Result<std::optional<Media>> find_judged_media_by_content(const std::string& owner, const Digest& digest) const = 0;
  virtual Result<std::optional<Media>> find_media_by_idempotency_key(const std::string& owner, const std::string& key) const = 0;

  virtual Result<std::optional<Blob>> find_blob(const Digest& digest) const = 0;
  /// Is there a live blob of exactly this size? Tells whether hashing before writing is worth it, which it never is up to kSmallBlobBytes:
  /// for those the answer may be true without a look.
  virtual Result<bool> has_blob_of_size(std::uint64_t size_bytes) const = 0;
  /// Of all live blobs. Reads through them all: some tenths of a second a million.
  virtual Result<StorageUsage> storage_usage() const = 0;
  /// Ascending by digest, beyond `after`.
  virtual Result<std::vector<Blob>> list_blobs(const std::optional<Digest>& after, std::size_t limit) const = 0;
  /// True where a media or a rendition of a referenced source refers to the blob.
  virtual Result<bool> is_referenced(const Digest& digest) const = 0;
  /// Live blobs that nothing refers to, ascending by digest, among the next kUnreferencedScan rows beyond `after`: most of them are
  /// referred to, and one call must not walk through them all.
  virtual Result<UnreferencedPage> list_unreferenced_blobs(const std::optional<Digest>& after) const = 0;
  /// Every blob as placement sees it, ascending by digest, beyond `after`.
  virtual Result<std::vector<BlobUse>> list_blob_uses(const std::optional<Digest>& after, std::size_t limit) const = 0;
  /// Blobs in a state, whose `condemned_at` is at or before `until`.
  virtual Result<std::vector<Blob>> list_blobs_in_state(BlobState state, Timestamp until, std::size_t limit) const = 0;

  virtual Result<std::optional<Rendition>> find_rendition(const Digest& source, const std::string& transform,
                                                          const std::string& encoder) const = 0;
  virtual Result<std::vector<Rendition>> list_renditions(const Digest& source) const = 0;
  /// Of every source, ascending by source, transform and encoder, beyond the one given, of which these three count.
  virtual Result<std::vector<Rendition>> list_all_renditions(const std::optional<Rendition>& after, std::size_t limit) const = 0;
  /// Those made on demand, the least recently used first.
  virtual Result<std::vector<Rendition>> list_least_used_renditions(std::size_t limit) const = 0;
  /// Of all, or of those made on demand. Reads through them: some tenths of a second a million.
  virtual Result<RenditionUsage> rendition_usage(bool on_demand_only) const = 0;

  virtual Result<std::optional<Job>> find_job_of_media(MediaId id, const std::string& kind) const = 0;
  /// All jobs of one kind on a media, ascending by id, dead ones too.
  virtual Result<std::vector<Job>> jobs_of_media(MediaId id, const std::string& kind) const = 0;
  /// Jobs ascending by id; for people.
  virtual Result<std::vector<Job>> list_jobs(std::optional<JobState> state, std::size_t limit) const = 0;
  /// Ascending by kind and state; those of which there are none are left out. Reads through all jobs.
  virtual Result<std::vector<JobCount>> count_jobs() const = 0;

  /// Ascending by transform.
  virtual Result<std::vector<VideoOrder>> list_video_orders(MediaId id) const = 0;
  /// By the turns of video orders. Reads through the jobs of that kind.
  virtual Result<JobQueue> job_queue(const std::string& kind, const std::string& owner) const = 0;
  /// Bytes of the renditions that an owner's video orders came to, each order by itself. Reads through the orders of the owner.
  virtual Result<std::uint64_t> ordered_video_bytes(const std::string& owner) const = 0;

  virtual Result<std::optional<UploadSession>> find_upload(const std::string& token) const = 0;
  /// The newest promise that a media waits for, or came by.
  virtual Result<std::optional<UploadSession>> find_upload_of_media(MediaId id) const = 0;
  virtual Result<std::vector<UploadSession>> list_expired_uploads(Timestamp now, std::size_t limit) const = 0;

  virtual Result<std::optional<ResumableUpload>> find_resumable_upload(const std::string& id) const = 0;
  virtual Result<std::vector<ResumableUpload>> list_expired_resumable_uploads(Timestamp now, std::size_t limit) const = 0;

  /// Ascending by position, then media id.
  virtual Result<std::vector<Link>> list_links(const std::string& subject) const = 0;
  virtual Result<std::vector<Link>> list_links_of_media(MediaId id) const = 0;

  virtual Result<std::optional<ApiKey>> find_api_key(const std::string& id) const = 0;
  /// All, revoked and expired ones too, ascending by creation, then id.
  virtual Result<std::vector<ApiKey>> list_api_keys() const = 0;

  /// What an owner has. Kept up to date for owners whom `keep_owner_usage` was asked about; of others it is summed up, a tenth of a second
  /// for a hundred thousand media.
  virtual Result<OwnerUsage> owner_usage(const std::string& owner) const = 0;
  virtual Result<std::optional<Quota>> find_quota(const std::string& owner) const = 0;
  /// Ascending by owner.
  virtual Result<std::vector<OwnerQuota>> list_quotas() const = 0;
  virtual Result<GateFacts> gate_facts(const std::string& owner, const Digest& digest) const = 0;
  /// Ascending by id.
  virtual Result<std::vector<Ban>> list_bans() const = 0;
  /// The nearest ban by perceptual hash that a picture falls under.
  virtual Result<std::optional<Ban>> find_ban_of_picture(PerceptualHash hash) const = 0;
  virtual Result<std::optional<Quarantined>> find_quarantined(const Digest& digest) const = 0;
  /// Those that were released, or those that were not; ascending by digest, beyond `after`.
  virtual Result<std::vector<Quarantined>> list_quarantined(bool released, const std::optional<Digest>& after, std::size_t limit) const = 0;
  /// Of those that were not released. What is `unseen` is counted by entries, too: those that could not be looked at.
  virtual Result<QuarantineCounts> quarantine_counts() const = 0;
  /// The media whose content this is, whosever they are, ascending by id.
  virtual Result<std::vector<Media>> list_media_of_blob(const Digest& digest) const = 0;
};

/// Changing, inside `Repository::write`. Sees its own changes.
/// Errors besides the stated ones: `io`, `no_space`, `unavailable`, `corrupt`.
class MEDIA_EXPORT Transaction : public RepositoryReader {
 public:
  /// Gives the id. `media.id` 0 takes the next one; ids are never used twice.
  /// `already_exists` where the id given, or the owner's idempotency key, is taken (by `update_media` too).
  virtual Result<MediaId> insert_media(const Media& media) = 0;
  /// Replaces every field of the row with this id. `not_found`.
  virtual Result<void> update_media(const Media& media) = 0;
  /// With its links, jobs, video orders, upload session and resumable uploads. False where there was none.
  virtual Result<bool> remove_media(MediaId id) = 0;

  /// Inserts or replaces.
  virtual Result<void> put_blob(const Blob& blob) = 0;
  virtual Result<bool> remove_blob(const Digest& digest) = 0;
  /// Adds to what is noted of reads; those of blobs that have no row are dropped.
  virtual Result<void> note_blob_reads(std::span<const BlobReads> reads) = 0;

  /// Inserts or replaces by (source, transform, encoder).
  virtual Result<void> put_rendition(const Rendition& rendition) = 0;
  virtual Result<bool> remove_rendition(const Digest& source, const std::string& transform, const std::string& encoder) = 0;
  /// All of one source; says how many.
  virtual Result<std::size_t> remove_renditions(const Digest& source) = 0;
  /// All whose bytes are this blob, whatever their source; says how many.
  virtual Result<std::size_t> remove_renditions_stored_as(const Digest& digest) = 0;
  /// Notes when renditions whose bytes are this blob were used, where that is later than what they say; says how many it changed.
  virtual Result<std::size_t> note_rendition_use(const Digest& digest, Timestamp used_at) = 0;

  /// `media_id` 0: of no media. `not_found` where there is no such media.
  virtual Result<std::int64_t> insert_job(const Job& job) = 0;
  /// Takes up to `limit` jobs of a kind that are due: queued ones, and running ones whose lease ran out; marks them running under
  /// `lease_owner` until `lease_until` and counts the attempt. Progress stays what an attempt before came to. `media_id` 0: any.
  virtual Result<std::vector<Job>> claim_jobs(const std::string& kind, Timestamp now, const std::string& lease_owner, Timestamp lease_until,
                                              std::size_t limit, MediaId media_id) = 0;
  /// As above, one job, and of those that are due the one with the lowest turn by its video order.
  virtual Result<std::optional<Job>> claim_job_in_turn(const std::string& kind, Timestamp now, const std::string& lease_owner,
                                                       Timestamp lease_until) = 0;
  /// Prolongs a lease and notes progress. False where the lease is no longer this owner's.
  virtual Result<bool> renew_job(std::int64_t id, const std::string& lease_owner, Timestamp lease_until, double progress) = 0;
  /// Ends a job: deletes it. False where the lease is no longer this owner's.
  virtual Result<bool> finish_job(std::int64_t id, const std::string& lease_owner) = 0;
  /// As `finish_job` for several at once; says how many were still this owner's.
  virtual Result<std::size_t> finish_jobs(std::span<const std::int64_t> ids, const std::string& lease_owner) = 0;
  /// Gives a job back: queued again from `run_after` on, or dead where that is absent. False as above.
  virtual Result<bool> release_job(std::int64_t id, const std::string& lease_owner, std::optional<Timestamp> run_after,
                                   const std::string& error) = 0;
  /// Gives a job back as if it had not been claimed: the attempt does not count. False as above.
  virtual Result<bool> return_job(std::int64_t id, const std::string& lease_owner, Timestamp run_after, const std::string& error) = 0;
  /// Queues a dead job again, due at `run_after`, without progress, as if it had never been tried. False where there is no such dead job.
  virtual Result<bool> retry_job(std::int64_t id, Timestamp run_after) = 0;

  /// Inserts or replaces by media and transform. `not_found` where there is no such media.
  virtual Result<void> put_video_order(const VideoOrder& order) = 0;

  /// Inserts or replaces by token. `not_found` where there is no such media.
  virtual Result<void> put_upload(const UploadSession& session) = 0;
  /// Changes the state only where it is `from` (compare and set); false otherwise.
  virtual Result<bool> change_upload_state(const std::string& token, UploadState from, UploadState to) = 0;
  virtual Result<bool> remove_upload(const std::string& token) = 0;

  /// Inserts or replaces by id. `not_found` where it names a media that is not there.
  virtual Result<void> put_resumable_upload(const ResumableUpload& upload) = 0;
  virtual Result<bool> remove_resumable_upload(const std::string& id) = 0;

  /// Inserts, or moves to the position. `not_found` where there is no such media.
  virtual Result<void> put_link(const Link& link) = 0;
  virtual Result<bool> remove_link(const std::string& subject, MediaId id) = 0;

  /// `already_exists` where the id is taken.
  virtual Result<void> insert_api_key(const ApiKey& key) = 0;
  /// False where there is none, or it is revoked already: the time of a revocation is not moved.
  virtual Result<bool> revoke_api_key(const std::string& id, Timestamp now) = 0;

  /// As `owner_usage`, and from now on it is kept up to date by every change of the owner's media, and costs a look-up.
  virtual Result<OwnerUsage> keep_owner_usage(const std::string& owner) = 0;
  /// Inserts or replaces by owner.
  virtual Result<void> put_quota(const OwnerQuota& quota) = 0;
  virtual Result<bool> remove_quota(const std::string& owner) = 0;
  /// Gives the id. `already_exists` where the digest or the hash is banned.
  virtual Result<std::int64_t> insert_ban(const Ban& ban) = 0;
  virtual Result<bool> remove_ban(std::int64_t id) = 0;
  /// Inserts or replaces by digest.
  virtual Result<void> put_quarantined(const Quarantined& entry) = 0;
  virtual Result<bool> remove_quarantined(const Digest& digest) = 0;
};

/// The catalog. One contract suite (tests/contract) says what each implementation must do.
///
/// Thread-safety: every method may be called concurrently; reads use connections of their own and never wait for a writer.
class MEDIA_EXPORT Repository : public RepositoryReader {
 public:
  /// What a closure may do: everything inside, no effects outside, for it may be run again.
  using Closure = std::function<Result<void>(Transaction&)>;

  /// Runs the closure in one transaction and returns once it is committed and durable. Where the closure fails, or the
  /// commit, nothing of it stays and the error comes back (a commit that failed with `io` may show again if the
  /// process ends before the next one). Several callers' closures may share one commit; each
  /// is told its own outcome. Errors: the closure's; `io`, `no_space`, `unavailable`, `corrupt`, `denied` (opened for reading
  /// only), `invalid_argument` (called by a closure).
  virtual Result<void> write(const Closure& closure) = 0;
  /// As `write`, for a closure that does nothing but claim, renew, finish and release jobs. Each of these decides by itself, so that a
  /// shared catalog need not keep such closures apart; and one may be forgotten when the catalog's machine crashes: the job is run once
  /// more.
  virtual Result<void> write_jobs(const Closure& closure) { return write(closure); }
  /// Calls `wake`, from a thread of its own, when another process may have queued a job. One watcher at most: another one takes its place,
  /// an empty one ends the watching, and after that no call is under way. A catalog that cannot tell never calls it, and a call may be
  /// missed: the queue must be looked at from time to time anyway.
  virtual void watch_jobs(std::function<void()> wake) { static_cast<void>(wake); }  // NOLINT(performance-unnecessary-value-param)
  /// Proves that the catalog answers (a health check).
  virtual Result<void> check() const = 0;
  /// Leaves nothing of rows that were removed, as far as that is this process's to do: what a log still holds of them. Nothing where an
  /// engine sees to it itself. Errors: `io`, `no_space`, `unavailable` (somebody reads from the log, for longer than a few seconds).
  virtual Result<void> wipe();
  /// A copy of the whole catalog, of one moment, in a file that must not exist; others go on reading and writing. On success it is on
  /// stable storage. `unsupported` where the engine has a tool of its own for that (pg_dump). Errors: `already_exists`, `no_space`, `io`,
  /// `denied`.
  virtual Result<void> back_up(const std::filesystem::path& file);
};

/// A catalog in this process's memory, for tests and short-lived programs. Gone with the object.
MEDIA_EXPORT std::unique_ptr<Repository> make_memory_repository();

struct SqliteRepositoryOptions {
  std::filesystem::path path{};
  /// Reading connections kept open at most; further readers wait.
  unsigned read_connections = 4;
  /// Open for reading only; `write` answers `denied`. A catalog that needs a migration is refused then.
  bool read_only = false;
};

/// A catalog in one SQLite file (WAL, synchronous=FULL), made and migrated when opened.
/// Errors: `unsupported` (made by a newer version; a network filesystem), `corrupt` (not a catalog, migration checksum differs),
/// `not_found` (its folder; the file itself where read-only), `denied`, `no_space`, `unavailable` (locked for longer than 10 s), `io`.
MEDIA_EXPORT Result<std::unique_ptr<Repository>> open_sqlite_repository(const SqliteRepositoryOptions& options);

/// A backup (`Repository::back_up`) takes the place of a catalog that no program has open, or of none. It is copied, checked whole and
/// brought up to date before; the former catalog stays beside it under another name, which is answered (empty: there was none). What was
/// stored since the backup is in the store and not in this catalog. Errors: `not_found`, `corrupt` (no catalog, or a damaged one),
/// `unsupported` (made by a newer version), `unavailable` (in use), `denied`, `no_space`, `io`.
MEDIA_EXPORT Result<std::filesystem::path> restore_sqlite_catalog(const std::filesystem::path& backup,
                                                                  const std::filesystem::path& catalog);

}  // namespace media
