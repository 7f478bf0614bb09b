/// Records as rows of SQLite and back.
#pragma once

#include "media/records.hpp"
#include "repository/sqlite_connection.hpp"

namespace media::sqlite {

// From the current row, whose columns are those of sql.hpp in their order. A value out of range is SQLITE_CORRUPT.
Media read_media(Query& row);
Blob read_blob(Query& row);
StorageUsage read_usage(Query& row);
Rendition read_rendition(Query& row);
RenditionUsage read_rendition_usage(Query& row);
Job read_job(Query& row);
UploadSession read_upload(Query& row);
ResumableUpload read_resumable_upload(Query& row);
Link read_link(Query& row);
ApiKey read_api_key(Query& row);

/// Binds every field but the id.
void bind_media(Query& query, const Media& media);
void bind_blob(Query& query, const Blob& blob);
void bind_rendition(Query& query, const Rendition& rendition);
/// Binds every field but the id.
void bind_job(Query& query, const Job& job);
void bind_upload(Query& query, const UploadSession& session);
void bind_resumable_upload(Query& query, const ResumableUpload& upload);
void bind_api_key(Query& query, const ApiKey& key);

}  // namespace media::sqlite
