/// The source of a job as a descriptor of its own: all that a worker gets to see of anybody's bytes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "core/unique_fd.hpp"
#include "media/io.hpp"
#include "media/result.hpp"

namespace media::cage {

/// Sources up to this size lie in memory, larger ones in a file without a name.
inline constexpr std::uint64_t kMaxMemorySource = 64ULL << 20U;

/// Copies the source, once, into a memfd sealed against every change, or above `max_memory_bytes` into a nameless file in
/// `folder`, opened for reading only. It is a copy and not the store's own descriptor, so that no worker holds
/// anything that is the store's; and no one can change it under the decoder's eyes.
/// Errors: the reader's own; `corrupt` (the source got shorter), `no_space`, `unavailable`, `io`.
Result<UniqueFd> copy_source(const ByteReader& source, std::uint64_t max_memory_bytes, const std::filesystem::path& folder);

/// Reads a file that somebody else holds open.
///
/// Thread-safety: as ByteReader's; it changes nothing.
class DescriptorReader final : public ByteReader {
 public:
  /// `what` is what errors call it; both live as long.
  DescriptorReader(int descriptor, std::uint64_t size, const char* what) : descriptor_(descriptor), size_(size), what_(what) {}

  [[nodiscard]] std::uint64_t size() const noexcept override { return size_; }
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) const override;

 private:
  int descriptor_;
  std::uint64_t size_;
  const char* what_;
};

/// A file without a name, to which the library itself writes what a worker sends; readable once it is whole.
///
/// Thread-safety: reading as ByteReader's; writing by one thread, before anybody reads.
class NamelessFile final : public ByteReader {
 public:
  /// Errors: as copy_source's.
  static Result<std::shared_ptr<NamelessFile>> open(const std::filesystem::path& folder);
  /// Errors: `no_space`, `io`.
  Result<void> write_at(std::uint64_t offset, std::span<const std::byte> bytes);

  [[nodiscard]] std::uint64_t size() const noexcept override { return size_; }
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) const override;
  [[nodiscard]] std::optional<FileWindow> window() const override { return FileWindow{file_.get(), 0, size_}; }

 private:
  explicit NamelessFile(UniqueFd file) : file_(std::move(file)) {}
  UniqueFd file_;
  std::uint64_t size_ = 0;
};

}  // namespace media::cage
