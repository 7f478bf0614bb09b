#include <chrono>
#include <string>
#include <string_view>

#include "media/doctor.hpp"
#include "repository/postgres_connection.hpp"

namespace media {
namespace {

std::string fault_of(std::string_view name, const std::string& value) {
  if (name == "fsync" && value != "on") return "a power cut may destroy the whole database";
  if (name == "full_page_writes" && value != "on") return "a power cut may damage pages that are being written";
  if (name == "synchronous_commit" && value == "off") return "a crash of the server may lose what was said to be stored";
  return {};
}

}  // namespace

Result<CatalogFacts> postgres_facts(const PostgresRepositoryOptions& options) {
  MEDIA_TRY_ASSIGN(const auto connection, postgres::Connection::open(options, std::chrono::steady_clock::now() + options.connect_timeout));
  return postgres::guarded(*connection, "look at the catalog", [&]() -> Result<CatalogFacts> {
    CatalogFacts facts;
    for (const char* const name : {"server_version", "fsync", "full_page_writes", "synchronous_commit", "max_connections", "shared_buffers",
                                   "server_encoding", "in_hot_standby"}) {
      // What this connection has set for itself says nothing about the server.
      const auto shown = connection->run_script(
          "SELECT CASE name WHEN 'synchronous_commit' THEN reset_val ELSE current_setting(name) END FROM pg_settings WHERE name = '" +
          std::string(name) + "'");
      if (PQntuples(shown.get()) != 1 || PQgetisnull(shown.get(), 0, 0) != 0) continue;
      std::string value = PQgetvalue(shown.get(), 0, 0);
      if (std::string_view(name) == "server_version") {
        facts.engine = "PostgreSQL " + value;
        continue;
      }
      std::string fault = fault_of(name, value);
      facts.settings.push_back({name, std::move(value), std::move(fault)});
    }
    return facts;
  });
}

}  // namespace media
