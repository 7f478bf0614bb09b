#include "store/shared_file.hpp"

#include <fcntl.h>
#include <linux/fs.h>
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

}  // namespace

Result<SharedFile> reflink_file(const std::shared_ptr<TempFolder>& folder, int source) {
  MEDIA_TRY_ASSIGN(TempFile file, TempFile::create(folder));
  if (::ioctl(file.descriptor(), FICLONE, source) != 0) {
    switch (errno) {
      case ENOSPC:
      case EDQUOT:
        return as_publish_error(errno_error(errno, "share the blocks of a file"));
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
        // Of the source as likely as of the store: the copy tells which.
        return copied_because(errno_error(errno, "share the blocks of a file").message);
    }
  }
  // The clone is hashed and not the source, which may change by now. Its blocks are the source's, and so are their faults.
  const auto hashed = hash_file(file.descriptor());
  if (!hashed) return copied_because(hashed.error().message);
  SharedFile shared;
  shared.staged = std::make_unique<FileStaged>(folder, hashed->digest, hashed->size, std::vector<std::byte>(), std::move(file));
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
  }
  return "none";
}

}  // namespace media
