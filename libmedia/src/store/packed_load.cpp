// Packed blobs: what lies in the folder of the segments, at the start and whenever something is not found.
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "core/errno_error.hpp"
#include "store/handles.hpp"
#include "store/packed_blobs.hpp"

namespace media::store {
namespace {

/// A folder that changed within the last moments may change again without a newer time: the kernel's clock for files has ticks of up to 10
/// ms.
constexpr std::chrono::milliseconds kTick{50};
/// From here on entries are worth being sorted before they are put into the index.
constexpr std::size_t kManyEntries = 256;
/// Each time that so many are put in, all that the index has is gone through.
constexpr std::size_t kMostEntries = std::size_t{1} << 20U;
/// An append takes less.
constexpr std::chrono::milliseconds kClosedAfter{10'000};
/// So does writing an index.
constexpr std::chrono::milliseconds kAbandonedAfter{60'000};

bool is_settled(const struct timespec& changed, std::chrono::milliseconds after = kTick) {
  struct timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const auto age = std::chrono::seconds(now.tv_sec - changed.tv_sec) + std::chrono::nanoseconds(now.tv_nsec - changed.tv_nsec);
  return age > after;
}

/// The id that a file name of the folder spells before `suffix`.
std::optional<SegmentId> id_of_name(std::string_view name, std::string_view suffix) {
  if (!name.ends_with(suffix)) return std::nullopt;
  return SegmentId::from_hex(name.substr(0, name.size() - suffix.size()));
}

/// What an index is called until it is whole.
bool is_unfinished_index(std::string_view name) {
  const auto dot = name.rfind('.');
  return dot != std::string_view::npos && id_of_name(name.substr(0, dot), kIndexSuffix).has_value();
}

Result<std::vector<std::byte>> read_index_file(int folder, const std::string& name) {
  // Far more than the index of a segment of 64 GiB full of thumbnails.
  constexpr std::uint64_t kMost = std::uint64_t{1} << 30U;
  const UniqueFd file = open_at(folder, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!file) return errno_error(errno, "open " + name);
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return errno_error(errno, "stat " + name);
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (!S_ISREG(status.st_mode) || size > kMost) return Error{Errc::corrupt, name + " is no index"};
  std::vector<std::byte> bytes(static_cast<std::size_t>(size));
  MEDIA_TRY_ASSIGN(const std::size_t got, read_file(file.get(), size, 0, bytes, "read " + name));
  bytes.resize(got);
  return bytes;
}

}  // namespace

Result<std::unique_ptr<PackedBlobs>> PackedBlobs::open(int base, const Options& options) {
  std::unique_ptr<PackedBlobs> packed(new PackedBlobs(base, options));
  const std::lock_guard lock(packed->refresh_mutex_);
  MEDIA_TRY_ASSIGN(const bool there, packed->open_folder(false));
  if (there) MEDIA_TRY(packed->read_folder(true));
  return packed;
}

PackedBlobs::~PackedBlobs() {
  if (options_.read_only || folder_ < 0) return;
  for (std::uint32_t segment = 0; segment < segments_.size(); ++segment) {
    const Segment& each = segments_[segment];
    // What cannot be written costs the next opening some reading.
    if (!each.gone && (each.index_stale || (each.ours && each.checkpoint < each.scanned))) static_cast<void>(checkpoint(segment));
  }
}

/// False where there is no folder yet.
Result<bool> PackedBlobs::open_folder(bool make) const {
  if (folder_ >= 0 && (!make || folder_durable_)) return true;
  if (folder_ < 0) {
    UniqueFd folder = open_at(base_, kSegmentsFolder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!folder && errno == ENOENT) {
      if (!make) return false;
      if (::mkdirat(base_, kSegmentsFolder, 0755) != 0 && errno != EEXIST) return errno_error(errno, "make the folder of the segments");
      folder = open_at(base_, kSegmentsFolder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    }
    if (!folder) return errno_error(errno, "open the folder of the segments");
    folder_owner_ = std::move(folder);
    folder_ = folder_owner_.get();
  }
  if (make) {
    // Made here, or by a process that did not live to sync it: durable before anything in it is relied on.
    MEDIA_TRY(sync_folder(base_, ".", "of the store"));
    folder_durable_ = true;
  }
  return true;
}

/// Takes in segments that are new, forgets those that are gone. Under `refresh_mutex_`.
Result<bool> PackedBlobs::read_folder(bool opening) const {
  struct stat status{};
  if (::fstat(folder_, &status) != 0) return errno_error(errno, "stat the folder of the segments");
  const bool same = status.st_mtim.tv_sec == folder_changed_.tv_sec && status.st_mtim.tv_nsec == folder_changed_.tv_nsec;
  if (same && folder_settled_) return false;
  // Judged before the folder is read: what is made in it afterwards, within the same tick of the clock, must be looked for again.
  bool settled = is_settled(status.st_mtim);
  const FolderStream stream = open_folder_stream(folder_, ".");
  if (!stream) return errno_error(errno, "read the folder of the segments");
  std::set<SegmentId> found;
  std::set<SegmentId> beside;
  std::vector<std::string> unfinished;
  errno = 0;
  while (const dirent* entry = ::readdir(stream.get())) {
    if (const auto id = id_of_name(entry->d_name, kSegmentSuffix)) found.insert(*id);
    if (const auto id = id_of_name(entry->d_name, kIndexSuffix)) beside.insert(*id);
    if (const auto id = id_of_name(entry->d_name, kDeathsSuffix)) beside.insert(*id);
    if (is_unfinished_index(entry->d_name)) unfinished.emplace_back(entry->d_name);
  }
  if (errno != 0) return errno_error(errno, "read the folder of the segments");
  bool changed = false;
  Waiting waiting;
  if (opening) waiting.reserve(kMostEntries);  // At once, and so large that all of it goes back to the system.
  for (std::uint32_t number = 0; number < segment_count(); ++number) {
    const Segment segment = segment_at(number);
    if (segment.gone || found.contains(segment.id)) continue;
    drop_segment(number);
    changed = true;
  }
  for (const SegmentId& id : found) {
    {
      const std::shared_lock lock(index_mutex_);
      const auto known = numbers_.find(id);
      if (known != numbers_.end() && !segments_[known->second].gone) continue;
    }
    const auto loaded = load_segment(id, opening, waiting);
    if (!loaded && loaded.error().code == Errc::unavailable) return loaded.error();  // no descriptors, no memory: not the segment's fault
    if (!loaded) {
      // One that cannot be read must not keep the others from being served.
      strays_.insert(segment_name(id));
      continue;
    }
    changed = changed || *loaded == Loaded::taken_in;
    if (*loaded == Loaded::unfinished) settled = false;
  }
  take_in(waiting);
  if (opening && !options_.read_only) {
    for (const std::string& name : unfinished) {
      struct stat left{};
      if (::fstatat(folder_, name.c_str(), &left, AT_SYMLINK_NOFOLLOW) == 0 && is_settled(left.st_mtim, kAbandonedAfter)) {
        ::unlinkat(folder_, name.c_str(), 0);
      }
    }
    // What outlived its segment.
    for (const SegmentId& id : beside) {
      if (found.contains(id)) continue;
      ::unlinkat(folder_, index_name(id).c_str(), 0);
      ::unlinkat(folder_, deaths_name(id).c_str(), 0);
    }
  }
  folder_changed_ = status.st_mtim;
  folder_settled_ = settled;
  return changed;
}

/// Under `refresh_mutex_`. While the store is being opened its entries may be left in `waiting`, to be put into the index with those of
/// other segments.
Result<PackedBlobs::Loaded> PackedBlobs::load_segment(const SegmentId& id, bool opening, Waiting& waiting) const {
  const std::string name = segment_name(id);
  const auto as_stray = [&]() -> Result<Loaded> {
    strays_.insert(name);
    return Loaded::stray;
  };
  UniqueFd descriptor = open_at(folder_, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!descriptor) {
    if (errno == ENOENT) return Loaded::unfinished;
    if (errno == ELOOP) return as_stray();
    return errno_error(errno, "open segment " + name);
  }
  struct stat status{};
  if (::fstat(descriptor.get(), &status) != 0) return errno_error(errno, "stat segment " + name);
  if (!S_ISREG(status.st_mode)) return as_stray();
  auto size = static_cast<std::uint64_t>(status.st_size);
  SegmentBlock header{};
  MEDIA_TRY_ASSIGN(const std::size_t got, read_file(descriptor.get(), size, 0, header, "read segment " + name));
  const auto named = decode_segment_header(std::span(header).first(got));
  if (!named || *named != id) {
    // One that its maker did not live to finish has nothing in it; one that is being made will be looked at again.
    const bool unfinished = size <= kFirstEntry && !named && named.error().code == Errc::corrupt;
    if (unfinished && !options_.read_only) {
      MEDIA_TRY_ASSIGN(const auto locked, lock_segment(folder_, id));
      if (locked && locked->size <= kFirstEntry) ::unlinkat(folder_, name.c_str(), 0);
      return Loaded::unfinished;
    }
    return unfinished ? Result<Loaded>(Loaded::unfinished) : as_stray();
  }
  strays_.erase(name);

  std::optional<SegmentIndex> index;
  if (const auto bytes = read_index_file(folder_, index_name(id))) {
    if (auto decoded = decode_segment_index(*bytes); decoded && decoded->id == id && decoded->covered <= size) {
      index = std::move(decoded).value();
    }
  }
  std::uint32_t number = 0;
  {
    const std::lock_guard lock(index_mutex_);
    number = add_segment(id);
  }
  if (index) {
    std::set<std::uint64_t> dead;
    for (const std::uint64_t offset : read_deaths(folder_, id)) {
      if (offset > size) continue;
      const auto read = read_header(descriptor.get(), id, offset);
      if (read && read->header && read->header->state == EntryState::dead) dead.insert(offset);
    }
    std::erase_if(index->entries, [&](const SegmentEntry& entry) { return dead.contains(entry.offset); });
    for (const SegmentEntry& entry : index->entries) {
      waiting.push_back({entry.digest, {number, entry.offset, static_cast<std::uint32_t>(entry.length)}});
      if (waiting.size() == kMostEntries) take_in(waiting);
    }
    if (!opening) take_in(waiting);
    // Last: until its entries are in, it is as if nothing of it had been read.
    const std::lock_guard lock(index_mutex_);
    segments_[number].scanned = std::max(index->covered, kFirstEntry);
    segments_[number].checkpoint = index->covered;
    segments_[number].durable = index->covered;  // It was synced before the index was written.
    segments_[number].index_stale = !dead.empty();
  }
  if (segment_at(number).scanned == size) return Loaded::taken_in;

  take_in(waiting);  // The index on the disk is made of the one in memory.
  // Behind its index: either a living process appends to it, or one died. Only the dead one's end may be torn.
  std::optional<LockedSegment> locked;
  if (!options_.read_only) {
    MEDIA_TRY_ASSIGN(locked, lock_segment(folder_, id));
    if (locked) size = locked->size;
  }
  MEDIA_TRY(scan_tail(number, size, opening || locked ? Proof::contents : Proof::headers, descriptor.get()));
  if (locked) {
    const std::uint64_t end = segment_at(number).scanned;
    if (end < size && ::ftruncate(locked->descriptor.get(), static_cast<off_t>(end)) != 0) {
      return errno_error(errno, "cut the torn end of segment " + name);
    }
    static_cast<void>(checkpoint(number));  // A shortcut for the next opening.
  }
  return Loaded::taken_in;
}

/// One of which nothing is known yet. Under an exclusive `index_mutex_`.
std::uint32_t PackedBlobs::add_segment(const SegmentId& id) const {
  const auto number = static_cast<std::uint32_t>(segments_.size());
  Segment segment;
  segment.id = id;
  segment.scanned = kFirstEntry;
  segments_.push_back(std::move(segment));
  try {
    numbers_[id] = number;
  } catch (const std::bad_alloc&) {
    segments_.pop_back();
    throw;
  }
  return number;
}

/// Takes in what lies behind what is known. Under `refresh_mutex_`.
Result<void> PackedBlobs::scan_tail(std::uint32_t segment, std::uint64_t size, Proof proof, int descriptor) const {
  const Segment known = segment_at(segment);
  auto scanned = scan_segment(descriptor, known.id, known.scanned, size, proof);
  // It was cut meanwhile, behind its last entry, by the one who appends to it.
  if (!scanned && scanned.error().code == Errc::corrupt && proof == Proof::headers) return {};
  if (!scanned) return std::move(scanned).error();
  const SegmentScan scan = std::move(scanned).value();
  take_in(segment, scan.entries);
  const std::lock_guard lock(index_mutex_);
  segments_[segment].scanned = std::max(segments_[segment].scanned, scan.end);
  return {};
}

/// What living processes have appended to segments that are known. Under `refresh_mutex_`.
Result<bool> PackedBlobs::look_for_growth() const {
  bool changed = false;
  for (std::uint32_t number = 0; number < segment_count(); ++number) {
    const Segment segment = segment_at(number);
    if (segment.gone || segment.ours || segment.closed) continue;
    struct stat status{};
    if (::fstatat(folder_, segment_name(segment.id).c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno != ENOENT) return errno_error(errno, "stat a segment");
      drop_segment(number);
      changed = true;
      continue;
    }
    if (static_cast<std::uint64_t>(status.st_size) <= segment.scanned) {
      // Full, and not touched for a while: nobody is in the midst of a group that goes beyond the limit.
      if (segment.scanned >= options_.segment_bytes && is_settled(status.st_mtim, kClosedAfter)) {
        const std::lock_guard lock(index_mutex_);
        segments_[number].closed = true;
      }
      continue;
    }
    // What cannot be read must not keep the others from being found.
    const auto file = open_segment(number, segment.id);
    if (!file || !scan_tail(number, static_cast<std::uint64_t>(status.st_size), Proof::headers, (*file)->descriptor.get())) continue;
    changed = changed || segment_at(number).scanned > segment.scanned;
  }
  return changed;
}

Result<bool> PackedBlobs::refresh() const {
  const std::lock_guard lock(refresh_mutex_);
  MEDIA_TRY_ASSIGN(const bool there, open_folder(false));
  if (!there) return false;
  MEDIA_TRY_ASSIGN(const bool folder_changed, read_folder(false));
  MEDIA_TRY_ASSIGN(const bool grown, look_for_growth());
  return folder_changed || grown;
}

void PackedBlobs::take_in(std::uint32_t segment, std::span<const SegmentEntry> entries) const {
  Waiting waiting;
  for (const SegmentEntry& entry : entries) {
    waiting.push_back({entry.digest, {segment, entry.offset, static_cast<std::uint32_t>(entry.length)}});
    if (waiting.size() == kMostEntries) take_in(waiting);
  }
  take_in(waiting);
}

/// Empties it.
void PackedBlobs::take_in(Waiting& waiting) const {
  const std::lock_guard lock(index_mutex_);
  if (waiting.size() < kManyEntries) {
    for (const auto& [digest, place] : waiting) put_entry(digest, place);
  } else {
    for (const auto& [digest, place] : waiting) segments_[place.segment].live_bytes += entry_span(place.length);
    const auto known = index_.put_unknown(waiting);
    for (const std::size_t at : known) segments_[waiting[at].place.segment].live_bytes -= entry_span(waiting[at].place.length);
    for (const std::size_t at : known) put_entry(waiting[at].digest, waiting[at].place);
  }
  waiting.clear();
}

/// Of two copies the younger counts; the other is remembered. Under an exclusive `index_mutex_`.
void PackedBlobs::put_entry(const Digest& digest, const PackedPlace& place) const {
  const auto [first, last] = other_copies_.equal_range(digest);
  if (std::any_of(first, last, [&](const auto& copy) { return copy.second == place; })) return;
  const auto before = index_.find(digest);
  if (before && *before == place) return;
  const auto age = [&](const PackedPlace& each) { return std::pair(segments_[each.segment].id, each.offset); };
  if (before && age(place) < age(*before)) {
    other_copies_.emplace(digest, place);
    segments_[place.segment].live_bytes += entry_span(place.length);
    return;
  }
  put_newest(digest, place);
}

/// Under an exclusive `index_mutex_`.
void PackedBlobs::put_newest(const Digest& digest, const PackedPlace& place) const {
  const auto before = index_.find(digest);
  if (before && *before == place) return;
  // First, because only this needs memory then: what was known must not be forgotten where there is none.
  if (before) other_copies_.emplace(digest, *before);
  index_.put(digest, place);
  segments_[place.segment].live_bytes += entry_span(place.length);
}

/// The entry is dead or gone; another copy, if there is one, takes its place. Under an exclusive `index_mutex_`.
bool PackedBlobs::forget_entry(const Digest& digest, const PackedPlace& place) const {
  const auto subtract = [&] { segments_[place.segment].live_bytes -= entry_span(place.length); };
  const auto [first, last] = other_copies_.equal_range(digest);
  for (auto copy = first; copy != last; ++copy) {
    if (copy->second != place) continue;
    other_copies_.erase(copy);
    subtract();
    return true;
  }
  if (!index_.erase(digest, place)) return false;
  subtract();
  if (const auto copy = other_copies_.find(digest); copy != other_copies_.end()) {
    index_.put(digest, copy->second);
    other_copies_.erase(copy);
  }
  return true;
}

/// The file is gone: so are its entries. Under `refresh_mutex_`.
void PackedBlobs::drop_segment(std::uint32_t segment) const {
  const std::lock_guard lock(index_mutex_);
  std::vector<std::pair<Digest, PackedPlace>> entries;
  index_.each_from(Digest(), [&](const Digest& digest, const PackedPlace& place) {
    if (place.segment == segment) entries.emplace_back(digest, place);
    return true;
  });
  for (const auto& [digest, place] : other_copies_) {
    if (place.segment == segment) entries.emplace_back(digest, place);
  }
  for (const auto& [digest, place] : entries) forget_entry(digest, place);
  segments_[segment].gone = true;
  const std::lock_guard files(files_mutex_);
  files_.erase(segment);
}

}  // namespace media::store
