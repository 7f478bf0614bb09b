#include "store/packed_blobs.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "core/errno_error.hpp"
#include "store/file_ops.hpp"

namespace media::store {
namespace {

/// Descriptors that are kept for reading.
constexpr std::size_t kMostOpenFiles = 128;
/// Of a place in a segment, which has 64 GiB and one group at most.
constexpr unsigned kOffsetBits = 37;

}  // namespace

PackedBlobs::Segment PackedBlobs::segment_at(std::uint32_t number) const {
  const std::shared_lock lock(index_mutex_);
  return segments_[number];
}

std::uint64_t PackedBlobs::dead_bytes(const Segment& segment) {
  const std::uint64_t used = segment.scanned - kFirstEntry;
  return used - std::min(used, segment.live_bytes);
}

std::uint32_t PackedBlobs::segment_count() const {
  const std::shared_lock lock(index_mutex_);
  return static_cast<std::uint32_t>(segments_.size());
}

/// `not_found` where another process has removed it.
Result<std::shared_ptr<const OpenSegment>> PackedBlobs::open_segment(std::uint32_t segment, const SegmentId& id) const {
  const std::lock_guard lock(files_mutex_);
  if (const auto open = files_.find(segment); open != files_.end()) {
    open->second.last_used = ++uses_;
    return open->second.file;
  }
  const std::string name = segment_name(id);
  UniqueFd descriptor = open_at(folder_, name.c_str(), O_RDONLY | O_NOFOLLOW);
  if (!descriptor) return errno_error(errno, "open segment " + name);
  if (files_.size() >= kMostOpenFiles) {
    files_.erase(std::min_element(files_.begin(), files_.end(),
                                  [](const auto& a, const auto& b) { return a.second.last_used < b.second.last_used; }));
  }
  auto file = std::make_shared<const OpenSegment>(OpenSegment{std::move(descriptor)});
  files_[segment] = {file, ++uses_};
  return file;
}

Result<std::optional<FoundPacked>> PackedBlobs::find(const Digest& digest) const {
  for (;;) {
    PackedPlace place;
    SegmentId id;
    bool rescanned = false;
    FoundPacked found;
    {
      const std::shared_lock lock(index_mutex_);
      const auto known = index_.find(digest);
      if (!known) return std::optional<FoundPacked>();
      place = *known;
      id = segments_[place.segment].id;
      rescanned = segments_[place.segment].rescanned;
      found = {nullptr, place.offset + kSegmentBlock, place.length, place.segment};
    }
    auto file = open_segment(place.segment, id);
    if (!file && file.error().code != Errc::not_found) return std::move(file).error();
    struct stat status{};
    // A segment that was rewritten by another process still has what was removed since.
    if (!file || (::fstat((*file)->descriptor.get(), &status) == 0 && status.st_nlink == 0)) {
      const std::lock_guard refreshing(refresh_mutex_);
      drop_segment(place.segment);
      continue;
    }
    found.segment = std::move(file).value();
    MEDIA_TRY_ASSIGN(const auto read, read_header(found.segment->descriptor.get(), id, place.offset));
    const auto& header = read.header;
    if (header && header->digest == digest && header->length == place.length) {
      if (header->state == EntryState::live) return std::optional(std::move(found));
      const std::lock_guard lock(index_mutex_);
      if (forget_entry(digest, place)) segments_[place.segment].index_stale = true;
      continue;
    }
    // The header is damaged, or the index is wrong. The content itself can tell: it is short.
    std::vector<std::byte> content(place.length);
    const auto got = read_file(found.segment->descriptor.get(), found.offset + place.length, found.offset, content, "read a packed blob");
    if (got && Digest::of(content) == digest) return std::optional(std::move(found));
    if (!rescanned) {
      const std::lock_guard refreshing(refresh_mutex_);
      MEDIA_TRY(rescan(place.segment));
      continue;
    }
    {
      // Another entry lies there, or nothing: an append that failed was seen before it was taken back. Or there is another copy to go by.
      const std::lock_guard lock(index_mutex_);
      if (header || read.past_the_end || other_copies_.contains(digest)) {
        forget_entry(digest, place);
        continue;
      }
    }
    return Error{Errc::corrupt, "the header of blob " + digest.to_hex() + " is damaged in " + segment_name(id)};
  }
}

void PackedBlobs::note_synced(std::uint32_t segment, std::uint64_t end, bool synced) const {
  const std::lock_guard lock(index_mutex_);
  Segment& each = segments_[segment];
  if (!synced) each.doubtful = true;
  if (synced && !each.doubtful) each.durable = std::max(each.durable, end);
}

bool PackedBlobs::settle(const FoundPacked& found) const {
  // Whoever may not write promises nothing to anybody.
  if (options_.read_only) return true;
  enum class Known : std::uint8_t { durable, doubtful, unknown };
  const auto look = [&] {
    const std::shared_lock lock(index_mutex_);
    const Segment& segment = segments_[found.number];
    if (found.offset + found.length <= segment.durable) return Known::durable;
    return segment.doubtful ? Known::doubtful : Known::unknown;
  };
  Known known = look();
  if (known != Known::unknown) return known == Known::durable;
  const std::lock_guard settling(settle_mutex_);
  known = look();
  if (known != Known::unknown) return known == Known::durable;
  struct stat status{};
  if (::fstat(found.segment->descriptor.get(), &status) != 0) return false;
  const bool synced = sync_data_once(found.segment->descriptor.get(), "sync a segment").has_value();
  note_synced(found.number, static_cast<std::uint64_t>(status.st_size), synced);
  return synced;
}

/// Reads a whole segment because its index was wrong about an entry. What the index has and a good header confirms stays, damaged or not,
/// so that it is called damaged and not absent. Under `refresh_mutex_`.
Result<void> PackedBlobs::rescan(std::uint32_t segment) const {
  Segment wrong;
  {
    const std::lock_guard lock(index_mutex_);
    if (segments_[segment].gone || segments_[segment].rescanned) return {};
    segments_[segment].rescanned = true;
    segments_[segment].index_stale = true;
    wrong = segments_[segment];
  }
  auto file = open_segment(segment, wrong.id);
  if (!file) return std::move(file).error();
  MEDIA_TRY_ASSIGN(const auto scan, scan_segment((*file)->descriptor.get(), wrong.id, kFirstEntry, wrong.scanned, Proof::contents));
  take_in(segment, scan.entries);
  return {};
}

std::vector<ListedBlob> PackedBlobs::list(const Digest& from, bool beyond, std::size_t limit) const {
  std::vector<ListedBlob> listed;
  const std::shared_lock lock(index_mutex_);
  index_.each_from(from, [&](const Digest& digest, const PackedPlace& place) {
    if (beyond && digest == from) return true;
    if (listed.size() == limit) return false;
    listed.push_back({digest,
                      place.length,
                      std::string(kSegmentsFolder) + '/' + segment_name(segments_[place.segment].id) + '@' + std::to_string(place.offset),
                      {},
                      kPackedPlace | std::uint64_t{place.segment} << kOffsetBits | place.offset});
    return true;
  });
  return listed;
}

std::vector<ListedBlob> PackedBlobs::strays() const {
  std::vector<ListedBlob> listed;
  const std::lock_guard lock(refresh_mutex_);
  for (const std::string& name : strays_) {
    struct stat status{};
    if (::fstatat(folder_, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    listed.push_back({std::nullopt, static_cast<std::uint64_t>(status.st_size), std::string(kSegmentsFolder) + '/' + name, {}});
  }
  return listed;
}

SegmentUsage PackedBlobs::usage() const {
  SegmentUsage usage;
  const std::shared_lock lock(index_mutex_);
  usage.blobs = index_.size();
  usage.index_memory_bytes = index_.memory_bytes();
  for (const Segment& segment : segments_) {
    if (segment.gone) continue;
    ++usage.segments;
    usage.bytes += segment.scanned;
    usage.live_bytes += segment.live_bytes;
  }
  return usage;
}

}  // namespace media::store
