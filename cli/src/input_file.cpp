#include "input_file.hpp"

#include <sys/stat.h>

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

}  // namespace

media::Result<std::unique_ptr<InputFile>> InputFile::open(const std::string& path) {
  MEDIA_TRY_ASSIGN(std::shared_ptr<const media::FileReader> file, media::FileReader::open(path));
  std::string identity = identity_of(*file);
  return std::unique_ptr<InputFile>(new InputFile(path, std::move(file), std::move(identity)));
}

InputFile::InputFile(std::string path, std::shared_ptr<const media::FileReader> file, std::string identity)
    : path_(std::move(path)), size_(file->size()), identity_(std::move(identity)), file_(std::move(file)) {}

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
