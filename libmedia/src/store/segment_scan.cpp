#include "store/segment_scan.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "core/errno_error.hpp"
#include "store/file_ops.hpp"

namespace media::store {
namespace {

constexpr const char* kScanning = "read a segment";

/// Pieces of a file, read ahead: entries are mostly small, and a system call for each would be most of the work.
class Pieces {
 public:
  Pieces(int descriptor, std::uint64_t size) : descriptor_(descriptor), size_(size) {}

  /// The bytes from `offset` on, at most up to the end of the file; valid until the next call.
  Result<std::span<const std::byte>> at(std::uint64_t offset, std::size_t length) {
    const std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(length, size_ - std::min(offset, size_)));
    if (offset < start_ || offset + wanted > start_ + held_) {
      const std::size_t ahead = std::max(wanted, kAhead);
      if (room_ < ahead) {
        buffer_ = std::make_unique_for_overwrite<std::byte[]>(ahead);
        room_ = ahead;
      }
      held_ = 0;
      start_ = offset;
      MEDIA_TRY_ASSIGN(held_, read_file(descriptor_, size_, offset, std::span(buffer_.get(), ahead), kScanning));
    }
    return std::span<const std::byte>(buffer_.get() + (offset - start_), wanted);
  }

 private:
  static constexpr std::size_t kAhead = std::size_t{1} << 20U;
  const int descriptor_;
  const std::uint64_t size_;
  std::unique_ptr<std::byte[]> buffer_;
  std::size_t room_ = 0;
  std::uint64_t start_ = 0;
  std::size_t held_ = 0;
};

}  // namespace

Result<ReadHeader> read_header(int descriptor, const SegmentId& id, std::uint64_t offset) {
  SegmentBlock block{};
  ReadHeader read;
  const auto got = read_file(descriptor, offset + block.size(), offset, block, "read a packed blob");
  if (!got && got.error().code == Errc::corrupt) {
    read.past_the_end = true;
    return read;
  }
  if (!got) return got.error();
  read.header = decode_entry_header(id, offset, block);
  return read;
}

Result<SegmentScan> scan_segment(int descriptor, const SegmentId& id, std::uint64_t from, std::uint64_t size, Proof proof) {
  SegmentScan scan;
  scan.end = from;
  Pieces pieces(descriptor, size);
  SegmentBlock block{};
  bool lost = false;  // Behind damage: what looks like an entry may be the inside of one, and must prove itself.
  for (std::uint64_t at = from; at + kSegmentBlock <= size;) {
    std::optional<EntryHeader> header;
    if (proof == Proof::headers) {
      MEDIA_TRY_ASSIGN(const std::size_t got, read_file(descriptor, size, at, block, kScanning));
      header = decode_entry_header(id, at, std::span(block).first(got));
      // The file may have been cut since `size` was read, and gone on with.
      struct stat status{};
      if (::fstat(descriptor, &status) != 0) return errno_error(errno, kScanning);
      size = std::min(size, static_cast<std::uint64_t>(status.st_size));
    } else {
      MEDIA_TRY_ASSIGN(const auto bytes, pieces.at(at, kSegmentBlock));
      header = decode_entry_header(id, at, bytes);
    }
    const bool fits = header && at < size && entry_span(header->length) <= size - at;
    if (!fits) {
      if (proof == Proof::headers) break;
      lost = true;
      at += kSegmentBlock;
      continue;
    }
    bool whole = true;
    if (proof == Proof::contents && (header->state == EntryState::live || lost)) {
      MEDIA_TRY_ASSIGN(const auto content, pieces.at(at + kSegmentBlock, static_cast<std::size_t>(header->length)));
      whole = Digest::of(content) == header->digest;
    }
    if (lost && !whole) {
      at += kSegmentBlock;
      continue;
    }
    if (whole && header->state == EntryState::live) scan.entries.push_back({header->digest, at, header->length});
    lost = false;
    at += entry_span(header->length);
    scan.end = at;  // Behind one that is not whole too: others may have seen it there, so that its place is nobody else's.
  }
  return scan;
}

}  // namespace media::store
