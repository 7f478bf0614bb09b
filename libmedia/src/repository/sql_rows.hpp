/// Records as rows of an SQL database and back.
///
/// `Query` is a backend's: parameters are added in their order, columns are read in theirs, and `Query::corrupt` throws what the backend's
/// `guarded` turns into Errc::corrupt. The columns are those of sql.hpp in their order.
#pragma once

#include <algorithm>
#include <limits>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "media/placement.hpp"
#include "media/records.hpp"
#include "repository/blob_kind.hpp"
#include "repository/list_statement.hpp"
#include "repository/sql_values.hpp"

namespace media::sql {

// Enumerations are in catalogs by these numbers. Who inserts a name in the middle must hear of it here.
static_assert(static_cast<int>(MediaStatus::pending) == 0 && static_cast<int>(MediaStatus::processing) == 1 &&
              static_cast<int>(MediaStatus::complete) == 2 && static_cast<int>(MediaStatus::failed) == 3);
static_assert(static_cast<int>(Visibility::is_private) == 0 && static_cast<int>(Visibility::authenticated) == 1 &&
              static_cast<int>(Visibility::is_public) == 2);
static_assert(static_cast<int>(BlobState::live) == 0 && static_cast<int>(BlobState::condemned) == 1 &&
              static_cast<int>(BlobState::deleting) == 2);
static_assert(static_cast<int>(JobState::queued) == 0 && static_cast<int>(JobState::running) == 1 && static_cast<int>(JobState::dead) == 2);
static_assert(static_cast<int>(UploadState::open) == 0 && static_cast<int>(UploadState::receiving) == 1 &&
              static_cast<int>(UploadState::complete) == 2);
static_assert(static_cast<int>(Hold::none) == 0 && static_cast<int>(Hold::unscanned) == 1 && static_cast<int>(Hold::unseen) == 2 &&
              static_cast<int>(Hold::polyglot) == 3 && static_cast<int>(Hold::infected) == 4 && static_cast<int>(Hold::banned) == 5 &&
              static_cast<int>(Hold::damaged) == 6 && static_cast<int>(Hold::missing) == 7);
static_assert(static_cast<int>(ResumableKind::whole) == 0 && static_cast<int>(ResumableKind::partial) == 1 &&
              static_cast<int>(ResumableKind::joined) == 2);

template <class Query, class Enum>
Enum enumeration(std::int64_t value, Enum last) {
  if (value < 0 || value > static_cast<std::int64_t>(last)) Query::corrupt("an enumeration is out of range");
  return static_cast<Enum>(value);
}

template <class Unsigned, class Query>
Unsigned small(std::int64_t value) {
  if (value < 0 || std::cmp_greater(value, std::numeric_limits<Unsigned>::max())) {
    Query::corrupt("a number is out of range");
  }
  return static_cast<Unsigned>(value);
}

// Sizes and hashes use all 64 bits of the column; those beyond 2^63 come back as they went in.
inline std::uint64_t size_of(std::int64_t value) noexcept { return static_cast<std::uint64_t>(value); }
inline std::int64_t column_of(std::uint64_t size) noexcept { return static_cast<std::int64_t>(size); }

template <class Enum>
std::int64_t number(Enum value) noexcept {
  return static_cast<std::int64_t>(value);
}

inline std::optional<std::int64_t> null_for_zero(MediaId id) noexcept { return id == 0 ? std::nullopt : std::optional<std::int64_t>(id); }

inline std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  std::istringstream stream(text);
  for (std::string word; stream >> word;) words.push_back(std::move(word));
  return words;
}

inline std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

// Formats are stored by their word, which stays when the enumeration grows. Members are initialized in their order,
// which is that of the columns.
template <class Query>
MediaInfo read_info(Query& row) {
  MediaInfo info{.format = format_from_name(row.string()),
                 .width = small<std::uint32_t, Query>(row.integer()),
                 .height = small<std::uint32_t, Query>(row.integer()),
                 .frames = small<std::uint32_t, Query>(row.integer()),
                 .orientation = small<std::uint8_t, Query>(row.integer()),
                 .has_alpha = row.integer() != 0,
                 .duration = std::nullopt};
  if (const auto duration = row.optional(&Query::integer)) info.duration = std::chrono::milliseconds(*duration);
  return info;
}

template <class Query>
Appearance read_appearance(Query& row) {
  Appearance appearance{.thumbhash = row.bytes(), .dominant_colour = row.string(), .perceptual_hash = std::nullopt};
  if (const auto bits = row.optional(&Query::integer)) appearance.perceptual_hash = PerceptualHash{static_cast<std::uint64_t>(*bits)};
  return appearance;
}

template <class Query>
Media read_media(Query& row) {
  return {.id = row.integer(),
          .owner = row.string(),
          .digest = row.optional(&Query::digest),
          .filename = row.string(),
          .media_type = row.string(),
          .size_bytes = size_of(row.integer()),
          .status = enumeration<Query>(row.integer(), MediaStatus::failed),
          .error_message = row.string(),
          .visibility = enumeration<Query>(row.integer(), Visibility::is_public),
          .info = read_info(row),
          .placeholder = row.string(),
          .idempotency_key = row.string(),
          .uploaded_at = row.time(),
          .updated_at = row.time(),
          .completed_at = row.optional(&Query::time),
          .processing_time_ms = row.optional(&Query::integer),
          .tags = split_tags(row.string()),
          .expires_at = row.optional(&Query::time),
          .appearance = read_appearance(row),
          .held = enumeration<Query>(row.integer(), Hold::missing)};
}

/// Binds every field but the id.
template <class Query>
void bind_media(Query& query, const Media& media) {
  query.add(media.owner);
  query.add(media.digest);
  query.add(Bytes{media.filename});
  query.add(media.media_type);
  query.add(column_of(media.size_bytes));
  query.add(number(media.status));
  query.add(Bytes{media.error_message});
  query.add(number(media.visibility));
  query.add_copy(to_string(media.info.format));
  query.add(std::int64_t{media.info.width});
  query.add(std::int64_t{media.info.height});
  query.add(std::int64_t{media.info.frames});
  query.add(std::int64_t{media.info.orientation});
  query.add(std::int64_t{media.info.has_alpha ? 1 : 0});
  query.add(media.info.duration ? std::optional<std::int64_t>(media.info.duration->count()) : std::nullopt);
  query.add(media.placeholder);
  query.add(media.idempotency_key);
  query.add(media.uploaded_at);
  query.add(media.updated_at);
  query.add(media.completed_at);
  query.add(media.processing_time_ms);
  query.add_copy_bytes(joined_tags(media.tags));
  query.add(media.expires_at);
  query.add(std::span<const std::byte>(media.appearance.thumbhash));
  query.add(media.appearance.dominant_colour);
  query.add(media.appearance.perceptual_hash ? std::optional(column_of(media.appearance.perceptual_hash->bits)) : std::nullopt);
  query.add(number(media.held));
}

template <class Query>
Blob read_blob(Query& row) {
  return {.digest = row.digest(),
          .size_bytes = size_of(row.integer()),
          .state = enumeration<Query>(row.integer(), BlobState::deleting),
          .location = row.string(),
          .identity = row.string(),
          .verified_at = row.optional(&Query::time),
          .condemned_at = row.optional(&Query::time)};
}

template <class Query>
Digest read_digest(Query& row) {
  return row.digest();
}

template <class Query>
BlobUse read_blob_use(Query& row) {
  BlobUse use{.digest = row.digest(),
              .size_bytes = size_of(row.integer()),
              .state = enumeration<Query>(row.integer(), BlobState::deleting),
              .kind = BlobKind::other,
              .since = {},
              .reads = 0,
              .read_at = std::nullopt};
  const auto media_type = row.optional(&Query::string);
  const auto uploaded_at = row.optional(&Query::time);
  const auto created_at = row.optional(&Query::time);
  use.kind = kind_of_blob(media_type, created_at.has_value());
  use.since = std::max(uploaded_at.value_or(Timestamp()), created_at.value_or(Timestamp()));
  use.reads = size_of(row.optional(&Query::integer).value_or(0));
  use.read_at = row.optional(&Query::time);
  return use;
}

template <class Query>
StorageUsage read_usage(Query& row) {
  const auto blobs = static_cast<std::uint64_t>(row.integer());
  return {.blobs = blobs, .size_bytes = size_of(row.integer())};
}

template <class Query>
void bind_blob(Query& query, const Blob& blob) {
  query.add(blob.digest);
  query.add(column_of(blob.size_bytes));
  query.add(number(blob.state));
  query.add(blob.location);
  query.add(blob.identity);
  query.add(blob.verified_at);
  query.add(blob.condemned_at);
}

template <class Query>
Rendition read_rendition(Query& row) {
  return {.source = row.digest(),
          .transform = row.string(),
          .encoder = row.string(),
          .digest = row.digest(),
          .format = format_from_name(row.string()),
          .width = small<std::uint32_t, Query>(row.integer()),
          .height = small<std::uint32_t, Query>(row.integer()),
          .size_bytes = size_of(row.integer()),
          .created_at = row.time(),
          .on_demand = row.integer() != 0,
          .used_at = row.time()};
}

template <class Query>
RenditionUsage read_rendition_usage(Query& row) {
  const auto renditions = static_cast<std::uint64_t>(row.integer());
  return {.renditions = renditions, .size_bytes = size_of(row.integer())};
}

template <class Query>
void bind_rendition(Query& query, const Rendition& rendition) {
  query.add(rendition.source);
  query.add(rendition.transform);
  query.add(rendition.encoder);
  query.add(rendition.digest);
  query.add_copy(to_string(rendition.format));
  query.add(std::int64_t{rendition.width});
  query.add(std::int64_t{rendition.height});
  query.add(column_of(rendition.size_bytes));
  query.add(rendition.created_at);
  query.add(std::int64_t{rendition.on_demand ? 1 : 0});
  query.add(rendition.used_at);
}

template <class Query>
JobCount read_job_count(Query& row) {
  return {.kind = row.string(),
          .state = enumeration<Query>(row.integer(), JobState::dead),
          .jobs = static_cast<std::uint64_t>(row.integer()),
          .due_at = row.time()};
}

template <class Query>
Job read_job(Query& row) {
  return {.id = row.integer(),
          .kind = row.string(),
          .media_id = row.optional(&Query::integer).value_or(0),
          .state = enumeration<Query>(row.integer(), JobState::dead),
          .attempts = small<std::uint32_t, Query>(row.integer()),
          .run_after = row.time(),
          .lease_owner = row.string(),
          .lease_until = row.optional(&Query::time),
          .progress = row.real(),
          .last_error = row.string(),
          .created_at = row.time(),
          .payload = row.string()};
}

/// Binds every field but the id.
template <class Query>
void bind_job(Query& query, const Job& job) {
  query.add(job.kind);
  query.add(null_for_zero(job.media_id));
  query.add(number(job.state));
  query.add(std::int64_t{job.attempts});
  query.add(job.run_after);
  query.add(job.lease_owner);
  query.add(job.lease_until);
  query.add(job.progress);
  query.add(Bytes{job.last_error});
  query.add(job.created_at);
  query.add(Bytes{job.payload});
}

template <class Query>
VideoOrder read_video_order(Query& row) {
  return {.media_id = row.integer(),
          .transform = row.string(),
          .owner = row.string(),
          .job_id = row.integer(),
          .turn = row.integer(),
          .deaths = small<std::uint32_t, Query>(row.integer()),
          .remark = row.string(),
          .ordered_at = row.time()};
}

template <class Query>
void bind_video_order(Query& query, const VideoOrder& order) {
  query.add(order.media_id);
  query.add(order.transform);
  query.add(order.owner);
  query.add(order.job_id);
  query.add(order.turn);
  query.add(std::int64_t{order.deaths});
  query.add(Bytes{order.remark});
  query.add(order.ordered_at);
}

template <class Query>
JobQueue read_job_queue(Query& row) {
  return {.jobs = static_cast<std::uint64_t>(row.integer()),
          .of_owner = static_cast<std::uint64_t>(row.integer()),
          .first_turn = row.integer(),
          .last_turn_of_owner = row.optional(&Query::integer)};
}

template <class Query>
std::uint64_t read_bytes(Query& row) {
  return size_of(row.integer());
}

template <class Query>
UploadSession read_upload(Query& row) {
  return {.token = row.string(),
          .media_id = row.integer(),
          .owner = row.string(),
          .filename = row.string(),
          .media_type = row.string(),
          .size_bytes = size_of(row.integer()),
          .digest = row.optional(&Query::digest),
          .state = enumeration<Query>(row.integer(), UploadState::complete),
          .created_at = row.time(),
          .expires_at = row.time()};
}

template <class Query>
void bind_upload(Query& query, const UploadSession& session) {
  query.add(session.token);
  query.add(session.media_id);
  query.add(session.owner);
  query.add(Bytes{session.filename});
  query.add(session.media_type);
  query.add(column_of(session.size_bytes));
  query.add(session.digest);
  query.add(number(session.state));
  query.add(session.created_at);
  query.add(session.expires_at);
}

template <class Query>
ResumableUpload read_resumable_upload(Query& row) {
  return {.id = row.string(),
          .owner = row.string(),
          .kind = enumeration<Query>(row.integer(), ResumableKind::joined),
          .filename = row.string(),
          .media_type = row.string(),
          .metadata = row.string(),
          .parts = words_of(row.string()),
          .size_bytes = size_of(row.integer()),
          .media_id = row.optional(&Query::integer).value_or(0),
          .created_at = row.time(),
          .expires_at = row.time()};
}

template <class Query>
void bind_resumable_upload(Query& query, const ResumableUpload& upload) {
  query.add(upload.id);
  query.add(upload.owner);
  query.add(number(upload.kind));
  query.add(Bytes{upload.filename});
  query.add(upload.media_type);
  query.add(upload.metadata);
  query.add_copy(joined(upload.parts));
  query.add(column_of(upload.size_bytes));
  query.add(null_for_zero(upload.media_id));
  query.add(upload.created_at);
  query.add(upload.expires_at);
}

template <class Query>
Link read_link(Query& row) {
  return {.subject = row.string(), .media_id = row.integer(), .position = row.integer()};
}

template <class Query>
ApiKey read_api_key(Query& row) {
  return {.id = row.string(),
          .secret_digest = row.digest(),
          .owner = row.string(),
          .scopes = row.string(),
          .label = row.string(),
          .created_at = row.time(),
          .expires_at = row.optional(&Query::time),
          .revoked_at = row.optional(&Query::time)};
}

inline std::optional<std::int64_t> column_of(const std::optional<std::uint64_t>& size) noexcept {
  return size ? std::optional(column_of(*size)) : std::nullopt;
}

template <class Query>
std::optional<std::uint64_t> read_limit(Query& row) {
  const auto value = row.optional(&Query::integer);
  return value ? std::optional(size_of(*value)) : std::nullopt;
}

template <class Query>
Quota read_quota(Query& row) {
  return {.max_bytes = read_limit(row), .max_media = read_limit(row)};
}

template <class Query>
OwnerQuota read_owner_quota(Query& row) {
  return {.owner = row.string(), .quota = read_quota(row)};
}

template <class Query>
OwnerUsage read_owner_usage(Query& row) {
  return {.media = size_of(row.integer()), .size_bytes = size_of(row.integer())};
}

template <class Query>
Ban read_ban(Query& row) {
  Ban ban{.id = row.integer(), .digest = row.optional(&Query::digest)};
  if (const auto bits = row.optional(&Query::integer)) ban.perceptual_hash = PerceptualHash{static_cast<std::uint64_t>(*bits)};
  ban.max_distance = small<unsigned, Query>(row.integer());
  ban.reason = row.string();
  ban.created_at = row.time();
  return ban;
}

/// Binds every field but the id.
template <class Query>
void bind_ban(Query& query, const Ban& ban) {
  query.add(ban.digest);
  query.add(ban.perceptual_hash ? std::optional(column_of(ban.perceptual_hash->bits)) : std::nullopt);
  query.add(std::int64_t{ban.max_distance});
  query.add(Bytes{ban.reason});
  query.add(ban.created_at);
}

template <class Query>
Quarantined read_quarantined(Query& row) {
  return {.digest = row.digest(),
          .reason = enumeration<Query>(row.integer(), Hold::missing),
          .detail = row.string(),
          .since = row.time(),
          .released_at = row.optional(&Query::time),
          .released_by = row.string(),
          .forced = row.integer() != 0};
}

template <class Query>
void bind_quarantined(Query& query, const Quarantined& entry) {
  query.add(entry.digest);
  query.add(number(entry.reason));
  query.add(Bytes{entry.detail});
  query.add(entry.since);
  query.add(entry.released_at);
  query.add(Bytes{entry.released_by});
  query.add(std::int64_t{entry.forced ? 1 : 0});
}

template <class Query>
void bind_api_key(Query& query, const ApiKey& key) {
  query.add(key.id);
  query.add(key.secret_digest);
  query.add(key.owner);
  query.add(key.scopes);
  query.add(Bytes{key.label});
  query.add(key.created_at);
  query.add(key.expires_at);
  query.add(key.revoked_at);
}

}  // namespace media::sql
