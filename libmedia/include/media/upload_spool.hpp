/// Where the bytes of unfinished uploads wait: appended to over many requests, and there again after a crash.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "media/export.hpp"
#include "media/io.hpp"
#include "media/result.hpp"

namespace media {

/// One upload's bytes, held by one writer. Destroying it forgets what was appended since the last `settle`, and lets the next one in.
///
/// Thread-safety: none; one writer, one stream.
class MEDIA_EXPORT SpooledUpload {
 public:
  virtual ~SpooledUpload() = default;
  SpooledUpload(const SpooledUpload&) = delete;
  SpooledUpload& operator=(const SpooledUpload&) = delete;

  /// Everything appended so far.
  [[nodiscard]] virtual std::uint64_t length() const noexcept = 0;
  /// What of it is on stable storage: the only length that may be told to anybody.
  [[nodiscard]] virtual std::uint64_t settled_length() const noexcept = 0;
  /// Appends at `offset`, which must be `length()` (`conflict` otherwise: bytes are neither skipped nor written twice).
  /// Errors besides: `no_space`, `io`, `denied`, `unavailable`. After one of these only destruction and `settled_length` are allowed.
  virtual Result<void> append(std::uint64_t offset, std::span<const std::byte> piece) = 0;
  /// Brings everything appended to stable storage; only then does it count. Errors and what follows them: as of `append`.
  virtual Result<void> settle() = 0;
  /// Forgets what was appended since the last `settle`.
  virtual Result<void> discard() = 0;

 protected:
  SpooledUpload() = default;
};

struct SpoolPage {
  std::vector<std::string> ids{};
  /// Pass to the next call; empty after the last page.
  std::string next_cursor{};
};

/// The bytes of unfinished uploads, by id: 1 to 64 lower-case letters and digits. One contract suite (tests/contract) says what every
/// spool must do.
///
/// Thread-safety: every method may be called concurrently, by several processes on one spool too.
class MEDIA_EXPORT UploadSpool {
 public:
  virtual ~UploadSpool() = default;
  UploadSpool(const UploadSpool&) = delete;
  UploadSpool& operator=(const UploadSpool&) = delete;

  /// Makes an empty upload and holds it: nobody can take it for abandoned before its maker has written down that it exists.
  /// Errors: `already_exists`, `invalid_argument` (the id), `no_space`, `io`, `denied`, `unavailable`.
  virtual Result<std::unique_ptr<SpooledUpload>> create(const std::string& id) = 0;
  /// Holds an upload; never waits. Errors: `not_found`, `unavailable` (another has it), `corrupt`, `io`, `denied`.
  virtual Result<std::unique_ptr<SpooledUpload>> open(const std::string& id) = 0;
  /// The settled length, whoever holds the upload; absent where there is no such upload. Errors: `corrupt`, `io`, `denied`.
  virtual Result<std::optional<std::uint64_t>> settled_length(const std::string& id) const = 0;
  /// The settled bytes of this moment, to be read. Errors: `not_found`, `corrupt`, `io`, `denied`.
  virtual Result<std::unique_ptr<ByteReader>> content(const std::string& id) const = 0;
  /// Removes an upload; false where there was none. Whoever holds it or reads it goes on with bytes that nobody will find.
  virtual Result<bool> remove(const std::string& id) = 0;
  /// Every upload, ascending by id; `cursor` empty for the first page.
  virtual Result<SpoolPage> list(const std::string& cursor, std::size_t limit) const = 0;

 protected:
  UploadSpool() = default;
};

/// Uploads in this process's memory, for tests and short-lived programs. Gone with the object.
MEDIA_EXPORT std::unique_ptr<UploadSpool> make_memory_spool();

/// Uploads as files `<folder>/<id>`, locked by flock(2) while somebody writes. A file begins with a page that says how many of
/// its bytes are settled; it is written after they were synced, and synced itself before `settle` returns. Neither a kill nor a power
/// cut can make a byte count that is not there, whatever the filesystem does with a file's size. The folder is made at the first `create`.
MEDIA_EXPORT std::unique_ptr<UploadSpool> make_filesystem_spool(std::filesystem::path folder);

}  // namespace media
