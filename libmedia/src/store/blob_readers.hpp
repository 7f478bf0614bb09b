/// Published blobs of a filesystem store, open for reading: in a file of their own, or in a segment.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "core/unique_fd.hpp"
#include "media/io.hpp"
#include "store/file_ops.hpp"
#include "store/packed_blobs.hpp"

namespace media::store {

/// A published blob. Its size is the one it had when it was opened: blobs never change.
class BlobFile final : public ByteReader {
 public:
  BlobFile(UniqueFd descriptor, std::uint64_t size) : descriptor_(std::move(descriptor)), size_(size) {}

  [[nodiscard]] std::uint64_t size() const noexcept override { return size_; }
  [[nodiscard]] std::optional<FileWindow> window() const override { return FileWindow{descriptor_.get(), 0, size_}; }
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) const override {
    return read_file(descriptor_.get(), size_, offset, into, "read a blob");
  }

 private:
  UniqueFd descriptor_;
  std::uint64_t size_;
};

/// A blob in a segment; readers share the segment's descriptor.
class PackedReader final : public ByteReader {
 public:
  explicit PackedReader(FoundPacked found) : found_(std::move(found)) {}

  [[nodiscard]] std::uint64_t size() const noexcept override { return found_.length; }
  [[nodiscard]] std::optional<FileWindow> window() const override {
    return FileWindow{found_.segment->descriptor.get(), found_.offset, found_.length};
  }
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) const override {
    if (offset >= found_.length) return std::size_t{0};
    const auto wanted = into.first(static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), found_.length - offset)));
    return read_file(found_.segment->descriptor.get(), found_.offset + found_.length, found_.offset + offset, wanted, "read a blob");
  }

 private:
  FoundPacked found_;
};

}  // namespace media::store
