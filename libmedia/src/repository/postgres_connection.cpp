#include "repository/postgres_connection.hpp"

#include <poll.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <utility>

#include "repository/postgres_dialect.hpp"
#include "repository/postgres_error.hpp"

namespace media::postgres {
namespace {

/// How much longer than the server's own limit an answer is waited for.
constexpr std::chrono::seconds kGrace{1};

int milliseconds_until(Deadline deadline) noexcept {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000));
}

/// True where the socket became ready.
bool await(int socket, short events, Deadline deadline) noexcept {
  for (;;) {
    pollfd entry{socket, events, 0};
    const int ready = ::poll(&entry, 1, milliseconds_until(deadline));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

std::string session_settings(const PostgresRepositoryOptions& options) {
  const auto limit = std::to_string(options.statement_timeout.count());
  // Without sequential scans, for a serializable transaction that reads a small table whole is in the way of everyone who writes to it; and
  // without sorting what an index has half sorted, for there is another one that has it whole.
  return "SET search_path = " + quoted_identifier(options.schema) + "; SET statement_timeout = " + limit + "; SET lock_timeout = " + limit +
         "; SET idle_in_transaction_session_timeout = " + limit +
         "; SET synchronous_commit = on; SET enable_seqscan = off; SET enable_incremental_sort = off; SET jit = off; SET "
         "client_min_messages = error" +
         (options.read_only ? "; SET default_transaction_read_only = on" : "");
}

/// What libpq is told besides the caller's own words: no wait may be without an end, even where packets are dropped.
struct Keywords {
  explicit Keywords(const PostgresRepositoryOptions& options) {
    add("tcp_user_timeout", std::to_string(options.statement_timeout.count()));
    add("keepalives_idle", "5");
    add("keepalives_interval", "2");
    add("keepalives_count", "3");
    add("application_name", application_name(options.schema));
    add("client_encoding", "UTF8");
    // The first dbname may be a whole connection string; what comes after it stands.
    if (!options.connection.empty()) add("dbname", options.connection);
    if (!options.host.empty()) add("host", options.host);
    if (options.port != 0) add("port", std::to_string(options.port));
    if (!options.database.empty()) add("dbname", options.database);
    if (!options.user.empty()) add("user", options.user);
    if (!options.password.empty()) add("password", options.password);
  }
  void add(const char* name, std::string value) {
    names.push_back(name);
    values.push_back(std::move(value));
  }
  [[nodiscard]] PGconn* start() const {
    std::vector<const char*> name_pointers(names);
    std::vector<const char*> value_pointers;
    value_pointers.reserve(values.size() + 1);
    for (const std::string& value : values) value_pointers.push_back(value.c_str());
    name_pointers.push_back(nullptr);
    value_pointers.push_back(nullptr);
    return PQconnectStartParams(name_pointers.data(), value_pointers.data(), 1);
  }
  std::vector<const char*> names;
  std::vector<std::string> values;
};

/// Where `connection` is a connection string: is it one? libpq's own words would quote it, with the password in it.
Result<void> check_connection_string(const std::string& connection) {
  if (connection.empty()) return {};
  char* message = nullptr;
  PQconninfoOption* const parsed = PQconninfoParse(connection.c_str(), &message);
  if (message != nullptr) PQfreemem(message);
  if (parsed == nullptr) {
    return Error{Errc::invalid_argument,
                 "open catalog: its address is neither postgresql://USER@HOST:PORT/DATABASE nor a list of libpq's name=value"};
  }
  PQconninfoFree(parsed);
  return {};
}

void ignore_notice(void*, const PGresult*) {}

}  // namespace

std::string application_name(const std::string& schema) {
  std::string name = "libmedia " + schema;
  // As the server keeps it.
  std::replace_if(name.begin(), name.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return name;
}

Result<std::unique_ptr<Connection>> Connection::open(const PostgresRepositoryOptions& options, Deadline deadline) {
  MEDIA_TRY(check_connection_string(options.connection));
  deadline = std::min(deadline, std::chrono::steady_clock::now() + options.connect_timeout);
  Handle handle(Keywords(options).start());
  if (!handle) throw std::bad_alloc();
  PQsetNoticeReceiver(handle.get(), ignore_notice, nullptr);
  if (PQstatus(handle.get()) == CONNECTION_BAD) return connect_error(handle.get());
  for (auto state = PGRES_POLLING_WRITING; state != PGRES_POLLING_OK; state = PQconnectPoll(handle.get())) {
    if (state == PGRES_POLLING_FAILED) return connect_error(handle.get());
    if (!await(PQsocket(handle.get()), state == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline)) {
      return Error{Errc::unavailable, "open catalog " + name_of(handle.get()) + ": the server did not answer within " +
                                          std::to_string(options.connect_timeout.count()) + " ms"};
    }
  }
  if (PQsetnonblocking(handle.get(), 1) != 0) return connect_error(handle.get());
  std::unique_ptr<Connection> connection(new Connection(std::move(handle), deadline));
  MEDIA_TRY(guarded(*connection, "open catalog " + name_of(connection->handle_.get()), [&]() -> Result<void> {
    connection->run_script(session_settings(options));
    return {};
  }));
  return connection;
}

const std::string& Connection::prepared(std::string_view text, std::span<const Value> values) {
  const auto found = statements_.find(text);
  if (found != statements_.end()) return found->second;
  std::string name = "s" + std::to_string(statements_.size());
  std::vector<Oid> types;
  for (const Value& value : values) types.push_back(value.type);
  const std::string translated = postgres_text(text);
  answer(PQsendPrepare(handle_.get(), name.c_str(), translated.c_str(), static_cast<int>(types.size()), types.data()) == 1);
  return statements_.emplace(std::string(text), std::move(name)).first->second;
}

ResultHandle Connection::run(std::string_view text, std::span<const Value> values) {
  const std::string& name = prepared(text, values);
  std::vector<const char*> bytes;
  std::vector<int> lengths;
  std::vector<int> formats;
  for (const Value& value : values) {
    bytes.push_back(value.bytes);
    lengths.push_back(value.length);
    formats.push_back(value.is_binary);
  }
  return answer(PQsendQueryPrepared(handle_.get(), name.c_str(), static_cast<int>(values.size()), bytes.data(), lengths.data(),
                                    formats.data(), 1) == 1);
}

ResultHandle Connection::run_script(const std::string& text) { return answer(PQsendQuery(handle_.get(), text.c_str()) == 1); }

ResultHandle Connection::answer(bool sent) {
  if (!sent) fail(nullptr);
  ResultHandle result = await_results();
  const auto status = PQresultStatus(result.get());
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) fail(result.get());
  const std::string_view command = PQcmdStatus(result.get());
  if (command.starts_with("INSERT") || command.starts_with("UPDATE") || command.starts_with("DELETE"))
    changes_ += changed_rows(result.get());
  return result;
}

ResultHandle Connection::await_results() {
  for (;;) {
    const int unsent = PQflush(handle_.get());
    if (unsent < 0) fail(nullptr);
    if (unsent == 0) break;
    await_socket(true);
  }
  ResultHandle last;
  for (;;) {
    while (PQisBusy(handle_.get()) != 0) {
      await_socket(false);
      // A failure is told by the result that then comes.
      if (PQconsumeInput(handle_.get()) != 1 && PQisBusy(handle_.get()) != 0) fail(nullptr);
    }
    ResultHandle result(PQgetResult(handle_.get()));
    if (!result) break;
    const auto status = PQresultStatus(result.get());
    if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) fail(nullptr);
    // The first error is the one that counts; what follows it was not run.
    if (!last || PQresultStatus(last.get()) != PGRES_FATAL_ERROR) last = std::move(result);
  }
  if (!last) fail(nullptr);
  return last;
}

void Connection::await_socket(bool writing) {
  const short events = writing ? POLLIN | POLLOUT : POLLIN;
  if (!await(socket(), events, deadline_ + kGrace)) give_up();
  // The server may have to be read from before it takes more.
  if (writing && PQconsumeInput(handle_.get()) != 1) fail(nullptr);
}

void Connection::give_up() {
  lost_ = true;
  timed_out_ = true;
  Failure failure(Errc::unavailable, {}, "the database did not answer in time");
  failure_ = failure;
  throw std::move(failure);
}

void Connection::fail(const PGresult* result) {
  Failure failure = failure_of(handle_.get(), result);
  // After a failure without the server's word it is not known what was sent.
  if (result == nullptr || ends_connection(failure.state()) || PQstatus(handle_.get()) != CONNECTION_OK) lost_ = true;
  if (!failure_) failure_ = failure;
  throw std::move(failure);
}

bool Connection::is_stale() noexcept {
  pollfd entry{socket(), POLLIN, 0};
  if (::poll(&entry, 1, 0) == 0) return false;
  // Idle, and something has come: its end, or the server's reason for it.
  return PQconsumeInput(handle_.get()) != 1 || lost() || PQisBusy(handle_.get()) != 0 || ::poll(&entry, 1, 0) != 0;
}

bool Connection::take_notifications() {
  if (PQconsumeInput(handle_.get()) != 1) {
    lost_ = true;
    return false;
  }
  bool any = false;
  while (PGnotify* const notification = PQnotifies(handle_.get())) {
    any = true;
    PQfreemem(notification);
  }
  return any;
}

}  // namespace media::postgres
