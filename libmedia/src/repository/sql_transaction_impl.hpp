/// The definitions of sql_transaction.hpp.
#pragma once

#include <algorithm>
#include <limits>
#include <vector>

#include "repository/sql.hpp"
#include "repository/sql_rows.hpp"
#include "repository/sql_transaction.hpp"

namespace media::sql {

inline Error no_media(std::string_view what, MediaId id) {
  return Error{Errc::not_found, std::string(what) + ": there is no media " + std::to_string(id)};
}

/// The id that an insert made; none where it made no row. Steps to the end: SQLite checks foreign keys there, after the row was answered.
template <class Query>
std::optional<std::int64_t> inserted_id(Query& query) {
  if (!query.next()) return std::nullopt;
  const std::int64_t id = query.integer();
  while (query.next()) {
  }
  return id;
}

template <class Engine>
template <class... Values>
Result<std::size_t> SqlTransaction<Engine>::change(std::string_view what, std::string_view sql, const Values&... values) {
  return guarded(connection_, what, [&]() -> Result<std::size_t> { return typename Engine::Query(connection_, sql, values...).run(); });
}

template <class Engine>
template <class... Values>
Result<bool> SqlTransaction<Engine>::change_one(std::string_view what, std::string_view sql, const Values&... values) {
  MEDIA_TRY_ASSIGN(const std::size_t changed, change(what, sql, values...));
  return changed != 0;
}

template <class Engine>
Result<MediaId> SqlTransaction<Engine>::insert_media(const Media& media) {
  if (media.id < 0 || media.id > kMaxMediaId) return Error{Errc::invalid_argument, "insert media: the id is not between 1 and 2^53 - 1"};
  return guarded(connection_, "insert media", [&]() -> Result<MediaId> {
    typename Engine::Query query(connection_, media.id == 0 ? kInsertMedia : kInsertMediaWithId);
    bind_media(query, media);
    if (media.id != 0) query.add(media.id);
    const auto id = inserted_id(query);
    if (!id) return Error{Errc::already_exists, "insert media: the id or the owner's idempotency key is taken"};
    if (*id > kMaxMediaId) return Error{Errc::no_space, "insert media: there are no more ids"};
    return *id;
  });
}

template <class Engine>
Result<void> SqlTransaction<Engine>::update_media(const Media& media) {
  return guarded(connection_, "update media", [&]() -> Result<void> {
    typename Engine::Query query(connection_, kUpdateMedia);
    bind_media(query, media);
    query.add(media.id);
    if (query.run() != 0) return {};
    typename Engine::Query existing(connection_, kFindMedia, media.id);
    if (existing.next()) return Error{Errc::already_exists, "update media: the owner's idempotency key is taken"};
    return Error{Errc::not_found, "update media: there is no media " + std::to_string(media.id)};
  });
}

template <class Engine>
Result<bool> SqlTransaction<Engine>::remove_media(MediaId id) {
  return change_one("remove media", kRemoveMedia, id);
}

template <class Engine>
Result<void> SqlTransaction<Engine>::put_blob(const Blob& blob) {
  return guarded(connection_, "put blob", [&]() -> Result<void> {
    typename Engine::Query query(connection_, kPutBlob);
    bind_blob(query, blob);
    query.run();
    return {};
  });
}

template <class Engine>
Result<bool> SqlTransaction<Engine>::remove_blob(const Digest& digest) {
  return change_one("remove blob", kRemoveBlob, digest);
}

template <class Engine>
Result<void> SqlTransaction<Engine>::note_blob_reads(std::span<const BlobReads> reads) {
  for (const BlobReads& each : reads) {
    MEDIA_TRY(change("note reads of a blob", kNoteBlobReads, each.digest, column_of(each.reads), each.read_at));
  }
  return {};
}

template <class Engine>
Result<void> SqlTransaction<Engine>::put_rendition(const Rendition& rendition) {
  return guarded(connection_, "put rendition", [&]() -> Result<void> {
    typename Engine::Query query(connection_, kPutRendition);
    bind_rendition(query, rendition);
    query.run();
    return {};
  });
}

template <class Engine>
Result<bool> SqlTransaction<Engine>::remove_rendition(const Digest& source, const std::string& transform, const std::string& encoder) {
  return change_one("remove rendition", kRemoveRendition, source, transform, encoder);
}

template <class Engine>
Result<std::size_t> SqlTransaction<Engine>::remove_renditions(const Digest& source) {
  return change("remove renditions", kRemoveRenditions, source);
}

template <class Engine>
Result<std::size_t> SqlTransaction<Engine>::remove_renditions_stored_as(const Digest& digest) {
  return change("remove renditions", kRemoveRenditionsStoredAs, digest);
}

template <class Engine>
Result<std::size_t> SqlTransaction<Engine>::note_rendition_use(const Digest& digest, Timestamp used_at) {
  return change("note the use of a rendition", kNoteRenditionUse, digest, used_at);
}

template <class Engine>
Result<std::int64_t> SqlTransaction<Engine>::insert_job(const Job& job) {
  return guarded(connection_, "insert job", [&]() -> Result<std::int64_t> {
    typename Engine::Query query(connection_, kInsertJob);
    bind_job(query, job);
    const auto id = inserted_id(query);
    if (!id) return no_media("insert job", job.media_id);
    return *id;
  });
}

template <class Engine>
Result<std::vector<Job>> SqlTransaction<Engine>::claim_jobs(const std::string& kind, Timestamp now, const std::string& lease_owner,
                                                            Timestamp lease_until, std::size_t limit, MediaId media_id) {
  constexpr auto kMost = static_cast<std::size_t>(std::numeric_limits<std::int64_t>::max());
  const auto most = static_cast<std::int64_t>(std::min(limit, kMost));
  return guarded(connection_, "claim jobs", [&]() -> Result<std::vector<Job>> {
    typename Engine::Query query(connection_, media_id == 0 ? kClaimJobs : kClaimJobsOfMedia, lease_owner, lease_until, now, most, kind);
    if (media_id != 0) query.add(media_id);
    std::vector<Job> jobs;
    while (query.next()) jobs.push_back(read_job<typename Engine::Query>(query));
    // RETURNING promises no order.
    std::sort(jobs.begin(), jobs.end(), [](const Job& a, const Job& b) { return a.id < b.id; });
    return jobs;
  });
}

template <class Engine>
Result<std::optional<Job>> SqlTransaction<Engine>::claim_job_in_turn(const std::string& kind, Timestamp now, const std::string& lease_owner,
                                                                     Timestamp lease_until) {
  return guarded(connection_, "claim job", [&]() -> Result<std::optional<Job>> {
    typename Engine::Query query(connection_, kClaimJobInTurn, lease_owner, lease_until, now, std::int64_t{1}, kind);
    std::optional<Job> job;
    while (query.next()) job = read_job<typename Engine::Query>(query);
    return job;
  });
}

template <class Engine>
Result<bool> SqlTransaction<Engine>::renew_job(std::int64_t id, const std::string& lease_owner, Timestamp lease_until, double progress) {
  return change_one("renew job", kRenewJob, id, lease_owner, lease_until, progress);
}

template <class Engine>
Result<bool> SqlTransaction<Engine>::finish_job(std::int64_t id, const std::string& lease_owner) {
  return change_one("finish job", kFinishJob, id, lease_owner);
}

template <class Engine>
Result<std::size_t> SqlTransaction<Engine>::finish_jobs(std::span<const std::int64_t> ids, const std::string& lease_owner) {
  if constexpr (!Engine::kRowsAreLazy) {
    // Where each statement is a message to a server and back.
    return change("finish jobs", kFinishJobs, std::vector<std::int64_t>(ids.begin(), ids.end()), lease_owner);
  }
  std::size_t finished = 0;
  for (const std::int64_t id : ids) {
    MEDIA_TRY_ASSIGN(const bool mine, finish_job(id, lease_owner));
    finished += mine ? 1 : 0;
  }
  return finished;
}

template <class Engine>
Result<bool> SqlTransaction<Engine>::release_job(std::int64_t id, const std::string& lease_owner, std::optional<Timestamp> run_after,
                                                 const std::string& error) {
  if (!run_after) return change_one("bury job", kBuryJob, id, lease_owner, Bytes{error});
  return change_one("release job", kRequeueJob, id, lease_owner, Bytes{error}, *run_after);
}

template <class Engine>
Result<bool> SqlTransaction<Engine>::return_job(std::int64_t id, const std::string& lease_owner, Timestamp run_after,
                                                const std::string& error) {
  return change_one("return job", kReturnJob, id, lease_owner, Bytes{error}, run_after);
}

template <class Engine>
Result<bool> SqlTransaction<Engine>::retry_job(std::int64_t id, Timestamp run_after) {
  return change_one("retry job", kRetryJob, id, run_after);
}

template <class Engine>
Result<void> SqlTransaction<Engine>::put_video_order(const VideoOrder& order) {
  return guarded(connection_, "put video order", [&]() -> Result<void> {
    typename Engine::Query query(connection_, kPutVideoOrder);
    bind_video_order(query, order);
    if (query.run() == 0) return no_media("put video order", order.media_id);
    return {};
  });
}

template <class Engine>
Result<void> SqlTransaction<Engine>::put_upload(const UploadSession& session) {
  return guarded(connection_, "put upload", [&]() -> Result<void> {
    typename Engine::Query query(connection_, kPutUpload);
    bind_upload(query, session);
    if (query.run() == 0) return no_media("put upload", session.media_id);
    return {};
  });
}

template <class Engine>
Result<bool> SqlTransaction<Engine>::change_upload_state(const std::string& token, UploadState from, UploadState to) {
  return change_one("change upload", kChangeUploadState, token, static_cast<std::int64_t>(from), static_cast<std::int64_t>(to));
}

template <class Engine>
Result<bool> SqlTransaction<Engine>::remove_upload(const std::string& token) {
  return change_one("remove upload", kRemoveUpload, token);
}

template <class Engine>
Result<void> SqlTransaction<Engine>::put_resumable_upload(const ResumableUpload& upload) {
  return guarded(connection_, "put resumable upload", [&]() -> Result<void> {
    typename Engine::Query query(connection_, kPutResumableUpload);
    bind_resumable_upload(query, upload);
    if (query.run() == 0) return no_media("put resumable upload", upload.media_id);
    return {};
  });
}

template <class Engine>
Result<bool> SqlTransaction<Engine>::remove_resumable_upload(const std::string& id) {
  return change_one("remove resumable upload", kRemoveResumableUpload, id);
}

template <class Engine>
Result<void> SqlTransaction<Engine>::put_link(const Link& link) {
  MEDIA_TRY_ASSIGN(const bool put, change_one("put link", kPutLink, link.subject, link.media_id, link.position));
  if (!put) return no_media("put link", link.media_id);
  return {};
}

template <class Engine>
Result<bool> SqlTransaction<Engine>::remove_link(const std::string& subject, MediaId id) {
  return change_one("remove link", kRemoveLink, subject, id);
}

template <class Engine>
Result<void> SqlTransaction<Engine>::insert_api_key(const ApiKey& key) {
  return guarded(connection_, "insert API key", [&]() -> Result<void> {
    typename Engine::Query query(connection_, kInsertApiKey);
    bind_api_key(query, key);
    if (query.run() == 0) return Error{Errc::already_exists, "insert API key: the id is taken"};
    return {};
  });
}

template <class Engine>
Result<bool> SqlTransaction<Engine>::revoke_api_key(const std::string& id, Timestamp now) {
  return change_one("revoke API key", kRevokeApiKey, id, now);
}

template <class Engine>
Result<OwnerUsage> SqlTransaction<Engine>::keep_owner_usage(const std::string& owner) {
  return guarded(connection_, "keep usage", [&]() -> Result<OwnerUsage> {
    typename Engine::Query kept(connection_, kFindOwnerUsage, owner);
    if (kept.next()) return read_owner_usage(kept);
    OwnerUsage usage;
    typename Engine::Query sum(connection_, kSumOwnerUsage, owner);
    if (sum.next()) usage = read_owner_usage(sum);
    typename Engine::Query(connection_, kPutOwnerUsage, owner, column_of(usage.media), column_of(usage.size_bytes)).run();
    return usage;
  });
}

template <class Engine>
Result<void> SqlTransaction<Engine>::put_quota(const OwnerQuota& quota) {
  MEDIA_TRY(change("put quota", kPutQuota, quota.owner, column_of(quota.quota.max_bytes), column_of(quota.quota.max_media)));
  return {};
}

template <class Engine>
Result<bool> SqlTransaction<Engine>::remove_quota(const std::string& owner) {
  return change_one("remove quota", kRemoveQuota, owner);
}

template <class Engine>
Result<std::int64_t> SqlTransaction<Engine>::insert_ban(const Ban& ban) {
  return guarded(connection_, "insert ban", [&]() -> Result<std::int64_t> {
    typename Engine::Query query(connection_, kInsertBan);
    bind_ban(query, ban);
    const auto id = inserted_id(query);
    if (!id) return Error{Errc::already_exists, "insert ban: this is banned already"};
    return *id;
  });
}

template <class Engine>
Result<bool> SqlTransaction<Engine>::remove_ban(std::int64_t id) {
  return change_one("remove ban", kRemoveBan, id);
}

template <class Engine>
Result<void> SqlTransaction<Engine>::put_quarantined(const Quarantined& entry) {
  return guarded(connection_, "put into quarantine", [&]() -> Result<void> {
    typename Engine::Query query(connection_, kPutQuarantined);
    bind_quarantined(query, entry);
    query.run();
    return {};
  });
}

template <class Engine>
Result<bool> SqlTransaction<Engine>::remove_quarantined(const Digest& digest) {
  return change_one("remove from quarantine", kRemoveQuarantined, digest);
}

}  // namespace media::sql
