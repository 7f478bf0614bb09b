#include "repository/sqlite_schema.hpp"

#include <cstddef>
#include <string>
#include <thread>

namespace media::sqlite {
namespace {

std::int64_t one_integer(Connection& connection, std::string_view sql) {
  Query query(connection, sql);
  if (!query.next()) throw SQLite::Exception("a query had no answer", SQLITE_CORRUPT);
  return query.integer();
}

Digest checksum_of(const Migration& migration) { return Digest::of(std::as_bytes(std::span(migration.sql))); }

/// How many migrations are applied. To be called in a transaction, so that it sees one state.
Result<std::size_t> count_applied(Connection& connection, std::span<const Migration> migrations) {
  const std::int64_t tables = one_integer(connection, "SELECT count(*) FROM sqlite_master");
  const std::int64_t application = one_integer(connection, "PRAGMA application_id");
  if (tables == 0 && application == 0) return std::size_t{0};
  if (application != kApplicationId ||
      one_integer(connection, "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'schema_migration'") != 1) {
    return Error{Errc::corrupt, "the file is a database, but not a catalog of media"};
  }
  std::size_t applied = 0;
  Query query(connection, "SELECT number, checksum, name FROM schema_migration ORDER BY number");
  while (query.next()) {
    const std::int64_t number = query.integer();
    if (number > static_cast<std::int64_t>(migrations.size())) {
      return Error{Errc::unsupported, "the catalog was made by a newer version: it has migration " + std::to_string(number) +
                                          ", this program knows " + std::to_string(migrations.size())};
    }
    if (number != static_cast<std::int64_t>(applied) + 1) return Error{Errc::corrupt, "the catalog's list of migrations has a gap"};
    if (query.digest() != checksum_of(migrations[applied])) {
      return Error{Errc::corrupt, "migration " + query.string() + " of the catalog is not the one that this program knows"};
    }
    ++applied;
  }
  return applied;
}

Result<std::size_t> count_applied_at_once(Connection& connection, std::span<const Migration> migrations) {
  connection.execute_script("BEGIN");
  auto applied = count_applied(connection, migrations);
  connection.execute_script("COMMIT");
  return applied;
}

/// The mode is a property of the file. Changing it needs the file alone, and SQLite does not ask the busy handler then.
Result<void> turn_wal_on(Connection& connection, std::chrono::steady_clock::time_point deadline) {
  for (;;) {
    try {
      SQLite::Statement& statement = connection.statement("PRAGMA journal_mode = WAL");
      statement.executeStep();
      const std::string mode = statement.getColumn(0).getString();
      statement.reset();
      if (mode == "wal") return {};
      return Error{Errc::unsupported, "the filesystem cannot hold SQLite's write-ahead log (journal mode stays " + mode + ")"};
    } catch (const SQLite::Exception& exception) {
      connection.statement("PRAGMA journal_mode = WAL").tryReset();
      if (exception.getErrorCode() != SQLITE_BUSY || std::chrono::steady_clock::now() >= deadline) throw;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

Result<void> apply_missing(Connection& connection, std::span<const Migration> migrations) {
  MEDIA_TRY_ASSIGN(const std::size_t applied, count_applied(connection, migrations));
  if (applied == 0) {
    connection.execute_script("PRAGMA application_id = " + std::to_string(kApplicationId));
    connection.execute_script(
        "CREATE TABLE schema_migration (number INTEGER PRIMARY KEY, name TEXT NOT NULL, "
        "checksum BLOB NOT NULL CHECK (length(checksum) = 32)) STRICT");
  }
  for (const Migration& migration : migrations.subspan(applied)) {
    connection.execute_script(std::string(migration.sql));
    const std::string name(migration.name);
    Query(connection, "INSERT INTO schema_migration (number, name, checksum) VALUES (?1, ?2, ?3)", std::int64_t{migration.number}, name,
          checksum_of(migration))
        .run();
  }
  return {};
}

Result<void> migrate(Connection& connection, std::span<const Migration> migrations) {
  connection.execute_script("BEGIN IMMEDIATE");
  MEDIA_TRY(apply_missing(connection, migrations));
  connection.execute_script("COMMIT");
  return {};
}

/// Runs `work`; a transaction that a failure left open is rolled back.
template <class Work>
auto in_order(Connection& connection, Work&& work) {
  auto outcome = guarded(connection, "open catalog", work);
  connection.roll_back();
  return outcome;
}

}  // namespace

Result<void> bring_up_to_date(Connection& connection, std::span<const Migration> migrations) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  connection.wait_until(deadline);
  return in_order(connection, [&]() -> Result<void> {
    // First without the write lock: the usual case, and the one that must not change somebody else's database.
    MEDIA_TRY_ASSIGN(const std::size_t applied, count_applied_at_once(connection, migrations));
    MEDIA_TRY(turn_wal_on(connection, deadline));
    if (applied < migrations.size()) MEDIA_TRY(migrate(connection, migrations));
    return {};
  });
}

Result<void> require_up_to_date(Connection& connection, std::span<const Migration> migrations) {
  connection.wait_until(std::chrono::steady_clock::now() + kPatience);
  return in_order(connection, [&]() -> Result<void> {
    MEDIA_TRY_ASSIGN(const std::size_t applied, count_applied_at_once(connection, migrations));
    if (applied < migrations.size()) {
      return Error{Errc::unsupported, "the catalog needs a migration: open it for writing once"};
    }
    return {};
  });
}

}  // namespace media::sqlite
