// Segments that are dead for the most part are rewritten: what lives in them is appended elsewhere and made durable, and then the file
// goes. Readers that have it open keep it; other processes find it gone and look again. A crash on the way leaves copies, of which the
// younger counts.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>
#include <unordered_set>

#include "core/errno_error.hpp"
#include "store/file_ops.hpp"
#include "store/packed_blobs.hpp"

namespace media::store {
namespace {

constexpr std::uint64_t kBatchBytes = std::uint64_t{4} << 20U;

/// Holds a rate on average, by sleeping.
class Pace {
 public:
  Pace(std::uint64_t bytes_per_second, std::stop_token stop) : rate_(bytes_per_second), stop_(std::move(stop)) {}
  void moved(std::uint64_t bytes) {
    bytes_ += bytes;
    if (rate_ == 0) return;
    const auto due = start_ + std::chrono::duration_cast<Clock::duration>(
                                  std::chrono::duration<double>(static_cast<double>(bytes_) / static_cast<double>(rate_)));
    while (!stop_.stop_requested() && Clock::now() < due) {
      std::this_thread::sleep_for(std::min<Clock::duration>(due - Clock::now(), std::chrono::milliseconds(50)));
    }
  }

 private:
  using Clock = std::chrono::steady_clock;
  const std::uint64_t rate_;
  const std::stop_token stop_;
  const Clock::time_point start_ = Clock::now();
  std::uint64_t bytes_ = 0;
};

}  // namespace

/// An entry that goes elsewhere.
struct PackedBlobs::Moving {
  SegmentEntry entry;
  std::vector<std::byte> content;
  PackedPlace place{};  ///< The new one.
  bool stray = false;   ///< Removed in the old place before the copy could be seen in the new one.
};

std::vector<SegmentEntry> PackedBlobs::entries_of(std::uint32_t segment) const {
  std::vector<SegmentEntry> entries;
  const std::shared_lock lock(index_mutex_);
  const auto add = [&](const Digest& digest, const PackedPlace& place) {
    if (place.segment == segment) entries.push_back({digest, place.offset, place.length});
    return true;
  };
  index_.each_from(Digest(), add);
  for (const auto& [digest, place] : other_copies_) add(digest, place);
  std::sort(entries.begin(), entries.end(), [](const SegmentEntry& a, const SegmentEntry& b) { return a.offset < b.offset; });
  return entries;
}

Result<CompactReport> PackedBlobs::compact(const CompactOptions& options) {
  CompactReport report;
  MEDIA_TRY(refresh());
  std::vector<std::pair<std::uint64_t, std::uint32_t>> candidates;
  for (std::uint32_t number = 0, count = segment_count(); number < count; ++number) {
    const Segment segment = segment_at(number);
    const std::uint64_t dead = segment.gone ? 0 : dead_bytes(segment);
    if (dead == 0 || static_cast<double>(dead) < options.min_dead_fraction * static_cast<double>(segment.scanned - kFirstEntry)) continue;
    candidates.emplace_back(segment.live_bytes, number);
  }
  // Those with the least in them first: on a full disk they make the room that the others need.
  std::sort(candidates.begin(), candidates.end());
  for (const auto& [live_bytes, number] : candidates) {
    if (options.stop.stop_requested()) break;
    const auto rewritten = compact_segment(number, options, report);
    if (rewritten && *rewritten) continue;
    // One that cannot be rewritten must not keep the others from it.
    ++report.left;
    if (!rewritten && report.problem.empty()) report.problem = rewritten.error().message;
  }
  return report;
}

/// False where the segment must stay: another process appends to it, or a blob in it is damaged, which is a person's to see.
Result<bool> PackedBlobs::compact_segment(std::uint32_t segment, const CompactOptions& options, CompactReport& report) {
  const SegmentId id = segment_at(segment).id;
  {
    const std::lock_guard lock(append_mutex_);
    if (writer_ && writer_segment_ == segment) {
      // Some are on their way into it; only who appends takes another share.
      if (writer_.use_count() > 1) return false;
      writer_.reset();
      const std::lock_guard index(index_mutex_);
      segments_[segment].ours = false;  // Who goes on with it, should it stay, may be another process.
    }
  }
  MEDIA_TRY_ASSIGN(auto locked, lock_segment(folder_, id));
  if (!locked) return false;
  {
    const std::lock_guard refreshing(refresh_mutex_);
    if (locked->size > segment_at(segment).scanned) MEDIA_TRY(scan_tail(segment, locked->size, Proof::contents, locked->descriptor.get()));
    // What a failed append has left behind its last entry.
    const std::uint64_t end = segment_at(segment).scanned;
    if (locked->size > end && ::ftruncate(locked->descriptor.get(), static_cast<off_t>(end)) != 0) {
      return errno_error(errno, "cut the torn end of a segment");
    }
    locked->size = std::min(locked->size, end);
  }
  const auto entries = entries_of(segment);
  MEDIA_TRY_ASSIGN(const bool all, names_every_entry(segment, locked->descriptor.get(), locked->size, entries));
  if (!all) return false;
  Pace pace(options.bytes_per_second, options.stop);
  std::vector<Moving> moved;
  // What was moved is dead where it was, also where the segment stays after all: a later removal would find the new copy alone.
  const auto leave = [&]() -> Result<bool> {
    for (const Moving& each : moved) {
      MEDIA_TRY(mark_dead(each.entry.digest, {segment, each.entry.offset, static_cast<std::uint32_t>(each.entry.length)}));
    }
    return false;
  };
  for (std::size_t at = 0; at < entries.size();) {
    if (options.stop.stop_requested()) return leave();
    std::size_t end = at;
    std::uint64_t bytes = 0;
    while (end < entries.size() && (end == at || bytes + entries[end].length <= kBatchBytes)) bytes += entries[end++].length;
    std::vector<Moving> moving;
    MEDIA_TRY_ASSIGN(const bool whole,
                     read_for_moving(segment, std::span(entries).subspan(at, end - at), locked->descriptor.get(), moving));
    if (!whole) return leave();
    if (auto outcome = move(segment, locked->descriptor.get(), moving); !outcome) {
      MEDIA_TRY(leave());
      return std::move(outcome).error();
    }
    report.blobs_moved += moving.size();
    for (Moving& each : moving) {
      each.content = {};
      moved.push_back(std::move(each));
    }
    pace.moved(2 * bytes);
    at = end;
  }
  MEDIA_TRY(remove_segment(segment, locked->descriptor.get(), moved));
  ++report.segments;
  std::uint64_t kept = 0;
  for (const Moving& each : moved) kept += entry_span(each.entry.length);
  report.freed_bytes += locked->size - std::min(locked->size, kept);
  return true;
}

/// False where one of the entries is damaged. Dead ones are forgotten.
Result<bool> PackedBlobs::read_for_moving(std::uint32_t segment, std::span<const SegmentEntry> entries, int descriptor,
                                          std::vector<Moving>& moving) {
  const SegmentId id = segment_at(segment).id;
  for (const SegmentEntry& entry : entries) {
    const PackedPlace place{segment, entry.offset, static_cast<std::uint32_t>(entry.length)};
    std::vector<std::byte> bytes(kSegmentBlock + static_cast<std::size_t>(entry.length));
    const auto got = read_file(descriptor, entry.offset + bytes.size(), entry.offset, bytes, "read a packed blob");
    if (!got && got.error().code != Errc::corrupt) return got.error();
    const auto header = got ? decode_entry_header(id, entry.offset, bytes) : std::nullopt;
    if (header && header->digest == entry.digest && header->state == EntryState::dead) {
      const std::lock_guard lock(index_mutex_);
      forget_entry(entry.digest, place);
      continue;
    }
    bytes.erase(bytes.begin(), bytes.begin() + kSegmentBlock);
    if (!got || Digest::of(bytes) != entry.digest) return false;
    moving.push_back({entry, std::move(bytes), {}});
  }
  return true;
}

/// Does what is to be moved have every live entry of the segment? Absence from the index alone is no proof of death.
Result<bool> PackedBlobs::names_every_entry(std::uint32_t segment, int descriptor, std::uint64_t size,
                                            std::span<const SegmentEntry> entries) const {
  const SegmentId id = segment_at(segment).id;
  std::unordered_set<std::uint64_t> places;
  for (const SegmentEntry& entry : entries) places.insert(entry.offset);
  std::uint64_t at = kFirstEntry;
  while (at + kSegmentBlock <= size) {
    MEDIA_TRY_ASSIGN(const auto read, read_header(descriptor, id, at));
    if (!read.header || entry_span(read.header->length) > size - at) break;
    if (read.header->state == EntryState::live && !places.contains(at)) return false;
    at += entry_span(read.header->length);
  }
  // Where no entry begins there may only be what never was one: zeros, to the end.
  std::vector<std::byte> rest(std::size_t{1} << 16U);
  for (; at < size; at += rest.size()) {
    const auto piece = std::span(rest).first(static_cast<std::size_t>(std::min<std::uint64_t>(rest.size(), size - at)));
    MEDIA_TRY(read_file(descriptor, size, at, piece, "read a segment"));
    if (std::any_of(piece.begin(), piece.end(), [](std::byte byte) { return byte != std::byte{0}; })) return false;
  }
  return true;
}

Result<void> PackedBlobs::move(std::uint32_t segment, int descriptor, std::span<Moving> moving) {
  if (moving.empty()) return {};
  std::vector<PackedContent> contents;
  for (const Moving& each : moving) contents.push_back({each.entry.digest, each.content});
  MEDIA_TRY_ASSIGN(const auto appended, append(contents));
  MEDIA_TRY(sync(appended));
  {
    const std::lock_guard lock(index_mutex_);
    for (std::size_t i = 0; i < moving.size(); ++i) {
      const SegmentEntry& entry = moving[i].entry;
      moving[i].place = appended.places[i];
      put_newest(entry.digest, moving[i].place);
      // Removed, or stored anew, since it was read. The copy is live on the disk by now, and somebody may have come to rely on it: it is
      // left to the next collection.
      moving[i].stray = !forget_entry(entry.digest, {segment, entry.offset, static_cast<std::uint32_t>(entry.length)});
    }
    note_known(segments_[appended.segment], appended.begin(), appended.end());
  }
  // The same, where another process removed it.
  for (Moving& each : moving) {
    const auto read = read_header(descriptor, segment_at(segment).id, each.entry.offset);
    each.stray = each.stray || (read && read->header && read->header->state == EntryState::dead);
  }
  return {};
}

Result<void> PackedBlobs::remove_segment(std::uint32_t segment, int descriptor, std::span<const Moving> moved) {
  const SegmentId id = segment_at(segment).id;
  // What other processes have marked dead since the copy could be seen: they would have removed it too, had they known of it.
  for (const Moving& each : moved) {
    if (each.stray) continue;
    MEDIA_TRY_ASSIGN(const auto read, read_header(descriptor, id, each.entry.offset));
    if (!read.header || read.header->state == EntryState::live) continue;
    MEDIA_TRY(mark_dead(each.entry.digest, each.place));
    const std::lock_guard lock(index_mutex_);
    forget_entry(each.entry.digest, each.place);
  }
  if (::unlinkat(folder_, segment_name(id).c_str(), 0) != 0 && errno != ENOENT) return errno_error(errno, "remove a segment");
  ::unlinkat(folder_, index_name(id).c_str(), 0);
  ::unlinkat(folder_, deaths_name(id).c_str(), 0);
  const std::lock_guard refreshing(refresh_mutex_);
  drop_segment(segment);
  return {};
}

}  // namespace media::store
