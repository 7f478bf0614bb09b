/// A file that appears whole or not at all.
#pragma once

#include <span>
#include <string>

#include "media/result.hpp"

namespace mediactl {

/// Bytes go to a temp file beside the target and take its name at `commit`; destroying it uncommitted leaves nothing. A target
/// that is no regular file (a FIFO, /dev/null) is written straight: nothing may be renamed over a device.
/// Not synced: what is written here can be made again.
///
/// Thread-safety: none; one file, one writer.
class OutputFile {
 public:
  /// Errors: `not_found` (its folder), `denied`, `invalid_argument` (a folder), `io`. Messages name the path.
  static media::Result<OutputFile> open(const std::string& path);
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  OutputFile(const OutputFile&) = delete;
  ~OutputFile();

  media::Result<void> write(std::span<const std::byte> bytes);
  media::Result<void> commit();

 private:
  OutputFile(int descriptor, std::string path, std::string temp_path);

  int descriptor_;
  std::string path_;
  std::string temp_path_;  ///< Empty where the target is written straight, and once committed.
};

}  // namespace mediactl
