/// A BlobStore of one's own: two stores that hold the same blobs, say one on each of two disks.
#pragma once

#include <media/blob_store.hpp>

/// Writes go to both and succeed only where both did. Reads come from the first, or from the second where the first has no
/// such blob. A damaged blob that is set aside (`quarantine`) is at once replaced by the second's copy where that one is good.
///
/// `list` and `stat` speak of the first store where they can, so that `Library::verify` compares the catalog with what
/// readers meet first; a blob that only the second holds is readable all the same.
///
/// Thread-safety: as the two stores, because there is no state of its own.
class MirrorStore final : public media::BlobStore {
 public:
  MirrorStore(std::unique_ptr<media::BlobStore> first, std::unique_ptr<media::BlobStore> second)
      : first_(std::move(first)), second_(std::move(second)) {}

  media::Result<std::unique_ptr<media::BlobWriter>> begin(std::optional<std::uint64_t> expected_size) override;
  media::Result<void> publish(std::span<const std::unique_ptr<media::Staged>> staged) override;
  media::Result<std::unique_ptr<media::ByteReader>> open(const media::Digest& digest) const override;
  media::Result<std::optional<media::BlobStat>> stat(const media::Digest& digest) const override;
  media::Result<bool> remove(const media::Digest& digest) override;
  media::Result<media::BlobPage> list(const std::string& cursor, std::size_t limit) const override;
  media::Result<bool> quarantine(const media::Digest& digest) override;
  media::Result<void> check() override;

 private:
  /// Copies a blob from the second store into the first; false where the second has no good copy.
  media::Result<bool> restore(const media::Digest& digest);

  std::unique_ptr<media::BlobStore> first_;
  std::unique_ptr<media::BlobStore> second_;
};
