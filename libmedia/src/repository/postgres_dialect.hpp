/// The statements of sql.hpp in PostgreSQL's words.
#pragma once

#include <string>
#include <string_view>

namespace media::postgres {

/// `?1` becomes `$1`; tables have the names that do not collide with an earlier service's in the same schema; and where SQLite tells of a
/// broken constraint by an error, PostgreSQL, which ends the whole transaction by one, changes no row instead.
std::string postgres_text(std::string_view shared);

/// Where the table of that name in sql.hpp is here; the word itself where it names none.
std::string_view table_name(std::string_view word) noexcept;

/// The other way round: the name in sql.hpp; the word itself where there is none.
std::string_view shared_name(std::string_view table) noexcept;

/// A name as it is, between double quotes.
std::string quoted_identifier(std::string_view name);

}  // namespace media::postgres
