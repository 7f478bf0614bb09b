// A backup takes the place of a catalog.
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

#include "core/errno_error.hpp"
#include "core/random.hpp"
#include "core/unique_fd.hpp"
#include "media/clock.hpp"
#include "media/repository.hpp"
#include "repository/sqlite_schema.hpp"
#include "repository/sqlite_unused.hpp"

namespace media {
namespace sqlite {
namespace {

namespace fs = std::filesystem;

/// Gone with its log unless it was renamed.
struct TempCatalog {
  fs::path path;
  ~TempCatalog() {
    for (const char* suffix : {"", "-wal", "-shm"}) ::unlink((path.string() + suffix).c_str());
  }
};

Result<void> copy_bytes(int from, int to, const fs::path& path) {
  std::array<char, 1U << 16U> piece{};
  for (;;) {
    const ssize_t got = ::read(from, piece.data(), piece.size());
    if (got < 0) return errno_error(errno, "read " + path.string());
    if (got == 0) return {};
    for (ssize_t done = 0; done < got;) {
      const ssize_t written = ::write(to, piece.data() + done, static_cast<std::size_t>(got - done));
      if (written < 0) return errno_error(errno, "copy " + path.string());
      done += written;
    }
  }
}

/// A whole catalog, brought up to date.
Result<void> prove(const fs::path& copy, const fs::path& backup) {
  const std::string what = "restore " + backup.string();
  MEDIA_TRY_ASSIGN(const auto connection, Connection::open(copy, Access::write));
  MEDIA_TRY(guarded(*connection, what, [&]() -> Result<void> {
    Query application(*connection, "PRAGMA application_id");
    if (!application.next() || application.integer() != kApplicationId) return Error{Errc::corrupt, what + ": it is no catalog of media"};
    Query whole(*connection, "PRAGMA integrity_check(1)");
    const std::string found = whole.next() ? whole.string() : std::string();
    if (found != "ok") return Error{Errc::corrupt, what + ": it is damaged: " + found};
    return {};
  }));
  return bring_up_to_date(*connection, catalog_migrations());
}

/// `unavailable` where another program has the catalog open.
Result<void> require_unused(const fs::path& catalog) {
  auto opened = Connection::open(catalog, Access::write);
  // A damaged one is why somebody restores: it cannot be asked.
  if (!opened && opened.error().code == Errc::corrupt) return {};
  if (!opened) return std::move(opened).error();
  auto alone = take_alone(**opened, "restore the catalog: " + catalog.string());
  (*opened)->roll_back();
  if (alone || alone.error().code == Errc::corrupt) return {};
  return alone;
}

std::string stamp(Timestamp now) {
  std::string text = to_rfc3339(now);
  std::erase(text, ':');
  return text;
}

}  // namespace
}  // namespace sqlite

Result<std::filesystem::path> restore_sqlite_catalog(const std::filesystem::path& backup, const std::filesystem::path& catalog) {
  const UniqueFd from(::open(backup.c_str(), O_RDONLY | O_CLOEXEC));
  if (!from) return errno_error(errno, "restore " + backup.string());
  struct stat status{};
  if (::fstat(from.get(), &status) != 0 || !S_ISREG(status.st_mode))
    return Error{Errc::invalid_argument, "restore " + backup.string() + ": it is no file"};
  const UniqueFd folder(::open(catalog.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return errno_error(errno, "restore to " + catalog.string());

  const sqlite::TempCatalog temp{catalog.string() + ".new-" + random_hex(8)};
  {
    const UniqueFd to(::open(temp.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!to) return errno_error(errno, "restore to " + catalog.string());
    MEDIA_TRY(sqlite::copy_bytes(from.get(), to.get(), backup));
    if (::fsync(to.get()) != 0) return errno_error(errno, "restore to " + catalog.string());
  }
  MEDIA_TRY(sqlite::prove(temp.path, backup));

  std::filesystem::path former;
  if (::access(catalog.c_str(), F_OK) == 0) {
    MEDIA_TRY(sqlite::require_unused(catalog));
    former = catalog.string() + ".before-" + sqlite::stamp(SystemClock().now());
    // Its log with it, which is a part of it, and empty where the catalog was closed well. The catalog itself has both names until the new
    // one takes its own: at no moment is there none.
    for (const char* suffix : {"-wal", "-shm"}) {
      if (::rename((catalog.string() + suffix).c_str(), (former.string() + suffix).c_str()) != 0 && errno != ENOENT) {
        return errno_error(errno, "set the former catalog aside");
      }
    }
    if (::link(catalog.c_str(), former.c_str()) != 0) return errno_error(errno, "set the former catalog aside");
  }
  if (::rename(temp.path.c_str(), catalog.c_str()) != 0 || ::fsync(folder.get()) != 0) {
    return errno_error(errno, "restore to " + catalog.string());
  }
  return former;
}

}  // namespace media
