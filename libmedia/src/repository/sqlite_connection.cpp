#include "repository/sqlite_connection.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

#include "core/errno_error.hpp"

namespace media::sqlite {
namespace {

/// `path` as a URI that makes SQLite take the file for unchanging.
std::string immutable_uri(const std::filesystem::path& path) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string uri = "file:";
  for (const char c : path.native()) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || std::strchr("/-_.", c) != nullptr;
    if (plain && c != '\0') {
      uri += c;
    } else {
      uri += {'%', kHex[byte >> 4U], kHex[byte & 15U]};
    }
  }
  return uri + "?immutable=1";
}

std::string name_to_open(const std::filesystem::path& path, Access access) {
  return access == Access::immutable ? immutable_uri(path) : path.string();
}

int flags_to_open(Access access) noexcept {
  // No mutex of SQLite's, for a connection serves one thread at a time. No SQLITE_OPEN_CREATE: a catalog that went away must be
  // an error, not an empty one.
  switch (access) {
    case Access::write:
    case Access::read:
      return SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    case Access::read_only:
      return SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX;
    case Access::immutable:
      return SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX;
  }
  return 0;
}

/// What the system said, where that is more exact than SQLite's own code.
std::optional<Errc> code_of_errno(int error_number) noexcept {
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
      return Errc::no_space;
    case EMFILE:
    case ENFILE:
      return Errc::unavailable;
    case EIO:
      return Errc::io;
    default:
      return std::nullopt;
  }
}

/// errno of the failed call, as far as SQLite kept it; 0 otherwise. A commit leaves it in the log's file alone.
int system_error(sqlite3* handle) noexcept {
  int error_number = sqlite3_system_errno(handle);
  sqlite3_file* log = nullptr;
  if (error_number == 0 && sqlite3_file_control(handle, nullptr, SQLITE_FCNTL_JOURNAL_POINTER, &log) == SQLITE_OK && log != nullptr &&
      log->pMethods != nullptr) {
    log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &error_number);
  }
  if (error_number == 0) sqlite3_file_control(handle, nullptr, SQLITE_FCNTL_LAST_ERRNO, &error_number);
  return error_number;
}

Errc code_of(int extended_code, int error_number) noexcept {
  switch (extended_code) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
      return Errc::already_exists;
    case SQLITE_CONSTRAINT_FOREIGNKEY:
      return Errc::not_found;
    case SQLITE_IOERR_CORRUPTFS:
      return Errc::corrupt;
    default:
      break;
  }
  switch (extended_code & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
      return Errc::unavailable;
    case SQLITE_FULL:
      return Errc::no_space;
    case SQLITE_IOERR:
      return code_of_errno(error_number).value_or(Errc::io);
    case SQLITE_CANTOPEN:
      return code_of_errno(error_number).value_or(Errc::denied);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return Errc::denied;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Errc::corrupt;
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
      return Errc::invalid_argument;
    case SQLITE_TOOBIG:
    case SQLITE_NOLFS:
      return Errc::too_large;
    case SQLITE_INTERRUPT:
      return Errc::cancelled;
    default:
      return Errc::internal;
  }
}

/// hamming_distance(a, b): the bits in which two numbers differ.
void hamming_distance(sqlite3_context* context, int, sqlite3_value** values) {
  const auto bits = [](sqlite3_value* value) { return static_cast<std::uint64_t>(sqlite3_value_int64(value)); };
  sqlite3_result_int(context, std::popcount(bits(values[0]) ^ bits(values[1])));
}

}  // namespace

void add_functions(sqlite3* handle) {
  const int code = sqlite3_create_function_v2(handle, "hamming_distance", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, nullptr,
                                              hamming_distance, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) throw SQLite::Exception(handle, code);
}

Connection::Connection(const std::filesystem::path& path, Access access)
    : database_(name_to_open(path, access), flags_to_open(access)), waiting_{std::chrono::steady_clock::now() + kPatience} {
  sqlite3* handle = database_.getHandle();
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_handler(handle, &Connection::wait_for_lock, &waiting_);
}

void Connection::configure(Access access) {
  sqlite3* handle = database_.getHandle();
  // A catalog may come from a stranger: nothing in its schema may call what has effects.
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  // Savepoints keep what they would restore in memory instead of a file in /tmp.
  database_.exec("PRAGMA temp_store = MEMORY; PRAGMA foreign_keys = ON");
  add_functions(handle);
  if (access == Access::write) {
    // FULL syncs the log at each commit: what was acknowledged survives a power cut. The log is written back every 16 MiB
    // and not every 4, which makes it a quarter as often that a commit waits for two more syncs.
    database_.exec(
        "PRAGMA secure_delete = ON; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864; "
        "PRAGMA cache_size = -16384");
  } else {
    database_.exec("PRAGMA query_only = ON; PRAGMA cache_size = -4096");
  }
}

Result<std::unique_ptr<Connection>> Connection::open(const std::filesystem::path& path, Access access) {
  const std::string what = "open catalog " + path.string();
  std::unique_ptr<Connection> connection;
  errno = 0;
  try {
    connection = std::make_unique<Connection>(path, access);
  } catch (const SQLite::Exception& exception) {
    // The handle that could be asked for the system's error is gone; errno itself is what is left, and nothing but
    // memory was freed since it was set.
    const int error_number = errno;
    if (exception.getErrorCode() == SQLITE_NOMEM) throw std::bad_alloc();
    return Error{code_of(exception.getExtendedErrorCode(), error_number), what + ": " + exception.what()};
  }
  MEDIA_TRY(guarded(*connection, what, [&]() -> Result<void> {
    connection->configure(access);
    return {};
  }));
  return connection;
}

SQLite::Statement& Connection::statement(std::string_view sql) {
  const auto found = statements_.find(sql);
  if (found != statements_.end()) return *found->second;
  std::string text(sql);
  auto made = std::make_unique<SQLite::Statement>(database_, text);
  return *statements_.emplace(std::move(text), std::move(made)).first->second;
}

void Connection::execute(std::string_view sql) { Query(*this, sql).run(); }

const volatile std::uint32_t* Connection::wal_index(int bytes) noexcept {
  try {
    Query query(*this, "SELECT count(*) FROM schema_migration");  // a first read, by which the connection comes to have the index
    if (!query.next()) return nullptr;
  } catch (...) {  // no memory for it among them
    return nullptr;
  }
  sqlite3_file* file = nullptr;
  if (sqlite3_file_control(database_.getHandle(), "main", SQLITE_FCNTL_FILE_POINTER, static_cast<void*>(&file)) != SQLITE_OK)
    return nullptr;
  if (file == nullptr || file->pMethods == nullptr || file->pMethods->iVersion < 2 || file->pMethods->xShmMap == nullptr) return nullptr;
  volatile void* region = nullptr;
  if (file->pMethods->xShmMap(file, 0, bytes, 0, &region) != SQLITE_OK) return nullptr;
  return static_cast<const volatile std::uint32_t*>(region);
}

void Connection::roll_back() noexcept {
  // May fail where SQLite has ended the transaction itself already, which is as good.
  if (in_transaction()) sqlite3_exec(database_.getHandle(), "ROLLBACK", nullptr, nullptr, nullptr);
}

// SQLite's own time-out waits longer and longer, up to 100 ms, and loses against a process that commits all the time. A
// millisecond is a fraction of the other's sync, and short enough to meet the pause that a writer makes for others.
int Connection::wait_for_lock(void* waiting, int attempts) noexcept {
  auto* self = static_cast<Waiting*>(waiting);
  self->waited = true;
  if (std::chrono::steady_clock::now() >= self->deadline) return 0;
  std::this_thread::sleep_for(std::chrono::microseconds(attempts < 5 ? 200 : 1000));
  return 1;
}

Error Connection::error_of(const SQLite::Exception& exception, std::string_view what) {
  const int extended = exception.getExtendedErrorCode();
  if (exception.getErrorCode() == SQLITE_NOMEM || extended == SQLITE_IOERR_NOMEM) throw std::bad_alloc();
  const int error_number = system_error(database_.getHandle());
  const Errc code = code_of(extended, error_number);
  const int primary = extended & 0xFF;
  damaged_ = damaged_ || primary == SQLITE_IOERR || primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB || primary == SQLITE_CANTOPEN;
  std::string message = std::string(what) + ": " + exception.what();
  if (error_number != 0 && (primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN)) {
    message = errno_error(error_number, message).message;
  }
  return Error{code, std::move(message)};
}

Query::~Query() {
  statement_.tryReset();
  // Bound without a copy: the pointers must not outlive the values. It cannot fail.
  try {
    statement_.clearBindings();
  } catch (const SQLite::Exception&) {
  }
}

std::vector<std::byte> Query::bytes() {
  const SQLite::Column column = statement_.getColumn(column_++);
  const auto* const begin = static_cast<const std::byte*>(column.getBlob());
  return begin == nullptr ? std::vector<std::byte>() : std::vector<std::byte>(begin, begin + column.getBytes());
}

Digest Query::digest() {
  const SQLite::Column column = statement_.getColumn(column_++);
  if (column.getBytes() != static_cast<int>(Digest::kSize)) throw SQLite::Exception("a digest is not 32 bytes long", SQLITE_CORRUPT);
  std::array<std::uint8_t, Digest::kSize> bytes{};
  std::memcpy(bytes.data(), column.getBlob(), bytes.size());
  return Digest(bytes);
}

}  // namespace media::sqlite
