/// The filesystem store: blobs as files `<base>/ab/cd/ef/<64 hex>`, small ones in segments.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "core/unique_fd.hpp"
#include "media/blob_store.hpp"
#include "media/file_naming.hpp"
#include "media/file_sharing.hpp"
#include "store/early_sync.hpp"
#include "store/group_publisher.hpp"
#include "store/packed_blobs.hpp"
#include "store/staged_file.hpp"
#include "store/temp_folder.hpp"

namespace media::store {

/// Thread-safety: as `BlobStore`; the base descriptor never changes, and the parts that do have locks of their own.
class FilesystemStore final : public BlobStore, public SegmentedStore, public FileSharingStore, public FileNamingStore {
 public:
  FilesystemStore(UniqueFd base, std::shared_ptr<TempFolder> temp, std::unique_ptr<PackedBlobs> packed,
                  const FilesystemStoreOptions& options)
      : base_(std::move(base)),
        temp_(std::move(temp)),
        packed_(std::move(packed)),
        buffer_bytes_(options.buffer_bytes),
        pack_below_(options.pack_below_bytes),
        publisher_(base_.get(), options.sync_threads) {}

  Result<std::unique_ptr<BlobWriter>> begin(std::optional<std::uint64_t> expected_size) override {
    MEDIA_TRY(writable("begin a blob"));
    return std::unique_ptr<BlobWriter>(
        std::make_unique<FileWriter>(temp_, threads_, store::SmallContents{packed_, pack_below_}, buffer_bytes_, expected_size));
  }
  std::vector<Result<std::unique_ptr<Staged>>> finish_together(std::span<const std::unique_ptr<BlobWriter>> writers) override {
    return FileWriter::finish_together(writers);
  }
  Result<void> publish(std::span<const std::unique_ptr<Staged>> staged) override;
  Result<std::unique_ptr<ByteReader>> open(const Digest& digest) const override;
  Result<std::optional<BlobStat>> stat(const Digest& digest) const override;
  Result<bool> remove(const Digest& digest) override;
  Result<BlobPage> list(const std::string& cursor, std::size_t limit) const override;
  Result<bool> quarantine(const Digest& digest) override;
  Result<void> wipe(std::span<const Digest> removed, const std::stop_token& stop) override;
  Result<void> check() override;

  SegmentedStore* segmented() noexcept override { return this; }
  Result<CompactReport> compact(const CompactOptions& options) override;
  Result<PackReport> pack(const PackOptions& options) override;
  Result<PackReport> unpack(const PackOptions& options) override;
  [[nodiscard]] SegmentUsage segment_usage() const override { return packed_->usage(); }

  FileSharingStore* file_sharing() noexcept override { return this; }
  Result<SharedFile> share(int descriptor, FileSharing how) override;

  const FileNamingStore* file_naming() const noexcept override { return this; }
  Result<std::optional<std::string>> file_of(const Digest& digest) const override;

 private:
  /// Without a temp folder the store is open for reading only.
  [[nodiscard]] Result<void> writable(const char* operation) const {
    if (!temp_) return Error{Errc::denied, std::string(operation) + ": the store is open for reading only"};
    return {};
  }

  Result<std::unique_ptr<ByteReader>> open_file(const Digest& digest) const;
  Result<std::optional<BlobStat>> stat_file(const Digest& digest) const;
  Result<bool> remove_file(const Digest& digest);
  Result<bool> quarantine_file(const Digest& digest);
  Result<bool> quarantine_packed(const Digest& digest);
  /// A blob that is being packed, and the file that it was read from.
  struct Packing {
    Digest digest;
    std::vector<std::byte> bytes;
    std::string identity;
  };
  Result<void> pack_batch(std::vector<Packing>& batch, PackReport& report);

  UniqueFd base_;
  std::shared_ptr<TempFolder> temp_;
  std::shared_ptr<PackedBlobs> packed_;
  const std::size_t buffer_bytes_;
  const std::uint64_t pack_below_;
  const std::shared_ptr<WriterThreads> threads_ = std::make_shared<WriterThreads>();
  GroupPublisher publisher_;
};

}  // namespace media::store
