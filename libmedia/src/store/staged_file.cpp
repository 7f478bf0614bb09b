#include "store/staged_file.hpp"

#include <algorithm>
#include <cstring>

#include "store/file_ops.hpp"
#include "store/gather.hpp"

namespace media::store {
namespace {

/// A large file is synced each time this much has come, so that the disk works while the rest arrives and the fsync at the
/// end finds little to do. Of 32, 128 and 256 MiB, 128 was the fastest in each of three rounds over 2 x 1 GiB.
constexpr std::uint64_t kSyncEarlyBytes = std::uint64_t{128} << 20U;
constexpr const char* kWriting = "write a temp file";

}  // namespace

Result<std::size_t> FileStaged::read_at(std::uint64_t offset, std::span<std::byte> into) const {
  if (offset >= size_) return std::size_t{0};
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), size_ - offset));
  if (!memory.empty()) {
    std::memcpy(into.data(), memory.data() + offset, wanted);
    return wanted;
  }
  if (!file) return Error{Errc::io, "read a staged content: it was published or failed already"};
  return read_file(file->descriptor(), size_, offset, into, "read a temp file");
}

std::optional<FileWindow> FileStaged::window() const {
  if (!file) return std::nullopt;
  return FileWindow{file->descriptor(), 0, size_};
}

FileWriter::FileWriter(std::shared_ptr<TempFolder> folder, std::shared_ptr<EarlySync> early_sync, std::size_t buffer_bytes,
                       std::optional<std::uint64_t> expected_size)
    : folder_(std::move(folder)), early_sync_(std::move(early_sync)), buffer_bytes_(buffer_bytes) {
  if (expected_size) buffer_.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(*expected_size, buffer_bytes_)));
}

Result<void> FileWriter::write(std::span<const std::byte> piece) {
  hasher_.update(piece);
  return gather(buffer_, buffer_bytes_, piece, [this](std::span<const std::byte> bytes) { return spill(bytes); });
}

Result<std::unique_ptr<Staged>> FileWriter::finish() {
  std::uint64_t size = buffer_.size();
  if (file_) {
    MEDIA_TRY(spill(buffer_));
    MEDIA_TRY(start_write_out(file_->descriptor(), synced_early_, in_file_ - synced_early_, kWriting));
    MEDIA_TRY(early_synced_.settle(*early_sync_));
    buffer_ = {};
    size = in_file_;
  } else if (size > 0 && buffer_.capacity() > 2 * size) {
    // A wrong hint must not hold memory for as long as a group waits to be published.
    buffer_.shrink_to_fit();
  }
  return std::unique_ptr<Staged>(std::make_unique<FileStaged>(folder_, hasher_.finish(), size, std::move(buffer_), std::move(file_)));
}

Result<void> FileWriter::spill(std::span<const std::byte> piece) {
  if (piece.empty()) return {};
  if (!file_) {
    MEDIA_TRY_ASSIGN(file_, TempFile::create(folder_));
  }
  MEDIA_TRY(write_all(file_->descriptor(), piece, in_file_, kWriting));
  in_file_ += piece.size();
  if (in_file_ - synced_early_ >= kSyncEarlyBytes) {
    MEDIA_TRY(early_synced_.request(*early_sync_, file_->descriptor()));
    synced_early_ = in_file_;
  }
  return {};
}

}  // namespace media::store
