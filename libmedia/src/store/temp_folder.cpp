#include "store/temp_folder.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <string_view>
#include <vector>

#include "core/errno_error.hpp"
#include "core/random.hpp"
#include "store/file_ops.hpp"
#include "store/handles.hpp"

namespace media::store {
namespace {

constexpr const char* kLockName = "lock";
constexpr std::size_t kInstanceBytes = 16;

/// Only folders named as ours are swept: TEMP_PATH may be a place that others use too.
bool is_instance_name(std::string_view name) {
  return name.size() == 2 * kInstanceBytes && name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::vector<std::string> names_in(int folder) {
  std::vector<std::string> names;
  const FolderStream stream = open_folder_stream(folder, ".");
  if (!stream) return names;
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  return names;
}

/// The locked lock file of a folder; invalid where another holds it, or where it was removed meanwhile: whoever
/// waited for a lock on a file that is unlinked by now holds nothing.
UniqueFd lock_folder(int folder) {
  UniqueFd lock = open_at(folder, kLockName, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
  if (!lock) return {};
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return {};
  struct stat status{};
  if (::fstat(lock.get(), &status) != 0 || status.st_nlink == 0) return {};
  return lock;
}

/// Removes a locked folder with its files, the lock last: until then nobody else can take it for dead or for theirs.
void remove_locked(int temp, const std::string& name, int folder) {
  for (const auto& file : names_in(folder)) {
    if (file != kLockName) ::unlinkat(folder, file.c_str(), 0);
  }
  ::unlinkat(folder, kLockName, 0);
  // Fails where a starting process has just put a new lock file there; the folder is its own then.
  ::unlinkat(temp, name.c_str(), AT_REMOVEDIR);
}

/// Best effort: what cannot be removed now (a folder of another user) stays for the next start.
void sweep(int temp) {
  for (const auto& name : names_in(temp)) {
    if (!is_instance_name(name)) continue;
    const UniqueFd folder = open_at(temp, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!folder) continue;
    const UniqueFd lock = lock_folder(folder.get());
    if (lock) remove_locked(temp, name, folder.get());
  }
}

}  // namespace

Result<TempFile> TempFile::create(std::shared_ptr<TempFolder> folder) {
  std::string name = folder->next_name();
  // 0444: blobs never change, so the mode that the file will have under its final name is the one it is made with.
  UniqueFd descriptor = open_at(folder->descriptor(), name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0444);
  if (!descriptor) {
    if (errno == ENOENT) return Error{Errc::unavailable, "make a temp file: the store's temp folder was removed"};
    return errno_error(errno, "make a temp file");
  }
  return TempFile(std::move(folder), std::move(descriptor), std::move(name));
}

TempFile& TempFile::operator=(TempFile&& other) noexcept {
  discard();
  folder_ = std::move(other.folder_);
  descriptor_ = std::move(other.descriptor_);
  name_ = std::move(other.name_);
  return *this;
}

void TempFile::discard() noexcept {
  if (folder_) ::unlinkat(folder_->descriptor(), name_.c_str(), 0);
  folder_.reset();
}

Result<std::shared_ptr<TempFolder>> TempFolder::open(const std::filesystem::path& temp) {
  UniqueFd parent = open_at(AT_FDCWD, temp.c_str(), O_RDONLY | O_DIRECTORY);
  if (!parent) return errno_error(errno, "open temp folder " + temp.string());
  sweep(parent.get());
  // Between the making of the folder and the lock a sweeper may take it for dead; then another is made.
  constexpr int kAttempts = 16;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    std::string name = random_hex(kInstanceBytes);
    if (::mkdirat(parent.get(), name.c_str(), 0700) != 0) return errno_error(errno, "make a folder in " + temp.string());
    UniqueFd folder = open_at(parent.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!folder) {
      if (errno == ENOENT) continue;
      const int failure = errno;
      ::unlinkat(parent.get(), name.c_str(), AT_REMOVEDIR);
      return errno_error(failure, "open a folder in " + temp.string());
    }
    errno = 0;
    UniqueFd lock = lock_folder(folder.get());
    const int failure = errno;
    if (lock) return std::shared_ptr<TempFolder>(new TempFolder(std::move(parent), std::move(folder), std::move(lock), std::move(name)));
    if (failure != 0 && failure != ENOENT && failure != EWOULDBLOCK && failure != EINTR) {
      ::unlinkat(folder.get(), kLockName, 0);
      ::unlinkat(parent.get(), name.c_str(), AT_REMOVEDIR);
      return errno_error(failure, "lock a folder in " + temp.string());
    }
  }
  return Error{Errc::unavailable, "make a folder in " + temp.string() + ": other processes keep sweeping it away"};
}

TempFolder::~TempFolder() {
  try {
    remove_locked(temp_.get(), name_, folder_.get());
  } catch (const std::bad_alloc&) {
    // The next start sweeps it.
  }
}

}  // namespace media::store
