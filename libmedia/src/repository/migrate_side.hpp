/// A catalog as the tables that it is, for a migration: what each engine must be able to do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "media/migrate.hpp"
#include "media/result.hpp"

namespace media::migrate {

enum class Kind : std::uint8_t { integer, real, text, bytes };

struct Column {
  std::string name;
  Kind kind = Kind::integer;

  friend bool operator==(const Column&, const Column&) = default;
};

/// By the names of sql.hpp. What is computed from other columns is left out.
struct Table {
  std::string name;
  std::vector<Column> columns;
  std::vector<std::size_t> key;  ///< Its columns in their order.
  bool counts_ids = false;       ///< Has an id that is given out once and never again.
};

/// Text and bytes are both strings: which of the two is the column's knowledge.
using Cell = std::variant<std::monostate, std::int64_t, double, std::string>;
using Row = std::vector<Cell>;

/// One transaction on one catalog, which is nobody else's meanwhile. Destroying it uncommitted leaves the catalog as it was.
///
/// Thread-safety: none; it is one connection.
class Side {
 public:
  virtual ~Side() = default;
  Side(const Side&) = delete;
  Side& operator=(const Side&) = delete;

  /// Begins. `unavailable` where others have the catalog open.
  virtual Result<void> begin() = 0;
  /// Those that others refer to come first, as far as an engine can tell. Keys and counters are told by SQLite alone.
  virtual Result<std::vector<Table>> tables() = 0;
  /// Ascending by the key, beyond the one of `after`, which is null for the first page.
  virtual Result<std::vector<Row>> read(const Table& table, const Row* after, std::size_t limit) = 0;
  virtual Result<void> insert(const Table& table, std::span<const Row> rows) = 0;
  /// The highest id that was ever given out; 0: none.
  virtual Result<std::int64_t> count(const Table& table) = 0;
  virtual Result<void> set_count(const Table& table, std::int64_t highest) = 0;
  virtual Result<void> commit() = 0;

 protected:
  Side() = default;
};

/// `make`: where it is missing, and bring it up to date.
Result<std::unique_ptr<Side>> open_sqlite_side(const std::filesystem::path& file, bool make);
Result<std::unique_ptr<Side>> open_postgres_side(const PostgresRepositoryOptions& options, bool make);

inline std::string column_list(const Table& table) {
  std::string text;
  for (const Column& column : table.columns) text += (text.empty() ? "" : ", ") + column.name;
  return text;
}

/// "SELECT … WHERE (key) > (?1, …) ORDER BY key LIMIT ?n".
inline std::string page_statement(const Table& table, bool from_beginning) {
  std::string keys;
  std::string parameters;
  for (std::size_t i = 0; i < table.key.size(); ++i) {
    const char* const comma = i == 0 ? "" : ", ";
    keys += comma + table.columns[table.key[i]].name;
    parameters += comma + ("?" + std::to_string(i + 1));
  }
  std::string text = "SELECT " + column_list(table) + " FROM " + table.name;
  if (!from_beginning) text += " WHERE (" + keys + ") > (" + parameters + ")";
  return text + " ORDER BY " + keys + " LIMIT ?" + std::to_string(from_beginning ? 1 : table.key.size() + 1);
}

/// Reads a row of any engine's `Query`.
template <class Query>
Row read_row(Query& query, const Table& table) {
  Row row;
  row.reserve(table.columns.size());
  const auto take = [&](auto value) {
    if (value) {
      row.emplace_back(std::move(*value));
    } else {
      row.emplace_back();
    }
  };
  for (const Column& column : table.columns) {
    if (column.kind == Kind::integer) {
      take(query.optional(&Query::integer));
    } else if (column.kind == Kind::real) {
      take(query.optional(&Query::real));
    } else {
      take(query.optional(&Query::string));
    }
  }
  return row;
}

}  // namespace media::migrate
