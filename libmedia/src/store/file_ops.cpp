#include "store/file_ops.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/errno_error.hpp"

namespace media::store {

UniqueFd open_at(int folder, const char* path, int flags, unsigned mode) {
  int descriptor = -1;
  do {
    descriptor = ::openat(folder, path, flags | O_CLOEXEC, mode);
  } while (descriptor < 0 && errno == EINTR);
  return UniqueFd(descriptor);
}

Result<void> write_all(int descriptor, std::span<const std::byte> piece, std::uint64_t offset, std::string_view what) {
  while (!piece.empty()) {
    const ssize_t written = ::pwrite(descriptor, piece.data(), piece.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno_error(errno, what);
    // A regular file never takes 0 of some bytes without an error; looping on it would never end.
    if (written == 0) return Error{Errc::io, std::string(what) + ": nothing was written"};
    piece = piece.subspan(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
  return {};
}

Result<std::size_t> read_file(int descriptor, std::uint64_t size, std::uint64_t offset, std::span<std::byte> into, std::string_view what) {
  if (offset >= size) return std::size_t{0};
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), size - offset));
  std::size_t have = 0;
  while (have < wanted) {
    const ssize_t got = ::pread(descriptor, into.data() + have, wanted - have, static_cast<off_t>(offset + have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error(errno, what);
    if (got == 0) return Error{Errc::corrupt, std::string(what) + ": it got shorter meanwhile"};
    have += static_cast<std::size_t>(got);
  }
  return have;
}

Result<void> sync_once(int descriptor, std::string_view what) {
  if (::fsync(descriptor) != 0) return errno_error(errno, what);
  return {};
}

Result<void> write_all_of(int descriptor, std::span<struct iovec> pieces, std::uint64_t offset, std::string_view what) {
  constexpr std::size_t kAtOnce = 1024;  // IOV_MAX of Linux
  while (!pieces.empty()) {
    if (pieces.front().iov_len == 0) {
      pieces = pieces.subspan(1);
      continue;
    }
    const auto count = static_cast<int>(std::min(pieces.size(), kAtOnce));
    const ssize_t written = ::pwritev(descriptor, pieces.data(), count, static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno_error(errno, what);
    if (written == 0) return Error{Errc::io, std::string(what) + ": nothing was written"};
    offset += static_cast<std::uint64_t>(written);
    for (auto left = static_cast<std::size_t>(written); left > 0;) {
      struct iovec& piece = pieces.front();
      const std::size_t taken = std::min(left, piece.iov_len);
      piece.iov_base = static_cast<std::byte*>(piece.iov_base) + taken;
      piece.iov_len -= taken;
      left -= taken;
      if (piece.iov_len == 0) pieces = pieces.subspan(1);
    }
  }
  return {};
}

Result<void> sync_data_once(int descriptor, std::string_view what) {
  if (::fdatasync(descriptor) != 0) return errno_error(errno, what);
  return {};
}

Result<void> start_write_out(int descriptor, std::uint64_t offset, std::uint64_t length, std::string_view what) {
  if (::sync_file_range(descriptor, static_cast<off_t>(offset), static_cast<off_t>(length), SYNC_FILE_RANGE_WRITE) == 0) return {};
  // It is a hint: a filesystem or kernel without it is no failure. Everything else is a failed write.
  if (errno == ENOSYS || errno == EINVAL || errno == ESPIPE || errno == EOPNOTSUPP || errno == EINTR) return {};
  return errno_error(errno, what);
}

Error as_publish_error(Error error) {
  switch (error.code) {
    case Errc::no_space:
    case Errc::io:
    case Errc::denied:
    case Errc::unavailable:
      return error;
    default:
      return Error{Errc::io, std::move(error.message)};
  }
}

Result<void> sync_folder(int folder, const char* path, std::string_view shown) {
  const UniqueFd descriptor = open_at(folder, path, O_RDONLY | O_DIRECTORY);
  if (!descriptor) return errno_error(errno, "open folder " + std::string(shown));
  return sync_once(descriptor.get(), "sync folder " + std::string(shown));
}

std::string identity_of(const struct stat& status) {
  constexpr std::int64_t kNanoseconds = 1'000'000'000;
  return std::to_string(status.st_ino) + ':' + std::to_string(status.st_size) + ':' +
         std::to_string(status.st_ctim.tv_sec * kNanoseconds + status.st_ctim.tv_nsec);
}

Result<void> make_folders(const std::filesystem::path& path) {
  if (::mkdir(path.c_str(), 0755) == 0) {
    const auto parent = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
    return sync_folder(AT_FDCWD, parent.c_str(), parent.string());
  }
  const int failure = errno;
  if (failure == EEXIST || failure == EROFS || failure == EACCES) {
    struct stat status{};
    if (::stat(path.c_str(), &status) == 0) {
      if (S_ISDIR(status.st_mode)) return {};
      return Error{Errc::invalid_argument, path.string() + " is not a folder"};
    }
  }
  if (failure == ENOTDIR) return Error{Errc::invalid_argument, path.string() + ": a part of the path is not a folder"};
  const auto parent = path.parent_path();
  if (failure == ENOENT && !parent.empty() && parent != path && ::access(parent.c_str(), F_OK) != 0) {
    MEDIA_TRY(make_folders(parent));
    return make_folders(path);
  }
  Error error = errno_error(failure, "make folder " + path.string());
  // The parent is there and still nothing can be made in it (/proc): that is no absence of the caller's object.
  if (error.code == Errc::not_found) error.code = Errc::io;
  return error;
}

}  // namespace media::store
