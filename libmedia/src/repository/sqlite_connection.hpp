/// One connection to a catalog in SQLite: its settings, its prepared statements, its errors as ours.
#pragma once

#include <sqlite3.h>

#include <SQLiteCpp/SQLiteCpp.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "media/clock.hpp"
#include "media/digest.hpp"
#include "media/result.hpp"
#include "repository/sql_values.hpp"

namespace media::sqlite {

/// How long anything waits for another process's lock, or for a free connection, before it says `unavailable`.
inline constexpr std::chrono::seconds kPatience{10};

enum class Access : std::uint8_t {
  write,
  read,       ///< In a program that may write by another connection; can recover the log after a crash.
  read_only,  ///< Changes no row and no table, though SQLite may make its shared-memory file.
  immutable,  ///< Takes no locks and looks at no log: only for files that nobody can be changing.
};

/// Thread-safety: none; one connection serves one thread at a time, because its statements and its transaction are one state.
class Connection {
 public:
  static Result<std::unique_ptr<Connection>> open(const std::filesystem::path& path, Access access);
  /// Throws SQLite::Exception; `open` is what to call.
  Connection(const std::filesystem::path& path, Access access);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() = default;

  /// The prepared statement of a text, made at its first use and kept. Throws SQLite::Exception.
  SQLite::Statement& statement(std::string_view sql);
  /// Runs a kept statement that has no parameters and no rows. Throws SQLite::Exception.
  void execute(std::string_view sql);
  /// Runs statements that are not kept. Throws SQLite::Exception.
  void execute_script(const std::string& sql) { database_.exec(sql); }

  /// Until when to wait for other processes' locks; after it they are an error at once.
  void wait_until(std::chrono::steady_clock::time_point deadline) noexcept { waiting_.deadline = deadline; }
  /// True where a lock was waited for since the last call.
  bool take_had_to_wait() noexcept { return std::exchange(waiting_.waited, false); }

  [[nodiscard]] bool in_transaction() noexcept { return sqlite3_get_autocommit(database_.getHandle()) == 0; }
  /// Ends a transaction where there is one, without trace. Never throws.
  void roll_back() noexcept;
  /// The first `bytes` of the WAL-index, as SQLite has it mapped while this connection is open; null where there is none.
  const volatile std::uint32_t* wal_index(int bytes) noexcept;

  /// An exception as an `Error` that begins with `what`. Throws std::bad_alloc where SQLite had no memory.
  Error error_of(const SQLite::Exception& exception, std::string_view what);
  /// True after an error of the disk or of the file's content: a pool of readers should take another one then.
  [[nodiscard]] bool damaged() const noexcept { return damaged_; }

 private:
  struct Waiting {
    std::chrono::steady_clock::time_point deadline;
    bool waited = false;
  };
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };

  void configure(Access access);
  static int wait_for_lock(void* waiting, int attempts) noexcept;

  SQLite::Database database_;
  Waiting waiting_;
  bool damaged_ = false;
  // After the database, so that they go before it.
  std::unordered_map<std::string, std::unique_ptr<SQLite::Statement>, TextHash, std::equal_to<>> statements_;
};

/// The one place where exceptions of SQLiteCpp end: runs `work`, which returns a Result.
template <class Work>
auto guarded(Connection& connection, std::string_view what, const Work& work) -> std::invoke_result_t<const Work&> {
  try {
    return work();
  } catch (const SQLite::Exception& exception) {
    return connection.error_of(exception, what);
  }
}

/// Gives a connection the functions that the statements of sql.hpp call. Throws SQLite::Exception.
void add_functions(sqlite3* handle);

/// One run of a kept statement: parameters in their order, then rows column by column. Its end resets the statement.
///
/// Strings and bytes bound are not copied: they must live as long as the query. Everything throws SQLite::Exception.
class Query {
 public:
  template <class... Values>
  explicit Query(Connection& connection, std::string_view sql, const Values&... values) : statement_(connection.statement(sql)) {
    (add(values), ...);
  }
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;
  ~Query();

  void add(std::int64_t value) { statement_.bind(++bound_, value); }
  void add(double value) { statement_.bind(++bound_, value); }
  void add(const std::string& value) { statement_.bindNoCopy(++bound_, value); }
  /// Text that may go away before the query does.
  void add_copy(std::string_view value) { statement_.bind(++bound_, std::string(value)); }
  void add_copy_bytes(const std::string& value) { statement_.bind(++bound_, value.data(), static_cast<int>(value.size())); }
  void add(std::span<const std::byte> value) {
    // No bytes are still a value, which a null pointer is not.
    const void* const bytes = value.empty() ? static_cast<const void*>("") : value.data();
    statement_.bindNoCopy(++bound_, bytes, static_cast<int>(value.size()));
  }
  void add(sql::Bytes value) { statement_.bindNoCopy(++bound_, value.value.data(), static_cast<int>(value.value.size())); }
  void add(const Digest& value) { statement_.bind(++bound_, value.bytes().data(), static_cast<int>(Digest::kSize)); }
  void add(Timestamp value) { add(static_cast<std::int64_t>(value.time_since_epoch().count())); }
  template <class T>
  void add(const std::optional<T>& value) {
    if (value) {
      add(*value);
    } else {
      statement_.bind(++bound_);  // NULL
    }
  }

  /// The next row; false after the last.
  bool next() {
    column_ = 0;
    return statement_.executeStep();
  }
  /// Runs a statement without rows; the number of rows that it changed itself (cascades not counted).
  std::size_t run() { return static_cast<std::size_t>(statement_.exec()); }

  /// A value cannot be what it should.
  [[noreturn]] static void corrupt(const char* what) { throw SQLite::Exception(what, SQLITE_CORRUPT); }

  // The next column of the current row. A value that cannot be what it should is SQLITE_CORRUPT.
  std::int64_t integer() { return statement_.getColumn(column_++).getInt64(); }
  double real() { return statement_.getColumn(column_++).getDouble(); }
  std::string string() { return statement_.getColumn(column_++).getString(); }
  std::vector<std::byte> bytes();
  Digest digest();
  Timestamp time() { return Timestamp(std::chrono::milliseconds(integer())); }
  template <class Value>
  auto optional(Value (Query::*read)()) -> std::optional<Value> {
    if (statement_.isColumnNull(column_)) {
      ++column_;
      return std::nullopt;
    }
    return (this->*read)();
  }

 private:
  SQLite::Statement& statement_;
  int bound_ = 0;
  int column_ = 0;
};

}  // namespace media::sqlite
