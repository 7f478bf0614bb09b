#include <atomic>
#include <string>
#include <thread>

#include "repository/memory_reads.hpp"
#include "repository/unfinished_uploads.hpp"

namespace media {
namespace memory {
namespace {

class MemoryTransaction final : public Reads<Transaction> {
 public:
  explicit MemoryTransaction(Tables& tables) noexcept : tables_(tables) {}

  Result<MediaId> insert_media(const Media& media) override {
    if (media.id < 0 || media.id > kMaxMediaId) {
      return Error{Errc::invalid_argument, "insert media: the id is not between 1 and 2^53 - 1"};
    }
    if (media.id == 0 && tables_.last_media_id == kMaxMediaId) return Error{Errc::no_space, "insert media: there are no more ids"};
    Media row = media;
    if (row.id == 0) row.id = tables_.last_media_id + 1;
    if (tables_.media.contains(row.id)) return Error{Errc::already_exists, "insert media: there is a media " + std::to_string(row.id)};
    if (is_key_taken(row)) return Error{Errc::already_exists, "insert media: the owner used the idempotency key before"};
    tables_.put(row);
    tables_.last_media_id = std::max(tables_.last_media_id, row.id);
    return row.id;
  }

  Result<void> update_media(const Media& media) override {
    if (!tables_.media.contains(media.id)) return Error{Errc::not_found, "update media: there is no media " + std::to_string(media.id)};
    if (is_key_taken(media)) return Error{Errc::already_exists, "update media: the owner used the idempotency key before"};
    tables_.put(media);
    return {};
  }

  Result<bool> remove_media(MediaId id) override {
    // Copies, for removing changes what is walked.
    const auto jobs = copy_of(tables_.jobs_by_media, id);
    const auto uploads = copy_of(tables_.uploads_by_media, id);
    const auto resumable = copy_of(tables_.resumable_uploads_by_media, id);
    MEDIA_TRY_ASSIGN(const auto orders, list_video_orders(id));
    const auto subjects = copy_of(tables_.links_by_media, id);
    if (!tables_.erase(tables_.media, id)) return false;
    for (const std::int64_t job : jobs) tables_.erase(tables_.jobs, job);
    for (const VideoOrder& order : orders) tables_.erase(tables_.video_orders, VideoOrderKey(id, order.transform));
    for (const std::string& token : uploads) tables_.erase(tables_.uploads, token);
    for (const std::string& upload : resumable) tables_.erase(tables_.resumable_uploads, upload);
    for (const std::string& subject : subjects) tables_.erase(tables_.links, LinkKey(subject, id));
    return true;
  }

  Result<void> put_blob(const Blob& blob) override {
    tables_.put(blob);
    return {};
  }
  Result<bool> remove_blob(const Digest& digest) override {
    tables_.erase(tables_.blob_reads, digest);
    return tables_.erase(tables_.blobs, digest);
  }
  Result<void> note_blob_reads(std::span<const BlobReads> reads) override {
    for (BlobReads row : reads) {
      if (!tables_.blobs.contains(row.digest)) continue;
      if (const auto known = tables_.blob_reads.find(row.digest); known != tables_.blob_reads.end()) {
        row.reads += known->second.reads;
        row.read_at = std::max(row.read_at, known->second.read_at);
      }
      tables_.put(row);
    }
    return {};
  }

  Result<void> put_rendition(const Rendition& rendition) override {
    tables_.put(rendition);
    return {};
  }
  Result<bool> remove_rendition(const Digest& source, const std::string& transform, const std::string& encoder) override {
    return tables_.erase(tables_.renditions, RenditionKey(source, transform, encoder));
  }
  Result<std::size_t> remove_renditions(const Digest& source) override {
    MEDIA_TRY_ASSIGN(const auto renditions, list_renditions(source));
    for (const Rendition& rendition : renditions) tables_.erase(tables_.renditions, Tables::key_of(rendition));
    return renditions.size();
  }
  Result<std::size_t> remove_renditions_stored_as(const Digest& digest) override {
    const auto found = tables_.renditions_by_digest.find(digest);
    if (found == tables_.renditions_by_digest.end()) return std::size_t{0};
    const auto keys = found->second;  // A copy, for removing changes what is walked.
    for (const RenditionKey& key : keys) tables_.erase(tables_.renditions, key);
    return keys.size();
  }

  Result<std::size_t> note_rendition_use(const Digest& digest, Timestamp used_at) override {
    const auto found = tables_.renditions_by_digest.find(digest);
    if (found == tables_.renditions_by_digest.end()) return std::size_t{0};
    const auto keys = found->second;  // A copy, for putting changes what is walked.
    std::size_t changed = 0;
    for (const RenditionKey& key : keys) {
      Rendition row = tables_.renditions.at(key);
      if (row.used_at >= used_at) continue;
      row.used_at = used_at;
      tables_.put(row);
      ++changed;
    }
    return changed;
  }

  Result<std::int64_t> insert_job(const Job& job) override {
    if (job.media_id != 0) MEDIA_TRY(require_media("insert job", job.media_id));
    Job row = job;
    row.id = ++tables_.last_job_id;
    tables_.put(row);
    return row.id;
  }

  Result<std::vector<Job>> claim_jobs(const std::string& kind, Timestamp now, const std::string& lease_owner, Timestamp lease_until,
                                      std::size_t limit, MediaId media_id) override {
    std::vector<Job> claimed;
    for (const auto& [due, id] : tables_.due_jobs) {
      if (due > now || claimed.size() >= limit) break;
      const Job& job = tables_.jobs.at(id);
      if (job.kind == kind && (media_id == 0 || job.media_id == media_id)) claimed.push_back(job);
    }
    std::sort(claimed.begin(), claimed.end(), [](const Job& a, const Job& b) { return a.id < b.id; });
    for (Job& job : claimed) {
      job.state = JobState::running;
      ++job.attempts;
      job.lease_owner = lease_owner;
      job.lease_until = lease_until;
      tables_.put(job);
    }
    return claimed;
  }

  Result<std::optional<Job>> claim_job_in_turn(const std::string& kind, Timestamp now, const std::string& lease_owner,
                                               Timestamp lease_until) override {
    std::optional<Job> first;
    std::int64_t first_turn = 0;
    for (const auto& [due, id] : tables_.due_jobs) {
      if (due > now) break;
      const Job& job = tables_.jobs.at(id);
      const VideoOrder* const order = order_of(tables_, job);
      const std::int64_t turn = order != nullptr ? order->turn : 0;
      if (job.kind != kind || (first && turn >= first_turn)) continue;
      first = job;
      first_turn = turn;
    }
    if (!first) return first;
    first->state = JobState::running;
    ++first->attempts;
    first->lease_owner = lease_owner;
    first->lease_until = lease_until;
    tables_.put(*first);
    return first;
  }

  Result<bool> renew_job(std::int64_t id, const std::string& lease_owner, Timestamp lease_until, double progress) override {
    return change_job(id, lease_owner, [&](Job& job) {
      job.lease_until = lease_until;
      job.progress = progress;
    });
  }
  Result<bool> finish_job(std::int64_t id, const std::string& lease_owner) override {
    return is_leased(id, lease_owner) && tables_.erase(tables_.jobs, id);
  }
  Result<std::size_t> finish_jobs(std::span<const std::int64_t> ids, const std::string& lease_owner) override {
    std::size_t finished = 0;
    for (const std::int64_t id : ids) {
      MEDIA_TRY_ASSIGN(const bool mine, finish_job(id, lease_owner));
      finished += mine ? 1 : 0;
    }
    return finished;
  }
  Result<bool> release_job(std::int64_t id, const std::string& lease_owner, std::optional<Timestamp> run_after,
                           const std::string& error) override {
    return change_job(id, lease_owner, [&](Job& job) {
      job.state = run_after ? JobState::queued : JobState::dead;
      job.run_after = run_after.value_or(job.run_after);
      job.lease_owner.clear();
      job.lease_until.reset();
      job.last_error = error;
    });
  }
  Result<bool> return_job(std::int64_t id, const std::string& lease_owner, Timestamp run_after, const std::string& error) override {
    return change_job(id, lease_owner, [&](Job& job) {
      job.state = JobState::queued;
      --job.attempts;
      job.run_after = run_after;
      job.lease_owner.clear();
      job.lease_until.reset();
      job.last_error = error;
    });
  }
  Result<bool> retry_job(std::int64_t id, Timestamp run_after) override {
    const auto found = tables_.jobs.find(id);
    if (found == tables_.jobs.end() || found->second.state != JobState::dead) return false;
    Job job = found->second;
    job.state = JobState::queued;
    job.attempts = 0;
    job.progress = 0;
    job.run_after = run_after;
    tables_.put(job);
    return true;
  }

  Result<void> put_video_order(const VideoOrder& order) override {
    MEDIA_TRY(require_media("put video order", order.media_id));
    tables_.put(order);
    return {};
  }

  Result<void> put_upload(const UploadSession& session) override {
    MEDIA_TRY(require_media("put upload", session.media_id));
    tables_.put(session);
    return {};
  }
  Result<bool> change_upload_state(const std::string& token, UploadState from, UploadState to) override {
    const auto found = tables_.uploads.find(token);
    if (found == tables_.uploads.end() || found->second.state != from) return false;
    UploadSession row = found->second;
    row.state = to;
    tables_.put(row);
    return true;
  }
  Result<bool> remove_upload(const std::string& token) override { return tables_.erase(tables_.uploads, token); }

  Result<void> put_resumable_upload(const ResumableUpload& upload) override {
    if (upload.media_id != 0) MEDIA_TRY(require_media("put resumable upload", upload.media_id));
    tables_.put(upload);
    return {};
  }
  Result<bool> remove_resumable_upload(const std::string& id) override { return tables_.erase(tables_.resumable_uploads, id); }

  Result<void> put_link(const Link& link) override {
    MEDIA_TRY(require_media("put link", link.media_id));
    tables_.put(link);
    return {};
  }
  Result<bool> remove_link(const std::string& subject, MediaId id) override { return tables_.erase(tables_.links, LinkKey(subject, id)); }

  Result<void> insert_api_key(const ApiKey& key) override {
    if (tables_.api_keys.contains(key.id)) return Error{Errc::already_exists, "insert API key: there is a key " + key.id};
    tables_.put(key);
    return {};
  }
  Result<bool> revoke_api_key(const std::string& id, Timestamp now) override {
    const auto found = tables_.api_keys.find(id);
    if (found == tables_.api_keys.end() || found->second.revoked_at) return false;
    ApiKey row = found->second;
    row.revoked_at = now;
    tables_.put(row);
    return true;
  }

  Result<OwnerUsage> keep_owner_usage(const std::string& owner) override { return owner_usage(owner); }
  Result<void> put_quota(const OwnerQuota& quota) override {
    tables_.put(quota);
    return {};
  }
  Result<bool> remove_quota(const std::string& owner) override { return tables_.erase(tables_.quotas, owner); }
  Result<std::int64_t> insert_ban(const Ban& ban) override {
    for (const auto& [id, known] : tables_.bans) {
      if (known.digest == ban.digest && known.perceptual_hash == ban.perceptual_hash) {
        return Error{Errc::already_exists, "insert ban: this is banned already"};
      }
    }
    Ban row = ban;
    row.id = ++tables_.last_ban_id;
    tables_.put(row);
    return row.id;
  }
  Result<bool> remove_ban(std::int64_t id) override { return tables_.erase(tables_.bans, id); }
  Result<void> put_quarantined(const Quarantined& entry) override {
    tables_.put(entry);
    return {};
  }
  Result<bool> remove_quarantined(const Digest& digest) override { return tables_.erase(tables_.quarantined, digest); }

 private:
  View view() const override { return {{}, tables_}; }

  template <class Index>
  static typename Index::mapped_type copy_of(const Index& index, MediaId id) {
    const auto found = index.find(id);
    return found == index.end() ? typename Index::mapped_type() : found->second;
  }
  [[nodiscard]] bool is_key_taken(const Media& media) const {
    const auto found = tables_.media_by_key.find({media.owner, media.idempotency_key});
    return found != tables_.media_by_key.end() && found->second != media.id;
  }
  [[nodiscard]] Result<void> require_media(std::string_view what, MediaId id) const {
    if (tables_.media.contains(id)) return {};
    return Error{Errc::not_found, std::string(what) + ": there is no media " + std::to_string(id)};
  }
  [[nodiscard]] bool is_leased(std::int64_t id, const std::string& lease_owner) const {
    const auto found = tables_.jobs.find(id);
    return found != tables_.jobs.end() && found->second.state == JobState::running && found->second.lease_owner == lease_owner;
  }
  template <class Change>
  bool change_job(std::int64_t id, const std::string& lease_owner, Change change) {
    if (!is_leased(id, lease_owner)) return false;
    Job row = tables_.jobs.at(id);
    change(row);
    tables_.put(row);
    return true;
  }

  Tables& tables_;
};

/// One mutex: a read waits while a closure runs, which is short, for closures have no outside effects.
class MemoryRepository final : public Reads<Repository>, public UnfinishedUploads {
 public:
  Result<void> write(const Closure& closure) override {
    if (writing_ == std::this_thread::get_id()) {
      return Error{Errc::invalid_argument, "write to the catalog: a closure that runs inside a write cannot start another one"};
    }
    const std::lock_guard lock(mutex_);
    const Writing writing(*this);
    MemoryTransaction transaction(tables_);
    MEDIA_TRY(closure(transaction));
    tables_.forget();
    return {};
  }

  Result<void> check() const override { return {}; }
  Result<std::uint64_t> unfinished_bytes(const std::string& owner, Timestamp now) const override {
    std::uint64_t sum = 0;
    const View all = view();
    for (const auto& [id, upload] : all.tables.resumable_uploads) {
      if (upload.owner == owner && upload.media_id == 0 && upload.expires_at > now) sum += upload.size_bytes;
    }
    return sum;
  }

 private:
  /// While a closure runs: notes the thread, and undoes at its end what was not committed.
  class Writing {
   public:
    explicit Writing(MemoryRepository& repository) noexcept : repository_(repository) { repository_.writing_ = std::this_thread::get_id(); }
    Writing(const Writing&) = delete;
    Writing& operator=(const Writing&) = delete;
    ~Writing() {
      repository_.tables_.roll_back();
      repository_.writing_ = std::thread::id();
    }

   private:
    MemoryRepository& repository_;
  };

  View view() const override {
    // A closure that reads past its transaction sees its own changes here, where SQLite shows the state before; better than
    // to wait for itself.
    if (writing_ == std::this_thread::get_id()) return {{}, tables_};
    return {std::unique_lock(mutex_), tables_};
  }

  mutable std::mutex mutex_;
  Tables tables_;
  std::atomic<std::thread::id> writing_;
};

}  // namespace
}  // namespace memory

std::unique_ptr<Repository> make_memory_repository() { return std::make_unique<memory::MemoryRepository>(); }

}  // namespace media
