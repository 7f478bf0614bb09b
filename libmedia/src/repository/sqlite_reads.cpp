#include "repository/sqlite_reads.hpp"

#include <algorithm>
#include <limits>
#include <variant>

#include "repository/list_statement.hpp"
#include "repository/similar_search.hpp"
#include "repository/sql.hpp"
#include "repository/sqlite_rows.hpp"

namespace media::sqlite {
namespace {

std::int64_t row_limit(std::size_t limit) noexcept {
  constexpr auto kMost = static_cast<std::size_t>(std::numeric_limits<std::int64_t>::max());
  return static_cast<std::int64_t>(std::min(limit, kMost));
}

template <class Row>
std::optional<Row> first(Query& query, Row (*read)(Query&)) {
  if (!query.next()) return std::nullopt;
  return read(query);
}

template <class Row>
std::vector<Row> all(Query& query, Row (*read)(Query&)) {
  std::vector<Row> rows;
  while (query.next()) rows.push_back(read(query));
  return rows;
}

template <class Row, class... Values>
Result<std::optional<Row>> find(Result<Lease> lease, std::string_view what, Row (*read)(Query&), std::string_view sql,
                                const Values&... values) {
  if (!lease) return std::move(lease).error();
  return guarded(**lease, what, [&]() -> Result<std::optional<Row>> {
    Query query(**lease, sql, values...);
    return first(query, read);
  });
}

template <class Row, class... Values>
Result<std::vector<Row>> list(Result<Lease> lease, std::string_view what, Row (*read)(Query&), std::string_view sql,
                              const Values&... values) {
  if (!lease) return std::move(lease).error();
  return guarded(**lease, what, [&]() -> Result<std::vector<Row>> {
    Query query(**lease, sql, values...);
    return all(query, read);
  });
}

template <class... Values>
Result<bool> ask(Result<Lease> lease, std::string_view what, std::string_view sql, const Values&... values) {
  if (!lease) return std::move(lease).error();
  return guarded(**lease, what, [&]() -> Result<bool> {
    Query query(**lease, sql, values...);
    return query.next() && query.integer() != 0;
  });
}

void add(Query& query, const Parameter& parameter) {
  if (const auto* number = std::get_if<std::int64_t>(&parameter)) query.add(*number);
  if (const auto* text = std::get_if<TextParameter>(&parameter)) query.add(text->value);
  if (const auto* bytes = std::get_if<BytesParameter>(&parameter)) query.add(Bytes{bytes->value});
}

/// A bound below every digest, where there is none.
std::string_view key_after(const std::optional<Digest>& after) noexcept {
  if (!after) return {"", 0};
  return {reinterpret_cast<const char*>(after->bytes().data()), Digest::kSize};
}

/// Beyond it, to look up what may be near by its quarters costs more than to look at each of 100,000 hashes.
constexpr unsigned kFarthestByQuarters = 12;

/// What every search binds after the quarter.
struct SimilarParameters {
  explicit SimilarParameters(const SimilarQuery& query)
      : hash(static_cast<std::int64_t>(query.perceptual_hash.bits)),
        except(query.except),
        // Nobody's visibility is as high as the last.
        visibility(!query.owner   ? 0
                   : query.others ? static_cast<std::int64_t>(*query.others)
                                  : std::int64_t{1} << 32U),
        owner(query.owner.value_or("")),
        alive_at(query.alive_at ? static_cast<std::int64_t>(query.alive_at->time_since_epoch().count())
                                : std::numeric_limits<std::int64_t>::min()) {}

  void add_to(Query& statement, std::int64_t quarter, unsigned max_distance) const {
    statement.add(quarter);
    statement.add(hash);
    statement.add(std::int64_t{max_distance});
    statement.add(except);
    statement.add(visibility);
    statement.add(owner);
    statement.add(alive_at);
  }

  std::int64_t hash;
  std::int64_t except;
  std::int64_t visibility;
  std::string owner;
  std::int64_t alive_at;
};

void search_quarters(Connection& connection, const SimilarQuery& query, Nearest& nearest) {
  const SimilarParameters parameters(query);
  for (unsigned number = 0; number < kHashQuarters; ++number) {
    for (const std::int64_t quarter :
         quarters_near(hash_quarter(query.perceptual_hash, number), quarter_distance(query.max_distance, number))) {
      Query rows(connection, sql::kFindSimilarMedia[number]);
      parameters.add_to(rows, quarter, nearest.max_distance());
      while (rows.next()) {
        const MediaId id = rows.integer();
        nearest.offer(static_cast<unsigned>(rows.integer()), id);
      }
    }
  }
}

void search_all(Connection& connection, const SimilarQuery& query, Nearest& nearest) {
  const SimilarParameters parameters(query);
  Query rows(connection, sql::kFindFarSimilarMedia);
  parameters.add_to(rows, 0, query.max_distance);
  rows.add(row_limit(query.limit));
  while (rows.next()) {
    const MediaId id = rows.integer();
    nearest.offer(static_cast<unsigned>(rows.integer()), id);
  }
}

}  // namespace

template <class Base>
Result<std::optional<Media>> Reads<Base>::find_media(MediaId id) const {
  return find(connection(), "find media", read_media, sql::kFindMedia, id);
}

template <class Base>
Result<MediaPage> Reads<Base>::list_media(const MediaQuery& query) const {
  auto lease = connection();
  if (!lease) return std::move(lease).error();
  return guarded(**lease, "list media", [&]() -> Result<MediaPage> {
    const ListStatement statement = list_media_statement(query);
    Query row(**lease, statement.text);
    for (const Parameter& parameter : statement.parameters) add(row, parameter);
    PageScan scan(query);
    while (row.next() && scan.look(row.integer())) {
      if (row.integer() != 0 && scan.takes()) scan.add(read_media(row));
    }
    return scan.take();
  });
}

template <class Base>
Result<std::vector<SimilarMedia>> Reads<Base>::list_similar_media(const SimilarQuery& query) const {
  if (query.limit == 0) return std::vector<SimilarMedia>();
  auto lease = connection();
  if (!lease) return std::move(lease).error();
  return guarded(**lease, "list similar media", [&]() -> Result<std::vector<SimilarMedia>> {
    Nearest nearest(query);
    if (query.max_distance <= kFarthestByQuarters) {
      search_quarters(**lease, query, nearest);
    } else {
      search_all(**lease, query, nearest);
    }
    std::vector<SimilarMedia> found;
    for (const auto& [distance, id] : nearest.ranks()) {
      Query row(**lease, sql::kFindMedia, id);
      if (auto media = first(row, read_media)) found.push_back({distance, std::move(*media)});
    }
    return found;
  });
}

template <class Base>
Result<std::vector<Media>> Reads<Base>::list_expired_media(Timestamp now, std::size_t limit) const {
  return list(connection(), "list expired media", read_media, sql::kListExpiredMedia, now, row_limit(limit));
}

template <class Base>
Result<std::optional<Media>> Reads<Base>::find_media_by_content(const std::string& owner, const Digest& digest,
                                                                const std::optional<std::string>& filename) const {
  if (!filename) return find(connection(), "find media by content", read_media, sql::kFindMediaByContent, owner, digest);
  return find(connection(), "find media by content", read_media, sql::kFindMediaByContentAndName, owner, digest, Bytes{*filename});
}

template <class Base>
Result<std::optional<Media>> Reads<Base>::find_media_by_idempotency_key(const std::string& owner, const std::string& key) const {
  return find(connection(), "find media by idempotency key", read_media, sql::kFindMediaByIdempotencyKey, owner, key);
}

template <class Base>
Result<std::optional<Blob>> Reads<Base>::find_blob(const Digest& digest) const {
  return find(connection(), "find blob", read_blob, sql::kFindBlob, digest);
}

template <class Base>
Result<bool> Reads<Base>::has_blob_of_size(std::uint64_t size_bytes) const {
  if (size_bytes <= kSmallBlobBytes) return true;
  return ask(connection(), "find blob by size", sql::kHasBlobOfSize, static_cast<std::int64_t>(size_bytes));
}

template <class Base>
Result<StorageUsage> Reads<Base>::storage_usage() const {
  MEDIA_TRY_ASSIGN(const auto usage, find(connection(), "sum up blobs", read_usage, sql::kStorageUsage));
  return usage.value_or(StorageUsage());
}

template <class Base>
Result<std::vector<Blob>> Reads<Base>::list_blobs(const std::optional<Digest>& after, std::size_t limit) const {
  return list(connection(), "list blobs", read_blob, sql::kListBlobs, Bytes{key_after(after)}, row_limit(limit));
}

template <class Base>
Result<bool> Reads<Base>::is_referenced(const Digest& digest) const {
  return ask(connection(), "look for references", sql::kIsReferenced, digest);
}

template <class Base>
Result<std::vector<Blob>> Reads<Base>::list_unreferenced_blobs(const std::optional<Digest>& after, std::size_t limit) const {
  return list(connection(), "list unreferenced blobs", read_blob, sql::kListUnreferencedBlobs, Bytes{key_after(after)}, row_limit(limit));
}

template <class Base>
Result<std::vector<Blob>> Reads<Base>::list_blobs_in_state(BlobState state, Timestamp until, std::size_t limit) const {
  return list(connection(), "list blobs in a state", read_blob, sql::kListBlobsInState, static_cast<std::int64_t>(state), until,
              row_limit(limit));
}

template <class Base>
Result<std::optional<Rendition>> Reads<Base>::find_rendition(const Digest& source, const std::string& transform,
                                                             const std::string& encoder) const {
  return find(connection(), "find rendition", read_rendition, sql::kFindRendition, source, transform, encoder);
}

template <class Base>
Result<std::vector<Rendition>> Reads<Base>::list_renditions(const Digest& source) const {
  return list(connection(), "list renditions", read_rendition, sql::kListRenditions, source);
}

template <class Base>
Result<std::vector<Rendition>> Reads<Base>::list_all_renditions(const std::optional<Rendition>& after, std::size_t limit) const {
  static const std::string kNone;
  const std::optional<Digest> source = after ? std::optional(after->source) : std::nullopt;
  return list(connection(), "list all renditions", read_rendition, sql::kListAllRenditions, Bytes{key_after(source)},
              after ? after->transform : kNone, after ? after->encoder : kNone, row_limit(limit));
}

template <class Base>
Result<std::vector<Rendition>> Reads<Base>::list_least_used_renditions(std::size_t limit) const {
  return list(connection(), "list renditions by use", read_rendition, sql::kListLeastUsedRenditions,
              std::numeric_limits<std::int64_t>::max(), row_limit(limit));
}

template <class Base>
Result<RenditionUsage> Reads<Base>::rendition_usage(bool on_demand_only) const {
  MEDIA_TRY_ASSIGN(const auto usage, find(connection(), "sum up renditions", read_rendition_usage,
                                          on_demand_only ? sql::kOnDemandUsage : sql::kRenditionUsage));
  return usage.value_or(RenditionUsage());
}

template <class Base>
Result<std::optional<Job>> Reads<Base>::find_job_of_media(MediaId id, const std::string& kind) const {
  return find(connection(), "find job", read_job, sql::kFindJobOfMedia, id, kind);
}

template <class Base>
Result<std::vector<Job>> Reads<Base>::list_jobs(std::optional<JobState> state, std::size_t limit) const {
  if (!state) return list(connection(), "list jobs", read_job, sql::kListJobs, row_limit(limit));
  return list(connection(), "list jobs", read_job, sql::kListJobsInState, static_cast<std::int64_t>(*state), row_limit(limit));
}

template <class Base>
Result<std::optional<UploadSession>> Reads<Base>::find_upload(const std::string& token) const {
  return find(connection(), "find upload", read_upload, sql::kFindUpload, token);
}

template <class Base>
Result<std::optional<UploadSession>> Reads<Base>::find_upload_of_media(MediaId id) const {
  return find(connection(), "find upload of media", read_upload, sql::kFindUploadOfMedia, id);
}

template <class Base>
Result<std::vector<UploadSession>> Reads<Base>::list_expired_uploads(Timestamp now, std::size_t limit) const {
  return list(connection(), "list expired uploads", read_upload, sql::kListExpiredUploads, now, row_limit(limit));
}

template <class Base>
Result<std::optional<ResumableUpload>> Reads<Base>::find_resumable_upload(const std::string& id) const {
  return find(connection(), "find resumable upload", read_resumable_upload, sql::kFindResumableUpload, id);
}

template <class Base>
Result<std::vector<ResumableUpload>> Reads<Base>::list_expired_resumable_uploads(Timestamp now, std::size_t limit) const {
  return list(connection(), "list expired resumable uploads", read_resumable_upload, sql::kListExpiredResumableUploads, now,
              row_limit(limit));
}

template <class Base>
Result<std::vector<Link>> Reads<Base>::list_links(const std::string& subject) const {
  return list(connection(), "list links", read_link, sql::kListLinks, subject);
}

template <class Base>
Result<std::vector<Link>> Reads<Base>::list_links_of_media(MediaId id) const {
  return list(connection(), "list links of media", read_link, sql::kListLinksOfMedia, id);
}

template <class Base>
Result<std::optional<ApiKey>> Reads<Base>::find_api_key(const std::string& id) const {
  return find(connection(), "find API key", read_api_key, sql::kFindApiKey, id);
}

template <class Base>
Result<std::vector<ApiKey>> Reads<Base>::list_api_keys() const {
  return list(connection(), "list API keys", read_api_key, sql::kListApiKeys);
}

template class Reads<Repository>;
template class Reads<Transaction>;

}  // namespace media::sqlite
