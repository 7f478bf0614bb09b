/// What PostgreSQL and libpq say, as our errors: the one translation.
#pragma once

#include <libpq-fe.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "media/result.hpp"
#include "repository/postgres_connection.hpp"

namespace media::postgres {

/// By SQLSTATE (https://www.postgresql.org/docs/15/errcodes-appendix.html); empty: the connection is gone.
Errc code_of(std::string_view state) noexcept;
/// Two transactions stood in each other's way, and this one was ended: the same again may work.
bool is_collision(std::string_view state) noexcept;
/// The server closes the connection after these, or is no longer one that can be written to.
bool ends_connection(std::string_view state) noexcept;

/// From a result, or, where that is null, from the connection. Never tells values, which may be secrets.
Failure failure_of(PGconn* connection, const PGresult* result);
/// Of a connection that did not come about.
Error connect_error(PGconn* connection);
/// "media on db.example:5432", for people.
std::string name_of(PGconn* connection);

std::uint64_t changed_rows(PGresult* result) noexcept;

}  // namespace media::postgres
