#include "repository/postgres_engine.hpp"

#include "repository/sql_reads_impl.hpp"
#include "repository/sql_transaction_impl.hpp"

template class media::sql::Reads<media::postgres::Engine, media::Repository>;
template class media::sql::Reads<media::postgres::Engine, media::Transaction>;
template class media::sql::SqlTransaction<media::postgres::Engine>;

namespace media::postgres {

Result<MediaId> PostgresTransaction::insert_media(const Media& media) {
  if (media.id == 0) return SqlTransaction::insert_media(media);
  // The next ids must come after this one. A sequence knows nothing of transactions: who moves it must be alone.
  MEDIA_TRY(guarded(connection_, "insert media", [&]() -> Result<void> {
    connection_.run_script("LOCK TABLE media_turn IN EXCLUSIVE MODE");
    return {};
  }));
  MEDIA_TRY_ASSIGN(const MediaId id, SqlTransaction::insert_media(media));
  MEDIA_TRY(guarded(connection_, "insert media", [&]() -> Result<void> {
    Query(connection_, "SELECT setval('media_item_id_seq', ?1) FROM media_item_id_seq WHERE last_value < ?1", id).next();
    return {};
  }));
  return id;
}

Result<std::int64_t> PostgresTransaction::insert_job(const Job& job) {
  queued_jobs_ = queued_jobs_ || job.state == JobState::queued;
  return SqlTransaction::insert_job(job);
}

Result<bool> PostgresTransaction::retry_job(std::int64_t id, Timestamp run_after) {
  queued_jobs_ = true;
  return SqlTransaction::retry_job(id, run_after);
}

}  // namespace media::postgres
