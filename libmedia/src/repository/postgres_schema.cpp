#include "repository/postgres_schema.hpp"

#include <chrono>

#include "repository/postgres_dialect.hpp"

namespace media::postgres {
namespace {

constexpr std::string_view kHasSchema = "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = ?1)";
constexpr std::string_view kHasTable =
    "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = ?1 AND tablename = 'media_schema_migration')";
constexpr std::string_view kMayUseSchema =
    "SELECT pg_catalog.has_schema_privilege(oid, 'USAGE') FROM pg_catalog.pg_namespace WHERE nspname = ?1";
constexpr std::string_view kListMigrations = "SELECT number, checksum, name FROM schema_migration ORDER BY number";
constexpr std::string_view kNoteMigration = "INSERT INTO schema_migration (number, name, checksum) VALUES (?1, ?2, ?3)";
/// The first half names us ("medi"), the second the schema: catalogs in several schemas of a database do not wait for each other.
constexpr std::string_view kLock = "SELECT pg_advisory_xact_lock(1835361385, hashtext(?1))";
constexpr std::string_view kMigrationTable =
    "CREATE TABLE media_schema_migration (number BIGINT PRIMARY KEY, name TEXT NOT NULL, checksum BYTEA NOT NULL CHECK (length(checksum) = "
    "32))";

/// Others may be applying them, and a migration of a large catalog takes its time.
constexpr std::chrono::minutes kPatience{30};

Digest checksum_of(const Migration& migration) { return Digest::of(std::as_bytes(std::span(migration.sql))); }

bool yes(Connection& connection, std::string_view text, const std::string& schema) {
  Query query(connection, text, schema);
  return query.next() && query.integer() != 0;
}

Result<std::size_t> count_applied(Connection& connection, const std::string& schema, std::span<const Migration> migrations) {
  if (!yes(connection, kHasTable, schema)) return std::size_t{0};
  if (!yes(connection, kMayUseSchema, schema)) return Error{Errc::denied, "permission denied for schema " + schema};
  std::size_t applied = 0;
  Query query(connection, kListMigrations);
  while (query.next()) {
    const std::int64_t number = query.integer();
    if (number > static_cast<std::int64_t>(migrations.size())) {
      return Error{Errc::unsupported, "it was made by a newer version: it has migration " + std::to_string(number) +
                                          ", this program knows " + std::to_string(migrations.size())};
    }
    if (number != static_cast<std::int64_t>(applied) + 1) return Error{Errc::corrupt, "its list of migrations has a gap"};
    if (query.digest() != checksum_of(migrations[applied])) {
      return Error{Errc::corrupt, "migration " + query.string() + " is not the one that this program knows"};
    }
    ++applied;
  }
  return applied;
}

Result<void> apply_missing(Connection& connection, const std::string& schema, std::span<const Migration> migrations) {
  connection.run_script(
      "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0");
  Query(connection, kLock, schema).next();
  if (!yes(connection, kHasSchema, schema)) connection.run_script("CREATE SCHEMA " + quoted_identifier(schema));
  MEDIA_TRY_ASSIGN(const std::size_t applied, count_applied(connection, schema, migrations));
  if (applied == 0) connection.run_script(std::string(kMigrationTable));
  for (const Migration& migration : migrations.subspan(applied)) {
    connection.run_script(std::string(migration.sql));
    const std::string name(migration.name);
    Query(connection, kNoteMigration, std::int64_t{migration.number}, name, checksum_of(migration)).run();
  }
  connection.run_script("COMMIT");
  return {};
}

Result<void> opening(Result<void> done) {
  if (!done) done.error().message = "open catalog: " + done.error().message;
  return done;
}

}  // namespace

Result<void> bring_up_to_date(Connection& connection, const std::string& schema, std::span<const Migration> migrations, bool create) {
  auto done = guarded(connection, "make its tables", [&]() -> Result<void> {
    MEDIA_TRY_ASSIGN(const std::size_t applied, count_applied(connection, schema, migrations));
    if (applied == migrations.size()) return {};
    if (applied == 0 && !create) return Error{Errc::not_found, "there is none in the schema \"" + schema + "\""};
    connection.wait_until(std::chrono::steady_clock::now() + kPatience);
    return apply_missing(connection, schema, migrations);
  });
  if (!done && done.error().code == Errc::denied) {
    done.error().message += " (the schema \"" + schema + "\" and its tables are made at the first start, by a role that may)";
  }
  return opening(std::move(done));
}

Result<void> require_up_to_date(Connection& connection, const std::string& schema, std::span<const Migration> migrations) {
  return opening(guarded(connection, "look at its tables", [&]() -> Result<void> {
    MEDIA_TRY_ASSIGN(const std::size_t applied, count_applied(connection, schema, migrations));
    if (applied == 0) return Error{Errc::not_found, "there is none in the schema \"" + schema + "\""};
    if (applied < migrations.size()) return Error{Errc::unsupported, "it needs a migration: open it for writing once"};
    return {};
  }));
}

}  // namespace media::postgres
