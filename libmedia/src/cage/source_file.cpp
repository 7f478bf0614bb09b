#include "cage/source_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/errno_error.hpp"

namespace media::cage {
namespace {

constexpr std::size_t kPieceBytes = 1U << 20U;

Result<void> write_all(int descriptor, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno_error(errno, "copy the source for the worker");
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

Result<void> copy_by_reading(const ByteReader& source, int into) {
  const std::uint64_t size = source.size();
  std::vector<std::byte> piece(static_cast<std::size_t>(std::min<std::uint64_t>(kPieceBytes, size)));
  for (std::uint64_t at = 0; at < size;) {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), size - at));
    MEDIA_TRY_ASSIGN(const std::size_t got, source.read_at(at, std::span(piece).first(wanted)));
    if (got != wanted) return Error{Errc::corrupt, "the source got shorter while it was copied for the worker"};
    MEDIA_TRY(write_all(into, std::span(piece).first(got)));
    at += got;
  }
  return {};
}

/// Inside the kernel, where the source is a stretch of a file: false where the file system cannot.
Result<bool> copy_by_sendfile(const FileWindow& window, int into) {
  auto offset = static_cast<off_t>(window.offset);
  std::uint64_t left = window.length;
  while (left > 0) {
    const ssize_t sent = ::sendfile(into, window.descriptor, &offset, static_cast<std::size_t>(std::min<std::uint64_t>(left, 1U << 30U)));
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && (errno == EINVAL || errno == ENOSYS) && left == window.length) return false;
    if (sent < 0) return errno_error(errno, "copy the source for the worker");
    if (sent == 0) return Error{Errc::corrupt, "the source got shorter while it was copied for the worker"};
    left -= static_cast<std::uint64_t>(sent);
  }
  return true;
}

Result<void> copy(const ByteReader& source, int into) {
  if (const auto window = source.window(); window && window->length == source.size()) {
    MEDIA_TRY_ASSIGN(const bool done, copy_by_sendfile(*window, into));
    if (done) return {};
  }
  return copy_by_reading(source, into);
}

Result<UniqueFd> nameless_file(const std::filesystem::path& folder) {
  UniqueFd file(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (file) return file;
  if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL) return errno_error(errno, "make a spool file in " + folder.string());
  // Not every file system has O_TMPFILE (overlayfs learned it late): a name for as long as it takes to remove it.
  std::string name = (folder / "media-source-XXXXXX").string();
  file.reset(::mkostemp(name.data(), O_CLOEXEC));
  if (!file) return errno_error(errno, "make a spool file in " + folder.string());
  if (::unlink(name.c_str()) != 0) return errno_error(errno, "remove the name of " + name);
  return file;
}

/// The same file through a descriptor that cannot write: handed over, it gives its holder no way to change the bytes.
Result<UniqueFd> reopen_for_reading(int file) {
  UniqueFd reader(::open(("/proc/self/fd/" + std::to_string(file)).c_str(), O_RDONLY | O_CLOEXEC));
  if (!reader) return errno_error(errno, "open the spool file for reading");
  return reader;
}

}  // namespace

Result<std::size_t> DescriptorReader::read_at(std::uint64_t offset, std::span<std::byte> into) const {
  if (offset >= size_) return std::size_t{0};
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), size_ - offset));
  std::size_t have = 0;
  while (have < wanted) {
    const ssize_t got = ::pread(descriptor_, into.data() + have, wanted - have, static_cast<off_t>(offset + have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error(errno, std::string("read ") + what_);
    if (got == 0) return Error{Errc::corrupt, std::string(what_) + " is shorter than it was said to be"};
    have += static_cast<std::size_t>(got);
  }
  return have;
}

Result<std::shared_ptr<NamelessFile>> NamelessFile::open(const std::filesystem::path& folder) {
  MEDIA_TRY_ASSIGN(UniqueFd file, nameless_file(folder));
  return std::shared_ptr<NamelessFile>(new NamelessFile(std::move(file)));
}

Result<void> NamelessFile::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno_error(errno, "keep a video that is being encoded");
    offset += static_cast<std::uint64_t>(written);
    size_ = std::max(size_, offset);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

Result<std::size_t> NamelessFile::read_at(std::uint64_t offset, std::span<std::byte> into) const {
  return DescriptorReader(file_.get(), size_, "a video that was encoded").read_at(offset, into);
}

Result<UniqueFd> copy_source(const ByteReader& source, std::uint64_t max_memory_bytes, const std::filesystem::path& folder) {
  if (source.size() > max_memory_bytes) {
    MEDIA_TRY_ASSIGN(UniqueFd file, nameless_file(folder));
    MEDIA_TRY(copy(source, file.get()));
    return reopen_for_reading(file.get());
  }
  UniqueFd memory(::memfd_create("media-source", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory) return errno_error(errno, "make a memfd for the source");
  MEDIA_TRY(copy(source, memory.get()));
  if (::fcntl(memory.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0) {
    return errno_error(errno, "seal the source for the worker");
  }
  return memory;
}

}  // namespace media::cage
