/// The numbered steps that make and change the catalog's tables.
#pragma once

#include <span>
#include <string_view>

namespace media {

struct Migration {
  int number = 0;         ///< 1, 2, 3, … without a gap.
  std::string_view name;  ///< "0001_catalog".
  std::string_view sql;   ///< Any number of statements.
};

/// All that this program knows for SQLite, ascending; embedded from migrations/ when it was built.
std::span<const Migration> catalog_migrations() noexcept;
/// The same for PostgreSQL, from migrations/postgres/.
std::span<const Migration> postgres_migrations() noexcept;

}  // namespace media
