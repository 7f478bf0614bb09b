/// The files that the command line means, one after the other.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace mediactl {

/// A folder by what it is, not by one of its names.
struct FolderId {
  dev_t device = 0;
  ino_t inode = 0;
  friend bool operator==(const FolderId&, const FolderId&) = default;

  /// Absent where there is no such folder.
  static std::optional<FolderId> of(const std::string& path);
};

/// Something met on the walk.
struct Found {
  enum class Kind : std::uint8_t {
    file,          ///< To be read. It may be gone, or something else, by the time it is opened.
    unusable,      ///< Named or met, but not a file that can be read: `reason` says why.
    skipped_link,  ///< A symbolic link inside a folder: never followed.
    skipped_store  ///< The store's own folder.
  };
  Kind kind = Kind::file;
  std::string path;
  std::string reason;
};

/// Calls `visit` for each file: those on the command line in their order, a folder's content sorted by name, folders depth first. Holds the
/// names of the folders that it is in, never the whole list. Symbolic links named on the command line are followed, those inside folders
/// are not, so there are no loops. Hidden files count. `visit` returns false to stop.
void walk(const std::vector<std::string>& roots, const std::optional<FolderId>& store, const std::function<bool(Found)>& visit);

}  // namespace mediactl
