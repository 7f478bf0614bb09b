#include "repository/sqlite_transaction.hpp"

#include <algorithm>
#include <limits>

#include "repository/sql.hpp"
#include "repository/sqlite_rows.hpp"

namespace media::sqlite {
namespace {

/// The id that an insert made. Steps to the end: foreign keys are checked there, after the row was answered.
std::int64_t inserted_id(Query& query) {
  if (!query.next()) throw SQLite::Exception("an insert answered no id", SQLITE_CORRUPT);
  const std::int64_t id = query.integer();
  while (query.next()) {
  }
  return id;
}

}  // namespace

template <class... Values>
Result<std::size_t> SqliteTransaction::change(std::string_view what, std::string_view sql, const Values&... values) {
  return guarded(connection_, what, [&]() -> Result<std::size_t> { return Query(connection_, sql, values...).run(); });
}

template <class... Values>
Result<bool> SqliteTransaction::change_one(std::string_view what, std::string_view sql, const Values&... values) {
  MEDIA_TRY_ASSIGN(const std::size_t changed, change(what, sql, values...));
  return changed != 0;
}

Result<MediaId> SqliteTransaction::insert_media(const Media& media) {
  if (media.id < 0 || media.id > kMaxMediaId) return Error{Errc::invalid_argument, "insert media: the id is not between 1 and 2^53 - 1"};
  return guarded(connection_, "insert media", [&]() -> Result<MediaId> {
    Query query(connection_, media.id == 0 ? sql::kInsertMedia : sql::kInsertMediaWithId);
    bind_media(query, media);
    if (media.id != 0) query.add(media.id);
    const MediaId id = inserted_id(query);
    if (id > kMaxMediaId) return Error{Errc::no_space, "insert media: there are no more ids"};
    return id;
  });
}

Result<void> SqliteTransaction::update_media(const Media& media) {
  return guarded(connection_, "update media", [&]() -> Result<void> {
    Query query(connection_, sql::kUpdateMedia);
    bind_media(query, media);
    query.add(media.id);
    if (query.run() == 0) return Error{Errc::not_found, "update media: there is no media " + std::to_string(media.id)};
    return {};
  });
}

Result<bool> SqliteTransaction::remove_media(MediaId id) { return change_one("remove media", sql::kRemoveMedia, id); }

Result<void> SqliteTransaction::put_blob(const Blob& blob) {
  return guarded(connection_, "put blob", [&]() -> Result<void> {
    Query query(connection_, sql::kPutBlob);
    bind_blob(query, blob);
    query.run();
    return {};
  });
}

Result<bool> SqliteTransaction::remove_blob(const Digest& digest) { return change_one("remove blob", sql::kRemoveBlob, digest); }

Result<void> SqliteTransaction::put_rendition(const Rendition& rendition) {
  return guarded(connection_, "put rendition", [&]() -> Result<void> {
    Query query(connection_, sql::kPutRendition);
    bind_rendition(query, rendition);
    query.run();
    return {};
  });
}

Result<bool> SqliteTransaction::remove_rendition(const Digest& source, const std::string& transform, const std::string& encoder) {
  return change_one("remove rendition", sql::kRemoveRendition, source, transform, encoder);
}

Result<std::size_t> SqliteTransaction::remove_renditions(const Digest& source) {
  return change("remove renditions", sql::kRemoveRenditions, source);
}

Result<std::size_t> SqliteTransaction::remove_renditions_stored_as(const Digest& digest) {
  return change("remove renditions", sql::kRemoveRenditionsStoredAs, digest);
}

Result<std::size_t> SqliteTransaction::note_rendition_use(const Digest& digest, Timestamp used_at) {
  return change("note the use of a rendition", sql::kNoteRenditionUse, digest, used_at);
}

Result<std::int64_t> SqliteTransaction::insert_job(const Job& job) {
  return guarded(connection_, "insert job", [&]() -> Result<std::int64_t> {
    Query query(connection_, sql::kInsertJob);
    bind_job(query, job);
    return inserted_id(query);
  });
}

Result<std::vector<Job>> SqliteTransaction::claim_jobs(const std::string& kind, Timestamp now, const std::string& lease_owner,
                                                       Timestamp lease_until, std::size_t limit, MediaId media_id) {
  constexpr auto kMost = static_cast<std::size_t>(std::numeric_limits<std::int64_t>::max());
  const auto most = static_cast<std::int64_t>(std::min(limit, kMost));
  return guarded(connection_, "claim jobs", [&]() -> Result<std::vector<Job>> {
    Query query(connection_, media_id == 0 ? sql::kClaimJobs : sql::kClaimJobsOfMedia, lease_owner, lease_until, now, most, kind);
    if (media_id != 0) query.add(media_id);
    std::vector<Job> jobs;
    while (query.next()) jobs.push_back(read_job(query));
    // RETURNING promises no order.
    std::sort(jobs.begin(), jobs.end(), [](const Job& a, const Job& b) { return a.id < b.id; });
    return jobs;
  });
}

Result<bool> SqliteTransaction::renew_job(std::int64_t id, const std::string& lease_owner, Timestamp lease_until, double progress) {
  return change_one("renew job", sql::kRenewJob, id, lease_owner, lease_until, progress);
}

Result<bool> SqliteTransaction::finish_job(std::int64_t id, const std::string& lease_owner) {
  return change_one("finish job", sql::kFinishJob, id, lease_owner);
}

Result<bool> SqliteTransaction::release_job(std::int64_t id, const std::string& lease_owner, std::optional<Timestamp> run_after,
                                            const std::string& error) {
  if (!run_after) return change_one("bury job", sql::kBuryJob, id, lease_owner, Bytes{error});
  return change_one("release job", sql::kRequeueJob, id, lease_owner, Bytes{error}, *run_after);
}

Result<void> SqliteTransaction::put_upload(const UploadSession& session) {
  return guarded(connection_, "put upload", [&]() -> Result<void> {
    Query query(connection_, sql::kPutUpload);
    bind_upload(query, session);
    query.run();
    return {};
  });
}

Result<bool> SqliteTransaction::change_upload_state(const std::string& token, UploadState from, UploadState to) {
  return change_one("change upload", sql::kChangeUploadState, token, static_cast<std::int64_t>(from), static_cast<std::int64_t>(to));
}

Result<bool> SqliteTransaction::remove_upload(const std::string& token) { return change_one("remove upload", sql::kRemoveUpload, token); }

Result<void> SqliteTransaction::put_resumable_upload(const ResumableUpload& upload) {
  return guarded(connection_, "put resumable upload", [&]() -> Result<void> {
    Query query(connection_, sql::kPutResumableUpload);
    bind_resumable_upload(query, upload);
    query.run();
    return {};
  });
}

Result<bool> SqliteTransaction::remove_resumable_upload(const std::string& id) {
  return change_one("remove resumable upload", sql::kRemoveResumableUpload, id);
}

Result<void> SqliteTransaction::put_link(const Link& link) {
  MEDIA_TRY(change("put link", sql::kPutLink, link.subject, link.media_id, link.position));
  return {};
}

Result<bool> SqliteTransaction::remove_link(const std::string& subject, MediaId id) {
  return change_one("remove link", sql::kRemoveLink, subject, id);
}

Result<void> SqliteTransaction::insert_api_key(const ApiKey& key) {
  return guarded(connection_, "insert API key", [&]() -> Result<void> {
    Query query(connection_, sql::kInsertApiKey);
    bind_api_key(query, key);
    query.run();
    return {};
  });
}

Result<bool> SqliteTransaction::revoke_api_key(const std::string& id, Timestamp now) {
  return change_one("revoke API key", sql::kRevokeApiKey, id, now);
}

}  // namespace media::sqlite
