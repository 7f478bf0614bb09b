/// SQLite, as the statements of sql.hpp are run on it.
#pragma once

#include <chrono>

#include "media/repository.hpp"
#include "repository/list_statement.hpp"
#include "repository/sql_reads.hpp"
#include "repository/sql_transaction.hpp"
#include "repository/sqlite_connection.hpp"
#include "repository/sqlite_read_pool.hpp"

namespace media::sqlite {

struct Engine {
  using Connection = sqlite::Connection;
  using Query = sqlite::Query;
  using Lease = sqlite::Lease;
  static constexpr Dialect kDialect = Dialect::sqlite;
  static constexpr bool kRowsAreLazy = true;
  static bool try_again(const Lease&, std::chrono::steady_clock::time_point) noexcept { return false; }
};

}  // namespace media::sqlite

extern template class media::sql::Reads<media::sqlite::Engine, media::Repository>;
extern template class media::sql::Reads<media::sqlite::Engine, media::Transaction>;
extern template class media::sql::SqlTransaction<media::sqlite::Engine>;
