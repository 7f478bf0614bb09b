/// What a closure sees: the interface's changes, over one connection.
#pragma once

#include "media/repository.hpp"
#include "repository/sql_reads.hpp"

namespace media::sql {

/// Begins and ends nothing: the writer does. Nothing here fails with an SQL error where the interface names an outcome, as far as a backend
/// ends its transaction by one. One object for each run of a closure.
template <class Engine>
class SqlTransaction : public Reads<Engine, Transaction> {
 public:
  explicit SqlTransaction(typename Engine::Connection& connection) noexcept : connection_(connection) {}

  Result<MediaId> insert_media(const Media& media) override;
  Result<void> update_media(const Media& media) override;
  Result<bool> remove_media(MediaId id) override;

  Result<void> put_blob(const Blob& blob) override;
  Result<bool> remove_blob(const Digest& digest) override;
  Result<void> note_blob_reads(std::span<const BlobReads> reads) override;

  Result<void> put_rendition(const Rendition& rendition) override;
  Result<bool> remove_rendition(const Digest& source, const std::string& transform, const std::string& encoder) override;
  Result<std::size_t> remove_renditions(const Digest& source) override;
  Result<std::size_t> remove_renditions_stored_as(const Digest& digest) override;
  Result<std::size_t> note_rendition_use(const Digest& digest, Timestamp used_at) override;

  Result<std::int64_t> insert_job(const Job& job) override;
  Result<std::vector<Job>> claim_jobs(const std::string& kind, Timestamp now, const std::string& lease_owner, Timestamp lease_until,
                                      std::size_t limit, MediaId media_id) override;
  Result<std::optional<Job>> claim_job_in_turn(const std::string& kind, Timestamp now, const std::string& lease_owner,
                                               Timestamp lease_until) override;
  Result<bool> renew_job(std::int64_t id, const std::string& lease_owner, Timestamp lease_until, double progress) override;
  Result<bool> finish_job(std::int64_t id, const std::string& lease_owner) override;
  Result<std::size_t> finish_jobs(std::span<const std::int64_t> ids, const std::string& lease_owner) override;
  Result<bool> release_job(std::int64_t id, const std::string& lease_owner, std::optional<Timestamp> run_after,
                           const std::string& error) override;
  Result<bool> return_job(std::int64_t id, const std::string& lease_owner, Timestamp run_after, const std::string& error) override;
  Result<bool> retry_job(std::int64_t id, Timestamp run_after) override;

  Result<void> put_video_order(const VideoOrder& order) override;

  Result<void> put_upload(const UploadSession& session) override;
  Result<bool> change_upload_state(const std::string& token, UploadState from, UploadState to) override;
  Result<bool> remove_upload(const std::string& token) override;

  Result<void> put_resumable_upload(const ResumableUpload& upload) override;
  Result<bool> remove_resumable_upload(const std::string& id) override;

  Result<void> put_link(const Link& link) override;
  Result<bool> remove_link(const std::string& subject, MediaId id) override;

  Result<void> insert_api_key(const ApiKey& key) override;
  Result<bool> revoke_api_key(const std::string& id, Timestamp now) override;

  Result<OwnerUsage> keep_owner_usage(const std::string& owner) override;
  Result<void> put_quota(const OwnerQuota& quota) override;
  Result<bool> remove_quota(const std::string& owner) override;
  Result<std::int64_t> insert_ban(const Ban& ban) override;
  Result<bool> remove_ban(std::int64_t id) override;
  Result<void> put_quarantined(const Quarantined& entry) override;
  Result<bool> remove_quarantined(const Digest& digest) override;

 private:
  Result<typename Engine::Lease> connection() const override { return typename Engine::Lease(connection_); }
  /// Runs a statement without rows; the number of rows that it changed.
  template <class... Values>
  Result<std::size_t> change(std::string_view what, std::string_view sql, const Values&... values);
  template <class... Values>
  Result<bool> change_one(std::string_view what, std::string_view sql, const Values&... values);

  typename Engine::Connection& connection_;
};

}  // namespace media::sql
