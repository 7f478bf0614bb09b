#include <sqlite3.h>

#include <string>

#include "media/doctor.hpp"
#include "repository/sqlite_connection.hpp"

namespace media {
namespace {

std::string fault_of(const std::string& name, const std::string& value) {
  if (name == "journal_mode" && value != "wal") return "without a write-ahead log readers and writers wait for each other";
  return {};
}

}  // namespace

Result<CatalogFacts> sqlite_facts(const std::filesystem::path& file) {
  MEDIA_TRY_ASSIGN(const auto connection, sqlite::Connection::open(file, sqlite::Access::read_only));
  return sqlite::guarded(*connection, "look at the catalog", [&]() -> Result<CatalogFacts> {
    CatalogFacts facts;
    facts.engine = std::string("SQLite ") + ::sqlite3_libversion();
    // What lies in the file; the rest is each connection's own.
    for (const char* const name : {"journal_mode", "page_size", "page_count", "freelist_count"}) {
      sqlite::Query query(*connection, "PRAGMA " + std::string(name));
      if (!query.next()) continue;
      const std::string value = query.string();
      facts.settings.push_back({name, value, fault_of(name, value)});
    }
    sqlite::Query newest(*connection, "SELECT max(number) FROM schema_migration");
    if (newest.next()) facts.settings.push_back({"migration", newest.string(), {}});
    return facts;
  });
}

}  // namespace media
