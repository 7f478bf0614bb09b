#include "repository/sqlite_unused.hpp"

#include <chrono>

namespace media::sqlite {

Result<void> take_alone(Connection& connection, const std::string& what) {
  connection.wait_until(std::chrono::steady_clock::now());
  auto alone = guarded(connection, what, [&]() -> Result<void> {
    Query(connection, "PRAGMA locking_mode = EXCLUSIVE").next();
    connection.execute_script("BEGIN EXCLUSIVE");
    return {};
  });
  if (!alone && alone.error().code == Errc::unavailable) {
    return Error{Errc::unavailable, what + " is in use; stop the programs that have this store open"};
  }
  return alone;
}

}  // namespace media::sqlite
