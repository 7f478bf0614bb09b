/// Every statement of the catalog that is not put together at run time, by name.
///
/// Parameters are numbered in the order in which they are bound. Everything here is what SQLite and PostgreSQL have in
/// common (`?1` becomes `$1`); what a dialect needs beyond that is in its own files.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#define MEDIA_SQL_MEDIA_FIELDS                                                                                                     \
  "owner, digest, filename, media_type, size_bytes, status, error_message, visibility, format, width, height, frames, "            \
  "orientation, has_alpha, duration_ms, placeholder, idempotency_key, uploaded_at, updated_at, completed_at, processing_time_ms, " \
  "tags, expires_at, thumbhash, dominant_colour, perceptual_hash, held"
#define MEDIA_SQL_MEDIA "id, " MEDIA_SQL_MEDIA_FIELDS
#define MEDIA_SQL_MEDIA_VALUES                                                                                 \
  "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, " \
  "?24, ?25, ?26, ?27"
#define MEDIA_SQL_SIMILAR                                                                                                              \
  "AND perceptual_hash IS NOT NULL AND hamming_distance(perceptual_hash, ?2) <= ?3 AND id <> ?4 AND (visibility >= ?5 OR owner = ?6) " \
  "AND (expires_at IS NULL OR expires_at > ?7) AND held = 0"
#define MEDIA_SQL_BLOB "digest, size_bytes, state, location, identity, verified_at, condemned_at"
#define MEDIA_SQL_RENDITION "source, transform, encoder, digest, format, width, height, size_bytes, created_at, on_demand, used_at"
#define MEDIA_SQL_JOB_FIELDS \
  "kind, media_id, state, attempts, run_after, lease_owner, lease_until, progress, last_error, created_at, payload"
#define MEDIA_SQL_JOB "id, " MEDIA_SQL_JOB_FIELDS
#define MEDIA_SQL_VIDEO_ORDER "media_id, transform, owner, job_id, turn, deaths, remark, ordered_at"
#define MEDIA_SQL_UPLOAD "token, media_id, owner, filename, media_type, size_bytes, digest, state, created_at, expires_at"
#define MEDIA_SQL_RESUMABLE_UPLOAD "id, owner, kind, filename, media_type, metadata, parts, size_bytes, media_id, created_at, expires_at"
#define MEDIA_SQL_LINK "subject, media_id, position"
#define MEDIA_SQL_BAN_FIELDS "digest, perceptual_hash, max_distance, reason, created_at"
#define MEDIA_SQL_BAN "id, " MEDIA_SQL_BAN_FIELDS
#define MEDIA_SQL_QUARANTINE "digest, reason, detail, since, released_at, released_by, forced"
#define MEDIA_SQL_API_KEY "id, secret_digest, owner, scopes, label, created_at, expires_at, revoked_at"

namespace media::sql {

// media

inline constexpr std::string_view kMediaColumns = MEDIA_SQL_MEDIA;
inline constexpr std::string_view kFindMedia = "SELECT " MEDIA_SQL_MEDIA " FROM media WHERE id = ?1";
// PostgreSQL's; SQLite has nothing to gain by it.
inline constexpr std::string_view kFindSeveralMedia = "SELECT " MEDIA_SQL_MEDIA " FROM media WHERE id = ANY (?1)";
inline constexpr std::string_view kFindMediaByContent =
    "SELECT " MEDIA_SQL_MEDIA " FROM media WHERE owner = ?1 AND digest = ?2 AND status <> 0 LIMIT 1";
inline constexpr std::string_view kFindJudgedMediaByContent =
    "SELECT " MEDIA_SQL_MEDIA " FROM media WHERE owner = ?1 AND digest = ?2 AND status <> 0 AND format <> 'unknown' LIMIT 1";
inline constexpr std::string_view kFindMediaByContentAndName =
    "SELECT " MEDIA_SQL_MEDIA " FROM media WHERE owner = ?1 AND digest = ?2 AND status <> 0 AND filename = ?3 ORDER BY id DESC LIMIT 1";
// The comparison with '' is what lets the partial index serve.
inline constexpr std::string_view kFindMediaByIdempotencyKey =
    "SELECT " MEDIA_SQL_MEDIA " FROM media WHERE owner = ?1 AND idempotency_key = ?2 AND idempotency_key <> ''";
inline constexpr std::string_view kListExpiredMedia =
    "SELECT " MEDIA_SQL_MEDIA " FROM media WHERE expires_at <= ?1 ORDER BY expires_at, id LIMIT ?2";
// The expressions are those of the indexes. hamming_distance() is ours (add_functions); PostgreSQL has bit_count(a # b).
inline constexpr std::array<std::string_view, 4> kFindSimilarMedia = {
    "SELECT id, hamming_distance(perceptual_hash, ?2) FROM media WHERE ((perceptual_hash >> 48) & 65535) = ?1 " MEDIA_SQL_SIMILAR,
    "SELECT id, hamming_distance(perceptual_hash, ?2) FROM media WHERE ((perceptual_hash >> 32) & 65535) = ?1 " MEDIA_SQL_SIMILAR,
    "SELECT id, hamming_distance(perceptual_hash, ?2) FROM media WHERE ((perceptual_hash >> 16) & 65535) = ?1 " MEDIA_SQL_SIMILAR,
    "SELECT id, hamming_distance(perceptual_hash, ?2) FROM media WHERE (perceptual_hash & 65535) = ?1 " MEDIA_SQL_SIMILAR};
// The condition on the quarter, which is always true, makes the planner walk the index and not the table.
inline constexpr std::string_view kFindFarSimilarMedia =
    "SELECT id, hamming_distance(perceptual_hash, ?2) AS distance FROM media WHERE (perceptual_hash & 65535) >= ?1 " MEDIA_SQL_SIMILAR
    " ORDER BY distance, id LIMIT ?8";
inline constexpr std::string_view kInsertMedia =
    "INSERT INTO media (" MEDIA_SQL_MEDIA_FIELDS ") VALUES (" MEDIA_SQL_MEDIA_VALUES ") RETURNING id";
inline constexpr std::string_view kInsertMediaWithId =
    "INSERT INTO media (" MEDIA_SQL_MEDIA_FIELDS ", id) VALUES (" MEDIA_SQL_MEDIA_VALUES ", ?28) RETURNING id";
inline constexpr std::string_view kUpdateMedia =
    "UPDATE media SET owner = ?1, digest = ?2, filename = ?3, media_type = ?4, size_bytes = ?5, status = ?6, error_message = ?7, "
    "visibility = ?8, format = ?9, width = ?10, height = ?11, frames = ?12, orientation = ?13, has_alpha = ?14, duration_ms = ?15, "
    "placeholder = ?16, idempotency_key = ?17, uploaded_at = ?18, updated_at = ?19, completed_at = ?20, processing_time_ms = ?21, "
    "tags = ?22, expires_at = ?23, thumbhash = ?24, dominant_colour = ?25, perceptual_hash = ?26, "
    "held = ?27 WHERE id = ?28";
inline constexpr std::string_view kRemoveMedia = "DELETE FROM media WHERE id = ?1";

// blob

inline constexpr std::string_view kFindBlob = "SELECT " MEDIA_SQL_BLOB " FROM blob WHERE digest = ?1";
// The index has the blobs beyond kSmallBlobBytes alone, and is used where the statement says so.
inline constexpr std::string_view kHasBlobOfSize =
    "SELECT EXISTS (SELECT 1 FROM blob WHERE state = 0 AND size_bytes = ?1 AND size_bytes > 262144)";
// With `WHERE state = 0` SQLite would walk the index of live blobs and look up each row for its state: 35 times slower than the table.
inline constexpr std::string_view kStorageUsage =
    "SELECT count(*) FILTER (WHERE state = 0), coalesce(sum(size_bytes) FILTER (WHERE state = 0), 0) FROM blob";
inline constexpr std::string_view kListBlobs = "SELECT " MEDIA_SQL_BLOB " FROM blob WHERE digest > ?1 ORDER BY digest LIMIT ?2";
inline constexpr std::string_view kIsReferenced =
    "SELECT EXISTS (SELECT 1 FROM media WHERE digest = ?1) OR EXISTS (SELECT 1 FROM rendition "
    "WHERE rendition.digest = ?1 AND EXISTS (SELECT 1 FROM media WHERE media.digest = rendition.source))";
// The end of the stretch that one call looks at: of kUnreferencedScan rows.
inline constexpr std::string_view kEndOfUnreferencedScan = "SELECT digest FROM blob WHERE digest > ?1 ORDER BY digest LIMIT 1 OFFSET 999";
inline constexpr std::string_view kListUnreferencedBlobs =
    "SELECT " MEDIA_SQL_BLOB
    " FROM blob WHERE digest > ?1 AND digest <= ?2 AND state = 0 "
    "AND NOT EXISTS (SELECT 1 FROM media WHERE media.digest = blob.digest) "
    "AND NOT EXISTS (SELECT 1 FROM rendition WHERE rendition.digest = blob.digest "
    "AND EXISTS (SELECT 1 FROM media WHERE media.digest = rendition.source)) ORDER BY blob.digest";
// Questions in the place of columns are asked for each row of the page by an index, whatever a planner thinks of the tables' sizes.
inline constexpr std::string_view kListBlobUses =
    "SELECT digest, size_bytes, state, (SELECT min(media_type) FROM media WHERE media.digest = blob.digest), "
    "(SELECT max(uploaded_at) FROM media WHERE media.digest = blob.digest), "
    "(SELECT max(created_at) FROM rendition WHERE rendition.digest = blob.digest), "
    "(SELECT reads FROM blob_read WHERE blob_read.digest = blob.digest), "
    "(SELECT read_at FROM blob_read WHERE blob_read.digest = blob.digest) "
    "FROM blob WHERE digest > ?1 ORDER BY digest LIMIT ?2";
inline constexpr std::string_view kNoteBlobReads =
    "INSERT INTO blob_read (digest, reads, read_at) SELECT ?1, ?2, ?3 WHERE EXISTS (SELECT 1 FROM blob WHERE digest = ?1) "
    "ON CONFLICT (digest) DO UPDATE SET reads = blob_read.reads + excluded.reads, "
    "read_at = CASE WHEN blob_read.read_at > excluded.read_at THEN blob_read.read_at ELSE excluded.read_at END";
inline constexpr std::string_view kListBlobsInState =
    "SELECT " MEDIA_SQL_BLOB " FROM blob WHERE state = ?1 AND condemned_at <= ?2 ORDER BY condemned_at, digest LIMIT ?3";
inline constexpr std::string_view kPutBlob =
    "INSERT INTO blob (" MEDIA_SQL_BLOB
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (digest) DO UPDATE SET "
    "size_bytes = excluded.size_bytes, state = excluded.state, location = excluded.location, identity = excluded.identity, "
    "verified_at = excluded.verified_at, condemned_at = excluded.condemned_at";
inline constexpr std::string_view kRemoveBlob = "DELETE FROM blob WHERE digest = ?1";

// rendition

inline constexpr std::string_view kFindRendition =
    "SELECT " MEDIA_SQL_RENDITION " FROM rendition WHERE source = ?1 AND transform = ?2 AND encoder = ?3";
inline constexpr std::string_view kListRenditions =
    "SELECT " MEDIA_SQL_RENDITION " FROM rendition WHERE source = ?1 ORDER BY transform, encoder";
inline constexpr std::string_view kPutRendition =
    "INSERT INTO rendition (" MEDIA_SQL_RENDITION
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT (source, transform, encoder) DO UPDATE SET digest = "
    "excluded.digest, "
    "format = excluded.format, width = excluded.width, height = excluded.height, size_bytes = excluded.size_bytes, "
    "created_at = excluded.created_at, on_demand = excluded.on_demand, used_at = excluded.used_at";
inline constexpr std::string_view kListAllRenditions =
    "SELECT " MEDIA_SQL_RENDITION
    " FROM rendition WHERE (source, transform, encoder) > (?1, ?2, ?3) ORDER BY source, transform, encoder LIMIT ?4";
// The bound and the constant are what lets the partial index serve.
inline constexpr std::string_view kListLeastUsedRenditions =
    "SELECT " MEDIA_SQL_RENDITION " FROM rendition WHERE on_demand = 1 AND used_at <= ?1 ORDER BY used_at LIMIT ?2";
inline constexpr std::string_view kRenditionUsage = "SELECT count(*), coalesce(sum(size_bytes), 0) FROM rendition";
inline constexpr std::string_view kOnDemandUsage = "SELECT count(*), coalesce(sum(size_bytes), 0) FROM rendition WHERE on_demand = 1";
inline constexpr std::string_view kNoteRenditionUse = "UPDATE rendition SET used_at = ?2 WHERE digest = ?1 AND used_at < ?2";
inline constexpr std::string_view kRemoveRendition = "DELETE FROM rendition WHERE source = ?1 AND transform = ?2 AND encoder = ?3";
inline constexpr std::string_view kRemoveRenditions = "DELETE FROM rendition WHERE source = ?1";
inline constexpr std::string_view kRemoveRenditionsStoredAs = "DELETE FROM rendition WHERE digest = ?1";

// job

inline constexpr std::string_view kFindJobOfMedia =
    "SELECT " MEDIA_SQL_JOB " FROM job WHERE media_id = ?1 AND kind = ?2 ORDER BY id DESC LIMIT 1";
inline constexpr std::string_view kListJobsOfMedia = "SELECT " MEDIA_SQL_JOB " FROM job WHERE media_id = ?1 AND kind = ?2 ORDER BY id";
inline constexpr std::string_view kListJobs = "SELECT " MEDIA_SQL_JOB " FROM job ORDER BY id LIMIT ?1";
inline constexpr std::string_view kListJobsInState = "SELECT " MEDIA_SQL_JOB " FROM job WHERE state = ?1 ORDER BY id LIMIT ?2";
inline constexpr std::string_view kCountJobs =
    "SELECT kind, state, count(*), min(run_after) FROM job GROUP BY kind, state ORDER BY kind, state";
inline constexpr std::string_view kInsertJob =
    "INSERT INTO job (" MEDIA_SQL_JOB_FIELDS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) RETURNING id";
// PostgreSQL adds FOR UPDATE SKIP LOCKED to the inner selects.
inline constexpr std::string_view kClaimJobs =
    "UPDATE job SET state = 1, attempts = attempts + 1, lease_owner = ?1, lease_until = ?2 WHERE id IN "
    "(SELECT id FROM job WHERE kind = ?5 AND due_at <= ?3 ORDER BY due_at, id LIMIT ?4) RETURNING " MEDIA_SQL_JOB;
inline constexpr std::string_view kClaimJobsOfMedia =
    "UPDATE job SET state = 1, attempts = attempts + 1, lease_owner = ?1, lease_until = ?2 WHERE id IN "
    "(SELECT id FROM job WHERE media_id = ?6 AND kind = ?5 AND due_at <= ?3 ORDER BY due_at, id LIMIT ?4) RETURNING " MEDIA_SQL_JOB;
// Few of such jobs wait at a time: they are put in order whenever one is taken.
inline constexpr std::string_view kClaimJobInTurn =
    "UPDATE job SET state = 1, attempts = attempts + 1, lease_owner = ?1, lease_until = ?2 WHERE id IN "
    "(SELECT id FROM job WHERE kind = ?5 AND due_at <= ?3 ORDER BY coalesce((SELECT turn FROM video_order "
    "WHERE video_order.media_id = job.media_id AND video_order.job_id = job.id), 0), due_at, id LIMIT ?4) RETURNING " MEDIA_SQL_JOB;
inline constexpr std::string_view kRenewJob =
    "UPDATE job SET lease_until = ?3, progress = ?4 WHERE id = ?1 AND state = 1 AND lease_owner = ?2";
inline constexpr std::string_view kFinishJob = "DELETE FROM job WHERE id = ?1 AND state = 1 AND lease_owner = ?2";
// PostgreSQL's; SQLite has nothing to gain by it.
inline constexpr std::string_view kFinishJobs = "DELETE FROM job WHERE id = ANY (?1) AND state = 1 AND lease_owner = ?2";
inline constexpr std::string_view kRequeueJob =
    "UPDATE job SET state = 0, lease_owner = '', lease_until = NULL, last_error = ?3, run_after = ?4 "
    "WHERE id = ?1 AND state = 1 AND lease_owner = ?2";
inline constexpr std::string_view kBuryJob =
    "UPDATE job SET state = 2, lease_owner = '', lease_until = NULL, last_error = ?3 WHERE id = ?1 AND state = 1 AND lease_owner = ?2";
inline constexpr std::string_view kReturnJob =
    "UPDATE job SET state = 0, attempts = attempts - 1, lease_owner = '', lease_until = NULL, last_error = ?3, run_after = ?4 "
    "WHERE id = ?1 AND state = 1 AND lease_owner = ?2";
inline constexpr std::string_view kRetryJob =
    "UPDATE job SET state = 0, attempts = 0, progress = 0, run_after = ?2 WHERE id = ?1 AND state = 2";

// video order

inline constexpr std::string_view kListVideoOrders =
    "SELECT " MEDIA_SQL_VIDEO_ORDER " FROM video_order WHERE media_id = ?1 ORDER BY transform";
inline constexpr std::string_view kPutVideoOrder =
    "INSERT INTO video_order (" MEDIA_SQL_VIDEO_ORDER
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (media_id, transform) DO UPDATE SET owner = excluded.owner, "
    "job_id = excluded.job_id, turn = excluded.turn, deaths = excluded.deaths, remark = excluded.remark, ordered_at = excluded.ordered_at";
inline constexpr std::string_view kJobQueue =
    "SELECT count(*), count(CASE WHEN owner = ?2 THEN 1 END), coalesce(min(turn), 0), max(CASE WHEN owner = ?2 THEN turn END) "
    "FROM job LEFT JOIN video_order ON video_order.media_id = job.media_id AND video_order.job_id = job.id "
    "WHERE kind = ?1 AND due_at IS NOT NULL";
// To PostgreSQL a sum of whole numbers is no whole number.
inline constexpr std::string_view kSumOrderedVideos =
    "SELECT CAST(coalesce(sum(rendition.size_bytes), 0) AS BIGINT) FROM video_order JOIN media ON media.id = video_order.media_id "
    "JOIN rendition ON rendition.source = media.digest AND rendition.transform = video_order.transform WHERE video_order.owner = ?1";

// upload

inline constexpr std::string_view kFindUpload = "SELECT " MEDIA_SQL_UPLOAD " FROM upload WHERE token = ?1";
inline constexpr std::string_view kFindUploadOfMedia =
    "SELECT " MEDIA_SQL_UPLOAD " FROM upload WHERE media_id = ?1 ORDER BY created_at DESC, token LIMIT 1";
inline constexpr std::string_view kListExpiredUploads =
    "SELECT " MEDIA_SQL_UPLOAD " FROM upload WHERE expires_at <= ?1 ORDER BY expires_at, token LIMIT ?2";
inline constexpr std::string_view kPutUpload =
    "INSERT INTO upload (" MEDIA_SQL_UPLOAD
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (token) DO UPDATE SET media_id = excluded.media_id, "
    "owner = excluded.owner, filename = excluded.filename, media_type = excluded.media_type, size_bytes = excluded.size_bytes, "
    "digest = excluded.digest, state = excluded.state, created_at = excluded.created_at, expires_at = excluded.expires_at";
inline constexpr std::string_view kChangeUploadState = "UPDATE upload SET state = ?3 WHERE token = ?1 AND state = ?2";
inline constexpr std::string_view kRemoveUpload = "DELETE FROM upload WHERE token = ?1";

// resumable upload

inline constexpr std::string_view kFindResumableUpload = "SELECT " MEDIA_SQL_RESUMABLE_UPLOAD " FROM resumable_upload WHERE id = ?1";
inline constexpr std::string_view kListExpiredResumableUploads =
    "SELECT " MEDIA_SQL_RESUMABLE_UPLOAD " FROM resumable_upload WHERE expires_at <= ?1 ORDER BY expires_at, id LIMIT ?2";
inline constexpr std::string_view kPutResumableUpload =
    "INSERT INTO resumable_upload (" MEDIA_SQL_RESUMABLE_UPLOAD
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT (id) DO UPDATE SET owner = excluded.owner, kind = excluded.kind, "
    "filename = excluded.filename, media_type = excluded.media_type, metadata = excluded.metadata, parts = excluded.parts, "
    "size_bytes = excluded.size_bytes, media_id = excluded.media_id, created_at = excluded.created_at, expires_at = excluded.expires_at";
inline constexpr std::string_view kRemoveResumableUpload = "DELETE FROM resumable_upload WHERE id = ?1";

// link

inline constexpr std::string_view kListLinks = "SELECT " MEDIA_SQL_LINK " FROM link WHERE subject = ?1 ORDER BY position, media_id";
inline constexpr std::string_view kListLinksOfMedia = "SELECT " MEDIA_SQL_LINK " FROM link WHERE media_id = ?1 ORDER BY subject";
inline constexpr std::string_view kPutLink =
    "INSERT INTO link (" MEDIA_SQL_LINK ") VALUES (?1, ?2, ?3) ON CONFLICT (subject, media_id) DO UPDATE SET position = excluded.position";
inline constexpr std::string_view kRemoveLink = "DELETE FROM link WHERE subject = ?1 AND media_id = ?2";

// api_key

inline constexpr std::string_view kFindApiKey = "SELECT " MEDIA_SQL_API_KEY " FROM api_key WHERE id = ?1";
inline constexpr std::string_view kListApiKeys = "SELECT " MEDIA_SQL_API_KEY " FROM api_key ORDER BY created_at, id";
inline constexpr std::string_view kInsertApiKey = "INSERT INTO api_key (" MEDIA_SQL_API_KEY ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
inline constexpr std::string_view kRevokeApiKey = "UPDATE api_key SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL";

// the gate

inline constexpr std::string_view kFindOwnerUsage = "SELECT media_count, size_bytes FROM owner_usage WHERE owner = ?1";
inline constexpr std::string_view kSumOwnerUsage = "SELECT count(*), coalesce(sum(size_bytes), 0) FROM media WHERE owner = ?1";
inline constexpr std::string_view kPutOwnerUsage =
    "INSERT INTO owner_usage (owner, media_count, size_bytes) VALUES (?1, ?2, ?3) ON CONFLICT (owner) DO NOTHING";
inline constexpr std::string_view kFindQuota = "SELECT max_bytes, max_media FROM quota WHERE owner = ?1";
inline constexpr std::string_view kListQuotas = "SELECT owner, max_bytes, max_media FROM quota ORDER BY owner";
inline constexpr std::string_view kPutQuota =
    "INSERT INTO quota (owner, max_bytes, max_media) VALUES (?1, ?2, ?3) ON CONFLICT (owner) DO UPDATE SET "
    "max_bytes = excluded.max_bytes, max_media = excluded.max_media";
inline constexpr std::string_view kRemoveQuota = "DELETE FROM quota WHERE owner = ?1";
// One question for every upload, however little of it there is to know.
inline constexpr std::string_view kGateFacts =
    "SELECT EXISTS (SELECT 1 FROM quota WHERE owner = ?1), (SELECT max_bytes FROM quota WHERE owner = ?1), "
    "(SELECT max_media FROM quota WHERE owner = ?1), (SELECT reason FROM ban WHERE digest = ?2), "
    "EXISTS (SELECT 1 FROM ban WHERE perceptual_hash IS NOT NULL), EXISTS (SELECT 1 FROM quarantine WHERE digest = ?2)";
inline constexpr std::string_view kListBans = "SELECT " MEDIA_SQL_BAN " FROM ban ORDER BY id";
inline constexpr std::string_view kFindBanOfPicture =
    "SELECT " MEDIA_SQL_BAN
    " FROM ban WHERE perceptual_hash IS NOT NULL AND hamming_distance(perceptual_hash, ?1) <= max_distance "
    "ORDER BY hamming_distance(perceptual_hash, ?1), id LIMIT 1";
inline constexpr std::string_view kInsertBan = "INSERT INTO ban (" MEDIA_SQL_BAN_FIELDS ") VALUES (?1, ?2, ?3, ?4, ?5) RETURNING id";
inline constexpr std::string_view kRemoveBan = "DELETE FROM ban WHERE id = ?1";
inline constexpr std::string_view kFindQuarantined = "SELECT " MEDIA_SQL_QUARANTINE " FROM quarantine WHERE digest = ?1";
inline constexpr std::string_view kListQuarantineKept =
    "SELECT " MEDIA_SQL_QUARANTINE " FROM quarantine WHERE digest > ?1 AND released_at IS NULL ORDER BY digest LIMIT ?2";
inline constexpr std::string_view kListQuarantineReleased =
    "SELECT " MEDIA_SQL_QUARANTINE " FROM quarantine WHERE digest > ?1 AND released_at IS NOT NULL ORDER BY digest LIMIT ?2";
inline constexpr std::string_view kCountQuarantine = "SELECT reason, count(*) FROM quarantine WHERE released_at IS NULL GROUP BY reason";
inline constexpr std::string_view kPutQuarantined =
    "INSERT INTO quarantine (" MEDIA_SQL_QUARANTINE
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (digest) DO UPDATE SET reason = excluded.reason, detail = excluded.detail, "
    "since = excluded.since, released_at = excluded.released_at, released_by = excluded.released_by, forced = excluded.forced";
inline constexpr std::string_view kRemoveQuarantined = "DELETE FROM quarantine WHERE digest = ?1";
inline constexpr std::string_view kListMediaOfBlob = "SELECT " MEDIA_SQL_MEDIA " FROM media WHERE digest = ?1 ORDER BY id";

// the catalog itself

inline constexpr std::string_view kCheck = "SELECT count(*) FROM schema_migration";

}  // namespace media::sql

#undef MEDIA_SQL_MEDIA_FIELDS
#undef MEDIA_SQL_MEDIA
#undef MEDIA_SQL_MEDIA_VALUES
#undef MEDIA_SQL_SIMILAR
#undef MEDIA_SQL_BLOB
#undef MEDIA_SQL_RENDITION
#undef MEDIA_SQL_JOB_FIELDS
#undef MEDIA_SQL_JOB
#undef MEDIA_SQL_VIDEO_ORDER
#undef MEDIA_SQL_UPLOAD
#undef MEDIA_SQL_RESUMABLE_UPLOAD
#undef MEDIA_SQL_LINK
#undef MEDIA_SQL_BAN_FIELDS
#undef MEDIA_SQL_BAN
#undef MEDIA_SQL_QUARANTINE
#undef MEDIA_SQL_API_KEY
