/// C handles of this area.
#pragma once

#include <dirent.h>
#include <fcntl.h>

#include <memory>

#include "store/file_ops.hpp"

namespace media::store {

struct FolderStreamDeleter {
  void operator()(DIR* stream) const noexcept { ::closedir(stream); }
};
using FolderStream = std::unique_ptr<DIR, FolderStreamDeleter>;

/// A folder to be read entry by entry, never through a symbolic link; null (and errno) on failure.
inline FolderStream open_folder_stream(int folder, const char* path) {
  UniqueFd descriptor = open_at(folder, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!descriptor) return nullptr;
  FolderStream stream(::fdopendir(descriptor.get()));
  if (stream) descriptor.release();
  return stream;
}

}  // namespace media::store
