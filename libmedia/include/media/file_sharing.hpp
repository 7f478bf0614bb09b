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

  /// Stages the whole of an open regular file, hashed from what the store has then. One that cannot be read is to be copied as well: the
  /// copy then fails, by what the caller reads.
  ///
  /// Errors: `no_space`, `io`, `denied` (a store open for reading), `unavailable`.
  virtual Result<SharedFile> share(int descriptor, FileSharing how) = 0;

 protected:
  FileSharingStore() = default;
};

}  // namespace media
