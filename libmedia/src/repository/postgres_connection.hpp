/// One connection to PostgreSQL: its settings, its prepared statements, its errors as ours. libpq is called here alone.
#pragma once

#include <libpq-fe.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "media/clock.hpp"
#include "media/digest.hpp"
#include "media/postgres_repository.hpp"
#include "media/result.hpp"
#include "repository/sql_values.hpp"

namespace media::postgres {

using Deadline = std::chrono::steady_clock::time_point;

struct ConnectionCloser {
  void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
};
struct ResultClearer {
  void operator()(PGresult* result) const noexcept { PQclear(result); }
};
using ResultHandle = std::unique_ptr<PGresult, ResultClearer>;

/// What the server or libpq said; caught by `guarded`.
class Failure : public std::exception {
 public:
  Failure(Errc code, std::string state, std::string message) : code_(code), state_(std::move(state)), message_(std::move(message)) {}

  [[nodiscard]] const char* what() const noexcept override { return message_.c_str(); }
  [[nodiscard]] Errc code() const noexcept { return code_; }
  /// SQLSTATE; empty where the server said nothing.
  [[nodiscard]] const std::string& state() const noexcept { return state_; }

 private:
  Errc code_;
  std::string state_;
  std::string message_;
};

/// One parameter of a prepared statement, as libpq takes it.
struct Value {
  Oid type = 0;
  const char* bytes = nullptr;  ///< Null: NULL.
  int length = 0;
  int is_binary = 1;
};

/// Thread-safety: none; one connection serves one thread at a time, because its statements and its transaction are one state.
class Connection {
 public:
  /// Connects and makes the session's settings. Errors: `unavailable`, `denied`, `not_found`, `invalid_argument`.
  static Result<std::unique_ptr<Connection>> open(const PostgresRepositoryOptions& options, Deadline deadline);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() = default;

  /// Runs a statement of sql.hpp, prepared at its first use and kept. Throws Failure.
  ResultHandle run(std::string_view text, std::span<const Value> values);
  /// Runs statements that are not kept and have no parameters; the last one's result. Throws Failure.
  ResultHandle run_script(const std::string& text);

  /// Until when an answer is waited for; a connection whose answer did not come is lost.
  void wait_until(Deadline deadline) noexcept { deadline_ = deadline; }

  /// True where nothing more will come of it: closed by the other side, given up, or what was sent is not known.
  [[nodiscard]] bool lost() const noexcept { return lost_ || PQstatus(handle_.get()) != CONNECTION_OK; }
  /// True where it was lost because no answer came in time, and another one would fare no better.
  [[nodiscard]] bool timed_out() const noexcept { return timed_out_; }
  /// For one that was idle: has the server closed it meanwhile? Costs no message.
  [[nodiscard]] bool is_stale() noexcept;
  [[nodiscard]] bool in_failed_transaction() const noexcept { return PQtransactionStatus(handle_.get()) == PQTRANS_INERROR; }
  [[nodiscard]] Deadline opened_at() const noexcept { return opened_at_; }

  /// What the last failed statement said, since `forget_failure`.
  [[nodiscard]] const std::optional<Failure>& failure() const noexcept { return failure_; }
  void forget_failure() noexcept { failure_.reset(); }
  /// Rows changed since `forget_changes`.
  [[nodiscard]] std::uint64_t changes() const noexcept { return changes_; }
  void forget_changes() noexcept { changes_ = 0; }

  /// The row of media_writer that marks this connection's writes; 0: it has none yet.
  std::int64_t writer_id = 0;
  std::int64_t last_write = 0;

  [[nodiscard]] int socket() const noexcept { return PQsocket(handle_.get()); }
  /// Reads what has come; true where a notification was among it.
  bool take_notifications();

 private:
  using Handle = std::unique_ptr<PGconn, ConnectionCloser>;
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };

  Connection(Handle handle, Deadline deadline) noexcept
      : handle_(std::move(handle)), deadline_(deadline), opened_at_(std::chrono::steady_clock::now()) {}

  const std::string& prepared(std::string_view text, std::span<const Value> values);
  /// The last result of what was sent. Throws Failure.
  ResultHandle answer(bool sent);
  ResultHandle await_results();
  /// Waits for the socket; throws Failure after the deadline.
  void await_socket(bool writing);
  [[noreturn]] void fail(const PGresult* result);
  [[noreturn]] void give_up();

  Handle handle_;
  Deadline deadline_;
  Deadline opened_at_;
  bool lost_ = false;
  bool timed_out_ = false;
  std::uint64_t changes_ = 0;
  std::optional<Failure> failure_;
  std::unordered_map<std::string, std::string, TextHash, std::equal_to<>> statements_;  ///< Names by the shared text.
};

/// What a connection to the catalog in this schema calls itself to the server.
std::string application_name(const std::string& schema);

/// The one place where exceptions of this area end: runs `work`, which returns a Result.
template <class Work>
auto guarded(Connection&, std::string_view what, const Work& work) -> std::invoke_result_t<const Work&> {
  try {
    return work();
  } catch (const Failure& failure) {
    return Error{failure.code(), std::string(what) + ": " + failure.what()};
  }
}

/// One run of a kept statement: parameters in their order, then rows column by column.
///
/// Strings and bytes bound are not copied: they must live as long as the query. Everything throws Failure.
class Query {
 public:
  template <class... Values>
  explicit Query(Connection& connection, std::string_view text, const Values&... values) : connection_(connection), text_(text) {
    (add(values), ...);
  }
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;
  ~Query() = default;

  void add(std::int64_t value) { add_number(kBigint, static_cast<std::uint64_t>(value)); }
  void add(double value);
  void add(const std::string& value) { push({kText, value.data(), static_cast<int>(value.size()), 1}); }
  /// Text and bytes that may go away before the query does.
  void add_copy(std::string_view value) { add(keep(value)); }
  void add_copy_bytes(std::string_view value) { add(sql::Bytes{keep(value)}); }
  void add(std::span<const std::byte> value) { add(sql::Bytes{{reinterpret_cast<const char*>(value.data()), value.size()}}); }
  void add(sql::Bytes value) { push({kBytea, value.value.empty() ? "" : value.value.data(), static_cast<int>(value.value.size()), 1}); }
  void add(const Digest& value) { add_copy_bytes({reinterpret_cast<const char*>(value.bytes().data()), Digest::kSize}); }
  void add(Timestamp value) { add(static_cast<std::int64_t>(value.time_since_epoch().count())); }
  /// As one parameter, an array.
  void add(const std::vector<std::int64_t>& values);
  template <class T>
  void add(const std::optional<T>& value) {
    if (value) return add(*value);
    push({type_of<T>(), nullptr, 0, 1});
  }

  /// The next row; false after the last. The first call runs the statement.
  bool next();
  /// Runs a statement without rows; the number of rows that it changed itself (cascades not counted).
  std::size_t run();

  /// A value cannot be what it should.
  [[noreturn]] static void corrupt(const char* what) { throw Failure(Errc::corrupt, {}, what); }

  // The next column of the current row.
  std::int64_t integer();
  double real();
  std::string string();
  std::vector<std::byte> bytes();
  Digest digest();
  Timestamp time() { return Timestamp(std::chrono::milliseconds(integer())); }
  template <class Read>
  auto optional(Read (Query::*read)()) -> std::optional<Read> {
    if (PQgetisnull(result_.get(), row_, column_) != 0) {
      ++column_;
      return std::nullopt;
    }
    return (this->*read)();
  }

 private:
  // pg_type.dat; never changed once given.
  static constexpr Oid kBytea = 17;
  static constexpr Oid kBigint = 20;
  static constexpr Oid kText = 25;
  static constexpr Oid kDouble = 701;
  static constexpr Oid kBigintArray = 1016;
  static constexpr std::size_t kMostValues = 32;

  template <class T>
  static constexpr Oid type_of() noexcept {
    if constexpr (std::is_same_v<T, Digest> || std::is_same_v<T, sql::Bytes>) return kBytea;
    if constexpr (std::is_same_v<T, std::string>) return kText;
    return kBigint;
  }

  void push(Value value);
  void add_number(Oid type, std::uint64_t bits);
  const std::string& keep(std::string_view value) { return *kept_.emplace_back(std::make_unique<std::string>(value)); }
  std::string_view column();

  Connection& connection_;
  std::string_view text_;
  std::array<Value, kMostValues> values_{};
  std::array<std::array<char, 8>, kMostValues> numbers_{};
  std::size_t bound_ = 0;
  std::vector<std::unique_ptr<std::string>> kept_;
  ResultHandle result_;
  int row_ = -1;
  int column_ = 0;
};

}  // namespace media::postgres
