/// Bytes that are read: in order (`ByteSource`) or anywhere (`ByteReader`).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "media/export.hpp"
#include "media/result.hpp"

namespace media {

/// A stretch of an open file, for sendfile(2). The descriptor belongs to the reader that gave it.
struct FileWindow {
  int descriptor = -1;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

/// Bytes of a known length, readable at any offset.
///
/// Thread-safety: `const` methods may run concurrently, because there is no position to share.
class MEDIA_EXPORT ByteReader {
 public:
  virtual ~ByteReader() = default;
  ByteReader(const ByteReader&) = delete;
  ByteReader& operator=(const ByteReader&) = delete;

  [[nodiscard]] virtual std::uint64_t size() const noexcept = 0;
  /// Fills `into` from `offset` on, whole unless the content ends first; says how many bytes it wrote
  /// (0 at or past the end). Errors: `io`, `corrupt` (the content got shorter), `unavailable`.
  virtual Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) const = 0;
  /// The same bytes as a stretch of a file, where there is one; valid while the reader lives.
  [[nodiscard]] virtual std::optional<FileWindow> window() const { return std::nullopt; }

 protected:
  ByteReader() = default;
};

/// Bytes that arrive once, in order.
///
/// Thread-safety: none; it has a position.
class MEDIA_EXPORT ByteSource {
 public:
  virtual ~ByteSource() = default;
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;

  /// Puts at least one byte into `into` and says how many; 0 means the end. Errors: `io`, `cancelled`, `too_large`.
  virtual Result<std::size_t> read(std::span<std::byte> into) = 0;

 protected:
  ByteSource() = default;
};

/// A regular file, opened read-only and read with pread(2).
class MEDIA_EXPORT FileReader final : public ByteReader {
 public:
  /// Errors: `not_found`, `denied`, `invalid_argument` (a directory, FIFO, socket or device), `io`.
  static Result<std::unique_ptr<FileReader>> open(const std::filesystem::path& path);
  ~FileReader() override;

  [[nodiscard]] std::uint64_t size() const noexcept override { return size_; }
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) const override;
  [[nodiscard]] std::optional<FileWindow> window() const override;

 private:
  FileReader(int descriptor, std::uint64_t size) : descriptor_(descriptor), size_(size) {}
  int descriptor_;
  std::uint64_t size_;
};

/// Bytes in memory: owned, or borrowed from a buffer that outlives the reader.
class MEDIA_EXPORT MemoryReader final : public ByteReader {
 public:
  explicit MemoryReader(std::vector<std::byte> owned);
  explicit MemoryReader(std::span<const std::byte> borrowed) : view_(borrowed) {}

  [[nodiscard]] std::uint64_t size() const noexcept override { return view_.size(); }
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) const override;
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return view_; }

 private:
  std::vector<std::byte> owned_;
  std::span<const std::byte> view_;
};

/// Reads a whole content of at most `limit_bytes` into memory. Errors: `too_large`, and the reader's own.
MEDIA_EXPORT Result<std::vector<std::byte>> read_all(const ByteReader& reader, std::uint64_t limit_bytes);

}  // namespace media
