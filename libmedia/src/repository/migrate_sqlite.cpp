// SQLite's side of a migration.
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/errno_error.hpp"
#include "core/unique_fd.hpp"
#include "media/clock.hpp"
#include "media/repository.hpp"
#include "repository/migrate_side.hpp"
#include "repository/sqlite_connection.hpp"
#include "repository/sqlite_schema.hpp"
#include "repository/sqlite_unused.hpp"

namespace media {
namespace migrate {
namespace {

using sqlite::guarded;
using sqlite::Query;

constexpr std::string_view kTables =
    "SELECT name, sql LIKE '%AUTOINCREMENT%' FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name "
    "<> "
    "'schema_migration' ORDER BY name";
constexpr std::string_view kColumns = "SELECT name, type, pk FROM pragma_table_xinfo(?1) WHERE hidden = 0 ORDER BY cid";
constexpr std::string_view kParents = "SELECT DISTINCT \"table\" FROM pragma_foreign_key_list(?1)";

Kind kind_of(const std::string& type) {
  if (type == "INTEGER") return Kind::integer;
  if (type == "REAL") return Kind::real;
  return type == "TEXT" ? Kind::text : Kind::bytes;  // All tables are STRICT.
}

void bind(Query& query, const Cell& cell, Kind kind) {
  if (const auto* number = std::get_if<std::int64_t>(&cell)) return query.add(*number);
  if (const auto* real = std::get_if<double>(&cell)) return query.add(*real);
  if (const auto* text = std::get_if<std::string>(&cell)) {
    if (kind == Kind::text) return query.add(*text);
    return query.add(sql::Bytes{*text});
  }
  query.add(std::optional<std::int64_t>());
}

class SqliteSide final : public Side {
 public:
  SqliteSide(std::unique_ptr<sqlite::Connection> connection, std::filesystem::path file)
      : connection_(std::move(connection)), file_(std::move(file)) {}
  ~SqliteSide() override { connection_->roll_back(); }

  Result<void> begin() override { return sqlite::take_alone(*connection_, "migrate: " + file_.string()); }

  Result<std::vector<Table>> tables() override {
    return guarded(*connection_, "migrate", [&]() -> Result<std::vector<Table>> {
      std::vector<Table> tables;
      Query names(*connection_, kTables);
      while (names.next()) {
        Table table;
        table.name = names.string();
        table.counts_ids = names.integer() != 0;
        tables.push_back(std::move(table));
      }
      for (Table& table : tables) describe(table);
      return parents_first(std::move(tables));
    });
  }

  Result<std::vector<Row>> read(const Table& table, const Row* after, std::size_t limit) override {
    return guarded(*connection_, "read the table '" + table.name + "'", [&]() -> Result<std::vector<Row>> {
      Query query(*connection_, page_statement(table, after == nullptr));
      if (after != nullptr) {
        for (const std::size_t column : table.key) bind(query, (*after)[column], table.columns[column].kind);
      }
      query.add(static_cast<std::int64_t>(limit));
      std::vector<Row> rows;
      while (query.next()) rows.push_back(read_row(query, table));
      return rows;
    });
  }

  Result<void> insert(const Table& table, std::span<const Row> rows) override {
    std::string text = "INSERT INTO " + table.name + " (" + column_list(table) + ") VALUES (";
    for (std::size_t i = 0; i < table.columns.size(); ++i) text += (i == 0 ? "?" : ", ?") + std::to_string(i + 1);
    text += ')';
    return guarded(*connection_, "insert", [&]() -> Result<void> {
      for (const Row& row : rows) {
        Query query(*connection_, text);
        for (std::size_t i = 0; i < row.size(); ++i) bind(query, row[i], table.columns[i].kind);
        query.run();
      }
      return {};
    });
  }

  Result<std::int64_t> count(const Table& table) override {
    return guarded(*connection_, "migrate", [&]() -> Result<std::int64_t> {
      Query query(*connection_, "SELECT seq FROM sqlite_sequence WHERE name = ?1", table.name);
      return query.next() ? query.integer() : 0;
    });
  }
  Result<void> set_count(const Table& table, std::int64_t highest) override {
    return guarded(*connection_, "migrate", [&]() -> Result<void> {
      Query known(*connection_, "UPDATE sqlite_sequence SET seq = ?2 WHERE name = ?1", table.name, highest);
      if (known.run() != 0) return {};
      Query(*connection_, "INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)", table.name, highest).run();
      return {};
    });
  }

  Result<void> commit() override {
    return guarded(*connection_, "commit to the catalog", [&]() -> Result<void> {
      connection_->execute_script("COMMIT");
      return {};
    });
  }

 private:
  void describe(Table& table) {
    std::vector<std::pair<std::int64_t, std::size_t>> key;
    Query columns(*connection_, kColumns, table.name);
    while (columns.next()) {
      Column column;
      column.name = columns.string();
      column.kind = kind_of(columns.string());
      if (const std::int64_t place = columns.integer(); place > 0) key.emplace_back(place, table.columns.size());
      table.columns.push_back(std::move(column));
    }
    std::sort(key.begin(), key.end());
    for (const auto& [place, column] : key) table.key.push_back(column);
    if (table.key.empty()) Query::corrupt("a table has no key");
  }

  std::vector<Table> parents_first(std::vector<Table> tables) {
    std::vector<Table> ordered;
    while (!tables.empty()) {
      const auto next = std::find_if(tables.begin(), tables.end(), [&](const Table& table) {
        Query parents(*connection_, kParents, table.name);
        while (parents.next()) {
          const std::string parent = parents.string();
          const bool waits =
              parent != table.name && std::any_of(tables.begin(), tables.end(), [&](const Table& t) { return t.name == parent; });
          if (waits) return false;
        }
        return true;
      });
      if (next == tables.end()) Query::corrupt("tables refer to each other in a circle");
      ordered.push_back(std::move(*next));
      tables.erase(next);
    }
    return ordered;
  }

  std::unique_ptr<sqlite::Connection> connection_;
  const std::filesystem::path file_;
};

}  // namespace

Result<std::unique_ptr<Side>> open_sqlite_side(const std::filesystem::path& file, bool make) {
  std::error_code failure;
  const std::filesystem::path path = std::filesystem::absolute(file, failure);
  if (make) {
    SqliteRepositoryOptions options;
    options.path = path;
    MEDIA_TRY(open_sqlite_repository(options));  // made, brought up to date, and closed again
  } else if (!std::filesystem::exists(path, failure)) {
    return Error{Errc::not_found, "migrate: there is no catalog " + path.string()};
  }
  MEDIA_TRY_ASSIGN(auto connection, sqlite::Connection::open(path, sqlite::Access::write));
  if (auto ready = sqlite::require_up_to_date(*connection, catalog_migrations()); !ready) {
    return Error{ready.error().code, "migrate: " + path.string() + ": " + ready.error().message};
  }
  return std::unique_ptr<Side>(std::make_unique<SqliteSide>(std::move(connection), path));
}

}  // namespace migrate

Result<std::filesystem::path> set_sqlite_catalog_aside(const std::filesystem::path& catalog) {
  struct stat facts{};
  if (::stat(catalog.c_str(), &facts) != 0) return errno_error(errno, "set the catalog " + catalog.string() + " aside");
  const UniqueFd folder(::open(catalog.has_parent_path() ? catalog.parent_path().c_str() : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return errno_error(errno, "set the catalog " + catalog.string() + " aside");
  {
    // Closing it writes its log back, where it is the last one.
    MEDIA_TRY_ASSIGN(const auto connection, sqlite::Connection::open(catalog, sqlite::Access::write));
    MEDIA_TRY(sqlite::take_alone(*connection, "set aside " + catalog.string()));
    connection->roll_back();
  }
  std::string stamp = to_rfc3339(SystemClock().now());
  std::erase(stamp, ':');
  const std::filesystem::path aside = catalog.string() + ".migrated-" + stamp;
  for (const char* suffix : {"-wal", "-shm", ""}) {
    if (::rename((catalog.string() + suffix).c_str(), (aside.string() + suffix).c_str()) != 0 && errno != ENOENT) {
      return errno_error(errno, "set the catalog " + catalog.string() + " aside");
    }
  }
  if (::fsync(folder.get()) != 0) return errno_error(errno, "set the catalog " + catalog.string() + " aside");
  return aside;
}

}  // namespace media
