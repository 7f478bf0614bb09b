/// Having a catalog for oneself.
#pragma once

#include <string>

#include "media/result.hpp"
#include "repository/sqlite_connection.hpp"

namespace media::sqlite {

/// Begins a transaction that nobody can read or write beside, and holds the file's lock until the connection closes. `unavailable` at once
/// where another connection has the file open, in this process or elsewhere.
Result<void> take_alone(Connection& connection, const std::string& what);

}  // namespace media::sqlite
