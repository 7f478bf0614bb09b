#include "input_file.hpp"

#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <chrono>
#include <utility>

namespace mediactl {
namespace {

/// What tells this file from another one under the same name, or from itself after a change. Empty where it cannot be told.
std::string identity_of(const media::FileReader& file) {
  const auto window = file.window();
  struct stat status{};
  if (!window || ::fstat(window->descriptor, &status) != 0) return {};
  return std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino) + ":" + std::to_string(status.st_size) + ":" +
         std::to_string(status.st_mtim.tv_sec) + "." + std::to_string(status.st_mtim.tv_nsec);
}

std::int64_t nanoseconds_of(const struct timespec& time) { return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

FileState state_from(const struct stat& status) {
  return {status.st_ino, static_cast<std::uint64_t>(status.st_size), nanoseconds_of(status.st_mtim), nanoseconds_of(status.st_ctim)};
}

std::optional<FileState> state_of(const media::FileReader& file) {
  const auto window = file.window();
  struct stat status{};
  if (!window || ::fstat(window->descriptor, &status) != 0) return std::nullopt;
  return state_from(status);
}

/// FAT has no time of change: what is told there in its place is the time of modification, which anybody can put back.
bool keeps_changes(const media::FileReader& file) {
  const auto window = file.window();
  struct statfs status{};
  if (!window || ::fstatfs(window->descriptor, &status) != 0) return false;
  const auto magic = static_cast<unsigned long>(status.f_type) & 0xFFFFFFFFUL;
  return magic != MSDOS_SUPER_MAGIC && magic != EXFAT_SUPER_MAGIC;
}

std::optional<Looked> look_at(const media::FileReader& file) {
  using std::chrono::nanoseconds;
  // Before the look: what changes in between counts as later.
  const auto now = std::chrono::duration_cast<nanoseconds>(std::chrono::system_clock::now().time_since_epoch());
  const auto state = state_of(file);
  if (!state || !keeps_changes(file)) return std::nullopt;
  return Looked{*state, now.count()};
}

}  // namespace

std::optional<FileState> state_of(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  return state_from(status);
}

media::Result<std::unique_ptr<InputFile>> InputFile::open(const std::string& path) {
  MEDIA_TRY_ASSIGN(std::shared_ptr<const media::FileReader> file, media::FileReader::open(path));
  std::string identity = identity_of(*file);
  auto looked = look_at(*file);
  return std::unique_ptr<InputFile>(new InputFile(path, std::move(file), std::move(identity), std::move(looked)));
}

InputFile::InputFile(std::string path, std::shared_ptr<const media::FileReader> file, std::string identity, std::optional<Looked> looked)
    : path_(std::move(path)), size_(file->size()), identity_(std::move(identity)), looked_(std::move(looked)), file_(std::move(file)) {}

std::optional<media::FileWindow> InputFile::window() const {
  const std::lock_guard lock(mutex_);
  return file_ ? file_->window() : std::nullopt;
}

std::optional<Looked> InputFile::unchanged() const {
  const std::lock_guard lock(mutex_);
  if (!file_ || !looked_ || state_of(*file_) != looked_->state) return std::nullopt;
  return looked_;
}

media::Result<std::size_t> InputFile::read_at(std::uint64_t offset, std::span<std::byte> into) const {
  auto file = opened();
  auto got = file ? (*file)->read_at(offset, into) : media::Result<std::size_t>(std::move(file).error());
  if (!got) failed_.store(true);
  return got;
}

void InputFile::let_go() noexcept {
  const std::lock_guard lock(mutex_);
  file_.reset();
}

media::Result<std::shared_ptr<const media::FileReader>> InputFile::opened() const {
  const std::lock_guard lock(mutex_);
  if (!file_) {
    MEDIA_TRY_ASSIGN(std::shared_ptr<const media::FileReader> file, media::FileReader::open(path_));
    if (identity_of(*file) != identity_) return media::Error{media::Errc::corrupt, "the file changed while it was read"};
    file_ = std::move(file);
  }
  return file_;
}

}  // namespace mediactl
