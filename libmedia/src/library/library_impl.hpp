/// The built-in Library: areas combined. One class, one .cpp for each of its capabilities.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "library/arrangements.hpp"
#include "library/blob_cache.hpp"
#include "library/derivation_queue.hpp"
#include "library/entrance.hpp"
#include "library/open_blobs.hpp"
#include "library/read_counts.hpp"
#include "library/rendition_uses.hpp"
#include "library/stage_clock.hpp"
#include "library/upload_turns.hpp"
#include "media/library.hpp"
#include "media/measures.hpp"

namespace media {

/// A staged content on its way into store and catalog.
struct Keeping {
  Digest digest;
  std::uint64_t size_bytes = 0;
  /// Spent once published. Absent where the bytes were only hashed, because the store seemed to have them.
  std::unique_ptr<Staged> staged;
  /// Where the bytes can be read again, for contents that were only hashed.
  const ByteReader* content = nullptr;
  bool published = false;
  bool read_again = false;  ///< Staged from `content`, whatever was staged before.
  /// What the store said after publishing.
  std::string identity;
};

class PendingIngest;

/// A claim of a blob for its removal that is older belongs to somebody who died; whoever lives renews it.
inline constexpr std::chrono::seconds kClaimLease{60};

/// A content that was judged, on its way into store and catalog, and what becomes of it.
struct Entering {
  PendingIngest* ingest = nullptr;
  Keeping keeping{};
  Result<IngestOutcome> outcome = Error{Errc::unavailable, "ingest: not finished"};
  bool again = false;  ///< The group failed, which may be another's fault: to be entered alone.
};

class LibraryImpl final : public Library, public Gate {
 public:
  LibraryImpl(LibraryOptions options, std::unique_ptr<BlobStore> store, std::unique_ptr<Repository> repository,
              std::unique_ptr<UploadSpool> spool, std::unique_ptr<Processor> processor);
  ~LibraryImpl() override {
    repository_->watch_jobs({});
    flush_uses();
    flush_reads();
  }

  Result<std::unique_ptr<Ingest>> begin(IngestRequest request) override;
  Result<std::unique_ptr<Ingest>> prepare(const ByteReader& content, IngestRequest request) override;
  using Library::finish;
  std::vector<Result<IngestOutcome>> finish(std::span<const std::unique_ptr<Ingest>> ingests) override;

  Result<UploadSession> promise(const UploadPromise& promise) override;
  Result<std::optional<UploadSession>> find_upload(const std::string& token) const override { return repository_->find_upload(token); }
  Result<std::size_t> sweep_uploads() override;

  Result<std::unique_ptr<Resumption>> begin_resumable(const ResumableRequest& request) override;
  Result<std::unique_ptr<Resumption>> resume(const std::string& id, std::chrono::milliseconds patience) override;
  Result<std::optional<ResumableUpload>> find_resumable(const std::string& id) const override;
  Result<std::uint64_t> settled_offset(const ResumableUpload& upload) const override;
  Result<IngestOutcome> finish(std::unique_ptr<Resumption> turn) override;
  Result<JoinOutcome> join(const ResumableRequest& request, std::span<const std::string> parts) override;
  Result<bool> remove_resumable(const std::string& id, std::chrono::milliseconds patience) override;

  Result<std::optional<Media>> find(MediaId id) const override { return find_alive(*repository_, id); }
  Result<MediaPage> list(MediaQuery query) const override;
  using Library::similar;
  Result<std::vector<SimilarMedia>> similar(SimilarQuery query) const override;
  Result<std::optional<Job>> find_job(MediaId id) const override;
  Result<std::vector<Job>> list_jobs(std::optional<JobState> state, std::size_t limit) const override;
  Result<std::vector<JobCount>> count_jobs() const override { return repository_->count_jobs(); }
  Result<bool> retry_job(std::int64_t id) override;
  Result<std::vector<Rendition>> renditions(MediaId id) const override;
  Result<std::shared_ptr<const ByteReader>> read(MediaId id) const override;
  Result<std::shared_ptr<const ByteReader>> read(const Media& media) const override;
  Result<Derivation> begin_derive(const Media& media, const Transform& transform, std::function<void()> on_ready) override;
  [[nodiscard]] DerivationStats derivation_stats() const override;
  Result<Video> order_video(const Media& media, const Transform& transform) override;
  Result<std::vector<Video>> videos(const Media& media) const override;
  Result<Derived> derive_from(const ByteReader& content, std::span<const Transform> transforms, const DeriveOptions& options) override;
  Result<Media> update(MediaId id, const MediaChanges& changes) override;
  Result<bool> remove(MediaId id) override;
  Result<EraseReport> erase(const EraseRequest& request) override;
  Result<std::vector<MediaId>> remove(std::span<const MediaId> ids, const std::optional<std::string>& owner) override;
  Result<std::size_t> sweep_expired() override;
  Result<void> link(const Link& link) override;
  Result<bool> unlink(const std::string& subject, MediaId id) override;
  Result<std::vector<Link>> links(const std::string& subject) const override;
  Result<NewApiKey> create_api_key(const ApiKeyRequest& request) override;
  Result<std::vector<ApiKey>> list_api_keys() const override { return repository_->list_api_keys(); }
  Result<bool> revoke_api_key(const std::string& id) override;
  Result<std::optional<ApiKey>> find_api_key(std::string_view token) const override;
  Result<void> back_up_catalog(const std::filesystem::path& file) override { return repository_->back_up(file); }
  Result<VerifyReport> verify(const VerifyOptions& options) override;
  Result<RenditionUsage> drop_renditions(const RenditionSelection& selection) override;
  Result<VerifyRenditionsReport> verify_renditions(const VerifyRenditionsOptions& options) override;
  Result<RenditionUsage> rendition_usage(bool on_demand_only) const override { return repository_->rendition_usage(on_demand_only); }
  Result<CollectReport> collect(std::optional<std::chrono::seconds> grace, std::stop_token stop) override;
  Result<std::size_t> run_jobs(const RunJobsOptions& options) override;
  Result<std::size_t> describe_old_media(const RunJobsOptions& options) override;
  [[nodiscard]] bool encodes() const noexcept override { return processor_->encodes(); }
  Result<std::size_t> run_encodings(const RunJobsOptions& options) override;
  Result<std::size_t> send_notifications(const NotificationSender& send, const RunJobsOptions& options) override;
  Result<Media> process(MediaId id, std::stop_token stop) override;

  [[nodiscard]] Gate& gate() noexcept override { return *this; }
  Result<QuotaState> quota(const std::string& owner) const override;
  Result<std::vector<OwnerQuota>> list_quotas() const override { return repository_->list_quotas(); }
  Result<void> set_quota(const std::string& owner, const Quota& quota) override;
  Result<bool> clear_quota(const std::string& owner) override;
  Result<BanReport> add_ban(const BanRequest& request) override;
  Result<std::vector<Ban>> list_bans() const override { return repository_->list_bans(); }
  Result<bool> remove_ban(std::int64_t id) override;
  Result<std::vector<Quarantined>> list_quarantine(const QuarantineFilter& filter) const override;
  Result<std::optional<Quarantined>> find_quarantined(const Digest& digest) const override { return repository_->find_quarantined(digest); }
  Result<QuarantineCounts> quarantine_counts() const override { return repository_->quarantine_counts(); }
  Result<std::vector<Media>> media_of(const Digest& digest) const override { return repository_->list_media_of_blob(digest); }
  Result<void> put_away(const Digest& digest, Hold reason, const std::string& detail) override;
  Result<void> release(const ReleaseRequest& request) override;
  Result<PurgeReport> purge(const Digest& digest) override;
  Result<void> check_scanner() override;
  [[nodiscard]] bool has_scanner() const noexcept override { return options_.gate.scanner != nullptr; }
  [[nodiscard]] ScanStats scan_stats() const noexcept override;

  [[nodiscard]] const AdmissionPolicy& policy() const noexcept override { return options_.policy; }
  [[nodiscard]] const std::vector<Preset>& presets() const noexcept override { return options_.presets; }
  SegmentedStore* segmented() noexcept override { return store_->segmented(); }
  const PresigningStore* presigning() const noexcept override { return store_->presigning(); }
  const FileNamingStore* file_naming() const noexcept override { return store_->file_naming(); }
  [[nodiscard]] std::vector<std::string> tier_names() const override;
  Result<ArrangeReport> arrange_tiers(const ArrangeOptions& options) override;
  Result<std::size_t> promote_read(std::uint64_t below_bytes, std::stop_token stop) override;
  Result<void> check_store() override;
  Result<void> check_tier(std::size_t index) override;
  Result<StorageUsage> storage_usage() const override { return repository_->storage_usage(); }
  Result<void> check_repository() const override { return repository_->check(); }
  [[nodiscard]] Measures own_measures() const;

 private:
  class Verification;
  class Arrangement;

  /// A media that has not expired. All that is answered to anybody is found this way; only removing looks at the row itself.
  Result<std::optional<Media>> find_alive(const RepositoryReader& reader, MediaId id) const;

  /// The promise that a request fills, which rules the rest of the request. `expired` where it ran out.
  Result<std::optional<UploadSession>> find_promised(IngestRequest& request) const;
  /// The outcome of a promise that was kept before: its bytes must not reach the store a second time, least of all other ones. Nothing
  /// where the media still waits.
  Result<std::optional<IngestOutcome>> settle_promised(const PendingIngest& ingest, const Keeping& keeping) const;

  /// A request that was looked at, still without anything to take its bytes.
  Result<std::unique_ptr<PendingIngest>> start(IngestRequest request) const;
  /// Has the store share the content, where it can and the request asks for it; false where it has to be copied.
  Result<bool> share(const ByteReader& content, PendingIngest& ingest);
  void end_writing(std::span<const std::unique_ptr<Ingest>> ingests);
  /// As `admit`, by the library's policy, and measured.
  Result<Verdict> look_at(const ByteReader& content, const IngestRequest& request) const;
  Result<std::optional<IngestOutcome>> judge(PendingIngest& ingest, Keeping& keeping);
  /// An error as `Entrance::EnterAll` has it.
  Result<void> enter(std::span<Entering* const> entering, bool may_wait);

  // resumable.cpp
  /// Takes in a content that is an upload's, and notes in the same transaction what the upload became.
  Result<IngestOutcome> ingest_resumable(const ByteReader& content, const ResumableUpload& upload);
  Result<std::size_t> sweep_resumable();
  /// Removes the bytes of one upload where no row waits for them; false where they stay.
  Result<bool> sweep_spooled(const std::string& id);

  // catalogue.cpp: the one path by which bytes become durable and catalogued.

  /// Publishes what the store lacks, then runs `rows` and the blob rows in one transaction. `rows` may run again.
  /// What a collection took away meanwhile is published again where its bytes are still at hand; `unavailable` where they are not.
  Result<void> keep(std::span<Keeping* const> keepings, const Repository::Closure& rows, bool may_wait);
  /// Is the blob in the catalog as live, with this size, and in the store with this size too?
  Result<bool> holds(const Digest& digest, std::uint64_t size_bytes) const;
  /// With the row, where it was looked up already.
  Result<bool> holds(const std::optional<Blob>& row, const Digest& digest, std::uint64_t size_bytes) const;
  Result<void> wait_while_deleting(const Digest& digest, std::chrono::seconds patience) const;
  void write_ahead(Keeping& keeping) const;
  Result<void> publish_missing(std::span<Keeping* const> keepings, bool all, bool may_wait);

  /// After a whole copy took the place of one that was not.
  Result<void> note_whole(const Digest& digest, std::uint64_t size_bytes) const;
  /// A blob's bytes, verified if they have not been for long; `corrupt` where they are damaged or missing. Where there are tiers, a damaged
  /// copy is replaced from a whole one.
  Result<std::shared_ptr<const ByteReader>> open_verified(const Digest& digest) const;

  // derive.cpp
  Result<std::optional<Picture>> find_picture(const Digest& source, const std::string& transform, const std::string& encoder) const;
  /// What a caller of `derive` gets, made in a place of the queue, which is given back once there is no more to compute.
  Result<Picture> make_picture(const Media& media, const Transform& transform, const std::string& encoder, DerivationQueue::Making& making);
  /// An MP4 that is only arranged anew: read out of the source's blob, and nothing is stored.
  Result<Picture> view_arranged(const Media& media, const Transform& transform, const std::string& encoder,
                                std::shared_ptr<const inspect::Arrangement> arrangement) const;
  Result<Picture> arrange(const Media& media, const Transform& transform, const std::string& encoder);
  [[nodiscard]] bool is_preset(const Transform& transform) const;
  /// As Processor::derive, in a place of the queue, on this thread. `while_waiting` is called about once a second until there is a place.
  Result<Derived> derive_in_turn(const ByteReader& content, std::span<const Transform> transforms, const DeriveOptions& options,
                                 const std::function<void()>& while_waiting);
  Result<Derived> traced_derive(const ByteReader& content, std::span<const Transform> transforms, const DeriveOptions& options);
  /// An encoded output on its way into the store.
  struct StagedOutput {
    Rendition rendition;
    Keeping keeping;
  };
  Result<StagedOutput> stage_output(const Digest& source, const Encoded& output);
  /// Stores them and their rows, with `more` in the same transaction. `source`: the format that they were made of.
  Result<void> keep_outputs(std::span<StagedOutput> outputs, Format source, const Repository::Closure& more);

  // renditions.cpp
  void note_use(const Rendition& rendition) const;
  void flush_uses() const;
  /// Drops those of the candidates that are wanted as they are now; asked with what was dropped before, in one transaction.
  Result<RenditionUsage> drop_some(std::span<const Rendition> candidates,
                                   const std::function<bool(const Rendition&, const RenditionUsage&)>& wanted);
  /// Of so many pages of rows at most.
  Result<RenditionUsage> evict_renditions(std::size_t pages = std::numeric_limits<std::size_t>::max());
  void keep_within_budget(std::uint64_t added_bytes);

  // collect.cpp
  /// Condemns those to which nothing refers, of so few that one transaction takes them; says how many.
  Result<std::uint64_t> condemn(std::span<const Blob> candidates);
  /// Removes the bytes and rows of blobs that were claimed (`deleting`) a moment ago, as their rows were written then.
  Result<std::uint64_t> delete_claimed(std::vector<Blob> claims) const;
  /// The first half: removes the bytes, and says of which. Their rows stay claimed, so that whoever dies before the second half leaves
  /// something by which the next collection knows what to remove, and to wipe.
  Result<std::vector<Blob>> remove_claimed(std::vector<Blob> claims, std::uint64_t& freed) const;
  /// The second half: the rows.
  Result<void> forget_claimed(std::span<const Blob> removed) const;
  /// Both, and between them the bytes of what was removed are wiped, too.
  Result<std::uint64_t> wipe_claimed(std::vector<Blob> claims) const;
  /// What a collection or an erasure that died had claimed; says whether there was any of it. What cannot be wiped is tried again by later
  /// calls, with growing pauses.
  Result<bool> wipe_abandoned(CollectReport& report);
  /// An error as long as there is any.
  Result<void> tell_unwiped() const;
  /// Claims anew for another lease; those that are no longer this caller's are left out.
  Result<std::vector<Blob>> renew_claims(std::span<const Blob> claims) const;

  // tiers.cpp
  /// A whole copy among those of several tiers.
  struct WholeCopy {
    std::shared_ptr<const ByteReader> reader;  ///< Null: there is none, or there are no tiers.
    bool is_clean = false;                     ///< No damaged copy is left where a reader would come to it before a whole one.
    bool is_mended = false;                    ///< Every copy that was damaged has been replaced by a whole one.
  };
  /// Reads every tier's copy. Where one is whole, those that are not are set aside and replaced from it, except in a library that is open
  /// for reading only. `unavailable` where no copy is whole, and a tier that may have one does not answer; `not_found` where the blob was
  /// removed meanwhile.
  /// Of those who look for the same blob at once one does, and the others get what it has found.
  Result<WholeCopy> find_whole_copy(const Digest& digest) const;
  Result<WholeCopy> search_whole_copy(const Digest& digest) const;
  /// Copies into a tier, and settles it; false where there was nothing to copy, or it was removed meanwhile.
  Result<bool> bring(const BlobStore& from, BlobStore& to, const Digest& digest) const;
  /// After a blob was copied into a tier: false where it was removed meanwhile, and then the copy is, too. What fails is settled by
  /// `settle_unsettled`.
  Result<bool> settle_copy(const Digest& digest) const;
  Result<bool> try_to_settle(const Digest& digest) const;
  void settle_unsettled() const;
  /// Removes the copies in tiers hotter than `to`, where that one has the blob and the catalog wants it.
  Result<bool> leave_hotter(const Digest& digest, std::span<BlobStore* const> stores, std::size_t to, const std::string& tier);
  void note_read(const Digest& digest) const;
  void flush_reads() const;

  // erase.cpp
  /// Removes the rows of these media, and claims the blobs that nobody else refers to.
  Result<void> erase_rows(std::span<const MediaId> ids, const EraseRequest& request, EraseReport& report, std::vector<Blob>& claimed);
  Result<std::uint64_t> erase_uploads(const std::string& owner);

  // encodings.cpp
  /// Why another video of this owner's cannot be taken now. Nothing where it can.
  Result<std::optional<Error>> refuse_order(Transaction& transaction, const std::string& owner, const JobQueue& queue) const;
  Result<void> run_encoding(const Job& job, std::stop_token stop);
  Result<bool> has_ordered(const Media& media, const std::string& transform) const;

  // jobs.cpp
  Result<void> run_job(const Job& job, std::stop_token stop);
  /// Finds out how a media looks that nobody has looked at.
  Result<void> run_description(const Job& job, std::stop_token stop);
  Result<void> end_job_failed(const Job& job, Media media, const Error& error, std::uint32_t attempts);
  [[nodiscard]] std::chrono::milliseconds lease() const;
  using Kinds = std::vector<std::string>;
  /// What every loop over a queue has in common: `run` gets each claimed job of the kinds, of a later kind only where no earlier one is
  /// due. The orders take turns, job by job: a kind that is first in one of them waits for no other. Within a kind the one that is due the
  /// longest comes first, or the one whose turn it is.
  enum class Order : std::uint8_t { by_time, by_turn };
  Result<std::size_t> work_off(std::span<const Kinds> orders, std::chrono::milliseconds lease, const RunJobsOptions& options,
                               const std::function<Result<void>(const Job&)>& run, Order order = Order::by_time);
  /// Wakes the loops of this process.
  void wake_workers();

  // gate.cpp
  /// Why so many more bytes in one more media would be beyond the owner's quota. Nothing where they would not. Outside a transaction an
  /// early answer, that counts for nothing where it is good.
  Result<std::optional<std::string>> find_excess(const std::string& owner, std::uint64_t size_bytes) const;
  /// What an owner has and may have.
  struct ByteUse {
    std::uint64_t used = 0;
    std::uint64_t most = 0;

    [[nodiscard]] std::uint64_t left() const noexcept { return most - std::min(most, used); }
  };
  /// Nothing where there is no limit.
  Result<std::optional<ByteUse>> byte_use(const RepositoryReader& reader, const std::string& owner) const;
  /// The same within the transaction that adds the media: of two senders at once one is told.
  Result<std::optional<std::string>> find_excess(Transaction& transaction, const std::string& owner, const std::optional<Quota>& own,
                                                 std::uint64_t size_bytes) const;
  Result<Scan> scan(const ByteReader& content);
  /// Lets the scanner see what was admitted: refuses it, or notes that it is to be kept back. `unavailable` where nobody else may say.
  Result<void> scan_incoming(PendingIngest& ingest, const Digest& digest, const ByteReader& content);
  /// What the catalog says of it, in the transaction that is to add it: a refusal, or nothing.
  static Result<std::optional<Verdict>> find_objection(const GateFacts& facts, const PendingIngest& ingest);
  Result<IngestOutcome> catalogue(Transaction& transaction, const PendingIngest& ingest, const Keeping& keeping);
  /// Marks a media that is about to be added as one that is kept back, if it is to be.
  Result<void> hold_incoming(Transaction& transaction, const GateFacts& facts, const PendingIngest& ingest, Media& media);
  /// Removes bytes that were published and then refused, unless somebody refers to them.
  void discard(const Digest& digest);

  // quarantine.cpp
  /// Keeps back a digest and everybody's media of it. Adds to `changed`, for after the commit.
  Result<void> keep_back(Transaction& transaction, const Digest& digest, Hold reason, const std::string& detail,
                         std::vector<MediaId>& changed);
  /// Gives everybody's media of a digest back to their owners; what can be processed is queued.
  Result<void> let_go(Transaction& transaction, const Digest& digest, bool forced, std::vector<MediaId>& changed);
  /// Compares a picture with those that are banned; keeps it back, which is told, or takes it that it was seen.
  Result<bool> compare_with_bans(Transaction& transaction, Media& media, std::vector<MediaId>& changed);
  /// Keeps back everybody's media of bytes that turned out to be infected, unless a person let them go all the same.
  Result<void> keep_back_infected(const Digest& digest, const std::string& signature);
  Result<void> check_release(const Quarantined& entry, const ByteReader& content);
  Result<void> release_damaged(const Quarantined& entry);
  void announce_all(std::span<const MediaId> changed);
  static Result<void> note_damage(Transaction& transaction, const Digest& digest, Hold reason, const std::string& detail, Timestamp now);
  static Result<void> forget_damage(Transaction& transaction, const Digest& digest);
  void note_damage(const Digest& digest, Hold reason, const std::string& detail) const;
  Result<void> run_scan(const Job& job);
  /// Of what cannot be read: it stays away, as a failure that says so.
  Result<void> end_scan_failed(const Job& job, const Digest& digest, const Error& error);

  // notifications.cpp
  /// Within the transaction of the change.
  Result<void> note_event(Transaction& transaction, MediaEvent event, const Media& media) const;
  /// After it: wakes those who tell and those who wait.
  void announce(MediaId id);

  LibraryOptions options_;
  std::unique_ptr<BlobStore> store_;
  std::unique_ptr<Repository> repository_;
  std::unique_ptr<UploadSpool> spool_;
  std::unique_ptr<Processor> processor_;
  std::shared_ptr<const Clock> clock_;

  struct ScanCounts {
    std::atomic<std::uint64_t> clean{0}, infected{0}, too_large{0}, failed{0};
  };
  ScanCounts scans_;
  mutable StageClock stages_;

  mutable RenditionUses uses_;
  const bool counts_reads_;  ///< Where there are tiers to choose by them.
  mutable ReadCounts read_counts_;
  /// Searches for whole copies that are under way; `found` is absent until the one who searches is through.
  struct CopySearch {
    std::optional<Result<WholeCopy>> found;
  };
  mutable std::mutex searches_mutex_;
  mutable std::condition_variable search_ended_;
  mutable std::map<Digest, std::shared_ptr<CopySearch>> searches_;

  /// A claim that could not be wiped.
  struct Unwiped {
    std::uint32_t failures = 0;
    Timestamp again_at{};
    Error reason;
  };
  mutable std::mutex unwiped_mutex_;
  std::unordered_map<Digest, Unwiped> unwiped_;

  mutable std::mutex unsettled_mutex_;
  mutable std::set<Digest> unsettled_;  ///< Copies that may have come too late for a removal.
  std::mutex budget_mutex_;
  /// Bytes that count against the budget, and those made in this process since; absent: to be summed up.
  std::optional<std::uint64_t> summed_up_;
  std::uint64_t added_since_ = 0;
  std::chrono::steady_clock::time_point summed_up_at_{};
  bool evicting_ = false;
  std::atomic<std::uint64_t> evicted_{0};

  UploadTurns turns_;
  Entrance entrance_;
  mutable OpenBlobs open_blobs_;
  mutable BlobCache blob_cache_;
  mutable Arrangements arrangements_;

  /// Woken when jobs were queued by this process.
  std::mutex jobs_mutex_;
  std::condition_variable_any jobs_queued_;
  std::once_flag watching_jobs_;  ///< Once somebody waits for jobs.
  std::uint64_t jobs_generation_ = 0;

  DerivationQueue derivations_;  // last: its threads end before what they use goes
};

}  // namespace media
