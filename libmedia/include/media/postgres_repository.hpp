/// The catalog in PostgreSQL, which any number of processes share.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "media/export.hpp"
#include "media/repository.hpp"
#include "media/result.hpp"

namespace media {

struct PostgresRepositoryOptions {
  /// A libpq connection string ("host=… sslmode=verify-full …") or URI ("postgresql://…"). What it does not say comes from the
  /// fields below, then from libpq's environment (PGHOST, PGSSLMODE, PGSSLROOTCERT, …) and its defaults.
  std::string connection{};
  std::string host{};
  std::uint16_t port = 0;  ///< 0: not said here.
  std::string database{};
  std::string user{};
  std::string password{};
  /// Where the tables are, and are made; at most 40 bytes.
  std::string schema = "recipe_manager";

  unsigned min_connections = 1;  ///< Opened at once and kept.
  unsigned max_connections = 10;
  /// How long a call waits for a free connection.
  std::chrono::milliseconds acquire_timeout{30'000};
  std::chrono::milliseconds connect_timeout{5'000};
  /// How long the server may take for one statement; a server that does not answer at all is given up a second later.
  std::chrono::milliseconds statement_timeout{10'000};
  /// How long a call that found the server down, or lost it, goes on trying.
  std::chrono::milliseconds outage_patience{5'000};
  /// False: `not_found` where the schema holds no catalog yet.
  bool create = true;
  /// Nothing is written; a catalog that needs a migration is refused.
  bool read_only = false;
};

/// Opens the catalog, makes its tables in an empty database and brings older ones up to date; any number of processes may do so at once.
///
/// A write is a serializable transaction that is repeated as often as others stand in its way
/// (docs/decisions/0016-postgres-transactions.md). Where the connection is lost while it commits, the outcome is asked for; where it cannot
/// be learnt, the call fails with `unavailable` and says so. Errors: `unavailable` (no server there, time-outs), `denied` (wrong password,
/// missing rights), `not_found` (no such database), `unsupported` (made by a newer version; built without PostgreSQL), `corrupt` (a
/// migration's checksum differs), `invalid_argument`.
MEDIA_EXPORT Result<std::unique_ptr<Repository>> open_postgres_repository(const PostgresRepositoryOptions& options);

}  // namespace media
