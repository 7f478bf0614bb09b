// From one engine to the other: all rows, then the proof that they are the same, then the commit.
#include "media/migrate.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "repository/migrate_side.hpp"

namespace media {
namespace migrate {
namespace {

constexpr std::size_t kPage = 500;

void add_number(Sha256& hasher, std::uint64_t value) {
  std::array<std::byte, 8> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(value >> (56 - 8 * i));
  hasher.update(bytes);
}

/// Every value with its kind and its length before it, so that no two different rows are the same bytes.
void add_row(Sha256& hasher, const Row& row) {
  for (const Cell& cell : row) {
    add_number(hasher, cell.index());
    if (const auto* number = std::get_if<std::int64_t>(&cell)) add_number(hasher, static_cast<std::uint64_t>(*number));
    if (const auto* real = std::get_if<double>(&cell)) add_number(hasher, std::bit_cast<std::uint64_t>(*real));
    if (const auto* text = std::get_if<std::string>(&cell)) {
      add_number(hasher, text->size());
      hasher.update(std::as_bytes(std::span(*text)));
    }
  }
}

/// Calls `take(rows)` for page after page of a table.
template <class Take>
Result<void> for_each_page(Side& side, const Table& table, const std::stop_token& stop, const Take& take) {
  Row last;
  for (bool first = true;; first = false) {
    if (stop.stop_requested()) return Error{Errc::cancelled, "migrate: stopped; the destination has no rows"};
    MEDIA_TRY_ASSIGN(const auto rows, side.read(table, first ? nullptr : &last, kPage));
    if (!rows.empty()) MEDIA_TRY(take(std::span<const Row>(rows)));
    if (rows.size() < kPage) return {};
    last = rows.back();
  }
}

bool has_same_columns(const Table& a, const Table& b) {
  auto left = a.columns;
  auto right = b.columns;
  const auto by_name = [](const Column& one, const Column& other) { return one.name < other.name; };
  std::sort(left.begin(), left.end(), by_name);
  std::sort(right.begin(), right.end(), by_name);
  return left == right;
}

/// What is told of an engine's tables must fit the other's: a table or a column that is left out would be lost without a word.
Result<void> compare_tables(const std::vector<Table>& described, const std::vector<Table>& others) {
  const auto find = [](const std::vector<Table>& tables, const std::string& name) {
    return std::find_if(tables.begin(), tables.end(), [&](const Table& table) { return table.name == name; });
  };
  for (const Table& table : described) {
    const auto other = find(others, table.name);
    if (other == others.end()) return Error{Errc::corrupt, "migrate: PostgreSQL has no table for '" + table.name + "'"};
    if (!has_same_columns(table, *other)) {
      return Error{Errc::corrupt, "migrate: the table '" + table.name + "' has other columns in PostgreSQL than in SQLite"};
    }
  }
  for (const Table& other : others) {
    if (find(described, other.name) == described.end())
      return Error{Errc::corrupt, "migrate: SQLite has no table for '" + other.name + "'"};
  }
  return {};
}

class Migration {
 public:
  Migration(Side& from, Side& to, const MigrateOptions& options) : from_(from), to_(to), options_(options) {}

  Result<MigrateReport> run(const std::vector<Table>& tables) {
    for (const Table& table : tables) {
      MEDIA_TRY_ASSIGN(const auto rows, to_.read(table, nullptr, 1));
      if (rows.empty()) continue;
      return Error{Errc::already_exists, "migrate: the destination is in use: its table '" + table.name + "' has rows"};
    }
    MigrateReport report;
    for (const Table& table : tables) {
      MEDIA_TRY_ASSIGN(MigratedTable copied, copy(table));
      report.tables.push_back(std::move(copied));
    }
    for (std::size_t i = 0; i < tables.size(); ++i) MEDIA_TRY(compare(tables[i], report.tables[i]));
    // Last, since a sequence of PostgreSQL's is moved whether or not the transaction is committed.
    for (const Table& table : tables) {
      if (table.counts_ids) MEDIA_TRY(carry_count(table));
    }
    MEDIA_TRY(to_.commit());
    if (options_.on_committed) options_.on_committed();
    return report;
  }

 private:
  Result<MigratedTable> copy(const Table& table) {
    MigratedTable copied;
    copied.name = table.name;
    Sha256 hasher;
    MEDIA_TRY(for_each_page(from_, table, options_.stop, [&](std::span<const Row> rows) -> Result<void> {
      for (const Row& row : rows) add_row(hasher, row);
      auto inserted = to_.insert(table, rows);
      if (!inserted) return Error{inserted.error().code, "migrate the table '" + table.name + "': " + inserted.error().message};
      copied.rows += rows.size();
      if (options_.progress) options_.progress(table.name, copied.rows);
      return {};
    }));
    copied.source = hasher.finish();
    return copied;
  }

  Result<void> compare(const Table& table, MigratedTable& copied) {
    Sha256 hasher;
    std::uint64_t rows_there = 0;
    MEDIA_TRY(for_each_page(to_, table, options_.stop, [&](std::span<const Row> rows) -> Result<void> {
      for (const Row& row : rows) add_row(hasher, row);
      rows_there += rows.size();
      return {};
    }));
    copied.destination = hasher.finish();
    if (copied.destination == copied.source && rows_there == copied.rows) return {};
    return Error{Errc::corrupt, "migrate: of the table '" + table.name + "' " + std::to_string(copied.rows) + " rows were copied, and " +
                                    std::to_string(rows_there) + " rows with another digest came back; nothing was kept"};
  }

  Result<void> carry_count(const Table& table) {
    MEDIA_TRY_ASSIGN(const std::int64_t highest, from_.count(table));
    MEDIA_TRY_ASSIGN(const std::int64_t there, to_.count(table));
    if (highest > there) MEDIA_TRY(to_.set_count(table, highest));
    return {};
  }

  Side& from_;
  Side& to_;
  const MigrateOptions& options_;
};

Result<std::unique_ptr<Side>> open_side(const CatalogPlace& place, bool make) {
  if (place.file.empty()) return open_postgres_side(place.postgres, make);
  return open_sqlite_side(place.file, make);
}

}  // namespace
}  // namespace migrate

Result<MigrateReport> migrate_catalog(const CatalogPlace& from, const CatalogPlace& to, const MigrateOptions& options) {
  if (from.file.empty() == to.file.empty()) {
    return Error{Errc::invalid_argument,
                 "migrate: one catalog is in SQLite and the other in PostgreSQL; a copy of the same kind is made by " +
                     std::string(from.file.empty() ? "pg_dump" : "`mediactl backup`")};
  }
  MEDIA_TRY_ASSIGN(const auto source, migrate::open_side(from, false));
  MEDIA_TRY(source->begin());
  MEDIA_TRY_ASSIGN(const auto destination, migrate::open_side(to, true));
  MEDIA_TRY(destination->begin());
  // SQLite knows its keys, and of which tables others refer to.
  migrate::Side& sqlite = from.file.empty() ? *destination : *source;
  migrate::Side& postgres = from.file.empty() ? *source : *destination;
  MEDIA_TRY_ASSIGN(const auto tables, sqlite.tables());
  MEDIA_TRY_ASSIGN(const auto others, postgres.tables());
  MEDIA_TRY(migrate::compare_tables(tables, others));
  return migrate::Migration(*source, *destination, options).run(tables);
}

}  // namespace media
