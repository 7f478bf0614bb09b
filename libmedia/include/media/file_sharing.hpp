/// Files that a store on the same file system takes in without copying their bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "media/blob_store.hpp"
#include "media/export.hpp"
#include "media/result.hpp"

namespace media {

enum class FileSharing : std::uint8_t {
  none,     ///< The bytes are copied.
  reflink,  ///< The blob is a file of its own on the source's blocks, until one of the two changes (FICLONE of btrfs and XFS).
  link,     ///< The source becomes the blob: another name of the same file, which nobody may write to from then on.
};
MEDIA_EXPORT std::string_view to_string(FileSharing sharing) noexcept;

struct SharedFile {
  std::unique_ptr<Staged> staged{};  ///< Null where the file has to be copied.
  std::string reason{};              ///< Why it has to be.
};

/// A store that can share files. What cannot be shared, or not safely, is no error: it is said why, and to be copied.
///
/// Thread-safety: as BlobStore.
class MEDIA_EXPORT FileSharingStore {
 public:
  virtual ~FileSharingStore() = default;
  FileSharingStore(const FileSharingStore&) = delete;
  FileSharingStore& operator=(const FileSharingStore&) = delete;

  /// Stages the whole of an open regular file, hashed from what the store has then.
  ///
  /// `link` makes the file read-only for everybody and keeps it so once it is published; unpublished it gets its permissions back. It is
  /// done only to a file that belongs to this process's user (another owner could make it writable again) and that no program has open for
  /// writing, from before it is hashed until after; a program that asks for that meanwhile waits. Who may do anything (its owner by chmod,
  /// root) can still change it later: such a blob is found out when it is read next, as one that was touched.
  ///
  /// `descriptor` is open for reading alone, and has no lease on it. Errors: `no_space`, `io`, `denied` (a store open for reading),
  /// `unavailable`.
  virtual Result<SharedFile> share(int descriptor, FileSharing how) = 0;

 protected:
  FileSharingStore() = default;
};

}  // namespace media
