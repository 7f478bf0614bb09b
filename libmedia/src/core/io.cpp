#include "media/io.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "core/errno_error.hpp"
#include "core/unique_fd.hpp"

namespace media {

Result<std::unique_ptr<FileReader>> FileReader::open(const std::filesystem::path& path) {
  // O_NONBLOCK: opening a FIFO must not wait for somebody to write into it.
  UniqueFd descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!descriptor) {
    if (errno == ENXIO) return Error{Errc::invalid_argument, "open " + path.string() + ": not a regular file"};
    return errno_error(errno, "open " + path.string());
  }
  struct stat status{};
  if (::fstat(descriptor.get(), &status) != 0) return errno_error(errno, "stat " + path.string());
  if (S_ISDIR(status.st_mode)) return Error{Errc::invalid_argument, "open " + path.string() + ": a folder, not a file"};
  if (!S_ISREG(status.st_mode)) return Error{Errc::invalid_argument, "open " + path.string() + ": not a regular file"};
  return std::unique_ptr<FileReader>(new FileReader(descriptor.release(), static_cast<std::uint64_t>(status.st_size)));
}

FileReader::~FileReader() { ::close(descriptor_); }

Result<std::size_t> FileReader::read_at(std::uint64_t offset, std::span<std::byte> into) const {
  if (offset >= size_) return std::size_t{0};
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), size_ - offset));
  std::size_t have = 0;
  while (have < wanted) {
    const ssize_t got = ::pread(descriptor_, into.data() + have, wanted - have, static_cast<off_t>(offset + have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error(errno, "read");
    if (got == 0) return Error{Errc::corrupt, "the file got shorter while it was read"};
    have += static_cast<std::size_t>(got);
  }
  return have;
}

std::optional<FileWindow> FileReader::window() const { return FileWindow{descriptor_, 0, size_}; }

MemoryReader::MemoryReader(std::vector<std::byte> owned) : owned_(std::move(owned)), view_(owned_) {}

Result<std::size_t> MemoryReader::read_at(std::uint64_t offset, std::span<std::byte> into) const {
  if (offset >= view_.size()) return std::size_t{0};
  const std::size_t count = std::min<std::size_t>(into.size(), view_.size() - static_cast<std::size_t>(offset));
  if (count > 0) std::memcpy(into.data(), view_.data() + offset, count);
  return count;
}

Result<std::vector<std::byte>> read_all(const ByteReader& reader, std::uint64_t limit_bytes) {
  if (reader.size() > limit_bytes) {
    return Error{Errc::too_large, "the content has " + std::to_string(reader.size()) + " bytes, more than " + std::to_string(limit_bytes)};
  }
  std::vector<std::byte> out(static_cast<std::size_t>(reader.size()));
  MEDIA_TRY_ASSIGN(const std::size_t got, reader.read_at(0, out));
  if (got != out.size()) return Error{Errc::corrupt, "the content got shorter while it was read"};
  return out;
}

}  // namespace media
