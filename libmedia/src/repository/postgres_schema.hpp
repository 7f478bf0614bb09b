/// Brings a catalog in PostgreSQL to the newest migration.
#pragma once

#include <span>
#include <string>

#include "media/result.hpp"
#include "repository/migrations.hpp"
#include "repository/postgres_connection.hpp"

namespace media::postgres {

/// Makes the schema and its tables where they are missing, under a lock that every process takes in turn. A catalog that is up to date is
/// only looked at, so that a role which may not make tables will do. `create` false: `not_found` where there is none.
Result<void> bring_up_to_date(Connection& connection, const std::string& schema, std::span<const Migration> migrations, bool create = true);
/// Changes nothing: `unsupported` where a migration is missing.
Result<void> require_up_to_date(Connection& connection, const std::string& schema, std::span<const Migration> migrations);

}  // namespace media::postgres
