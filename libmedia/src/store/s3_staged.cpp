#include "store/s3_staged.hpp"

#include <algorithm>
#include <cstring>

#include "store/file_ops.hpp"
#include "store/gather.hpp"

namespace media::store::s3 {
namespace {

constexpr std::uint64_t kMostParts = 10'000;   // of S3
constexpr std::uint64_t kWantedParts = 9'000;  // an announced size may be a little wrong
constexpr std::uint64_t kMebibyte = 1U << 20U;

std::uint64_t part_size_for(std::uint64_t part_bytes, std::optional<std::uint64_t> expected_size) {
  if (!expected_size || *expected_size / kWantedParts < part_bytes) return part_bytes;
  return (*expected_size / kWantedParts / kMebibyte + 1) * kMebibyte;
}

}  // namespace

Result<std::size_t> S3Staged::read_at(std::uint64_t offset, std::span<std::byte> into) const {
  if (offset >= size_) return std::size_t{0};
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), size_ - offset));
  if (file_) return read_file(file_->descriptor(), size_, offset, into, "read a temp file");
  std::memcpy(into.data(), memory_.data() + offset, wanted);
  return wanted;
}

std::optional<FileWindow> S3Staged::window() const {
  if (!file_) return std::nullopt;
  return FileWindow{file_->descriptor(), 0, size_};
}

S3Writer::S3Writer(std::shared_ptr<TempFolder> folder, std::size_t buffer_bytes, std::uint64_t part_bytes,
                   std::optional<std::uint64_t> expected_size)
    : folder_(std::move(folder)), buffer_bytes_(buffer_bytes), part_bytes_(part_size_for(part_bytes, expected_size)) {
  if (expected_size) buffer_.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(*expected_size, buffer_bytes_)));
}

Result<void> S3Writer::hash(std::span<const std::byte> piece) {
  whole_.update(piece);
  while (!piece.empty()) {
    const std::uint64_t room = part_bytes_ - size_ % part_bytes_;
    const auto taken = piece.first(static_cast<std::size_t>(std::min<std::uint64_t>(room, piece.size())));
    part_.update(taken);
    size_ += taken.size();
    piece = piece.subspan(taken.size());
    if (size_ % part_bytes_ != 0) continue;
    if (parts_.size() + 1 > kMostParts)
      return Error{Errc::too_large, "write a blob: more than 10,000 parts of its size; announce the size"};
    parts_.push_back(part_.finish());
  }
  return {};
}

Result<void> S3Writer::write(std::span<const std::byte> piece) {
  MEDIA_TRY(hash(piece));
  return gather(buffer_, buffer_bytes_, piece, [this](std::span<const std::byte> bytes) { return spill(bytes); });
}

Result<std::unique_ptr<Staged>> S3Writer::finish() {
  if (file_) {
    MEDIA_TRY(spill(buffer_));
    buffer_ = {};
  } else if (size_ > 0 && buffer_.capacity() > 2 * size_) {
    // A wrong hint must not hold memory for as long as a group waits to be published.
    buffer_.shrink_to_fit();
  }
  if (size_ % part_bytes_ != 0 || size_ == 0) parts_.push_back(part_.finish());
  return std::unique_ptr<Staged>(
      std::make_unique<S3Staged>(folder_, whole_.finish(), size_, std::move(buffer_), std::move(file_), part_bytes_, std::move(parts_)));
}

Result<void> S3Writer::spill(std::span<const std::byte> piece) {
  if (piece.empty()) return {};
  if (!file_) {
    MEDIA_TRY_ASSIGN(file_, TempFile::create(folder_));
  }
  MEDIA_TRY(write_all(file_->descriptor(), piece, in_file_, "write a temp file"));
  in_file_ += piece.size();
  return {};
}

}  // namespace media::store::s3
