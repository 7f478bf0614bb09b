// Packed blobs that are dead, overwritten where they lie: for erasure, which cannot wait until a segment is worth rewriting.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "core/errno_error.hpp"
#include "store/file_ops.hpp"
#include "store/packed_blobs.hpp"

namespace media::store {
namespace {

Result<void> overwrite(int descriptor, std::uint64_t offset, std::uint64_t length) {
  if (length == 0) return {};
  // Gives whole blocks back to the filesystem, and fills the rest with zeros.
  if (::fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset), static_cast<off_t>(length)) == 0)
    return {};
  if (errno != EOPNOTSUPP && errno != ENOSYS) return errno_error(errno, "overwrite a removed blob");
  const std::vector<std::byte> zeros(static_cast<std::size_t>(std::min<std::uint64_t>(length, std::uint64_t{1} << 20U)));
  for (std::uint64_t done = 0; done < length;) {
    const auto piece = std::span(zeros).first(static_cast<std::size_t>(std::min<std::uint64_t>(zeros.size(), length - done)));
    MEDIA_TRY(write_all(descriptor, piece, offset + done, "overwrite a removed blob"));
    done += piece.size();
  }
  return {};
}

}  // namespace

Result<void> PackedBlobs::wipe_dead(const std::stop_token& stop) {
  MEDIA_TRY(refresh());
  for (std::uint32_t number = 0, count = segment_count(); number < count; ++number) {
    if (stop.stop_requested()) return Error{Errc::cancelled, "overwrite removed blobs: stopped"};
    if (!segment_at(number).gone) MEDIA_TRY(wipe_segment(number, stop));
  }
  // Of a segment that was rewritten the old file went without a sync: it must not come back with what was dead in it.
  if (folder_ >= 0) return sync_folder(folder_, ".", "of the segments");
  return {};
}

Result<void> PackedBlobs::wipe_segment(std::uint32_t segment, const std::stop_token& stop) const {
  const SegmentId id = segment_at(segment).id;
  const UniqueFd file = open_at(folder_, segment_name(id).c_str(), O_RDWR | O_NOFOLLOW);
  if (!file && errno == ENOENT) return {};  // Rewritten by another process: what was dead in it is gone.
  if (!file) return errno_error(errno, "open segment " + segment_name(id));
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return errno_error(errno, "stat segment " + segment_name(id));
  const auto size = static_cast<std::uint64_t>(status.st_size);
  bool changed = false;
  for (std::uint64_t at = kFirstEntry; at + kSegmentBlock <= size;) {
    if (stop.stop_requested()) return Error{Errc::cancelled, "overwrite removed blobs: stopped"};
    MEDIA_TRY_ASSIGN(const auto read, read_header(file.get(), id, at));
    if (!read.header) {
      // Damage, or what another process is about to write. Behind damage the next header may be anywhere.
      at += kSegmentBlock;
      continue;
    }
    const std::uint64_t span = entry_span(read.header->length);
    if (read.header->state == EntryState::dead) {
      const std::uint64_t end = std::min(at + span, size);
      MEDIA_TRY(overwrite(file.get(), at + kSegmentBlock, end - std::min(end, at + kSegmentBlock)));
      changed = true;
    }
    at += span;
  }
  // The marks of death with it: without them the zeros would pass for damage after a power cut.
  if (changed) MEDIA_TRY(sync_data_once(file.get(), "sync a segment"));
  return {};
}

}  // namespace media::store
