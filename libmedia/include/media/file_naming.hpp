/// Blobs that are files, by name: for servers in front that send a file which they are told of.
#pragma once

#include <optional>
#include <string>

#include "media/digest.hpp"
#include "media/export.hpp"
#include "media/result.hpp"

namespace media {

/// A store in which a blob may be a file of its own. What goes out by its name is not verified by anybody on the way.
///
/// Thread-safety: as BlobStore.
class MEDIA_EXPORT FileNamingStore {
 public:
  virtual ~FileNamingStore() = default;
  FileNamingStore(const FileNamingStore&) = delete;
  FileNamingStore& operator=(const FileNamingStore&) = delete;

  /// The path of the blob's file, relative to the store's base path, with `/` between its parts and of the characters a-z, 0-9 and `/`
  /// alone. Absent where there is no such blob, or it is not a file of its own. Errors: `io`, `denied`.
  virtual Result<std::optional<std::string>> file_of(const Digest& digest) const = 0;

 protected:
  FileNamingStore() = default;
};

}  // namespace media
