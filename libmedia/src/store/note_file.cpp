#include "store/note_file.hpp"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <span>

#include "core/errno_error.hpp"
#include "core/random.hpp"
#include "store/file_ops.hpp"

namespace media::store {
namespace {

constexpr std::size_t kMostNoteBytes = 8192;

}  // namespace

Result<std::optional<std::string>> read_note(const std::filesystem::path& path) {
  const UniqueFd file = open_at(AT_FDCWD, path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  if (!file) {
    if (errno == ENOENT || errno == ENOTDIR) return std::optional<std::string>();
    return errno_error(errno, "read " + path.string());
  }
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return errno_error(errno, "read " + path.string());
  const auto size = static_cast<std::size_t>(std::max<off_t>(status.st_size, 0));
  if (!S_ISREG(status.st_mode) || size > kMostNoteBytes) return Error{Errc::corrupt, "read " + path.string() + ": it is no note"};
  std::string text(size, '\0');
  MEDIA_TRY(read_file(file.get(), size, 0, std::as_writable_bytes(std::span(text)), "read " + path.string()));
  while (text.ends_with('\n')) text.pop_back();
  return std::optional(std::move(text));
}

Result<void> write_note(const std::filesystem::path& base_path, const char* name, const std::string& note) {
  MEDIA_TRY(make_folders(base_path));
  const auto path = base_path / name;
  const std::string temp = path.string() + '.' + random_hex(4);
  const UniqueFd file = open_at(AT_FDCWD, temp.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644);
  if (!file) return errno_error(errno, "write " + temp);
  const std::string text = note + '\n';
  auto written = write_all(file.get(), std::as_bytes(std::span(text)), 0, "write " + temp);
  if (written) written = sync_once(file.get(), "write " + temp);
  if (written && ::rename(temp.c_str(), path.c_str()) != 0) written = errno_error(errno, "write " + path.string());
  if (!written) ::unlink(temp.c_str());
  MEDIA_TRY(std::move(written));
  return sync_folder(AT_FDCWD, base_path.c_str(), base_path.string());
}

}  // namespace media::store
