// Packed blobs: appending, dying, and the indexes that spare the next opening some reading.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/errno_error.hpp"
#include "core/out_of_memory.hpp"
#include "store/file_ops.hpp"
#include "store/packed_blobs.hpp"

namespace media::store {
Result<void> PackedBlobs::ensure_writer() {
  if (writer_) return {};
  const std::lock_guard refreshing(refresh_mutex_);
  MEDIA_TRY(open_folder(true));
  MEDIA_TRY(read_folder(false));
  // Going on with one that nobody writes to spares a file: else every run of a command line would leave one.
  for (std::uint32_t number = segment_count(); number-- > 0;) {
    const Segment candidate = segment_at(number);
    if (candidate.gone || candidate.given_up || candidate.scanned >= options_.segment_bytes) continue;
    // One that is a quarter dead will be rewritten before long, with what would be appended now.
    if (4 * dead_bytes(candidate) > candidate.scanned) continue;
    auto lock_taken = lock_segment(folder_, candidate.id);
    // Another user's, or one that is shorter than its index says: left as it is.
    if (!lock_taken || !*lock_taken || (*lock_taken)->size < candidate.scanned) continue;
    LockedSegment& locked = **lock_taken;
    if (locked.size > candidate.scanned && !scan_tail(number, locked.size, Proof::contents, locked.descriptor.get())) continue;
    // Filled up by others meanwhile: nobody looks there for more.
    if (segment_at(number).scanned >= options_.segment_bytes) continue;
    // Its maker may not have lived to sync the folder.
    MEDIA_TRY(sync_once(folder_, "sync the folder of the segments"));
    auto resumed = SegmentWriter::resume(candidate.id, std::move(locked), segment_at(number).scanned);
    if (!resumed) continue;
    writer_ = std::move(resumed).value();
    writer_segment_ = number;
    const std::lock_guard lock(index_mutex_);
    segments_[number].ours = true;
    segments_[number].closed = false;
    return {};
  }
  MEDIA_TRY_ASSIGN(auto made, SegmentWriter::create(folder_));
  const std::lock_guard lock(index_mutex_);
  writer_segment_ = add_segment(made->id());
  segments_[writer_segment_].ours = true;
  writer_ = std::move(made);  // Last: whoever finds a writer takes the number for its segment's.
  return {};
}

Result<PackedBlobs::Appended> PackedBlobs::append(std::span<const PackedContent> contents) {
  Appended appended;
  appended.digests.reserve(contents.size());
  appended.places.reserve(contents.size());
  appended.replaced.reserve(contents.size());
  {
    // Known before, so that of two who replace each other's the last to append keeps its own.
    const std::shared_lock lock(index_mutex_);
    for (const PackedContent& content : contents) {
      appended.digests.push_back(content.digest);
      appended.replaced.push_back(index_.find(content.digest));
    }
  }
  const std::lock_guard lock(append_mutex_);
  MEDIA_TRY(ensure_writer());
  appended.writer = writer_;
  appended.segment = writer_segment_;
  const std::uint64_t start = writer_->end();
  auto offsets = writer_->append(contents);
  if (offsets) {
    for (std::size_t i = 0; i < contents.size(); ++i) {
      appended.places.push_back({writer_segment_, (*offsets)[i], static_cast<std::uint32_t>(contents[i].bytes.size())});
    }
  } else if (writer_->broken()) {
    retire_writer(writer_);
  } else if (writer_->end() > start) {
    const std::lock_guard index(index_mutex_);
    note_known(segments_[writer_segment_], start, writer_->end());
  }
  // Full: the next one to come opens another. The dead count as well: others take a segment of this size for full.
  if (writer_ && writer_->end() >= options_.segment_bytes) writer_.reset();
  if (!offsets) return std::move(offsets).error();
  return appended;
}

Result<void> PackedBlobs::sync(const Appended& appended) {
  auto synced = appended.writer->sync(appended.end());
  note_synced(appended.segment, appended.end(), synced.has_value());
  if (!synced) {
    const std::lock_guard lock(append_mutex_);
    retire_writer(appended.writer);
  }
  return synced;
}

void PackedBlobs::abandon(const Appended& appended) noexcept {
  bool all_dead = true;
  for (std::size_t i = 0; i < appended.places.size(); ++i) {
    try {
      if (!remove_at(appended.digests[i], appended.places[i])) all_dead = false;
    } catch (const std::bad_alloc&) {
      all_dead = false;
    }
  }
  try {
    if (!all_dead) {
      // A live entry that the index lacks. The segment is read like a foreign one from here on, which finds it.
      const std::lock_guard lock(append_mutex_);
      return retire_writer(appended.writer);
    }
    const std::lock_guard lock(index_mutex_);
    Segment& segment = segments_[appended.segment];
    if (segment.ours) note_known(segment, appended.begin(), appended.end());
  } catch (const std::bad_alloc&) {
    // The index on the disk will cover less of the segment than it could.
  }
}

/// Under `append_mutex_`.
void PackedBlobs::retire_writer(const std::shared_ptr<SegmentWriter>& writer) {
  const std::lock_guard lock(index_mutex_);
  if (const auto number = numbers_.find(writer->id()); number != numbers_.end()) {
    segments_[number->second].given_up = true;
    segments_[number->second].ours = false;
  }
  if (writer_ == writer) writer_.reset();
}

/// What one append wrote lies in one stretch. Others may have begun before it and not ended yet: `scanned` passes nothing that the index
/// lacks, because an index on the disk that claimed more than it names would hide blobs. Under an exclusive `index_mutex_`.
void PackedBlobs::note_known(Segment& segment, std::uint64_t from, std::uint64_t to) {
  segment.ahead[from] = to;
  // What a look at the file has taken in already.
  segment.ahead.erase(segment.ahead.begin(), segment.ahead.lower_bound(segment.scanned));
  for (auto next = segment.ahead.begin(); next != segment.ahead.end() && next->first == segment.scanned;) {
    segment.scanned = next->second;
    next = segment.ahead.erase(next);
  }
}

Result<void> PackedBlobs::publish(std::span<const PackedContent> contents, std::vector<Appended> appended) {
  std::size_t visible = 0;
  const auto try_all = [&]() -> Result<void> {
    if (!contents.empty()) {
      appended.reserve(appended.size() + 1);
      MEDIA_TRY_ASSIGN(auto more, append(contents));
      appended.push_back(std::move(more));
    }
    // From the end: what was appended last to a segment is synced with all before it.
    for (std::size_t i = appended.size(); i-- > 0;) MEDIA_TRY(sync(appended[i]));
    for (; visible < appended.size(); ++visible) take_in(appended[visible]);
    return {};
  };
  auto published = unless_out_of_memory(try_all);
  if (published) return published;
  // What is visible stays: it may have taken the place of a copy that somebody relies on.
  for (; visible < appended.size(); ++visible) abandon(appended[visible]);
  return as_publish_error(std::move(published).error());
}

/// What is durable now is visible from here on.
void PackedBlobs::take_in(const Appended& appended) {
  std::vector<std::pair<Digest, PackedPlace>> dead;
  dead.reserve(appended.places.size());
  bool full = false;
  {
    const std::lock_guard lock(index_mutex_);
    for (std::size_t i = 0; i < appended.places.size(); ++i) {
      const auto before = index_.find(appended.digests[i]);
      put_newest(appended.digests[i], appended.places[i]);
      if (before && appended.replaced[i] == before) dead.emplace_back(appended.digests[i], *before);
    }
    Segment& segment = segments_[appended.segment];
    note_known(segment, appended.begin(), appended.end());
    full = segment.scanned >= options_.segment_bytes && segment.ahead.empty();
  }
  for (const auto& [digest, place] : dead) {
    // What stays alive wastes its place until it is collected, no more.
    try {
      static_cast<void>(remove_at(digest, place));
    } catch (const std::bad_alloc&) {
      // So does this one.
    }
  }
  if (full) static_cast<void>(checkpoint(appended.segment));
}

Result<bool> PackedBlobs::remove(const Digest& digest) {
  bool removed = false;
  for (;;) {
    std::optional<PackedPlace> place;
    {
      const std::shared_lock lock(index_mutex_);
      place = index_.find(digest);
    }
    if (!place) return removed;
    MEDIA_TRY_ASSIGN(const bool marked, remove_at(digest, *place));
    removed = removed || marked;
  }
}

Result<UniqueFd> PackedBlobs::lock_moves() {
  {
    const std::lock_guard refreshing(refresh_mutex_);
    MEDIA_TRY(open_folder(true));
  }
  UniqueFd lock = open_at(folder_, ".", O_RDONLY | O_DIRECTORY);
  if (!lock) return errno_error(errno, "open the folder of the segments");
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno != EWOULDBLOCK) return errno_error(errno, "lock the folder of the segments");
  return Error{Errc::unavailable, "another pack or unpack of this store is under way"};
}

/// The places at which a blob lies, the one that counts first.
std::vector<PackedPlace> PackedBlobs::places_of(const Digest& digest) const {
  std::vector<PackedPlace> places;
  const std::shared_lock lock(index_mutex_);
  if (const auto place = index_.find(digest)) places.push_back(*place);
  const auto [first, last] = other_copies_.equal_range(digest);
  for (auto copy = first; copy != last; ++copy) places.push_back(copy->second);
  return places;
}

Result<std::uint64_t> PackedBlobs::set_aside_damaged(const Digest& digest,
                                                     const std::function<Result<void>(std::span<const std::byte>)>& keep) {
  std::uint64_t set_aside = 0;
  for (const PackedPlace& place : places_of(digest)) {
    const auto file = open_segment(place.segment, segment_at(place.segment).id);
    if (!file && file.error().code == Errc::not_found) continue;
    if (!file) return file.error();
    std::vector<std::byte> bytes(place.length);
    const std::uint64_t offset = place.offset + kSegmentBlock;
    const auto got = read_file((*file)->descriptor.get(), offset + bytes.size(), offset, bytes, "read a packed blob");
    if (!got && got.error().code != Errc::corrupt) return got.error();
    if (got && Digest::of(bytes) == digest) continue;
    if (!got) bytes.clear();  // The file ends before it: nothing is left to look at.
    MEDIA_TRY(keep(bytes));
    MEDIA_TRY(remove_at(digest, place));
    ++set_aside;
  }
  return set_aside;
}

Result<bool> PackedBlobs::remove_at(const Digest& digest, const PackedPlace& place) {
  // Whoever sees the mark may forget the entry before this does.
  MEDIA_TRY_ASSIGN(const bool marked, mark_dead(digest, place));
  const std::lock_guard lock(index_mutex_);
  if (forget_entry(digest, place)) segments_[place.segment].index_stale = true;
  return marked;
}

/// True where there was an entry that nobody had marked before. Not synced: a power cut that brings the entry back leaves a blob that
/// nothing refers to.
Result<bool> PackedBlobs::mark_dead(const Digest& digest, const PackedPlace& place) {
  const SegmentId id = segment_at(place.segment).id;
  const UniqueFd file = open_at(folder_, segment_name(id).c_str(), O_RDWR | O_NOFOLLOW);
  if (!file) {
    if (errno != ENOENT) return errno_error(errno, "open segment " + segment_name(id));
    // Another process has rewritten the segment: the blob may have moved.
    // In between, its own entries are forgotten, or `remove` would come back to this one.
    const std::lock_guard refreshing(refresh_mutex_);
    drop_segment(place.segment);
    return false;
  }
  MEDIA_TRY_ASSIGN(const auto read, read_header(file.get(), id, place.offset));
  // Never write where the index is wrong: it would damage another blob. A damaged header needs no mark to be dead.
  if (!read.header) return !read.past_the_end;
  if (read.header->digest != digest) return false;
  if (read.header->state == EntryState::dead) return false;
  note_death(folder_, id, place.offset);
  MEDIA_TRY(write_all(file.get(), std::span(&kDeadState, 1), place.offset + kStateOffset, "mark a packed blob dead"));
  return true;
}

Result<void> PackedBlobs::checkpoint(std::uint32_t segment) const noexcept {
  try {
    return write_checkpoint(segment);
  } catch (const std::bad_alloc&) {
    const std::lock_guard lock(index_mutex_);
    segments_[segment].index_stale = true;
    return out_of_memory();
  }
}

Result<void> PackedBlobs::write_checkpoint(std::uint32_t segment) const {
  SegmentIndex index;
  {
    const std::lock_guard lock(index_mutex_);
    index.id = segments_[segment].id;
    index.covered = segments_[segment].scanned;
    segments_[segment].index_stale = false;  // Deaths from now on make it stale again.
  }
  index.entries = entries_of(segment);
  std::erase_if(index.entries, [&](const SegmentEntry& entry) { return entry.offset >= index.covered; });
  const auto write = [&]() -> Result<void> {
    MEDIA_TRY_ASSIGN(const auto file, open_segment(segment, index.id));
    // An index that outlived the entries that it names would be believed.
    const auto synced = sync_data_once(file->descriptor.get(), "sync a segment");
    note_synced(segment, index.covered, synced.has_value());
    MEDIA_TRY(synced);
    return write_segment_index(folder_, index);
  };
  auto written = write();
  const std::lock_guard lock(index_mutex_);
  if (!written) {
    segments_[segment].index_stale = true;
    return written;
  }
  ::unlinkat(folder_, deaths_name(index.id).c_str(), 0);
  segments_[segment].checkpoint = index.covered;
  return {};
}

}  // namespace media::store
