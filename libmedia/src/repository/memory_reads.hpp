/// Every reading method of the interface, over the tables in memory.
#pragma once

#include <algorithm>
#include <iterator>
#include <map>
#include <mutex>
#include <string_view>
#include <utility>

#include "media/repository.hpp"
#include "repository/blob_kind.hpp"
#include "repository/list_statement.hpp"
#include "repository/memory_tables.hpp"
#include "repository/quarantine_count.hpp"
#include "repository/similar_search.hpp"

namespace media::memory {

/// The tables for as long as they may be looked at.
struct View {
  std::unique_lock<std::mutex> lock;  ///< Empty where the thread holds it already.
  const Tables& tables;
};

/// Is it among the rows that an index walks for this query?
inline bool walks(const MediaQuery& query, const Media& media) {
  return !query.owner || (media.owner == *query.owner && (!query.status || media.status == *query.status));
}

inline bool matches(const Media& media, const MediaQuery& query) {
  return (!query.status || media.status == *query.status) && media.media_type.starts_with(query.media_type_prefix) &&
         (query.filename_contains.empty() || ascii_lower(media.filename).find(ascii_lower(query.filename_contains)) != std::string::npos) &&
         (!query.uploaded_from || media.uploaded_at >= *query.uploaded_from) &&
         (!query.uploaded_to || media.uploaded_at < *query.uploaded_to) &&
         (query.tag.empty() || std::find(media.tags.begin(), media.tags.end(), query.tag) != media.tags.end()) &&
         (!query.alive_at || !media.expires_at || *media.expires_at > *query.alive_at);
}

inline bool is_among(const Media& media, const SimilarQuery& query) {
  if (media.id == query.except || media.held != Hold::none || (query.alive_at && media.expires_at && *media.expires_at <= *query.alive_at))
    return false;
  return !query.owner || media.owner == *query.owner || (query.others && media.visibility >= *query.others);
}

/// The rows of [begin, end) that match, after `offset` of them, `limit` at most.
template <class Iterator>
MediaPage page(Iterator begin, Iterator end, const MediaQuery& query) {
  PageScan scan(query);
  for (; begin != end; ++begin) {
    if (!walks(query, begin->second)) continue;
    if (!scan.look(begin->first)) break;
    if (matches(begin->second, query) && scan.takes()) scan.add(begin->second);
  }
  return scan.take();
}

inline bool is_referenced(const Tables& tables, const Digest& digest) {
  if (tables.media_by_digest.contains(digest)) return true;
  const auto made = tables.renditions_by_digest.find(digest);
  return made != tables.renditions_by_digest.end() && std::any_of(made->second.begin(), made->second.end(), [&](const RenditionKey& key) {
           return tables.media_by_digest.contains(std::get<0>(key));
         });
}

inline BlobUse use_of(const Tables& tables, const Blob& blob) {
  BlobUse use;
  use.digest = blob.digest;
  use.size_bytes = blob.size_bytes;
  use.state = blob.state;
  std::optional<std::string> media_type;
  if (const auto ids = tables.media_by_digest.find(blob.digest); ids != tables.media_by_digest.end()) {
    for (const MediaId id : ids->second) {
      const Media& media = tables.media.at(id);
      media_type = media_type ? std::min(*media_type, media.media_type) : media.media_type;
      use.since = std::max(use.since, media.uploaded_at);
    }
  }
  const auto made = tables.renditions_by_digest.find(blob.digest);
  const bool is_rendition = made != tables.renditions_by_digest.end();
  if (is_rendition) {
    for (const RenditionKey& key : made->second) use.since = std::max(use.since, tables.renditions.at(key).created_at);
  }
  use.kind = kind_of_blob(media_type, is_rendition);
  if (const auto reads = tables.blob_reads.find(blob.digest); reads != tables.blob_reads.end()) {
    use.reads = reads->second.reads;
    use.read_at = reads->second.read_at;
  }
  return use;
}

/// By the video order that the job belongs to.
inline const VideoOrder* order_of(const Tables& tables, const Job& job) {
  for (auto at = tables.video_orders.lower_bound({job.media_id, {}}); at != tables.video_orders.end() && at->first.first == job.media_id;
       ++at) {
    if (at->second.job_id == job.id) return &at->second;
  }
  return nullptr;
}

template <class Table>
auto find_in(const Table& table, const typename Table::key_type& key) -> Result<std::optional<typename Table::mapped_type>> {
  const auto found = table.find(key);
  if (found == table.end()) return std::optional<typename Table::mapped_type>();
  return std::optional(found->second);
}

/// `Base` is Repository or Transaction.
template <class Base>
class Reads : public Base {
 public:
  Result<std::optional<Media>> find_media(MediaId id) const final { return find_in(view().tables.media, id); }

  Result<MediaPage> list_media(const MediaQuery& query) const final {
    const View now = view();
    const auto& media = now.tables.media;
    if (!query.descending) return page(media.upper_bound(query.after), media.end(), query);
    const auto end = query.after == 0 ? media.end() : media.lower_bound(query.after);
    return page(std::make_reverse_iterator(end), media.rend(), query);
  }

  Result<std::vector<SimilarMedia>> list_similar_media(const SimilarQuery& query) const final {
    std::vector<SimilarMedia> found;
    if (query.limit == 0) return found;
    const View now = view();
    Nearest nearest(query);
    for (const auto& [id, hash] : now.tables.hashes) {
      const unsigned bits = distance(hash, query.perceptual_hash);
      if (bits <= nearest.max_distance() && is_among(now.tables.media.at(id), query)) nearest.offer(bits, id);
    }
    for (const auto& [bits, id] : nearest.ranks()) found.push_back({bits, now.tables.media.at(id)});
    return found;
  }

  Result<std::vector<Media>> list_expired_media(Timestamp now, std::size_t limit) const final {
    auto rows = rows_where(view().tables.media, [&](const Media& media) { return media.expires_at && *media.expires_at <= now; });
    std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.expires_at < b.expires_at; });
    rows.resize(std::min(rows.size(), limit));
    return rows;
  }

  Result<std::optional<Media>> find_media_by_content(const std::string& owner, const Digest& digest,
                                                     const std::optional<std::string>& filename) const final {
    return newest_of_content(owner, digest, [&](const Media& media) { return !filename || media.filename == *filename; });
  }

  Result<std::optional<Media>> find_judged_media_by_content(const std::string& owner, const Digest& digest) const final {
    return newest_of_content(owner, digest, [](const Media& media) { return media.info.format != Format::unknown; });
  }

  Result<std::optional<Media>> find_media_by_idempotency_key(const std::string& owner, const std::string& key) const final {
    const View now = view();
    const auto found = now.tables.media_by_key.find({owner, key});
    if (found == now.tables.media_by_key.end()) return std::optional<Media>();
    return std::optional(now.tables.media.at(found->second));
  }

  Result<std::optional<Blob>> find_blob(const Digest& digest) const final { return find_in(view().tables.blobs, digest); }
  Result<bool> has_blob_of_size(std::uint64_t size_bytes) const final {
    return size_bytes <= kSmallBlobBytes || view().tables.live_blobs_by_size.contains(size_bytes);
  }

  Result<StorageUsage> storage_usage() const final {
    const View now = view();
    StorageUsage usage;
    for (const auto& [digest, blob] : now.tables.blobs) {
      if (blob.state != BlobState::live) continue;
      ++usage.blobs;
      usage.size_bytes += blob.size_bytes;
    }
    return usage;
  }

  Result<std::vector<Blob>> list_blobs(const std::optional<Digest>& after, std::size_t limit) const final {
    return blobs_where(after, limit, [](const Tables&, const Blob&) { return true; });
  }
  Result<bool> is_referenced(const Digest& digest) const final { return memory::is_referenced(view().tables, digest); }
  Result<UnreferencedPage> list_unreferenced_blobs(const std::optional<Digest>& after) const final {
    const View now = view();
    const auto& blobs = now.tables.blobs;
    UnreferencedPage page;
    auto at = after ? blobs.upper_bound(*after) : blobs.begin();
    for (std::size_t looked = 0; at != blobs.end() && looked < kUnreferencedScan; ++at, ++looked) {
      if (at->second.state == BlobState::live && !memory::is_referenced(now.tables, at->first)) page.blobs.push_back(at->second);
    }
    if (at != blobs.end()) page.scanned_to = std::prev(at)->first;
    return page;
  }
  Result<std::vector<BlobUse>> list_blob_uses(const std::optional<Digest>& after, std::size_t limit) const final {
    const View now = view();
    const auto& blobs = now.tables.blobs;
    std::vector<BlobUse> uses;
    for (auto at = after ? blobs.upper_bound(*after) : blobs.begin(); at != blobs.end() && uses.size() < limit; ++at) {
      uses.push_back(use_of(now.tables, at->second));
    }
    return uses;
  }

  Result<std::vector<Blob>> list_blobs_in_state(BlobState state, Timestamp until, std::size_t limit) const final {
    auto rows = rows_where(view().tables.blobs,
                           [&](const Blob& blob) { return blob.state == state && blob.condemned_at && *blob.condemned_at <= until; });
    std::stable_sort(rows.begin(), rows.end(), [](const Blob& a, const Blob& b) { return *a.condemned_at < *b.condemned_at; });
    rows.resize(std::min(rows.size(), limit));
    return rows;
  }

  Result<std::optional<Rendition>> find_rendition(const Digest& source, const std::string& transform,
                                                  const std::string& encoder) const final {
    return find_in(view().tables.renditions, RenditionKey(source, transform, encoder));
  }
  Result<std::vector<Rendition>> list_renditions(const Digest& source) const final {
    const View now = view();
    std::vector<Rendition> rows;
    const auto& renditions = now.tables.renditions;
    for (auto at = renditions.lower_bound({source, "", ""}); at != renditions.end() && at->second.source == source; ++at) {
      rows.push_back(at->second);
    }
    return rows;
  }

  Result<std::vector<Rendition>> list_all_renditions(const std::optional<Rendition>& after, std::size_t limit) const final {
    const View now = view();
    std::vector<Rendition> rows;
    const auto& renditions = now.tables.renditions;
    auto at = after ? renditions.upper_bound(Tables::key_of(*after)) : renditions.begin();
    for (; at != renditions.end() && rows.size() < limit; ++at) rows.push_back(at->second);
    return rows;
  }
  Result<std::vector<Rendition>> list_least_used_renditions(std::size_t limit) const final {
    auto rows = rows_where(view().tables.renditions, [](const Rendition& rendition) { return rendition.on_demand; });
    std::stable_sort(rows.begin(), rows.end(), [](const Rendition& a, const Rendition& b) { return a.used_at < b.used_at; });
    rows.resize(std::min(rows.size(), limit));
    return rows;
  }
  Result<RenditionUsage> rendition_usage(bool on_demand_only) const final {
    const View now = view();
    RenditionUsage usage;
    for (const auto& [key, rendition] : now.tables.renditions) {
      if (on_demand_only && !rendition.on_demand) continue;
      ++usage.renditions;
      usage.size_bytes += rendition.size_bytes;
    }
    return usage;
  }

  Result<std::optional<Job>> find_job_of_media(MediaId id, const std::string& kind) const final {
    const View now = view();
    const auto ids = now.tables.jobs_by_media.find(id);
    if (id == 0 || ids == now.tables.jobs_by_media.end()) return std::optional<Job>();
    const auto found =
        std::find_if(ids->second.rbegin(), ids->second.rend(), [&](std::int64_t job) { return now.tables.jobs.at(job).kind == kind; });
    if (found == ids->second.rend()) return std::optional<Job>();
    return std::optional(now.tables.jobs.at(*found));
  }
  Result<std::vector<Job>> jobs_of_media(MediaId id, const std::string& kind) const final {
    return rows_where(view().tables.jobs, [&](const Job& job) { return id != 0 && job.media_id == id && job.kind == kind; });
  }
  Result<std::vector<Job>> list_jobs(std::optional<JobState> state, std::size_t limit) const final {
    auto rows = rows_where(view().tables.jobs, [&](const Job& job) { return !state || job.state == *state; });
    rows.resize(std::min(rows.size(), limit));
    return rows;
  }

  Result<std::vector<JobCount>> count_jobs() const final {
    std::map<std::pair<std::string, JobState>, JobCount> counts;
    const View now = view();
    for (const auto& [id, job] : now.tables.jobs) {
      JobCount& count = counts.try_emplace({job.kind, job.state}, JobCount{job.kind, job.state, 0, job.run_after}).first->second;
      ++count.jobs;
      count.due_at = std::min(count.due_at, job.run_after);
    }
    std::vector<JobCount> rows;
    for (auto& [key, count] : counts) rows.push_back(std::move(count));
    return rows;
  }

  Result<std::vector<VideoOrder>> list_video_orders(MediaId id) const final {
    return rows_where(view().tables.video_orders, [&](const VideoOrder& order) { return order.media_id == id; });
  }
  Result<JobQueue> job_queue(const std::string& kind, const std::string& owner) const final {
    JobQueue queue;
    const View now = view();
    std::optional<std::int64_t> first;
    for (const auto& [id, job] : now.tables.jobs) {
      if (job.kind != kind || job.state == JobState::dead) continue;
      ++queue.jobs;
      const VideoOrder* const order = order_of(now.tables, job);
      if (order == nullptr) continue;
      first = std::min(first.value_or(order->turn), order->turn);
      if (order->owner != owner) continue;
      ++queue.of_owner;
      queue.last_turn_of_owner = std::max(queue.last_turn_of_owner.value_or(order->turn), order->turn);
    }
    queue.first_turn = first.value_or(0);
    return queue;
  }
  Result<std::uint64_t> ordered_video_bytes(const std::string& owner) const final {
    const View now = view();
    std::uint64_t sum = 0;
    for (const auto& [key, order] : now.tables.video_orders) {
      const Media& media = now.tables.media.at(order.media_id);
      if (order.owner != owner || !media.digest) continue;
      const auto& renditions = now.tables.renditions;
      for (auto at = renditions.lower_bound({*media.digest, order.transform, {}}); at != renditions.end(); ++at) {
        if (at->second.source != *media.digest || at->second.transform != order.transform) break;
        sum += at->second.size_bytes;
      }
    }
    return sum;
  }

  Result<std::optional<UploadSession>> find_upload(const std::string& token) const final { return find_in(view().tables.uploads, token); }
  Result<std::optional<UploadSession>> find_upload_of_media(MediaId id) const final {
    auto rows = rows_where(view().tables.uploads, [&](const UploadSession& session) { return session.media_id == id; });
    const auto newest = std::max_element(rows.begin(), rows.end(), [](const UploadSession& a, const UploadSession& b) {
      return a.created_at != b.created_at ? a.created_at < b.created_at : a.token > b.token;
    });
    return newest == rows.end() ? std::optional<UploadSession>() : std::optional<UploadSession>(*newest);
  }
  Result<std::vector<UploadSession>> list_expired_uploads(Timestamp now, std::size_t limit) const final {
    auto rows = rows_where(view().tables.uploads, [&](const UploadSession& session) { return session.expires_at <= now; });
    std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.expires_at < b.expires_at; });
    rows.resize(std::min(rows.size(), limit));
    return rows;
  }

  Result<std::optional<ResumableUpload>> find_resumable_upload(const std::string& id) const final {
    return find_in(view().tables.resumable_uploads, id);
  }
  Result<std::vector<ResumableUpload>> list_expired_resumable_uploads(Timestamp now, std::size_t limit) const final {
    auto rows = rows_where(view().tables.resumable_uploads, [&](const ResumableUpload& upload) { return upload.expires_at <= now; });
    std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.expires_at < b.expires_at; });
    rows.resize(std::min(rows.size(), limit));
    return rows;
  }

  Result<std::vector<Link>> list_links(const std::string& subject) const final {
    const View now = view();
    std::vector<Link> rows;
    const auto& links = now.tables.links;
    for (auto at = links.lower_bound({subject, 0}); at != links.end() && at->second.subject == subject; ++at) rows.push_back(at->second);
    std::stable_sort(rows.begin(), rows.end(), [](const Link& a, const Link& b) { return a.position < b.position; });
    return rows;
  }
  Result<std::vector<Link>> list_links_of_media(MediaId id) const final {
    const View now = view();
    std::vector<Link> rows;
    const auto subjects = now.tables.links_by_media.find(id);
    if (subjects == now.tables.links_by_media.end()) return rows;
    for (const std::string& subject : subjects->second) rows.push_back(now.tables.links.at({subject, id}));
    return rows;
  }

  Result<std::optional<ApiKey>> find_api_key(const std::string& id) const final { return find_in(view().tables.api_keys, id); }
  Result<std::vector<ApiKey>> list_api_keys() const final {
    auto rows = rows_where(view().tables.api_keys, [](const ApiKey&) { return true; });
    std::stable_sort(rows.begin(), rows.end(), [](const ApiKey& a, const ApiKey& b) { return a.created_at < b.created_at; });
    return rows;
  }

  Result<OwnerUsage> owner_usage(const std::string& owner) const final {
    MEDIA_TRY_ASSIGN(const auto usage, find_in(view().tables.usage, owner));
    return usage.value_or(OwnerUsage());
  }
  Result<std::optional<Quota>> find_quota(const std::string& owner) const final {
    MEDIA_TRY_ASSIGN(const auto row, find_in(view().tables.quotas, owner));
    return row ? std::optional(row->quota) : std::nullopt;
  }
  Result<std::vector<OwnerQuota>> list_quotas() const final {
    return rows_where(view().tables.quotas, [](const OwnerQuota&) { return true; });
  }
  Result<GateFacts> gate_facts(const std::string& owner, const Digest& digest) const final {
    const View now = view();
    GateFacts facts;
    if (const auto quota = now.tables.quotas.find(owner); quota != now.tables.quotas.end()) facts.quota = quota->second.quota;
    for (const auto& [id, ban] : now.tables.bans) {
      if (ban.digest == digest) facts.ban = ban.reason;
      facts.bans_pictures = facts.bans_pictures || ban.perceptual_hash;
    }
    MEDIA_TRY_ASSIGN(facts.quarantined, find_in(now.tables.quarantined, digest));
    return facts;
  }
  Result<std::vector<Ban>> list_bans() const final {
    return rows_where(view().tables.bans, [](const Ban&) { return true; });
  }
  Result<std::optional<Ban>> find_ban_of_picture(PerceptualHash hash) const final {
    const View now = view();
    std::optional<Ban> nearest;
    for (const auto& [id, ban] : now.tables.bans) {
      if (!ban.perceptual_hash || distance(*ban.perceptual_hash, hash) > ban.max_distance) continue;
      if (!nearest || distance(*ban.perceptual_hash, hash) < distance(*nearest->perceptual_hash, hash)) nearest = ban;
    }
    return nearest;
  }
  Result<std::optional<Quarantined>> find_quarantined(const Digest& digest) const final {
    return find_in(view().tables.quarantined, digest);
  }
  Result<std::vector<Quarantined>> list_quarantined(bool released, const std::optional<Digest>& after, std::size_t limit) const final {
    const View now = view();
    std::vector<Quarantined> rows;
    for (const auto& [digest, entry] : now.tables.quarantined) {
      if (rows.size() >= limit) break;
      if ((!after || digest > *after) && entry.released_at.has_value() == released) rows.push_back(entry);
    }
    return rows;
  }
  Result<QuarantineCounts> quarantine_counts() const final {
    const View now = view();
    QuarantineCounts counts;
    for (const auto& [digest, entry] : now.tables.quarantined) {
      if (!entry.released_at) ++count_of(counts, entry.reason);
    }
    return counts;
  }
  Result<std::vector<Media>> list_media_of_blob(const Digest& digest) const final {
    const View now = view();
    std::vector<Media> rows;
    const auto ids = now.tables.media_by_digest.find(digest);
    if (ids == now.tables.media_by_digest.end()) return rows;
    for (const MediaId id : ids->second) rows.push_back(now.tables.media.at(id));
    return rows;
  }

 protected:
  virtual View view() const = 0;

 private:
  template <class Condition>
  Result<std::optional<Media>> newest_of_content(const std::string& owner, const Digest& digest, Condition condition) const {
    const View now = view();
    const auto ids = now.tables.media_by_digest.find(digest);
    if (ids == now.tables.media_by_digest.end()) return std::optional<Media>();
    const auto found = std::find_if(ids->second.rbegin(), ids->second.rend(), [&](MediaId id) {
      const Media& media = now.tables.media.at(id);
      return media.owner == owner && media.status != MediaStatus::pending && condition(media);
    });
    if (found == ids->second.rend()) return std::optional<Media>();
    return std::optional(now.tables.media.at(*found));
  }

  template <class Table, class Condition>
  static std::vector<typename Table::mapped_type> rows_where(const Table& table, Condition condition) {
    std::vector<typename Table::mapped_type> rows;
    for (const auto& [key, row] : table) {
      if (condition(row)) rows.push_back(row);
    }
    return rows;
  }

  template <class Condition>
  std::vector<Blob> blobs_where(const std::optional<Digest>& after, std::size_t limit, Condition condition) const {
    const View now = view();
    const auto& blobs = now.tables.blobs;
    std::vector<Blob> rows;
    for (auto at = after ? blobs.upper_bound(*after) : blobs.begin(); at != blobs.end() && rows.size() < limit; ++at) {
      if (condition(now.tables, at->second)) rows.push_back(at->second);
    }
    return rows;
  }
};

}  // namespace media::memory
