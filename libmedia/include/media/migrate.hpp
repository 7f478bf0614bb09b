/// A catalog moves from SQLite to PostgreSQL, or back.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "media/digest.hpp"
#include "media/export.hpp"
#include "media/postgres_repository.hpp"
#include "media/result.hpp"

namespace media {

/// A catalog in a file, or, where `file` is empty, in PostgreSQL.
struct CatalogPlace {
  std::filesystem::path file{};
  PostgresRepositoryOptions postgres{};
};

struct MigrateOptions {
  std::stop_token stop{};
  /// Called now and then with the table and its rows copied so far.
  std::function<void(const std::string& table, std::uint64_t rows)> progress{};
  /// Called once after the commit, while nobody else can write to either catalog: for what says which of them counts from now on.
  std::function<void()> on_committed{};
};

/// What became of one table. Both digests are over every column of every row in the order of the key.
struct MigratedTable {
  std::string name{};
  std::uint64_t rows = 0;
  Digest source{};
  Digest destination{};  ///< Read back from where it went.
};

struct MigrateReport {
  std::vector<MigratedTable> tables{};
};

/// Copies every row of every table, with its ids and the ids that were given out before, into a catalog without rows, in one transaction;
/// then reads back what is there, and commits only where counts and digests are the same. The source is not changed, and nobody else may
/// write to either meanwhile. The destination is made where there is none. A process that dies on the way leaves a destination without
/// rows.
///
/// Errors: `invalid_argument` (both are of one kind), `not_found` (no source), `already_exists` (the destination has rows), `unavailable`
/// (another program has a catalog open; the connection was lost, and with it perhaps the answer to a commit), `unsupported` (one of them
/// needs a newer program, or a migration), `corrupt` (they differ in the end, or a table has other columns in one than in the other),
/// `cancelled`, `denied`, `no_space`, `io`.
MEDIA_EXPORT Result<MigrateReport> migrate_catalog(const CatalogPlace& from, const CatalogPlace& to, const MigrateOptions& options);

/// Gives a catalog that no program has open another name, which is answered: after a migration nobody may write to it by mistake. Errors:
/// `unavailable` (in use), `not_found`, `io`, `denied`.
MEDIA_EXPORT Result<std::filesystem::path> set_sqlite_catalog_aside(const std::filesystem::path& catalog);

}  // namespace media
