/// Contents of an S3 store on their way in: a small one in memory, a larger one in a temp file of this machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "media/blob_store.hpp"
#include "store/temp_folder.hpp"

namespace media::store::s3 {

/// Thread-safety: as `Staged`; nothing changes after construction.
class S3Staged final : public Staged {
 public:
  S3Staged(std::shared_ptr<TempFolder> folder, const Digest& digest, std::uint64_t size, std::vector<std::byte> memory,
           std::optional<TempFile> file, std::uint64_t part_bytes, std::vector<Digest> parts)
      : folder_(std::move(folder)),
        digest_(digest),
        size_(size),
        memory_(std::move(memory)),
        file_(std::move(file)),
        part_bytes_(part_bytes),
        parts_(std::move(parts)) {}

  [[nodiscard]] const Digest& digest() const noexcept override { return digest_; }
  [[nodiscard]] std::uint64_t size() const noexcept override { return size_; }
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) const override;
  [[nodiscard]] std::optional<FileWindow> window() const override;
  [[nodiscard]] const std::shared_ptr<TempFolder>& folder() const noexcept { return folder_; }

  /// The digests of its parts, taken of the bytes as they came; one only where it goes up in one piece.
  [[nodiscard]] const std::vector<Digest>& parts() const noexcept { return parts_; }
  [[nodiscard]] std::uint64_t part_bytes() const noexcept { return part_bytes_; }

 private:
  std::shared_ptr<TempFolder> folder_;
  Digest digest_;
  std::uint64_t size_;
  std::vector<std::byte> memory_;
  std::optional<TempFile> file_;
  std::uint64_t part_bytes_;
  std::vector<Digest> parts_;
};

/// Hashes a content as a whole and part by part, and keeps it: in memory up to a limit, then in a temp file. Nothing is synced: what is not
/// published may be lost.
class S3Writer final : public BlobWriter {
 public:
  S3Writer(std::shared_ptr<TempFolder> folder, std::size_t buffer_bytes, std::uint64_t part_bytes,
           std::optional<std::uint64_t> expected_size);

  Result<void> write(std::span<const std::byte> piece) override;
  Result<std::unique_ptr<Staged>> finish() override;

 private:
  Result<void> hash(std::span<const std::byte> piece);
  Result<void> spill(std::span<const std::byte> piece);

  std::shared_ptr<TempFolder> folder_;
  const std::size_t buffer_bytes_;
  const std::uint64_t part_bytes_;
  Sha256 whole_;
  Sha256 part_;
  std::uint64_t size_ = 0;
  std::vector<Digest> parts_;
  std::vector<std::byte> buffer_;
  std::optional<TempFile> file_;
  std::uint64_t in_file_ = 0;
};

}  // namespace media::store::s3
