/// Is a file a catalog, and of which version: recognition and migration.
#pragma once

#include <span>

#include "media/result.hpp"
#include "repository/migrations.hpp"
#include "repository/sqlite_connection.hpp"

namespace media::sqlite {

/// Marks the file as a catalog (PRAGMA application_id): "mdia".
inline constexpr std::int64_t kApplicationId = 0x6D646961;

/// Applies what is missing of `migrations`, all of it in one transaction under the write lock: of two processes that open a new
/// file at once one makes it and the other finds it made. Turns WAL on before. A file that is not a catalog is not touched.
/// Errors: `corrupt` (not a catalog; a recorded checksum differs), `unsupported` (newer than `migrations`), `unavailable`, …
Result<void> bring_up_to_date(Connection& connection, std::span<const Migration> migrations);

/// For a catalog that may not be changed: `unsupported` where it lacks migrations, else as above.
Result<void> require_up_to_date(Connection& connection, std::span<const Migration> migrations);

}  // namespace media::sqlite
