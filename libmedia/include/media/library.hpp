/// The whole of libmedia behind a few calls: bytes in, proofs, pictures and facts out.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "media/blob_store.hpp"
#include "media/clock.hpp"
#include "media/erase.hpp"
#include "media/export.hpp"
#include "media/file_sharing.hpp"
#include "media/gate.hpp"
#include "media/inspect.hpp"
#include "media/io.hpp"
#include "media/library_options.hpp"
#include "media/processor.hpp"
#include "media/records.hpp"
#include "media/repository.hpp"
#include "media/result.hpp"
#include "media/tiers.hpp"
#include "media/transform.hpp"
#include "media/upload_spool.hpp"

namespace media {

/// What comes with the bytes.
struct IngestRequest {
  std::string owner = "local";
  std::string filename{};
  std::string declared_type{};  ///< A claim; the content decides. Empty: none.
  Visibility visibility = Visibility::is_private;
  std::string idempotency_key{};  ///< Same owner and key: the first media is answered again.
  std::optional<std::uint64_t> expected_size{};
  /// Any bytes up to any size, not judged and not decoded; later served as attachments only.
  bool any_content = false;
  /// What the same owner's same bytes make: the media that is there (a command line), or another one (a server,
  /// beyond 60 s or under another name).
  bool reuse_existing = false;
  /// Fills the media of this promised upload (`Library::promise`): owner, name, type, size and visibility are the promise's then.
  std::string upload_token{};
  /// Whether the content, a file of its own on the store's file system (`ByteReader::window`) and larger than kSmallBlobBytes, is taken in
  /// without copying its bytes; what cannot be, or not safely, is copied. Of `Library::prepare` alone.
  FileSharing sharing = FileSharing::none;
};

/// What somebody may send later, under a token.
struct UploadPromise {
  std::string owner = "local";
  std::string filename{};
  std::string media_type{};
  std::uint64_t size_bytes = 0;
  std::optional<Digest> digest{};  ///< Absent: any content of that type and size.
  Visibility visibility = Visibility::is_private;
  /// Same owner and key: the first promise is answered again, under another token where the first has expired.
  std::string idempotency_key{};
  bool renew = false;  ///< The token given before is of no use to the caller: another one takes its place.
  /// Stands before the random part of the token; for what the token's reader must know (which key signs).
  std::string token_prefix{};
  std::chrono::seconds lifetime{std::chrono::minutes{15}};
};

/// What somebody begins to send over as many requests as it takes.
struct ResumableRequest {
  std::string owner = "local";
  bool is_part = false;         ///< Of a file that `join` makes.
  std::string filename{};       ///< As in `IngestRequest`.
  std::string declared_type{};  ///< As in `IngestRequest`.
  std::string metadata{};       ///< Kept and told again, never read.
  std::uint64_t size_bytes = 0;
  /// Whatever has not become a media by then is forgotten, and what it became is told no longer.
  std::chrono::seconds lifetime{std::chrono::hours{24}};
};

/// One request's turn at a resumable upload: as long as it lives nobody else writes to that upload. Destroying it keeps what was settled.
///
/// Thread-safety: none, but for the stop token; one request, one stream of bytes.
class MEDIA_EXPORT Resumption {
 public:
  virtual ~Resumption() = default;
  Resumption(const Resumption&) = delete;
  Resumption& operator=(const Resumption&) = delete;

  /// As it was when the turn began.
  [[nodiscard]] virtual const ResumableUpload& upload() const noexcept = 0;
  /// Everything written. Only after `settle` may anybody be told of it.
  [[nodiscard]] virtual std::uint64_t offset() const noexcept = 0;
  [[nodiscard]] virtual std::uint64_t settled_offset() const noexcept = 0;
  /// From now on nothing is settled until `settle` is called; else it is now and then.
  virtual void hold_back() noexcept = 0;
  /// Errors: `too_large` (beyond the size announced; nothing of the piece is kept), those of SpooledUpload::append.
  virtual Result<void> write(std::span<const std::byte> piece) = 0;
  virtual Result<void> settle() = 0;
  /// Forgets what was written since the last `settle`.
  virtual Result<void> discard() = 0;
  /// Requested once somebody else wants to go on with this upload: settle, and end the turn.
  [[nodiscard]] virtual std::stop_token asked_to_stop() const noexcept = 0;

 protected:
  Resumption() = default;
};

/// What `update` changes; absent: left as it is.
struct MediaChanges {
  std::optional<std::string> filename{};  ///< Folders before it are left out.
  std::optional<Visibility> visibility{};
  /// At most kMaxTags, of 1 to kMaxTagBytes bytes each, without control characters; of equal ones the first stays.
  std::optional<std::vector<std::string>> tags{};
  /// A time to come, or (an optional that holds none) never.
  std::optional<std::optional<Timestamp>> expires_at{};
  /// Change only the media as it was then: `conflict` where it was changed since.
  std::optional<Timestamp> expected_updated_at{};
};

/// A credential to be made for a program.
struct ApiKeyRequest {
  std::string owner{};
  std::vector<std::string> scopes{};               ///< Of "media:read", "media:write" and "media:admin", one at least.
  std::string label{};                             ///< At most 255 bytes.
  std::optional<std::chrono::seconds> lifetime{};  ///< Absent: until it is revoked.
};

/// A key and, this one time, the token that opens it.
struct NewApiKey {
  ApiKey key{};
  std::string token{};  ///< "mk_<id>_<secret>".
};

enum class IngestStatus : std::uint8_t {
  stored,     ///< A new media.
  duplicate,  ///< The media that was there is answered; nothing was added.
  refused,    ///< The policy said no; `verdict` says why. Nothing was kept.
};

struct IngestOutcome {
  IngestStatus status = IngestStatus::stored;
  Media media{};  ///< Meaningless where refused.
  Verdict verdict{};
  Digest digest{};
  std::uint64_t size_bytes = 0;
  /// This owner already had the bytes. What others have is never told.
  bool deduplicated = false;
  /// How the bytes of a media that was stored came in, and, where sharing was asked for and they were copied, why.
  FileSharing shared = FileSharing::none;
  std::string copied_because{};
};

/// One file on its way in. Destroying it unfinished leaves nothing behind.
/// Thread-safety: none; one stream of bytes.
class MEDIA_EXPORT Ingest {
 public:
  virtual ~Ingest() = default;
  /// Errors: `too_large` (beyond the policy's largest limit), `no_space`, `io`, `denied`, `unavailable`.
  virtual Result<void> write(std::span<const std::byte> piece) = 0;
  /// Names the file anew: in a form the name may come after the bytes.
  virtual void rename(std::string filename) = 0;

 protected:
  Ingest() = default;
};

/// What became of parts that were joined.
struct JoinOutcome {
  ResumableUpload upload{};  ///< Meaningless where refused.
  IngestOutcome outcome{};
};

/// Renditions are disposable: a `Picture` is one with its bytes opened. An MP4 that is only arranged anew (`Transform::keep_codecs`) is
/// arranged while it is read: there is no blob of it, and `rendition.digest` names it as if there were one.
struct Picture {
  Rendition rendition{};
  std::shared_ptr<const ByteReader> content{};
};

/// A picture that is being made, or waits for its turn. Destroying it gives it up: what nobody waits for any more leaves the queue; what
/// has begun is made and kept all the same, for whoever asks next. Does not outlive the library.
///
/// Thread-safety: may be called concurrently, because the library's queue guards it.
class MEDIA_EXPORT PendingPicture {
 public:
  virtual ~PendingPicture() = default;
  PendingPicture(const PendingPicture&) = delete;
  PendingPicture& operator=(const PendingPicture&) = delete;

  /// Nothing while there is nothing to tell; afterwards the same each time. A small picture is told as soon as it is made, while it is
  /// still being stored. Errors: as `Library::derive`, and `unavailable` where its turn has not come within the deadline of the budget; a
  /// later call may still find the picture.
  virtual std::optional<Result<Picture>> poll() = 0;
  /// Blocks until the picture is stored. `cancelled` where told to stop.
  virtual Result<Picture> wait(std::stop_token stop) = 0;

 protected:
  PendingPicture() = default;
};

/// One of the two is there.
struct Derivation {
  std::optional<Picture> picture{};           ///< It was stored.
  std::unique_ptr<PendingPicture> pending{};  ///< It is on its way.
};

/// A video that was ordered of a media: `encodes_video`. Stored, or the job that makes it, whose progress only rises; where that was given
/// up (`JobState::dead`), its last error says why.
struct Video {
  std::string transform{};  ///< `to_string(Transform)`.
  std::optional<Rendition> rendition{};
  std::optional<Job> job{};
  std::string remark{};  ///< What is missing in it; empty: nothing.
};

/// How the making of pictures goes, since the library was opened.
struct DerivationStats {
  std::size_t waiting = 0;      ///< Pictures that wait for their turn.
  unsigned running = 0;         ///< That are made at this moment for callers.
  unsigned background = 0;      ///< The same by jobs.
  std::uint64_t made = 0;       ///< For callers.
  std::uint64_t failed = 0;     ///< That could not be made.
  std::uint64_t shared = 0;     ///< Calls that found their picture asked for already.
  std::uint64_t refused = 0;    ///< Calls beyond `LibraryOptions::derivation_queue`.
  std::uint64_t abandoned = 0;  ///< That left the queue, because nobody waited for them any more.
  std::uint64_t evicted = 0;    ///< Renditions dropped for the budget's sake.
  /// How long one that is asked for now would wait, going by those that were made lately.
  std::chrono::milliseconds expected_wait{0};
};

/// Which renditions to drop. What is given narrows it; nothing given: all.
struct RenditionSelection {
  std::optional<MediaId> media{};                    ///< Of this media, and so of all that share its blob.
  std::optional<std::chrono::seconds> unused_for{};  ///< Not handed out for so long.
};

/// What is wrong with a rendition, by what its source makes today.
struct RenditionFault {
  enum class Problem : std::uint8_t {
    differs,      ///< The same source, transform and encoder made other bytes.
    not_made,     ///< It could not be made again.
    source_lost,  ///< The source is missing or damaged.
  };
  Problem problem = Problem::differs;
  Rendition rendition{};
  std::string message{};
};
MEDIA_EXPORT std::string_view to_string(RenditionFault::Problem problem) noexcept;

struct VerifyRenditionsOptions {
  /// So many of those that this build's encoders made, drawn by chance; absent: all.
  std::optional<std::size_t> sample{};
  unsigned threads = 2;
  std::stop_token stop{};
  /// Called for each fault as it is found, from one thread at a time.
  std::function<void(const RenditionFault&)> on_fault{};
  /// Called now and then with renditions made and how many there will be, from one thread at a time.
  std::function<void(std::uint64_t done, std::uint64_t total)> progress{};
};

struct VerifyRenditionsReport {
  std::uint64_t checked = 0;  ///< Made again, or tried to.
  std::uint64_t same = 0;
  std::uint64_t differing = 0;
  std::uint64_t not_made = 0;
  std::uint64_t source_lost = 0;
  std::uint64_t outdated = 0;  ///< Of the whole catalog: by an encoder of another version, so that nobody is handed them, and no fault.

  [[nodiscard]] bool reproducible() const noexcept { return differing == 0 && not_made == 0 && source_lost == 0; }
};

/// What `verify` found wrong with one blob.
struct Fault {
  enum class Problem : std::uint8_t {
    damaged,  ///< Its bytes have another digest or length than its name or row says.
    missing,  ///< A row, but no bytes.
    stray,    ///< Bytes, but no row: left by a crash, or not a blob at all.
  };
  Problem problem = Problem::damaged;
  std::optional<Digest> digest{};
  std::string location{};
  std::string message{};
  bool repaired = false;  ///< A whole copy has taken its place.
};
MEDIA_EXPORT std::string_view to_string(Fault::Problem problem) noexcept;

/// One of equal shares of all blobs, by digest: a blob is in the same share at every run.
struct VerifyShare {
  std::uint32_t number = 1;  ///< From 1 to `of`.
  std::uint32_t of = 1;
};

struct VerifyOptions {
  unsigned threads = 2;
  /// Only this share, and of it only about so many, drawn by chance. Strays are told of the share, whatever is drawn.
  VerifyShare share{};
  double sample = 1;
  /// What was verified since then is passed over; absent: nothing is.
  std::optional<Timestamp> unless_verified_since{};
  std::uint64_t bytes_per_second = 0;  ///< Read at most; 0: as fast as the disk goes.
  /// Where whole copies of damaged and missing blobs may be found that no tier of the store has; outlives the call. Null: nowhere else.
  const BlobStore* repair_from = nullptr;
  std::stop_token stop{};
  /// Called for each fault as it is found, from one thread at a time.
  std::function<void(const Fault&)> on_fault{};
  /// Called now and then with blobs and bytes done, from one thread at a time.
  std::function<void(std::uint64_t blobs, std::uint64_t bytes)> progress{};
};

struct VerifyReport {
  std::uint64_t blobs = 0;
  std::uint64_t bytes = 0;
  std::uint64_t damaged = 0;
  std::uint64_t missing = 0;
  std::uint64_t stray = 0;
  std::uint64_t repaired = 0;  ///< Of the damaged and missing ones, by a copy from another tier or store.

  [[nodiscard]] bool intact() const noexcept { return damaged == 0 && missing == 0 && stray == 0; }
};

struct CollectReport {
  RenditionUsage evicted{};     ///< Renditions dropped for the budget's sake.
  std::uint64_t condemned = 0;  ///< Newly found without a reference.
  std::uint64_t revived = 0;    ///< Condemned before, referred to again.
  std::uint64_t removed = 0;
  std::uint64_t removed_bytes = 0;
  std::uint64_t strays_removed = 0;  ///< Bytes without a row, older than the grace period.
  /// What became of segments that were mostly dead by then: `removed_bytes` of packed blobs are given back only with these.
  CompactReport compacted{};
};

/// One thing to tell, as `LibraryOptions::describe_event` put it.
struct Notification {
  std::int64_t id = 0;  ///< The same at every attempt: receivers tell by it what they have seen.
  std::string payload{};
  std::uint32_t attempts = 0;  ///< This one included.
  Timestamp created_at{};
};

/// Tells it. A retryable error (`is_retryable`): to be tried again later, with growing pauses, for about a day and a half; any other:
/// never.
using NotificationSender = std::function<Result<void>(const Notification&)>;

struct RunJobsOptions {
  std::stop_token stop{};
  /// Return once nothing is due; else wait for more until stopped.
  bool until_idle = true;
  std::size_t limit = SIZE_MAX;
};

/// Keeps, proves, judges and derives. Everything that the command line and the server do, they do through it.
///
/// Thread-safety: every method may be called concurrently; several processes may have one library open.
class MEDIA_EXPORT Library {
 public:
  /// Errors: those of the store's and repository's opening, and `not_found` (see `LibraryOptions`).
  static Result<std::unique_ptr<Library>> open(LibraryOptions options);
  virtual ~Library() = default;
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  /// Starts taking in one file, piece by piece. `too_large` where the size that is expected is beyond the policy's limit or what is left of
  /// the owner's quota.
  virtual Result<std::unique_ptr<Ingest>> begin(IngestRequest request) = 0;
  /// Judges, publishes and catalogues finished files in one group of syncs and one transaction; an outcome each.
  /// When it returns, every media said to be stored is on stable storage and in the catalog.
  virtual std::vector<Result<IngestOutcome>> finish(std::span<const std::unique_ptr<Ingest>> ingests) = 0;
  Result<IngestOutcome> finish(std::unique_ptr<Ingest> ingest);
  /// A whole content at once. Contents that the library has already are found by hashing alone, without writing.
  virtual Result<std::unique_ptr<Ingest>> prepare(const ByteReader& content, IngestRequest request) = 0;
  Result<IngestOutcome> ingest(const ByteReader& content, IngestRequest request);
  /// A file by its path, under its own name. Errors as FileReader::open, too.
  Result<IngestOutcome> ingest_file(const std::filesystem::path& path, IngestRequest request = {});

  /// Makes a Pending media and a token under which its bytes may be sent until the promise expires. `conflict` where the idempotency
  /// key was used for something else; `too_large` beyond the policy's limit or the owner's quota, against which a promise counts as long as
  /// it stands; `invalid_argument` for a promise that nothing can keep.
  virtual Result<UploadSession> promise(const UploadPromise& promise) = 0;
  virtual Result<std::optional<UploadSession>> find_upload(const std::string& token) const = 0;
  /// Begins an upload and takes the first turn at it. `invalid_argument`, `too_large` beyond the policy's limit or what is left of the
  /// owner's quota, which is asked again when the last byte is there.
  virtual Result<std::unique_ptr<Resumption>> begin_resumable(const ResumableRequest& request) = 0;
  /// Takes a turn at an upload. Whoever has it in this process is asked to stop and waited for; another process's turn is waited
  /// for. Of an upload that is done the turn has nothing left to write. Errors: `not_found`, `expired`, `unavailable` (nobody gave way
  /// within `patience`).
  virtual Result<std::unique_ptr<Resumption>> resume(const std::string& id, std::chrono::milliseconds patience) = 0;
  virtual Result<std::optional<ResumableUpload>> find_resumable(const std::string& id) const = 0;
  /// The bytes of an upload that are on stable storage, whoever writes to it. `expired` where they are gone.
  virtual Result<std::uint64_t> settled_offset(const ResumableUpload& upload) const = 0;
  /// Makes a media of an upload whose last byte is settled, by the judgement that every file meets, and notes it down in the same
  /// transaction. Again, after a crash or a lost answer, it answers the media that is there (`duplicate`). Where the content is refused
  /// the upload is forgotten. Errors: `invalid_argument` (bytes are missing; a part), `expired` (forgotten meanwhile).
  virtual Result<IngestOutcome> finish(std::unique_ptr<Resumption> turn) = 0;
  /// Makes a media of finished parts of the same owner in the order given, and an upload that tells of it. The parts are of no further
  /// use and go soon. The request's size is not looked at. Errors: `not_found` (a part), `conflict` (a part is not complete),
  /// `invalid_argument` (no parts; one that is not a part), `too_large`.
  virtual Result<JoinOutcome> join(const ResumableRequest& request, std::span<const std::string> parts) = 0;
  /// Forgets an upload, its bytes too; what it became stays. False where there was none. `unavailable` as in `resume`.
  virtual Result<bool> remove_resumable(const std::string& id, std::chrono::milliseconds patience) = 0;

  /// Forgets promises that ran out, with the media that still wait for their bytes, and resumable uploads that did; says how many. Removes
  /// bytes of uploads that nobody knows of any more.
  virtual Result<std::size_t> sweep_uploads() = 0;

  virtual Result<std::optional<Media>> find(MediaId id) const = 0;
  /// What has expired is left out. Looks at a bounded number of rows: see MediaPage.
  virtual Result<MediaPage> list(MediaQuery query) const = 0;
  /// Media that look like a picture, the nearest first, of equally near ones the oldest. What has expired is left out.
  /// `invalid_argument` beyond kMaxSimilarDistance.
  virtual Result<std::vector<SimilarMedia>> similar(SimilarQuery query) const = 0;
  /// Those that look like this media, without itself; none where it has no perceptual hash. Of the query, hash and `except` are not looked
  /// at. `not_found` too.
  Result<std::vector<SimilarMedia>> similar(MediaId id, SimilarQuery query) const;
  /// The job that is working, or will work, on a media.
  virtual Result<std::optional<Job>> find_job(MediaId id) const = 0;
  /// What waits, runs or was given up, ascending by id; of one state where one is given.
  virtual Result<std::vector<Job>> list_jobs(std::optional<JobState> state, std::size_t limit) const = 0;
  /// How many there are, by kind and state.
  virtual Result<std::vector<JobCount>> count_jobs() const = 0;
  /// Queues a job that was given up again, at once, as if it had never been tried. False where there is no such job.
  virtual Result<bool> retry_job(std::int64_t id) = 0;
  virtual Result<std::vector<Rendition>> renditions(MediaId id) const = 0;

  /// Opens a media's original. A blob not verified within the interval is hashed first: `corrupt` where it is damaged (it is
  /// set aside then). `not_found` where there is no such media, or it is Pending. Calls within two seconds share one open blob, and what
  /// happens to its file meanwhile is not noticed; it is closed by a later read, by whoever runs jobs, or by `collect`. `denied` where
  /// the gate keeps it back (Media::held).
  virtual Result<std::shared_ptr<const ByteReader>> read(MediaId id) const = 0;
  /// As above, of a media that was found a moment ago: its row is not looked up again.
  virtual Result<std::shared_ptr<const ByteReader>> read(const Media& media) const = 0;

  /// The rendition of a media by a transform: the stored one, or made and stored now. Calls for the same one share the work; different ones
  /// are made in the order of the calls, `LibraryOptions::derivations_at_once` at a time. Waits for its turn up to the deadline of the
  /// budget, and for the making. A video that has to be encoded (`encodes_video`) is made by `order_video` only; until it was ordered of
  /// this very media it is `not_found`. Errors: `not_found`, `unavailable` (too many wait, or its turn did not come), `cancelled`, those of
  /// `read` (`denied` too), those of Processor::derive.
  Result<Picture> derive(MediaId id, const Transform& transform, std::stop_token stop = {});
  /// As above without waiting, of a media that was found a moment ago. `on_ready` (may be empty) is called once there is something to tell,
  /// from a thread of the library: it must be quick, and must not call the library.
  virtual Result<Derivation> begin_derive(const Media& media, const Transform& transform, std::function<void()> on_ready) = 0;
  [[nodiscard]] virtual DerivationStats derivation_stats() const = 0;
  /// Has a video encoded (`encodes_video`) by `run_encodings`, here or elsewhere: queues a job, unless it was ordered of this media before
  /// and is stored, or a job is on its way. Where the same was made for somebody else the job only finds it. One that was given up is tried
  /// again. Owners take turns. `invalid_argument` for another transform, `unsupported` where no video comes of such a media or nothing
  /// encodes here (`encodes`), `not_found`, `denied` (kept back), `conflict` (16 of this media are on their way), `too_large` (the owner's
  /// quota, against which videos count), `unavailable` (LibraryOptions::encoding_queue).
  virtual Result<Video> order_video(const Media& media, const Transform& transform) = 0;
  /// What was ordered of a media and is there, by this build's encoders, or is being made.
  virtual Result<std::vector<Video>> videos(const Media& media) const = 0;
  /// Pictures from a content that is not, and will not be, in the library.
  virtual Result<Derived> derive_from(const ByteReader& content, std::span<const Transform> transforms, const DeriveOptions& options) = 0;

  /// The media as it is afterwards. `not_found`, `conflict`, `invalid_argument` (a file name without a byte or beyond 255; tags or a time
  /// that MediaChanges does not allow).
  virtual Result<Media> update(MediaId id, const MediaChanges& changes) = 0;
  /// False where there was none. The blob goes later, by `collect`.
  virtual Result<bool> remove(MediaId id) = 0;
  /// Removes what an owner has, rows and bytes, with all renditions and without a grace period: for the law's sake. What is left of removed
  /// blobs in segments, whosever they were, is overwritten. Bytes that others have too stay. A reader that has one of these bytes open may
  /// get zeros for them. A failure on the way, once something was erased, is in the report. Errors: `invalid_argument` (no owner),
  /// `not_found` (a media of the list is not the owner's; then nothing is erased), `denied`, `cancelled`, and the store's and repository's
  /// own.
  virtual Result<EraseReport> erase(const EraseRequest& request) = 0;
  /// Removes several at once, all that are there (and this owner's, where one is given) or, on an error, none. Answers which they were,
  /// each once.
  virtual Result<std::vector<MediaId>> remove(std::span<const MediaId> ids, const std::optional<std::string>& owner) = 0;
  /// Removes media whose time has run out; says how many. They are not found, listed or read from that time on, swept or not.
  virtual Result<std::size_t> sweep_expired() = 0;

  /// Attaches a media to a subject such as "recipe/42/step/7", or moves it there. `not_found` where there is no such media.
  virtual Result<void> link(const Link& link) = 0;
  /// False where it was not attached.
  virtual Result<bool> unlink(const std::string& subject, MediaId id) = 0;
  /// Ascending by position, then media id.
  virtual Result<std::vector<Link>> links(const std::string& subject) const = 0;

  /// Draws a key. The token is answered here and nowhere else. `invalid_argument`.
  virtual Result<NewApiKey> create_api_key(const ApiKeyRequest& request) = 0;
  /// All, revoked and expired ones too, the oldest first.
  virtual Result<std::vector<ApiKey>> list_api_keys() const = 0;
  /// From now on it opens nothing. False where there is none, or it is revoked already.
  virtual Result<bool> revoke_api_key(const std::string& id) = 0;
  /// The key that a token opens; nothing for a token that is wrong, revoked or expired. Takes as long for one wrong secret as for another.
  virtual Result<std::optional<ApiKey>> find_api_key(std::string_view token) const = 0;

  /// As Repository::back_up: the catalog without the bytes of the blobs.
  virtual Result<void> back_up_catalog(const std::filesystem::path& file) = 0;
  /// Re-reads every byte and compares catalog and store. A damaged blob counts as unverified from then on, so that no reader gets it
  /// unhashed. `invalid_argument` for a share or sample that is none.
  virtual Result<VerifyReport> verify(const VerifyOptions& options) = 0;
  /// Drops renditions from the catalog; they are made again when somebody asks. Says how many, and what their bytes come to, which go by
  /// `collect` where nothing else is made of them. `not_found` where there is no such media.
  virtual Result<RenditionUsage> drop_renditions(const RenditionSelection& selection) = 0;
  /// Makes renditions again from their sources and compares the bytes. Changes nothing.
  virtual Result<VerifyRenditionsReport> verify_renditions(const VerifyRenditionsOptions& options) = 0;
  /// Of all renditions, or of those that count against the budget; what it costs grows with their number.
  virtual Result<RenditionUsage> rendition_usage(bool on_demand_only) const = 0;
  /// Drops renditions beyond the budget, then condemns what nothing refers to and removes what was condemned longer ago than the grace
  /// period. A stop ends it between two segments that are rewritten.
  virtual Result<CollectReport> collect(std::optional<std::chrono::seconds> grace = std::nullopt, std::stop_token stop = {}) = 0;

  /// The tiers of a store that is several, the hottest first; none of one that is one.
  [[nodiscard]] virtual std::vector<std::string> tier_names() const = 0;
  /// Brings blobs to the tiers that they belong to: each is copied, read back and compared, and only then removed from where it was. May be
  /// stopped or killed, and called again; others may read, store, erase and arrange meanwhile. Errors: `unsupported` (one store),
  /// `unavailable` (a tier is down), those of the stores and the repository; what was moved by then stays.
  virtual Result<ArrangeReport> arrange_tiers(const ArrangeOptions& options) = 0;
  /// Copies into the hot tier what was read from another one since the last call and is smaller than this; says how many.
  virtual Result<std::size_t> promote_read(std::uint64_t below_bytes, std::stop_token stop) = 0;

  /// The store's power over segments; null where it has none. As long as the library.
  virtual SegmentedStore* segmented() noexcept = 0;
  /// The store's power to let others fetch a blob from it; null where it has none. As long as the library.
  virtual const PresigningStore* presigning() const noexcept = 0;
  /// Likewise, the power to name the files that blobs are.
  virtual const FileNamingStore* file_naming() const noexcept = 0;

  /// Does queued work on the calling thread; says how many jobs it ended. Several threads and processes may run it.
  /// Media that were taken in before a version that describes them (Media::appearance) are described when nothing else is due.
  virtual Result<std::size_t> run_jobs(const RunJobsOptions& options) = 0;
  /// As above, but does nothing else than describe such media.
  virtual Result<std::size_t> describe_old_media(const RunJobsOptions& options) = 0;
  /// True where the processor encodes videos.
  [[nodiscard]] virtual bool encodes() const noexcept = 0;
  /// Encodes the videos that were ordered, one after the other, owner by owner; otherwise as `run_jobs`, which leaves them alone: they take
  /// minutes. `unsupported` where the processor encodes none: the orders are left to others.
  virtual Result<std::size_t> run_encodings(const RunJobsOptions& options) = 0;
  /// Hands what waits to `send` on the calling thread, in the order of the changes as long as nothing fails; says how many were told or
  /// given up. At least once each. Several threads and processes may run it.
  virtual Result<std::size_t> send_notifications(const NotificationSender& send, const RunJobsOptions& options) = 0;
  /// Sees one media through: runs its job here, or waits for whoever has it. The media as it is then; one that the gate keeps back is
  /// not waited for.
  virtual Result<Media> process(MediaId id, std::stop_token stop = {}) = 0;

  /// Quotas, bans, scanning and quarantine. As long as the library.
  [[nodiscard]] virtual Gate& gate() noexcept = 0;
  [[nodiscard]] virtual const AdmissionPolicy& policy() const noexcept = 0;
  [[nodiscard]] virtual const std::vector<Preset>& presets() const noexcept = 0;
  /// What the store holds by the catalog, without what waits for collection; what it costs grows with the number of blobs (see
  /// RepositoryReader::storage_usage).
  virtual Result<StorageUsage> storage_usage() const = 0;
  /// The parts, for health checks. Of a store with tiers: the hot one.
  virtual Result<void> check_store() = 0;
  virtual Result<void> check_tier(std::size_t index) = 0;
  virtual Result<void> check_repository() const = 0;

 protected:
  Library() = default;
};

}  // namespace media
