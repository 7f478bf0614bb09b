#include "store/staged_file.hpp"

#include <algorithm>
#include <cstring>

#include "core/sha256_lanes.hpp"
#include "store/file_ops.hpp"
#include "store/gather.hpp"

namespace media::store {
namespace {

/// A large file is told to go to the disk each time so much has come, so that the disk always has something to do, and synced (and dropped
/// from the page cache) less often, because a sync waits for the disk's own cache. Over 2 x 1 GiB, in pairs on a busy machine: 3.4 to 3.7 s
/// so; 3.7 to 4.0 s without the former, 3.9 to 4.5 s without the latter; syncs each 128 MiB are a little slower than each 64.
constexpr std::uint64_t kWriteOutBytes = std::uint64_t{8} << 20U;
constexpr std::uint64_t kSyncEarlyBytes = std::uint64_t{64} << 20U;
/// From here on a content goes past the page cache.
constexpr std::uint64_t kLargeBytes = kSyncEarlyBytes;
/// A larger content would keep the lanes of the others waiting for it.
constexpr std::size_t kTogetherBytes = 128U << 10U;
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

FileStaged::~FileStaged() {
  if (!ahead) return;
  if (const auto packed = small_.packed.lock()) packed->abandon(*ahead);
}

void FileStaged::write_ahead() noexcept {
  if (ahead || file || size_ >= small_.below_bytes) return;
  const auto packed = small_.packed.lock();
  if (!packed) return;
  try {
    const PackedContent content{digest_, memory};
    if (auto appended = packed->append(std::span(&content, 1))) ahead = std::move(*appended);
  } catch (const std::bad_alloc&) {
    // Publishing tries again, and has somebody to tell.
  }
}

std::optional<FileWindow> FileStaged::window() const {
  if (!file) return std::nullopt;
  return FileWindow{file->descriptor(), 0, size_};
}

FileWriter::FileWriter(std::shared_ptr<TempFolder> folder, std::shared_ptr<WriterThreads> threads, SmallContents small,
                       std::size_t buffer_bytes, std::optional<std::uint64_t> expected_size)
    : folder_(std::move(folder)),
      threads_(std::move(threads)),
      small_(std::move(small)),
      buffer_bytes_(buffer_bytes),
      large_(expected_size.value_or(0) >= kLargeBytes) {
  if (expected_size) buffer_.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(*expected_size, buffer_bytes_)));
}

Result<void> FileWriter::write(std::span<const std::byte> piece) {
  if (direct_) {
    MEDIA_TRY(spill(std::exchange(buffer_, {})));
    return spill(piece);
  }
  // A large piece of a large content needs no detour.
  if (file_ && buffer_.empty() && piece.size() >= buffer_bytes_) return spill(piece);
  return gather(buffer_, buffer_bytes_, piece, [this](std::span<const std::byte> bytes) { return spill(bytes); });
}

Result<std::unique_ptr<Staged>> FileWriter::finish() {
  if (!file_) {
    hasher_.update(buffer_);
    return stage_in_memory(hasher_.finish());
  }
  MEDIA_TRY(spill(buffer_));
  if (direct_) MEDIA_TRY(direct_->finish());
  MEDIA_TRY(start_write_out(file_->descriptor(), written_out_, in_file_ - written_out_, kWriting));
  MEDIA_TRY(early_synced_.settle(threads_->early_sync));
  return std::unique_ptr<Staged>(
      std::make_unique<FileStaged>(folder_, hasher_.finish(), in_file_, std::vector<std::byte>(), std::move(file_)));
}

std::unique_ptr<Staged> FileWriter::stage_in_memory(const Digest& digest) {
  const std::uint64_t size = buffer_.size();
  // A wrong hint must not hold memory for as long as a group waits to be published.
  if (size > 0 && buffer_.capacity() > 2 * size) buffer_.shrink_to_fit();
  return std::make_unique<FileStaged>(folder_, digest, size, std::move(buffer_), std::optional<TempFile>(), small_);
}

std::vector<Result<std::unique_ptr<Staged>>> FileWriter::finish_together(std::span<const std::unique_ptr<BlobWriter>> writers) {
  std::vector<Result<std::unique_ptr<Staged>>> staged;
  staged.reserve(writers.size());
  std::vector<std::span<const std::byte>> contents;
  std::vector<std::size_t> small;
  for (std::size_t i = 0; i < writers.size(); ++i) {
    auto& writer = static_cast<FileWriter&>(*writers[i]);
    if (writer.file_ || writer.buffer_.size() > kTogetherBytes) {
      staged.push_back(writer.finish());
    } else {
      staged.emplace_back(std::unique_ptr<Staged>());
      contents.emplace_back(writer.buffer_);
      small.push_back(i);
    }
  }
  std::vector<Digest> digests(contents.size());
  hash_together(contents, digests);
  for (std::size_t k = 0; k < small.size(); ++k) {
    staged[small[k]] = static_cast<FileWriter&>(*writers[small[k]]).stage_in_memory(digests[k]);
  }
  return staged;
}

Result<void> FileWriter::spill(std::span<const std::byte> piece) {
  if (piece.empty()) return {};
  hasher_.update(piece);
  if (!file_) {
    MEDIA_TRY_ASSIGN(file_, TempFile::create(folder_));
  }
  if (direct_) {
    MEDIA_TRY(direct_->write(piece));
    in_file_ += piece.size();
    return sync_early();
  }
  MEDIA_TRY(write_all(file_->descriptor(), piece, in_file_, kWriting));
  in_file_ += piece.size();
  if (in_file_ - written_out_ >= kWriteOutBytes) {
    MEDIA_TRY(start_write_out(file_->descriptor(), written_out_, in_file_ - written_out_, kWriting));
    written_out_ = in_file_;
  }
  MEDIA_TRY(sync_early());
  const bool becomes_large = in_file_ >= kLargeBytes && in_file_ - piece.size() < kLargeBytes;
  // Where that is not to be had it goes on as it began.
  if (std::exchange(large_, false) || becomes_large) direct_ = WriteBehind::File::open(threads_->write_behind, *file_, in_file_);
  return {};
}

Result<void> FileWriter::sync_early() {
  if (in_file_ - synced_early_ < kSyncEarlyBytes) return {};
  MEDIA_TRY(early_synced_.request(threads_->early_sync, file_->descriptor(), in_file_));
  synced_early_ = in_file_;
  return {};
}

}  // namespace media::store
