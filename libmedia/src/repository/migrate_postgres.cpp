// PostgreSQL's side of a migration.
#include <algorithm>
#include <bit>
#include <thread>

#include "repository/migrate_side.hpp"
#include "repository/postgres_connection.hpp"
#include "repository/postgres_dialect.hpp"
#include "repository/postgres_error.hpp"
#include "repository/postgres_schema.hpp"

namespace media::migrate {
namespace {

using postgres::guarded;
using postgres::Query;

/// One statement of a page; a server that says nothing for longer is gone.
constexpr std::chrono::minutes kPatience{5};
/// Connections of programs that ended a moment ago are still being closed.
constexpr std::chrono::seconds kLastOnesOut{2};
/// What belongs to the engine and holds nothing of the catalog's.
constexpr std::string_view kOwnTables = "'media_schema_migration', 'media_turn', 'media_writer'";

constexpr std::string_view kOthers =
    "SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE datname = current_database() AND application_name = ?1 AND pid <> "
    "pg_backend_pid()";

Kind kind_of(const std::string& type) {
  if (type == "bigint" || type == "smallint" || type == "integer") return Kind::integer;
  if (type == "double precision") return Kind::real;
  return type == "bytea" ? Kind::bytes : Kind::text;
}

struct ElementType {
  Oid one;
  Oid array;
};
/// pg_type.dat; never changed once given.
ElementType type_of(Kind kind) noexcept {
  switch (kind) {
    case Kind::integer:
      return {20, 1016};
    case Kind::real:
      return {701, 1022};
    case Kind::text:
      return {25, 1009};
    case Kind::bytes:
      break;
  }
  return {17, 1001};
}

void put_number(std::string& into, std::uint64_t value, unsigned bytes) {
  for (unsigned shift = 8 * bytes; shift > 0; shift -= 8) into += static_cast<char>(value >> (shift - 8) & 0xFFU);
}

void put_element(std::string& into, const Cell& cell) {
  if (const auto* number = std::get_if<std::int64_t>(&cell)) {
    put_number(into, 8, 4);
    put_number(into, static_cast<std::uint64_t>(*number), 8);
  } else if (const auto* real = std::get_if<double>(&cell)) {
    put_number(into, 8, 4);
    put_number(into, std::bit_cast<std::uint64_t>(*real), 8);
  } else if (const auto* text = std::get_if<std::string>(&cell)) {
    put_number(into, text->size(), 4);
    into += *text;
  } else {
    put_number(into, 0xFFFF'FFFFU, 4);
  }
}

/// One column of some rows as an array, as the protocol has it: dimensions, are there NULLs, element type, length, first index, elements.
std::string array_of(std::span<const Row> rows, std::size_t column, Kind kind) {
  std::string bytes;
  put_number(bytes, 1, 4);
  put_number(bytes, 1, 4);
  put_number(bytes, type_of(kind).one, 4);
  put_number(bytes, rows.size(), 4);
  put_number(bytes, 1, 4);
  for (const Row& row : rows) put_element(bytes, row[column]);
  return bytes;
}

void bind(Query& query, const Cell& cell, Kind kind) {
  if (const auto* number = std::get_if<std::int64_t>(&cell)) return query.add(*number);
  const auto* text = std::get_if<std::string>(&cell);
  if (text == nullptr) Query::corrupt("a key has no value");
  if (kind == Kind::text) return query.add(*text);
  query.add(sql::Bytes{*text});
}

class PostgresSide final : public Side {
 public:
  PostgresSide(std::unique_ptr<postgres::Connection> connection, PostgresRepositoryOptions options)
      : connection_(std::move(connection)), options_(std::move(options)) {}

  Result<void> begin() override {
    const auto until = std::chrono::steady_clock::now() + kLastOnesOut;
    for (;;) {
      MEDIA_TRY_ASSIGN(const std::int64_t others, count_others());
      if (others == 0) break;
      if (std::chrono::steady_clock::now() >= until) {
        return in_use(others);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    MEDIA_TRY(run("migrate", [&]() -> Result<void> {
      // Every write of any program locks this table in a weaker mode: from here on there is none.
      connection_->run_script(
          "BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0; "
          "LOCK TABLE media_turn IN EXCLUSIVE MODE");
      return {};
    }));
    // Who came between the count and the lock believes that the catalog is still the one that counts. Who comes from here on waits for the
    // lock while opening it, and looks at that afterwards.
    MEDIA_TRY_ASSIGN(const std::int64_t others, count_others());
    return others == 0 ? Result<void>() : in_use(others);
  }

  Result<std::vector<Table>> tables() override {
    // The names are text to PostgreSQL, so that nothing here is translated.
    const std::string text =
        "SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns WHERE table_schema = ?1 AND "
        "table_name "
        "LIKE 'media\\_%' AND table_name NOT IN (" +
        std::string(kOwnTables) + ") AND is_generated = 'NEVER' ORDER BY table_name, ordinal_position";
    return run("migrate", [&]() -> Result<std::vector<Table>> {
      std::vector<Table> tables;
      Query query(*connection_, text, options_.schema);
      while (query.next()) {
        const std::string name(postgres::shared_name(query.string()));
        if (tables.empty() || tables.back().name != name) {
          tables.emplace_back();
          tables.back().name = name;
        }
        Column column;
        column.name = query.string();
        column.kind = kind_of(query.string());
        tables.back().columns.push_back(std::move(column));
      }
      return tables;
    });
  }

  Result<std::vector<Row>> read(const Table& table, const Row* after, std::size_t limit) override {
    const std::string text = page_statement(table, after == nullptr);
    return run("read the table '" + table.name + "'", [&]() -> Result<std::vector<Row>> {
      Query query(*connection_, text);
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
    std::string text = "INSERT INTO " + table.name + " (" + column_list(table) + ") SELECT * FROM unnest(";
    std::vector<std::string> arrays;
    std::vector<postgres::Value> values;
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
      text += (i == 0 ? "?" : ", ?") + std::to_string(i + 1);
      arrays.push_back(array_of(rows, i, table.columns[i].kind));
    }
    text += ')';
    for (std::size_t i = 0; i < arrays.size(); ++i) {
      values.push_back({type_of(table.columns[i].kind).array, arrays[i].data(), static_cast<int>(arrays[i].size()), 1});
    }
    return run("insert", [&]() -> Result<void> {
      connection_->run(text, values);
      return {};
    });
  }

  Result<std::int64_t> count(const Table& table) override {
    const std::string text = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM " + sequence_of(table);
    return run("migrate", [&]() -> Result<std::int64_t> {
      Query query(*connection_, text);
      return query.next() ? query.integer() : 0;
    });
  }
  Result<void> set_count(const Table& table, std::int64_t highest) override {
    const std::string text = "SELECT setval('" + sequence_of(table) + "', ?1)";
    return run("migrate", [&]() -> Result<void> {
      Query(*connection_, text, highest).next();
      return {};
    });
  }

  Result<void> commit() override {
    auto done = run("commit to the catalog", [&]() -> Result<void> {
      const auto committed = connection_->run_script("COMMIT");
      if (std::string_view(PQcmdStatus(committed.get())) == "COMMIT") return {};
      return Error{Errc::internal, "commit to the catalog: the transaction was rolled back"};
    });
    if (!done && connection_->lost()) {
      return Error{
          Errc::unavailable,
          "migrate: the connection was lost while it was committed, and it is not known whether it was: the same command either says "
          "that the destination has rows, which are all of them, or does it anew"};
    }
    if (done) {
      // What the planner knows of empty tables would be wrong for a while. It can do without.
      static_cast<void>(run("migrate", [&]() -> Result<void> {
        connection_->run_script("ANALYZE");
        return {};
      }));
    }
    return done;
  }

 private:
  template <class Work>
  auto run(std::string_view what, const Work& work) -> std::invoke_result_t<const Work&> {
    connection_->wait_until(std::chrono::steady_clock::now() + kPatience);
    return guarded(*connection_, what, work);
  }

  [[nodiscard]] Error in_use(std::int64_t others) const {
    return {Errc::unavailable, "migrate: " + std::to_string(others) + " other connections have the catalog in the schema \"" +
                                   options_.schema + "\" open; stop every mediad and mediactl that uses it"};
  }

  Result<std::int64_t> count_others() {
    const std::string name = postgres::application_name(options_.schema);
    return run("migrate", [&]() -> Result<std::int64_t> {
      Query query(*connection_, kOthers, name);
      return query.next() ? query.integer() : 0;
    });
  }

  static std::string sequence_of(const Table& table) { return std::string(postgres::table_name(table.name)) + "_id_seq"; }

  std::unique_ptr<postgres::Connection> connection_;
  const PostgresRepositoryOptions options_;
};

}  // namespace

Result<std::unique_ptr<Side>> open_postgres_side(const PostgresRepositoryOptions& wanted, bool make) {
  PostgresRepositoryOptions options = wanted;
  options.create = make;
  options.read_only = !make;
  MEDIA_TRY(open_postgres_repository(options));  // made or found, up to date, and closed again
  options.read_only = false;                     // to lock its tables, though nothing is written to a source
  MEDIA_TRY_ASSIGN(auto connection, postgres::Connection::open(options, std::chrono::steady_clock::now() + options.connect_timeout));
  return std::unique_ptr<Side>(std::make_unique<PostgresSide>(std::move(connection), std::move(options)));
}

}  // namespace media::migrate
