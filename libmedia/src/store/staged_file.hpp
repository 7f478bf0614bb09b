/// Contents of a filesystem store on their way in: a small one in memory, a larger one in a temp file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "media/blob_store.hpp"
#include "store/early_sync.hpp"
#include "store/packed_blobs.hpp"
#include "store/temp_folder.hpp"
#include "store/write_behind.hpp"

namespace media::store {

/// Where small contents of a store go.
struct SmallContents {
  std::weak_ptr<PackedBlobs> packed;  ///< Gone with the store, which a staged content may outlive.
  std::uint64_t below_bytes = 0;
};

/// Thread-safety: as `Staged`; the public members are the publisher's to change, which owns the object by then.
class FileStaged final : public Staged {
 public:
  FileStaged(std::shared_ptr<TempFolder> folder, const Digest& digest, std::uint64_t size, std::vector<std::byte> in_memory,
             std::optional<TempFile> in_file, SmallContents small = {})
      : memory(std::move(in_memory)),
        file(std::move(in_file)),
        folder_(std::move(folder)),
        digest_(digest),
        size_(size),
        small_(std::move(small)) {}
  ~FileStaged() override;

  [[nodiscard]] const Digest& digest() const noexcept override { return digest_; }
  [[nodiscard]] std::uint64_t size() const noexcept override { return size_; }
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) const override;
  [[nodiscard]] std::optional<FileWindow> window() const override;
  void write_ahead() noexcept override;
  [[nodiscard]] const std::shared_ptr<TempFolder>& folder() const noexcept { return folder_; }

  /// The whole content, or nothing where it is in the file.
  std::vector<std::byte> memory;
  std::optional<TempFile> file;
  /// Where it was written ahead; abandoned with the object unless the publisher has taken it.
  std::optional<PackedBlobs::Appended> ahead;

 private:
  std::shared_ptr<TempFolder> folder_;
  Digest digest_;
  std::uint64_t size_;
  SmallContents small_;
};

/// The threads that a store's writers share.
struct WriterThreads {
  EarlySync early_sync;
  WriteBehind write_behind;
};

/// Gathers a content: in memory up to a limit, then in a temp file, through a buffer of the same size, and past the page cache where it is
/// large. It is hashed as it leaves memory, or in the end: small ones can then be hashed several at a time.
class FileWriter final : public BlobWriter {
 public:
  FileWriter(std::shared_ptr<TempFolder> folder, std::shared_ptr<WriterThreads> threads, SmallContents small, std::size_t buffer_bytes,
             std::optional<std::uint64_t> expected_size);

  Result<void> write(std::span<const std::byte> piece) override;
  Result<std::unique_ptr<Staged>> finish() override;

  /// Those of the writers, which are all of this class, whose contents are small and in memory are hashed together.
  static std::vector<Result<std::unique_ptr<Staged>>> finish_together(std::span<const std::unique_ptr<BlobWriter>> writers);

 private:
  Result<void> spill(std::span<const std::byte> piece);
  Result<void> sync_early();
  std::unique_ptr<Staged> stage_in_memory(const Digest& digest);

  std::shared_ptr<TempFolder> folder_;
  std::shared_ptr<WriterThreads> threads_;
  SmallContents small_;
  const std::size_t buffer_bytes_;
  Sha256 hasher_;
  std::vector<std::byte> buffer_;
  std::optional<TempFile> file_;
  bool large_ = false;                       ///< It was announced to be, and nothing is written yet.
  std::optional<WriteBehind::File> direct_;  ///< What follows goes past the page cache.
  std::uint64_t in_file_ = 0;
  std::uint64_t written_out_ = 0;  ///< So much was told to go to the disk.
  std::uint64_t synced_early_ = 0;
  EarlySync::File early_synced_;
};

}  // namespace media::store
