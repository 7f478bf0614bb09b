/// The definitions of sql_reads.hpp.
#pragma once

#include <algorithm>
#include <chrono>
#include <limits>
#include <variant>

#include "repository/list_statement.hpp"
#include "repository/quarantine_count.hpp"
#include "repository/sql.hpp"
#include "repository/sql_reads.hpp"
#include "repository/sql_rows.hpp"
#include "repository/sql_similar.hpp"

namespace media::sql {

/// Of a backend that fetches every row it is asked for: a page's worth first, more at once where a filter leaves most of them out.
inline constexpr std::size_t kMostRowsAtOnce = 2000;
inline std::size_t first_rows(const MediaQuery& query) noexcept {
  return std::clamp<std::size_t>(std::min(query.limit, kMostRowsAtOnce) + std::min(query.offset, kMostRowsAtOnce) + 1, 1, kMostRowsAtOnce);
}

template <class Row, class Query>
std::optional<Row> first(Query& query, Row (*read)(Query&)) {
  if (!query.next()) return std::nullopt;
  return read(query);
}

template <class Query>
void add(Query& query, const Parameter& parameter) {
  if (const auto* number = std::get_if<std::int64_t>(&parameter)) query.add(*number);
  if (const auto* text = std::get_if<TextParameter>(&parameter)) query.add(text->value);
  if (const auto* bytes = std::get_if<BytesParameter>(&parameter)) query.add(Bytes{bytes->value});
}

/// A bound below every digest, where there is none.
inline std::string_view key_after(const std::optional<Digest>& after) noexcept {
  if (!after) return {"", 0};
  return {reinterpret_cast<const char*>(after->bytes().data()), Digest::kSize};
}

template <class Engine, class Base>
template <class Work>
auto Reads<Engine, Base>::run(std::string_view what, const Work& work) const
    -> std::invoke_result_t<const Work&, typename Engine::Connection&> {
  const auto started = std::chrono::steady_clock::now();
  for (;;) {
    auto lease = connection();
    if (!lease) return std::move(lease).error();
    auto outcome = guarded(**lease, what, [&] { return work(**lease); });
    if (outcome || !Engine::try_again(*lease, started)) return outcome;
  }
}

template <class Engine, class Base>
template <class Row, class... Values>
Result<std::optional<Row>> Reads<Engine, Base>::find(std::string_view what, Row (*read)(typename Engine::Query&), std::string_view text,
                                                     const Values&... values) const {
  return run(what, [&](typename Engine::Connection& connection) -> Result<std::optional<Row>> {
    typename Engine::Query query(connection, text, values...);
    return first(query, read);
  });
}

template <class Engine, class Base>
template <class Row, class... Values>
Result<std::vector<Row>> Reads<Engine, Base>::list(std::string_view what, Row (*read)(typename Engine::Query&), std::string_view text,
                                                   const Values&... values) const {
  return run(what, [&](typename Engine::Connection& connection) -> Result<std::vector<Row>> {
    typename Engine::Query query(connection, text, values...);
    std::vector<Row> rows;
    while (query.next()) rows.push_back(read(query));
    return rows;
  });
}

template <class Engine, class Base>
template <class... Values>
Result<bool> Reads<Engine, Base>::ask(std::string_view what, std::string_view text, const Values&... values) const {
  return run(what, [&](typename Engine::Connection& connection) -> Result<bool> {
    typename Engine::Query query(connection, text, values...);
    return query.next() && query.integer() != 0;
  });
}

template <class Engine, class Base>
Result<std::optional<Media>> Reads<Engine, Base>::find_media(MediaId id) const {
  return find("find media", read_media<typename Engine::Query>, kFindMedia, id);
}

template <class Engine, class Base>
Result<MediaPage> Reads<Engine, Base>::list_media(const MediaQuery& query) const {
  return run("list media", [&](typename Engine::Connection& connection) -> Result<MediaPage> {
    PageScan scan(query);
    MediaQuery rest = query;
    std::size_t rows_at_once = Engine::kRowsAreLazy ? SIZE_MAX : first_rows(query);
    for (;;) {
      // One more than may be looked at tells whether the walk is at its end.
      const std::size_t left = query.scan_limit == SIZE_MAX ? SIZE_MAX : query.scan_limit + 1 - scan.looked();
      const std::size_t most = std::min(rows_at_once, left);
      const ListStatement statement = list_media_statement(rest, most, Engine::kDialect);
      typename Engine::Query row(connection, statement.text);
      for (const Parameter& parameter : statement.parameters) add(row, parameter);
      std::size_t rows = 0;
      for (; row.next(); ++rows) {
        rest.after = row.integer();
        if (!scan.look(rest.after)) return scan.take();
        if (row.integer() != 0 && scan.takes()) scan.add(read_media<typename Engine::Query>(row));
      }
      if (rows < most) return scan.take();
      rows_at_once = std::min(rows_at_once * 4, kMostRowsAtOnce);
    }
  });
}

template <class Engine, class Base>
Result<std::vector<SimilarMedia>> Reads<Engine, Base>::list_similar_media(const SimilarQuery& query) const {
  if (query.limit == 0) return std::vector<SimilarMedia>();
  return run("list similar media", [&](typename Engine::Connection& connection) -> Result<std::vector<SimilarMedia>> {
    Nearest nearest(query);
    if (query.max_distance <= kFarthestByQuarters) {
      if constexpr (Engine::kRowsAreLazy) {
        search_quarters<typename Engine::Query>(connection, query, nearest);
      } else {
        search_quarters_at_once<typename Engine::Query>(connection, query, nearest);
      }
    } else {
      search_all<typename Engine::Query>(connection, query, nearest);
    }
    std::vector<SimilarMedia> found;
    if constexpr (!Engine::kRowsAreLazy) {
      auto rows = find_several<typename Engine::Query>(connection, nearest);
      for (const auto& [distance, id] : nearest.ranks()) {
        if (const auto row = rows.find(id); row != rows.end()) found.push_back({distance, std::move(row->second)});
      }
      return found;
    }
    for (const auto& [distance, id] : nearest.ranks()) {
      typename Engine::Query row(connection, kFindMedia, id);
      if (auto media = first(row, read_media<typename Engine::Query>)) found.push_back({distance, std::move(*media)});
    }
    return found;
  });
}

template <class Engine, class Base>
Result<std::vector<Media>> Reads<Engine, Base>::list_expired_media(Timestamp now, std::size_t limit) const {
  return list("list expired media", read_media<typename Engine::Query>, kListExpiredMedia, now, row_limit(limit));
}

template <class Engine, class Base>
Result<std::optional<Media>> Reads<Engine, Base>::find_media_by_content(const std::string& owner, const Digest& digest,
                                                                        const std::optional<std::string>& filename) const {
  if (!filename) return find("find media by content", read_media<typename Engine::Query>, kFindMediaByContent, owner, digest);
  return find("find media by content", read_media<typename Engine::Query>, kFindMediaByContentAndName, owner, digest, Bytes{*filename});
}

template <class Engine, class Base>
Result<std::optional<Media>> Reads<Engine, Base>::find_judged_media_by_content(const std::string& owner, const Digest& digest) const {
  return find("find media by content", read_media<typename Engine::Query>, kFindJudgedMediaByContent, owner, digest);
}

template <class Engine, class Base>
Result<std::optional<Media>> Reads<Engine, Base>::find_media_by_idempotency_key(const std::string& owner, const std::string& key) const {
  return find("find media by idempotency key", read_media<typename Engine::Query>, kFindMediaByIdempotencyKey, owner, key);
}

template <class Engine, class Base>
Result<std::optional<Blob>> Reads<Engine, Base>::find_blob(const Digest& digest) const {
  return find("find blob", read_blob<typename Engine::Query>, kFindBlob, digest);
}

template <class Engine, class Base>
Result<bool> Reads<Engine, Base>::has_blob_of_size(std::uint64_t size_bytes) const {
  if (size_bytes <= kSmallBlobBytes) return true;
  return ask("find blob by size", kHasBlobOfSize, static_cast<std::int64_t>(size_bytes));
}

template <class Engine, class Base>
Result<StorageUsage> Reads<Engine, Base>::storage_usage() const {
  MEDIA_TRY_ASSIGN(const auto usage, find("sum up blobs", read_usage<typename Engine::Query>, kStorageUsage));
  return usage.value_or(StorageUsage());
}

template <class Engine, class Base>
Result<std::vector<Blob>> Reads<Engine, Base>::list_blobs(const std::optional<Digest>& after, std::size_t limit) const {
  return list("list blobs", read_blob<typename Engine::Query>, kListBlobs, Bytes{key_after(after)}, row_limit(limit));
}

template <class Engine, class Base>
Result<bool> Reads<Engine, Base>::is_referenced(const Digest& digest) const {
  return ask("look for references", kIsReferenced, digest);
}

template <class Engine, class Base>
Result<UnreferencedPage> Reads<Engine, Base>::list_unreferenced_blobs(const std::optional<Digest>& after) const {
  static const std::string kBeyondAll(Digest::kSize, '\xFF');
  UnreferencedPage page;
  MEDIA_TRY_ASSIGN(page.scanned_to,
                   find("list unreferenced blobs", read_digest<typename Engine::Query>, kEndOfUnreferencedScan, Bytes{key_after(after)}));
  const std::string_view end = page.scanned_to ? key_after(page.scanned_to) : std::string_view(kBeyondAll);
  MEDIA_TRY_ASSIGN(page.blobs, list("list unreferenced blobs", read_blob<typename Engine::Query>, kListUnreferencedBlobs,
                                    Bytes{key_after(after)}, Bytes{end}));
  return page;
}

template <class Engine, class Base>
Result<std::vector<BlobUse>> Reads<Engine, Base>::list_blob_uses(const std::optional<Digest>& after, std::size_t limit) const {
  return list("list the uses of blobs", read_blob_use<typename Engine::Query>, kListBlobUses, Bytes{key_after(after)}, row_limit(limit));
}

template <class Engine, class Base>
Result<std::vector<Blob>> Reads<Engine, Base>::list_blobs_in_state(BlobState state, Timestamp until, std::size_t limit) const {
  return list("list blobs in a state", read_blob<typename Engine::Query>, kListBlobsInState, static_cast<std::int64_t>(state), until,
              row_limit(limit));
}

template <class Engine, class Base>
Result<std::optional<Rendition>> Reads<Engine, Base>::find_rendition(const Digest& source, const std::string& transform,
                                                                     const std::string& encoder) const {
  return find("find rendition", read_rendition<typename Engine::Query>, kFindRendition, source, transform, encoder);
}

template <class Engine, class Base>
Result<std::vector<Rendition>> Reads<Engine, Base>::list_renditions(const Digest& source) const {
  return list("list renditions", read_rendition<typename Engine::Query>, kListRenditions, source);
}

template <class Engine, class Base>
Result<std::vector<Rendition>> Reads<Engine, Base>::list_all_renditions(const std::optional<Rendition>& after, std::size_t limit) const {
  static const std::string kNone;
  const std::optional<Digest> source = after ? std::optional(after->source) : std::nullopt;
  return list("list all renditions", read_rendition<typename Engine::Query>, kListAllRenditions, Bytes{key_after(source)},
              after ? after->transform : kNone, after ? after->encoder : kNone, row_limit(limit));
}

template <class Engine, class Base>
Result<std::vector<Rendition>> Reads<Engine, Base>::list_least_used_renditions(std::size_t limit) const {
  return list("list renditions by use", read_rendition<typename Engine::Query>, kListLeastUsedRenditions,
              std::numeric_limits<std::int64_t>::max(), row_limit(limit));
}

template <class Engine, class Base>
Result<RenditionUsage> Reads<Engine, Base>::rendition_usage(bool on_demand_only) const {
  MEDIA_TRY_ASSIGN(const auto usage, find("sum up renditions", read_rendition_usage<typename Engine::Query>,
                                          on_demand_only ? kOnDemandUsage : kRenditionUsage));
  return usage.value_or(RenditionUsage());
}

template <class Engine, class Base>
Result<std::optional<Job>> Reads<Engine, Base>::find_job_of_media(MediaId id, const std::string& kind) const {
  return find("find job", read_job<typename Engine::Query>, kFindJobOfMedia, id, kind);
}

template <class Engine, class Base>
Result<std::vector<Job>> Reads<Engine, Base>::jobs_of_media(MediaId id, const std::string& kind) const {
  return list("list jobs of a media", read_job<typename Engine::Query>, kListJobsOfMedia, id, kind);
}

template <class Engine, class Base>
Result<std::vector<Job>> Reads<Engine, Base>::list_jobs(std::optional<JobState> state, std::size_t limit) const {
  if (!state) return list("list jobs", read_job<typename Engine::Query>, kListJobs, row_limit(limit));
  return list("list jobs", read_job<typename Engine::Query>, kListJobsInState, static_cast<std::int64_t>(*state), row_limit(limit));
}

template <class Engine, class Base>
Result<std::vector<JobCount>> Reads<Engine, Base>::count_jobs() const {
  return list("count jobs", read_job_count<typename Engine::Query>, kCountJobs);
}

template <class Engine, class Base>
Result<std::vector<VideoOrder>> Reads<Engine, Base>::list_video_orders(MediaId id) const {
  return list("list video orders", read_video_order<typename Engine::Query>, kListVideoOrders, id);
}

template <class Engine, class Base>
Result<JobQueue> Reads<Engine, Base>::job_queue(const std::string& kind, const std::string& owner) const {
  MEDIA_TRY_ASSIGN(const auto queue, find("look at a queue", read_job_queue<typename Engine::Query>, kJobQueue, kind, owner));
  return queue.value_or(JobQueue());
}

template <class Engine, class Base>
Result<std::uint64_t> Reads<Engine, Base>::ordered_video_bytes(const std::string& owner) const {
  MEDIA_TRY_ASSIGN(const auto sum, find("sum up ordered videos", read_bytes<typename Engine::Query>, kSumOrderedVideos, owner));
  return sum.value_or(0);
}

template <class Engine, class Base>
Result<std::optional<UploadSession>> Reads<Engine, Base>::find_upload(const std::string& token) const {
  return find("find upload", read_upload<typename Engine::Query>, kFindUpload, token);
}

template <class Engine, class Base>
Result<std::optional<UploadSession>> Reads<Engine, Base>::find_upload_of_media(MediaId id) const {
  return find("find upload of media", read_upload<typename Engine::Query>, kFindUploadOfMedia, id);
}

template <class Engine, class Base>
Result<std::vector<UploadSession>> Reads<Engine, Base>::list_expired_uploads(Timestamp now, std::size_t limit) const {
  return list("list expired uploads", read_upload<typename Engine::Query>, kListExpiredUploads, now, row_limit(limit));
}

template <class Engine, class Base>
Result<std::optional<ResumableUpload>> Reads<Engine, Base>::find_resumable_upload(const std::string& id) const {
  return find("find resumable upload", read_resumable_upload<typename Engine::Query>, kFindResumableUpload, id);
}

template <class Engine, class Base>
Result<std::vector<ResumableUpload>> Reads<Engine, Base>::list_expired_resumable_uploads(Timestamp now, std::size_t limit) const {
  return list("list expired resumable uploads", read_resumable_upload<typename Engine::Query>, kListExpiredResumableUploads, now,
              row_limit(limit));
}

template <class Engine, class Base>
Result<std::vector<Link>> Reads<Engine, Base>::list_links(const std::string& subject) const {
  return list("list links", read_link<typename Engine::Query>, kListLinks, subject);
}

template <class Engine, class Base>
Result<std::vector<Link>> Reads<Engine, Base>::list_links_of_media(MediaId id) const {
  return list("list links of media", read_link<typename Engine::Query>, kListLinksOfMedia, id);
}

template <class Engine, class Base>
Result<std::optional<ApiKey>> Reads<Engine, Base>::find_api_key(const std::string& id) const {
  return find("find API key", read_api_key<typename Engine::Query>, kFindApiKey, id);
}

template <class Engine, class Base>
Result<std::vector<ApiKey>> Reads<Engine, Base>::list_api_keys() const {
  return list("list API keys", read_api_key<typename Engine::Query>, kListApiKeys);
}

template <class Engine, class Base>
Result<OwnerUsage> Reads<Engine, Base>::owner_usage(const std::string& owner) const {
  MEDIA_TRY_ASSIGN(auto usage, find("find usage", read_owner_usage<typename Engine::Query>, kFindOwnerUsage, owner));
  if (!usage) {
    MEDIA_TRY_ASSIGN(usage, find("sum up an owner's media", read_owner_usage<typename Engine::Query>, kSumOwnerUsage, owner));
  }
  return usage.value_or(OwnerUsage());
}

template <class Engine, class Base>
Result<std::optional<Quota>> Reads<Engine, Base>::find_quota(const std::string& owner) const {
  return find("find quota", read_quota<typename Engine::Query>, kFindQuota, owner);
}

template <class Engine, class Base>
Result<std::vector<OwnerQuota>> Reads<Engine, Base>::list_quotas() const {
  return list("list quotas", read_owner_quota<typename Engine::Query>, kListQuotas);
}

template <class Engine, class Base>
Result<GateFacts> Reads<Engine, Base>::gate_facts(const std::string& owner, const Digest& digest) const {
  bool is_quarantined = false;
  MEDIA_TRY_ASSIGN(auto facts, run("look at the gate", [&](typename Engine::Connection& connection) -> Result<GateFacts> {
                     typename Engine::Query row(connection, kGateFacts, owner, digest);
                     GateFacts found;
                     if (!row.next()) return found;
                     const bool has_quota = row.integer() != 0;
                     const Quota quota = read_quota(row);
                     if (has_quota) found.quota = quota;
                     found.ban = row.optional(&Engine::Query::string);
                     found.bans_pictures = row.integer() != 0;
                     is_quarantined = row.integer() != 0;
                     return found;
                   }));
  if (is_quarantined) {
    MEDIA_TRY_ASSIGN(facts.quarantined, find_quarantined(digest));
  }
  return facts;
}

template <class Engine, class Base>
Result<std::vector<Ban>> Reads<Engine, Base>::list_bans() const {
  return list("list bans", read_ban<typename Engine::Query>, kListBans);
}

template <class Engine, class Base>
Result<std::optional<Ban>> Reads<Engine, Base>::find_ban_of_picture(PerceptualHash hash) const {
  return find("find ban of a picture", read_ban<typename Engine::Query>, kFindBanOfPicture, column_of(hash.bits));
}

template <class Engine, class Base>
Result<std::optional<Quarantined>> Reads<Engine, Base>::find_quarantined(const Digest& digest) const {
  return find("find in quarantine", read_quarantined<typename Engine::Query>, kFindQuarantined, digest);
}

template <class Engine, class Base>
Result<std::vector<Quarantined>> Reads<Engine, Base>::list_quarantined(bool released, const std::optional<Digest>& after,
                                                                       std::size_t limit) const {
  return list("list quarantine", read_quarantined<typename Engine::Query>, released ? kListQuarantineReleased : kListQuarantineKept,
              Bytes{key_after(after)}, row_limit(limit));
}

template <class Engine, class Base>
Result<QuarantineCounts> Reads<Engine, Base>::quarantine_counts() const {
  return run("count quarantine", [&](typename Engine::Connection& connection) -> Result<QuarantineCounts> {
    typename Engine::Query row(connection, kCountQuarantine);
    QuarantineCounts counts;
    while (row.next()) {
      const auto reason = enumeration<typename Engine::Query>(row.integer(), Hold::missing);
      count_of(counts, reason) = size_of(row.integer());
    }
    return counts;
  });
}

template <class Engine, class Base>
Result<std::vector<Media>> Reads<Engine, Base>::list_media_of_blob(const Digest& digest) const {
  return list("list media of a blob", read_media<typename Engine::Query>, kListMediaOfBlob, digest);
}

}  // namespace media::sql
