#include <sqlite3.h>

#include <string>

#include "media/doctor.hpp"
#include "repository/sqlite_connection.hpp"

namespace media {
namespace {

std::string fault_of(const std::string& name, const std::string& value) {
  if (name == "journal_mode" && value != "wal") return "without a write-ahead log readers and writers wait for each other";
  if (name == "synchronous" && value != "FULL" && value != "EXTRA") return "a power cut may lose what was said to be stored";
  if (name == "foreign_keys" && value != "1") return "rows may outlive what they belong to";
  return {};
}

/// As SQLite's documentation names them.
std::string spelled(const std::string& name, const std::string& value) {
  if (name != "synchronous") return value;
  if (value == "0") return "OFF";
  if (value == "1") return "NORMAL";
  if (value == "2") return "FULL";
  return "EXTRA";
}

}  // namespace

Result<CatalogFacts> sqlite_facts(const std::filesystem::path& file) {
  MEDIA_TRY_ASSIGN(const auto connection, sqlite::Connection::open(file, sqlite::Access::write));
  return sqlite::guarded(*connection, "look at the catalog", [&]() -> Result<CatalogFacts> {
    CatalogFacts facts;
    facts.engine = std::string("SQLite ") + ::sqlite3_libversion();
    for (const char* const name : {"journal_mode", "synchronous", "foreign_keys", "page_size", "page_count", "freelist_count"}) {
      sqlite::Query query(*connection, "PRAGMA " + std::string(name));
      if (!query.next()) continue;
      const std::string value = spelled(name, query.string());
      facts.settings.push_back({name, value, fault_of(name, value)});
    }
    sqlite::Query newest(*connection, "SELECT max(number) FROM schema_migration");
    if (newest.next()) facts.settings.push_back({"migration", newest.string(), {}});
    return facts;
  });
}

}  // namespace media
