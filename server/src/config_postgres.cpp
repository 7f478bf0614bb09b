// Where the catalog is, if it is not below the base path.

#include "config_reading.hpp"
#include "config_settings.hpp"

namespace media::server {
namespace {

bool read_user(Config& config, const std::string& text) {
  if (text.empty()) return true;
  // Both names may say it, as long as they say the same.
  if (!config.postgres.user.empty() && config.postgres.user != text) return false;
  config.postgres.user = text;
  return true;
}

std::string seconds_of(std::chrono::milliseconds time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(time).count());
}

}  // namespace

const std::vector<Setting>& postgres_settings() {
  static const std::vector<Setting> kSettings = {
      {"POSTGRES_HOST", "the server, or the folder of its socket, whose database holds the catalog; none: `catalog.db` below the base path",
       "a host name, an address or a folder", [](Config& c, const std::string& text) { return c.postgres.host = text, true; },
       [](const Config& c) { return c.postgres.host; }},
      {"POSTGRES_PORT", "its port", "1 to 65535",
       [](Config& c, const std::string& text) { return read_number(text, c.postgres.port, 1, 65535); },
       [](const Config& c) { return std::to_string(c.postgres.port); }},
      {"POSTGRES_DB", "its database", "a name", [](Config& c, const std::string& text) { return c.postgres.database = text, true; },
       [](const Config& c) { return c.postgres.database; }, "as libpq has it: the user's name"},
      {"POSTGRES_SCHEMA", "where the tables are; made at the first start", "a name of at most 40 bytes",
       [](Config& c, const std::string& text) { return !text.empty() && text.size() <= 40 && (c.postgres.schema = text, true); },
       [](const Config& c) { return c.postgres.schema; }},
      {"POSTGRES_USER", "the role", "a name, and the same as `MEDIA_MANAGEMENT_DB_USER` where that is set", read_user,
       [](const Config& c) { return c.postgres.user; }, "as libpq has it: the system's user"},
      {"MEDIA_MANAGEMENT_DB_USER", "the role, by the name that it had for the earlier service",
       "a name, and the same as `POSTGRES_USER` where that is set", read_user, [](const Config& c) { return c.postgres.user; },
       "`POSTGRES_USER`"},
      {"POSTGRES_MAX_CONNECTIONS", "connections to the database at most; one more listens for jobs", "1 to 1000",
       [](Config& c, const std::string& text) { return read_number(text, c.postgres.max_connections, 1, 1000); },
       [](const Config& c) { return std::to_string(c.postgres.max_connections); }},
      {"POSTGRES_MIN_CONNECTIONS", "connections that are opened at the start", "0 to 1000",
       [](Config& c, const std::string& text) { return read_number(text, c.postgres.min_connections, 0, 1000); },
       [](const Config& c) { return std::to_string(c.postgres.min_connections); }},
      {"POSTGRES_ACQUIRE_TIMEOUT_SECONDS", "how long a request waits for a connection", "1 to 300",
       [](Config& c, const std::string& text) { return read_seconds(text, c.postgres.acquire_timeout, 1, 300); },
       [](const Config& c) { return seconds_of(c.postgres.acquire_timeout); }},
      {"POSTGRES_STATEMENT_TIMEOUT_SECONDS", "how long the database may take for a statement, and a request for all of them", "1 to 300",
       [](Config& c, const std::string& text) { return read_seconds(text, c.postgres.statement_timeout, 1, 300); },
       [](const Config& c) { return seconds_of(c.postgres.statement_timeout); }},
  };
  return kSettings;
}

}  // namespace media::server
