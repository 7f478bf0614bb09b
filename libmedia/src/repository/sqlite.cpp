#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "core/errno_error.hpp"
#include "core/random.hpp"
#include "core/unique_fd.hpp"
#include "media/repository.hpp"
#include "repository/network_filesystem.hpp"
#include "repository/sql.hpp"
#include "repository/sql_reads.hpp"
#include "repository/sqlite_change_mark.hpp"
#include "repository/sqlite_engine.hpp"
#include "repository/sqlite_read_pool.hpp"
#include "repository/sqlite_schema.hpp"
#include "repository/sqlite_writer.hpp"
#include "repository/unfinished_uploads.hpp"

namespace media {
namespace sqlite {
namespace {

class SqliteRepository final : public sql::Reads<Engine, Repository>, public UnfinishedUploads {
 public:
  /// `writer` absent: read-only.
  SqliteRepository(std::unique_ptr<Writer> writer, const std::filesystem::path& path, Access access, unsigned read_connections)
      : writer_(std::move(writer)),
        path_(path),
        readers_(path, access, read_connections),
        watch_(access == Access::read ? ChangeWatch::open(path) : nullptr) {}

  /// What is asked for with every request; nearly always unchanged since the last one asked.
  Result<std::optional<Media>> find_media(MediaId id) const override {
    if (!watch_) return Reads::find_media(id);
    const ChangeMark mark = watch_->look();
    if (auto known = media_.find(mark, id)) return known;
    auto media = Reads::find_media(id);
    if (media && *media) media_.keep(mark, id, **media);
    return media;
  }

  Result<void> write(const Closure& closure) override {
    if (!writer_) return Error{Errc::denied, "write to the catalog: it was opened for reading only"};
    return writer_->write(closure);
  }

  Result<void> check() const override {
    auto lease = readers_.acquire();
    if (!lease) return std::move(lease).error();
    return guarded(**lease, "check catalog", [&]() -> Result<void> {
      Query query(**lease, sql::kCheck);
      if (!query.next() || query.integer() == 0) return Error{Errc::corrupt, "check catalog: it has no tables"};
      return {};
    });
  }

  Result<std::uint64_t> unfinished_bytes(const std::string& owner, Timestamp now) const override {
    auto lease = readers_.acquire();
    if (!lease) return std::move(lease).error();
    return guarded(**lease, "sum up unfinished uploads", [&]() -> Result<std::uint64_t> {
      Query query(**lease, sql::kSumUnfinishedUploads, owner, now);
      return query.next() ? static_cast<std::uint64_t>(query.integer()) : 0;
    });
  }

  Result<void> wipe() override {
    if (!writer_) return Error{Errc::denied, "wipe the catalog's log: it was opened for reading only"};
    MEDIA_TRY_ASSIGN(const auto connection, Connection::open(path_, Access::write));
    return guarded(*connection, "wipe the catalog's log", [&]() -> Result<void> {
      // What rows held is overwritten when they are removed (secure_delete); the log has older pages until it is written back and cut.
      connection->wait_until(std::chrono::steady_clock::now() + kPatience);
      Query query(*connection, "PRAGMA wal_checkpoint(TRUNCATE)");
      if (!query.next() || query.integer() != 0) return Error{Errc::unavailable, "wipe the catalog's log: somebody still reads from it"};
      return {};
    });
  }

  Result<void> back_up(const std::filesystem::path& file) override {
    MEDIA_TRY_ASSIGN(const auto connection, Connection::open(path_, writer_ ? Access::write : Access::read_only));
    const UniqueFd folder(::open(file.has_parent_path() ? file.parent_path().c_str() : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder) return errno_error(errno, "back up to " + file.string());
    // Under another name until it is whole. SQLite leaves the syncing to us.
    const std::filesystem::path temp = file.string() + ".new-" + random_hex(8);
    const UniqueFd made(::open(temp.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!made) return errno_error(errno, "back up to " + file.string());
    const std::string name = temp.string();
    auto written = guarded(*connection, "back up the catalog", [&]() -> Result<void> {
      Query query(*connection, "VACUUM INTO ?1", name);
      query.run();
      return {};
    });
    if (written && (::fsync(made.get()) != 0 || ::renameat2(AT_FDCWD, temp.c_str(), AT_FDCWD, file.c_str(), RENAME_NOREPLACE) != 0 ||
                    ::fsync(folder.get()) != 0)) {
      written = errno == EEXIST ? Error{Errc::already_exists, "back up to " + file.string() + ": there is such a file already"}
                                : errno_error(errno, "back up to " + file.string());
    }
    if (!written) ::unlink(temp.c_str());
    return written;
  }

 private:
  Result<Lease> connection() const override { return readers_.acquire(); }

  // The readers go first: the writer's close writes the log back, which they would hinder.
  std::unique_ptr<Writer> writer_;
  const std::filesystem::path path_;
  mutable ReadPool readers_;
  std::unique_ptr<ChangeWatch> watch_;  ///< Null: every row is asked for anew.
  mutable RowMemory<MediaId, Media> media_;
};

/// Makes the empty file that SQLite takes for an empty database, readable for this user alone (upload tokens are in it), and makes its name
/// durable: SQLite does that for its journals, not for the database.
///
/// Under another name first, for a process that closes *any* descriptor of a file loses all its POSIX locks on it, those of a
/// connection elsewhere in this process included; so the file must never be opened but by SQLite once it has its name.
Result<void> make_file(const std::filesystem::path& path) {
  const std::string temp = path.string() + ".new-" + random_hex(8);
  const UniqueFd file(::open(temp.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return errno_error(errno, "make catalog " + path.string());
  if (::fsync(file.get()) != 0 || ::renameat2(AT_FDCWD, temp.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) != 0) {
    const int error_number = errno;
    ::unlink(temp.c_str());
    if (error_number == EINVAL) {
      // A filesystem without RENAME_NOREPLACE. The name first, then; two threads that open one new file at once are rarer.
      const UniqueFd made(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
      if (!made) return errno_error(errno, "make catalog " + path.string());
    } else if (error_number != EEXIST) {  // Somebody else was faster, which is as good.
      return errno_error(error_number, "make catalog " + path.string());
    }
  }
  const std::filesystem::path folder_path = path.parent_path();
  const UniqueFd folder(::open(folder_path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0) return errno_error(errno, "sync folder " + folder_path.string());
  return {};
}

Error named(Error error, const std::filesystem::path& path) {
  if (error.message.find(path.string()) == std::string::npos) error.message = "catalog " + path.string() + ": " + error.message;
  return error;
}

Result<std::unique_ptr<Repository>> open_for_writing(const std::filesystem::path& path, unsigned read_connections) {
  struct stat facts{};
  if (::stat(path.c_str(), &facts) != 0) {
    if (errno != ENOENT) return errno_error(errno, "open catalog " + path.string());
    MEDIA_TRY(make_file(path));
  }
  MEDIA_TRY_ASSIGN(auto connection, Connection::open(path, Access::write));
  if (auto ready = bring_up_to_date(*connection, catalog_migrations()); !ready) return named(std::move(ready).error(), path);
  try {
    auto writer = std::make_unique<Writer>(std::move(connection));
    return std::make_unique<SqliteRepository>(std::move(writer), path, Access::read, read_connections);
  } catch (const std::system_error& error) {
    return Error{Errc::unavailable, "open catalog " + path.string() + ": no thread for it: " + error.what()};
  }
}

Result<void> is_readable(const std::filesystem::path& path, Access access) {
  MEDIA_TRY_ASSIGN(const auto connection, Connection::open(path, access));
  if (auto ready = require_up_to_date(*connection, catalog_migrations()); !ready) return named(std::move(ready).error(), path);
  return {};
}

Result<std::unique_ptr<Repository>> open_for_reading(const std::filesystem::path& path, unsigned read_connections) {
  struct stat facts{};
  if (::stat(path.c_str(), &facts) != 0) return errno_error(errno, "open catalog " + path.string());
  Access access = Access::read_only;
  auto ready = is_readable(path, access);
  if (!ready && ready.error().code == Errc::denied && is_at_rest(path)) {
    // Even reading a database in WAL mode needs the shared-memory file beside it, which a read-only filesystem does not let
    // SQLite make. Nobody writes there, so it can do without.
    access = Access::immutable;
    ready = is_readable(path, access);
  }
  if (!ready && ready.error().code == Errc::denied && ::access((path.string() + "-wal").c_str(), F_OK) == 0) {
    return Error{Errc::denied,
                 ready.error().message + " (it was not closed: to read its log, SQLite needs a folder where it may make files)"};
  }
  if (!ready) return std::move(ready).error();
  return std::make_unique<SqliteRepository>(nullptr, path, access, read_connections);
}

}  // namespace
}  // namespace sqlite

Result<std::unique_ptr<Repository>> open_sqlite_repository(const SqliteRepositoryOptions& options) {
  std::error_code failure;
  // Absolute, for connections are opened later too, and the working folder may change.
  const std::filesystem::path path = std::filesystem::absolute(options.path, failure);
  if (options.path.empty() || failure) return Error{Errc::invalid_argument, "open catalog: there is no path to it"};
  MEDIA_TRY(refuse_network_filesystem(path));
  return options.read_only ? sqlite::open_for_reading(path, options.read_connections)
                           : sqlite::open_for_writing(path, options.read_connections);
}

}  // namespace media
