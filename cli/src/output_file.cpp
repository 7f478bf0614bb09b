#include "output_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "system_error.hpp"

namespace mediactl {

media::Result<OutputFile> OutputFile::open(const std::string& path) {
  std::string target = path;
  struct stat status{};
  if (::stat(path.c_str(), &status) == 0) {
    if (S_ISDIR(status.st_mode)) return media::Error{media::Errc::invalid_argument, "write " + path + ": a folder, not a file"};
    if (!S_ISREG(status.st_mode)) {
      const int descriptor = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY);
      if (descriptor < 0) return system_error(errno, "open " + path);
      return OutputFile(descriptor, path, {});
    }
    // Through a symbolic link to the file that it names: the link stays.
    std::error_code error;
    const std::filesystem::path real = std::filesystem::canonical(path, error);
    if (!error) target = real.string();
  }
  static std::atomic<unsigned> serial{0};
  const std::filesystem::path folder = std::filesystem::path(target).parent_path();
  // A short name of its own: the target's may be as long as a name can be already.
  const std::string temp =
      ((folder.empty() ? "." : folder) / (".mediactl-" + std::to_string(::getpid()) + "-" + std::to_string(serial.fetch_add(1)) + ".tmp"))
          .string();
  const int descriptor = ::open(temp.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor < 0) return system_error(errno, "write " + path);
  return OutputFile(descriptor, target, temp);
}

OutputFile::OutputFile(int descriptor, std::string path, std::string temp_path)
    : descriptor_(descriptor), path_(std::move(path)), temp_path_(std::move(temp_path)) {}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), path_(std::move(other.path_)), temp_path_(std::exchange(other.temp_path_, {})) {}

OutputFile::~OutputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temp_path_.empty()) ::unlink(temp_path_.c_str());
}

media::Result<void> OutputFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return system_error(errno, "write " + path_);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

media::Result<void> OutputFile::commit() {
  // close(2) is where a network filesystem tells of a full disk.
  if (::close(std::exchange(descriptor_, -1)) != 0) return system_error(errno, "write " + path_);
  if (temp_path_.empty()) return {};
  if (::rename(temp_path_.c_str(), path_.c_str()) != 0) return system_error(errno, "write " + path_);
  temp_path_.clear();
  return {};
}

}  // namespace mediactl
