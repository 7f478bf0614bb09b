#include "repository/postgres_error.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace media::postgres {
namespace {

using namespace std::string_view_literals;

struct StateCode {
  std::string_view prefix;
  Errc code;
};

// The longest first.
constexpr std::array kCodes{
    StateCode{"23505", Errc::already_exists},  // unique_violation
    StateCode{"23503", Errc::not_found},       // foreign_key_violation
    StateCode{"3D000", Errc::not_found},       // invalid_catalog_name
    StateCode{"3F000", Errc::not_found},       // invalid_schema_name
    StateCode{"42501", Errc::denied},          // insufficient_privilege
    StateCode{"42P01", Errc::corrupt},         // undefined_table
    StateCode{"42703", Errc::corrupt},         // undefined_column
    StateCode{"53100", Errc::no_space},        // disk_full
    StateCode{"54000", Errc::too_large},       // program_limit_exceeded: a key that no index holds
    StateCode{"58030", Errc::io},              // io_error
    StateCode{"25006", Errc::unavailable},     // read_only_sql_transaction: a standby, or a database that was switched over
    StateCode{"25P03", Errc::unavailable},     // idle_in_transaction_session_timeout
    StateCode{"55P03", Errc::unavailable},     // lock_not_available
    StateCode{"57014", Errc::unavailable},     // query_canceled: statement_timeout
    StateCode{"08", Errc::unavailable},        // connection exceptions
    StateCode{"22", Errc::invalid_argument},   // data exceptions: text that is not UTF-8, a number out of range
    StateCode{"23", Errc::invalid_argument},   // other constraints
    StateCode{"28", Errc::denied},             // authorization
    StateCode{"40", Errc::unavailable},        // rolled back because of others
    StateCode{"53", Errc::unavailable},        // out of something
    StateCode{"57P", Errc::unavailable},       // shut down, starting up
    StateCode{"XX001", Errc::corrupt},         // data_corrupted
    StateCode{"XX002", Errc::corrupt},         // index_corrupted
};

/// One line, without the severity, without what comes after the first sentence of each host that was tried.
std::string one_line(std::string_view text) {
  std::string line;
  for (const char c : text) {
    if (c == '\n' || c == '\t' || c == '\r') {
      if (!line.empty() && line.back() != ' ') line += ' ';
    } else {
      line += c;
    }
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

/// libpq keeps no SQLSTATE of a refused connection; the server's words are in its language, these causes are not.
Errc code_of_refusal(const PGconn* connection, std::string_view message) {
  const auto has = [&](std::string_view part) { return message.find(part) != std::string_view::npos; };
  if (PQconnectionNeedsPassword(connection) == 1 || has("password authentication failed") || has("no pg_hba.conf entry") ||
      has("authentication failed") || has("is not permitted to log in") || has("permission denied")) {
    return Errc::denied;
  }
  if (has("database \"") && has("does not exist")) return Errc::not_found;
  if (has("role \"") && has("does not exist")) return Errc::denied;
  if (has("invalid sslmode value") || has("invalid port number") || has("invalid integer value") || has("invalid connection option")) {
    return Errc::invalid_argument;
  }
  return Errc::unavailable;
}

}  // namespace

Errc code_of(std::string_view state) noexcept {
  if (state.empty()) return Errc::unavailable;
  const auto found = std::find_if(kCodes.begin(), kCodes.end(), [&](const StateCode& entry) { return state.starts_with(entry.prefix); });
  return found == kCodes.end() ? Errc::internal : found->code;
}

bool is_collision(std::string_view state) noexcept { return state == "40001"sv || state == "40P01"sv; }

bool ends_connection(std::string_view state) noexcept {
  return state.starts_with("08") || state.starts_with("57P") || state == "25P03"sv || state == "25006"sv;
}

Failure failure_of(PGconn* connection, const PGresult* result) {
  const auto field = [&](int which) {
    const char* const text = result == nullptr ? nullptr : PQresultErrorField(result, which);
    return std::string(text == nullptr ? "" : text);
  };
  std::string state = field(PG_DIAG_SQLSTATE);
  std::string message = field(PG_DIAG_MESSAGE_PRIMARY);
  // Where the server said nothing, libpq did, in two lines for people at a terminal.
  if (message.empty() && PQstatus(connection) != CONNECTION_OK) message = "the connection to the database was lost";
  if (message.empty()) message = one_line(PQerrorMessage(connection));
  const Errc code = code_of(state);
  return {code, std::move(state), std::move(message)};
}

Error connect_error(PGconn* connection) {
  std::string message = one_line(PQerrorMessage(connection));
  const Errc code = code_of_refusal(connection, message);
  // "connection to server at "…", port … failed: FATAL:  password …"
  if (const auto fatal = message.rfind("FATAL:"); fatal != std::string::npos) {
    message.erase(0, fatal + 6);
    message.erase(0, message.find_first_not_of(' '));
  }
  if (const auto question = message.find(" Is the server running"); question != std::string::npos) message.erase(question);
  return Error{code, "open catalog " + name_of(connection) + ": " + message};
}

std::string name_of(PGconn* connection) {
  const auto text = [](const char* value) { return std::string(value == nullptr ? "" : value); };
  const std::string host = text(PQhost(connection));
  std::string name = text(PQdb(connection));
  // A connection string that could not be taken apart stays in the name of the database, with the password in it.
  if (name.find_first_of("=:@/") != std::string::npos) name = "of PostgreSQL";
  if (!host.empty()) name += " on " + host + (host.front() == '/' ? "" : ":" + text(PQport(connection)));
  return name;
}

std::uint64_t changed_rows(PGresult* result) noexcept {
  const char* const text = PQcmdTuples(result);
  return *text == '\0' ? 0 : std::strtoull(text, nullptr, 10);
}

}  // namespace media::postgres
