#include "store/shared_file.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "core/errno_error.hpp"
#include "store/file_ops.hpp"
#include "store/staged_file.hpp"

namespace media::store {
namespace {

constexpr mode_t kReadBits = S_IRUSR | S_IRGRP | S_IROTH;
constexpr mode_t kWriteBits = S_IWUSR | S_IWGRP | S_IWOTH;
constexpr mode_t kPermissionBits = 07777;

SharedFile copied_because(std::string reason) { return SharedFile{nullptr, std::move(reason)}; }

/// Digest and size of what the file holds now.
struct Hashed {
  Digest digest;
  std::uint64_t size = 0;
};

Result<Hashed> hash_file(int descriptor) {
  struct stat status{};
  if (::fstat(descriptor, &status) != 0) return errno_error(errno, "stat a shared file");
  ::posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL);
  const auto size = static_cast<std::uint64_t>(status.st_size);
  Sha256 hasher;
  std::vector<std::byte> piece(static_cast<std::size_t>(std::min<std::uint64_t>(size, 256U << 10U)));
  for (std::uint64_t at = 0; at < size;) {
    MEDIA_TRY_ASSIGN(const std::size_t got, read_file(descriptor, size, at, piece, "read a shared file"));
    hasher.update(std::span(piece).first(got));
    at += got;
  }
  return Hashed{hasher.finish(), size};
}

/// While it lives no program can open the file for writing, and none had it open when it was made: the kernel refuses the lease then, and
/// breaks it before it lets somebody in.
class NobodyWrites {
 public:
  explicit NobodyWrites(int file) : file_(file) {
    // A lease that is being broken is told by SIGIO, which would end the process; SIGURG is ignored unless somebody asked for it.
    held_ = ::fcntl(file, F_SETSIG, SIGURG) == 0 && ::fcntl(file, F_SETLEASE, F_RDLCK) == 0;
    failure_ = held_ ? 0 : errno;
  }
  ~NobodyWrites() {
    if (held_) ::fcntl(file_, F_SETLEASE, F_UNLCK);
  }
  NobodyWrites(const NobodyWrites&) = delete;
  NobodyWrites& operator=(const NobodyWrites&) = delete;

  /// True up to now.
  [[nodiscard]] bool holds() const { return held_ && ::fcntl(file_, F_GETLEASE) == F_RDLCK; }
  [[nodiscard]] int failure() const { return failure_; }

 private:
  int file_;
  bool held_ = false;
  int failure_ = 0;
};

}  // namespace

Result<TakenPermissions> TakenPermissions::take(int source) {
  struct stat status{};
  if (::fstat(source, &status) != 0) return errno_error(errno, "stat a file");
  if ((status.st_mode & kWriteBits) == 0) return TakenPermissions(UniqueFd(), 0, 0);
  UniqueFd file(::fcntl(source, F_DUPFD_CLOEXEC, 0));
  if (!file) return errno_error(errno, "keep a file open");
  if (::fchmod(source, status.st_mode & kReadBits) != 0) return errno_error(errno, "make a file read-only");
  return TakenPermissions(std::move(file), status.st_mode & kPermissionBits, status.st_nlink);
}

TakenPermissions& TakenPermissions::operator=(TakenPermissions&& other) noexcept {
  give_back();
  file_ = std::move(other.file_);
  before_ = other.before_;
  names_ = other.names_;
  return *this;
}

void TakenPermissions::give_back() noexcept {
  // Best effort: what stays read-only is its owner's to change. With more names than before it may be a blob by now, linked by somebody
  // else who found it read-only already.
  struct stat now{};
  if (file_ && ::fstat(file_.get(), &now) == 0 && now.st_nlink <= names_) ::fchmod(file_.get(), before_);
  file_.reset();
}

Result<SharedFile> reflink_file(const std::shared_ptr<TempFolder>& folder, int source) {
  MEDIA_TRY_ASSIGN(TempFile file, TempFile::create(folder));
  if (::ioctl(file.descriptor(), FICLONE, source) != 0) {
    switch (errno) {
      case EXDEV:
        return copied_because("it is on another file system than the store");
      case EOPNOTSUPP:
      case ENOTTY:
      case ENOSYS:
      case EINVAL:
      case EPERM:
      case ETXTBSY:
        return copied_because("this file system cannot share the blocks of files");
      default:
        return as_publish_error(errno_error(errno, "share the blocks of a file"));
    }
  }
  // The clone is hashed and not the source, which may change by now.
  MEDIA_TRY_ASSIGN(const Hashed hashed, hash_file(file.descriptor()));
  SharedFile shared;
  shared.staged = std::make_unique<FileStaged>(folder, hashed.digest, hashed.size, std::vector<std::byte>(), std::move(file));
  return shared;
}

Result<SharedFile> link_file(const std::shared_ptr<TempFolder>& folder, int source) {
  struct stat before{};
  struct stat home{};
  if (::fstat(source, &before) != 0 || ::fstat(folder->descriptor(), &home) != 0) return errno_error(errno, "stat a file");
  if (before.st_dev != home.st_dev) return copied_because("it is on another file system than the store");
  if (before.st_uid != ::geteuid()) return copied_because("it belongs to another user, who could change it later");

  auto permissions = TakenPermissions::take(source);
  if (!permissions) return copied_because(permissions.error().message);
  const NobodyWrites lease(source);
  if (!lease.holds()) {
    return copied_because(lease.failure() == EAGAIN ? "a program has it open for writing"
                                                    : "this system cannot tell whether a program has it open for writing");
  }
  // By its descriptor: the name may be another file's by now.
  const std::string name = folder->next_name();
  const std::string opened = "/proc/self/fd/" + std::to_string(source);
  if (::linkat(AT_FDCWD, opened.c_str(), folder->descriptor(), name.c_str(), AT_SYMLINK_FOLLOW) != 0) {
    if (errno == ENOSPC || errno == EDQUOT || errno == EIO) return as_publish_error(errno_error(errno, "link a file"));
    if (errno == EXDEV) return copied_because("it is on another file system, or mount, than the store");
    return copied_because(errno_error(errno, "link a file").message);
  }
  MEDIA_TRY_ASSIGN(TempFile file, TempFile::adopt(folder, name));
  MEDIA_TRY_ASSIGN(const Hashed hashed, hash_file(file.descriptor()));
  if (!lease.holds()) return copied_because("a program opened it for writing meanwhile");
  SharedFile shared;
  auto staged = std::make_unique<FileStaged>(folder, hashed.digest, hashed.size, std::vector<std::byte>(), std::move(file));
  staged->permissions = std::move(*permissions);
  shared.staged = std::move(staged);
  return shared;
}

}  // namespace media::store

namespace media {

std::string_view to_string(FileSharing sharing) noexcept {
  switch (sharing) {
    case FileSharing::none:
      return "none";
    case FileSharing::reflink:
      return "reflink";
    case FileSharing::link:
      return "link";
  }
  return "none";
}

}  // namespace media
