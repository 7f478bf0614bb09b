/// Every reading method of the interface, over whichever connection the derived class lends.
#pragma once

#include <string_view>
#include <type_traits>

#include "media/repository.hpp"

namespace media::sql {

/// `Engine` names what a backend has: `Connection`, `Query`, `Lease` (a connection for as long as it is needed), `kRowsAreLazy` (rows that
/// are not asked for cost nothing), `kDialect` (of list_media_statement) and `try_again` (after a failure: is another connection worth
/// it?). `Base` is Repository or Transaction.
///
/// A backend includes sql_reads_impl.hpp in the one file that instantiates it.
template <class Engine, class Base>
class Reads : public Base {
 public:
  Result<std::optional<Media>> find_media(MediaId id) const override;
  Result<MediaPage> list_media(const MediaQuery& query) const final;
  Result<std::vector<SimilarMedia>> list_similar_media(const SimilarQuery& query) const final;
  Result<std::vector<Media>> list_expired_media(Timestamp now, std::size_t limit) const final;
  Result<std::optional<Media>> find_media_by_content(const std::string& owner, const Digest& digest,
                                                     const std::optional<std::string>& filename) const final;
  Result<std::optional<Media>> find_judged_media_by_content(const std::string& owner, const Digest& digest) const final;
  Result<std::optional<Media>> find_media_by_idempotency_key(const std::string& owner, const std::string& key) const final;

  Result<std::optional<Blob>> find_blob(const Digest& digest) const final;
  Result<bool> has_blob_of_size(std::uint64_t size_bytes) const final;
  Result<StorageUsage> storage_usage() const final;
  Result<std::vector<Blob>> list_blobs(const std::optional<Digest>& after, std::size_t limit) const final;
  Result<bool> is_referenced(const Digest& digest) const final;
  Result<UnreferencedPage> list_unreferenced_blobs(const std::optional<Digest>& after) const final;
  Result<std::vector<BlobUse>> list_blob_uses(const std::optional<Digest>& after, std::size_t limit) const final;
  Result<std::vector<Blob>> list_blobs_in_state(BlobState state, Timestamp until, std::size_t limit) const final;

  Result<std::optional<Rendition>> find_rendition(const Digest& source, const std::string& transform,
                                                  const std::string& encoder) const final;
  Result<std::vector<Rendition>> list_renditions(const Digest& source) const final;
  Result<std::vector<Rendition>> list_all_renditions(const std::optional<Rendition>& after, std::size_t limit) const final;
  Result<std::vector<Rendition>> list_least_used_renditions(std::size_t limit) const final;
  Result<RenditionUsage> rendition_usage(bool on_demand_only) const final;

  Result<std::optional<Job>> find_job_of_media(MediaId id, const std::string& kind) const final;
  Result<std::vector<Job>> jobs_of_media(MediaId id, const std::string& kind) const final;
  Result<std::vector<Job>> list_jobs(std::optional<JobState> state, std::size_t limit) const final;
  Result<std::vector<JobCount>> count_jobs() const final;

  Result<std::vector<VideoOrder>> list_video_orders(MediaId id) const final;
  Result<JobQueue> job_queue(const std::string& kind, const std::string& owner) const final;
  Result<std::uint64_t> ordered_video_bytes(const std::string& owner) const final;

  Result<std::optional<UploadSession>> find_upload(const std::string& token) const final;
  Result<std::optional<UploadSession>> find_upload_of_media(MediaId id) const final;
  Result<std::vector<UploadSession>> list_expired_uploads(Timestamp now, std::size_t limit) const final;

  Result<std::optional<ResumableUpload>> find_resumable_upload(const std::string& id) const final;
  Result<std::vector<ResumableUpload>> list_expired_resumable_uploads(Timestamp now, std::size_t limit) const final;

  Result<std::vector<Link>> list_links(const std::string& subject) const final;
  Result<std::vector<Link>> list_links_of_media(MediaId id) const final;

  Result<std::optional<ApiKey>> find_api_key(const std::string& id) const final;
  Result<std::vector<ApiKey>> list_api_keys() const final;

  Result<OwnerUsage> owner_usage(const std::string& owner) const final;
  Result<std::optional<Quota>> find_quota(const std::string& owner) const final;
  Result<std::vector<OwnerQuota>> list_quotas() const final;
  Result<GateFacts> gate_facts(const std::string& owner, const Digest& digest) const final;
  Result<std::vector<Ban>> list_bans() const final;
  Result<std::optional<Ban>> find_ban_of_picture(PerceptualHash hash) const final;
  Result<std::optional<Quarantined>> find_quarantined(const Digest& digest) const final;
  Result<std::vector<Quarantined>> list_quarantined(bool released, const std::optional<Digest>& after, std::size_t limit) const final;
  Result<QuarantineCounts> quarantine_counts() const final;
  Result<std::vector<Media>> list_media_of_blob(const Digest& digest) const final;

 protected:
  virtual Result<typename Engine::Lease> connection() const = 0;

 private:
  /// Runs `work(connection)`, which throws what the backend's library throws.
  template <class Work>
  auto run(std::string_view what, const Work& work) const -> std::invoke_result_t<const Work&, typename Engine::Connection&>;
  template <class Row, class... Values>
  Result<std::optional<Row>> find(std::string_view what, Row (*read)(typename Engine::Query&), std::string_view text,
                                  const Values&... values) const;
  template <class Row, class... Values>
  Result<std::vector<Row>> list(std::string_view what, Row (*read)(typename Engine::Query&), std::string_view text,
                                const Values&... values) const;
  template <class... Values>
  Result<bool> ask(std::string_view what, std::string_view text, const Values&... values) const;
};

}  // namespace media::sql
