/// PostgreSQL, as the statements of sql.hpp are run on it.
#pragma once

#include <chrono>

#include "media/repository.hpp"
#include "repository/list_statement.hpp"
#include "repository/postgres_connection.hpp"
#include "repository/postgres_pool.hpp"
#include "repository/sql_reads.hpp"
#include "repository/sql_transaction.hpp"

namespace media::postgres {

struct Engine {
  using Connection = postgres::Connection;
  using Query = postgres::Query;
  using Lease = postgres::Lease;
  static constexpr Dialect kDialect = Dialect::postgres;
  static constexpr bool kRowsAreLazy = false;
  /// Reading again changes nothing, so that a server which was restarted between two calls is not noticed by anybody.
  static bool try_again(const Lease& lease, std::chrono::steady_clock::time_point started) {
    constexpr std::chrono::seconds kPatience{5};
    return lease.is_borrowed() && lease->lost() && !lease->timed_out() && std::chrono::steady_clock::now() - started < kPatience;
  }
};

/// What a closure sees.
class PostgresTransaction final : public sql::SqlTransaction<Engine> {
 public:
  explicit PostgresTransaction(Connection& connection) noexcept : SqlTransaction(connection), connection_(connection) {}

  Result<MediaId> insert_media(const Media& media) override;
  Result<std::int64_t> insert_job(const Job& job) override;
  Result<bool> retry_job(std::int64_t id, Timestamp run_after) override;

  /// Did it queue work for others?
  [[nodiscard]] bool queued_jobs() const noexcept { return queued_jobs_; }

 private:
  Connection& connection_;
  bool queued_jobs_ = false;
};

}  // namespace media::postgres

extern template class media::sql::Reads<media::postgres::Engine, media::Repository>;
extern template class media::sql::Reads<media::postgres::Engine, media::Transaction>;
extern template class media::sql::SqlTransaction<media::postgres::Engine>;
