/// The small blobs of a filesystem store, many to a file: `<base>/segments/`.
#pragma once

#include <sys/stat.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <shared_mutex>
#include <span>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/unique_fd.hpp"
#include "media/blob_store.hpp"
#include "media/result.hpp"
#include "store/packed_index.hpp"
#include "store/segment_scan.hpp"
#include "store/segment_writer.hpp"

namespace media::store {

/// A segment that is open for reading. Readers share it: its bytes stay for them when the segment is removed.
struct OpenSegment {
  UniqueFd descriptor;
};

/// A packed blob that was found, its header read and good.
struct FoundPacked {
  std::shared_ptr<const OpenSegment> segment;
  std::uint64_t offset = 0;  ///< Of the content.
  std::uint64_t length = 0;
  std::uint32_t number = 0;  ///< Of the segment, in this process.
};

/// Every process appends to a segment of its own and learns of the others' by looking at the folder. The index in memory may be behind
/// them: a blob that is not in it is looked for on the disk before it is said to be absent, and one that is in it has its header read
/// before it is believed, since another process may have removed or moved it.
///
/// Thread-safety: every method may be called concurrently; each of the mutexes below says what it guards.
class PackedBlobs {
 public:
  struct Options {
    std::uint64_t segment_bytes = 0;  ///< A segment that has reached this size is not appended to.
    bool read_only = false;
  };

  /// Reads what lies in `segments` below `base`, which outlives the object; the folder is made with the first blob. Segments that a crash
  /// has left are read whole, and cut behind their last whole entry.
  static Result<std::unique_ptr<PackedBlobs>> open(int base, const Options& options);
  /// Writes the indexes that spare the next opening that work.
  ~PackedBlobs();

  /// Contents in a segment that are neither durable nor known to the index. While it lives nobody else takes the segment.
  struct Appended {
    std::shared_ptr<SegmentWriter> writer;
    std::uint32_t segment = 0;
    std::vector<Digest> digests;  ///< Of what lies at `places`, in one stretch.
    std::vector<PackedPlace> places;
    std::vector<std::optional<PackedPlace>> replaced;  ///< The copies that the index knew before.

    [[nodiscard]] std::uint64_t begin() const { return places.front().offset; }
    [[nodiscard]] std::uint64_t end() const { return places.back().offset + entry_span(places.back().length); }
  };

  /// Appends contents, at least one, which are then published or abandoned. Errors: `no_space`, `io`, `denied`, `unavailable`.
  Result<Appended> append(std::span<const PackedContent> contents);
  /// Both durable and visible on success. After a failure the latter are abandoned. Errors: as `append`.
  Result<void> publish(std::span<const PackedContent> contents, std::vector<Appended> appended = {});
  /// Their entries are dead.
  void abandon(const Appended& appended) noexcept;
  /// Looks into the index alone, not at what other processes have done since the last `refresh`. `corrupt` where the entry is damaged.
  Result<std::optional<FoundPacked>> find(const Digest& digest) const;
  /// Sees to it that what was found outlives a power cut; false where that cannot be had. Entries of this process are found once they are
  /// durable, but those of another may have been appended a moment ago, or by one that died before it synced them.
  bool settle(const FoundPacked& found) const;
  /// Learns what other processes have appended, moved and removed; false where there was nothing new.
  Result<bool> refresh() const;
  /// Marks every entry of the blob dead; false where there was none.
  Result<bool> remove(const Digest& digest);
  /// Removes the copies whose bytes are not what the digest says, and tells `keep` of the bytes before; how many there were.
  Result<std::uint64_t> set_aside_damaged(const Digest& digest, const std::function<Result<void>(std::span<const std::byte>)>& keep);
  /// Where the blob lies, all copies; and the removal of one of them, true where nobody had removed it before.
  [[nodiscard]] std::vector<PackedPlace> places_of(const Digest& digest) const;
  Result<bool> remove_at(const Digest& digest, const PackedPlace& place);
  /// Locks out others who move many blobs between segments and files; `unavailable` where somebody does already. Held by the descriptor.
  Result<UniqueFd> lock_moves();

  /// At most `limit` blobs from `from` on (behind it, if `beyond`), ascending.
  [[nodiscard]] std::vector<ListedBlob> list(const Digest& from, bool beyond, std::size_t limit) const;
  /// Files that are named like segments and cannot be read as such, below the store's base.
  [[nodiscard]] std::vector<ListedBlob> strays() const;

  /// Rewrites segments that are dead for the most part: see BlobStore.
  Result<CompactReport> compact(const CompactOptions& options);
  /// Overwrites the contents of all dead entries with zeros, in the segments of other processes too: an entry's place is written once, and
  /// a dead one is nobody's. Durable on success. Errors: `io`, `cancelled`.
  Result<void> wipe_dead(const std::stop_token& stop);
  [[nodiscard]] SegmentUsage usage() const;

 private:
  struct Segment {
    SegmentId id{};
    std::uint64_t scanned = 0;     ///< Up to here the index knows all of it.
    std::uint64_t live_bytes = 0;  ///< Spans of the entries that the index has.
    std::uint64_t checkpoint = 0;  ///< What its index on the disk covers.
    std::uint64_t durable = 0;     ///< Up to here all of it is known to be on stable storage.
    bool doubtful = false;         ///< A sync of it failed: what lies behind `durable` may be gone for all that a later sync says.
    bool index_stale = false;      ///< Entries that its index on the disk names have died or moved.
    bool ours = false;             ///< This process appends to it, and takes its entries in itself.
    bool given_up = false;         ///< Not to be appended to by this process: a write or a sync failed.
    bool closed = false;           ///< Full for good: not looked at again.
    bool gone = false;
    bool rescanned = false;  ///< The index was found wrong once and made anew from the contents.
    /// Stretches of ours that the index knows, behind one that is not durable yet: from where, to where.
    std::map<std::uint64_t, std::uint64_t> ahead{};
  };
  /// Descriptors for reading, by the segment's number.
  struct Reading {
    std::shared_ptr<const OpenSegment> file;
    std::uint64_t last_used = 0;
  };
  PackedBlobs(int base, const Options& options) : base_(base), options_(options) {}

  [[nodiscard]] Segment segment_at(std::uint32_t number) const;
  [[nodiscard]] std::uint32_t segment_count() const;
  static std::uint64_t dead_bytes(const Segment& segment);

  Result<bool> open_folder(bool make) const;
  Result<bool> read_folder(bool opening) const;
  enum class Loaded : std::uint8_t { taken_in, stray, unfinished };
  using Waiting = std::vector<PackedEntry>;
  Result<Loaded> load_segment(const SegmentId& id, bool opening, Waiting& waiting) const;
  Result<void> scan_tail(std::uint32_t segment, std::uint64_t size, Proof proof, int descriptor) const;
  Result<bool> look_for_growth() const;
  Result<void> rescan(std::uint32_t segment) const;
  std::uint32_t add_segment(const SegmentId& id) const;
  void drop_segment(std::uint32_t segment) const;
  void take_in(std::uint32_t segment, std::span<const SegmentEntry> entries) const;
  void take_in(Waiting& waiting) const;
  void put_entry(const Digest& digest, const PackedPlace& place) const;
  void put_newest(const Digest& digest, const PackedPlace& place) const;
  bool forget_entry(const Digest& digest, const PackedPlace& place) const;
  Result<std::shared_ptr<const OpenSegment>> open_segment(std::uint32_t segment, const SegmentId& id) const;

  static void note_known(Segment& segment, std::uint64_t from, std::uint64_t to);
  Result<void> ensure_writer();
  Result<void> sync(const Appended& appended);
  /// After a sync of the segment that began when it had so many bytes, all of them written.
  void note_synced(std::uint32_t segment, std::uint64_t end, bool synced) const;
  void take_in(const Appended& appended);
  void retire_writer(const std::shared_ptr<SegmentWriter>& writer);
  Result<bool> mark_dead(const Digest& digest, const PackedPlace& place);
  /// Never throws; where it fails the index on the disk covers less than it could.
  Result<void> checkpoint(std::uint32_t segment) const noexcept;
  Result<void> write_checkpoint(std::uint32_t segment) const;

  // packed_compact.cpp
  struct Moving;
  [[nodiscard]] std::vector<SegmentEntry> entries_of(std::uint32_t segment) const;
  Result<bool> compact_segment(std::uint32_t segment, const CompactOptions& options, CompactReport& report);
  Result<bool> read_for_moving(std::uint32_t segment, std::span<const SegmentEntry> entries, int descriptor, std::vector<Moving>& moving);
  Result<void> move(std::uint32_t segment, int descriptor, std::span<Moving> moving);
  Result<void> remove_segment(std::uint32_t segment, int descriptor, std::span<const Moving> moved);
  Result<void> wipe_segment(std::uint32_t segment, const std::stop_token& stop) const;
  Result<bool> names_every_entry(std::uint32_t segment, int descriptor, std::uint64_t size, std::span<const SegmentEntry> entries) const;

  const int base_;
  const Options options_;

  /// One at a time looks at the folder. Taken before `index_mutex_`.
  mutable std::mutex refresh_mutex_;
  mutable std::atomic<int> folder_{-1};
  mutable UniqueFd folder_owner_;
  mutable struct timespec folder_changed_{};
  mutable bool folder_durable_ = false;  ///< Its name is on stable storage.
  mutable bool folder_settled_ = false;  ///< The folder's time of change is old enough to tell of the next one.
  mutable std::set<std::string> strays_;

  /// The index, the segments, and the other copies of blobs that lie in two places (two processes stored them at once, or a compaction
  /// died).
  mutable std::shared_mutex index_mutex_;
  mutable PackedIndex index_;
  mutable std::deque<Segment> segments_;
  mutable std::map<SegmentId, std::uint32_t> numbers_;
  mutable std::unordered_multimap<Digest, PackedPlace> other_copies_;

  /// One at a time syncs what others have appended: those who wait find that done. Taken before `index_mutex_`.
  mutable std::mutex settle_mutex_;

  mutable std::mutex files_mutex_;
  mutable std::unordered_map<std::uint32_t, Reading> files_;
  mutable std::uint64_t uses_ = 0;

  /// One at a time appends. Taken before `refresh_mutex_`.
  std::mutex append_mutex_;
  std::shared_ptr<SegmentWriter> writer_;
  std::uint32_t writer_segment_ = 0;
};

}  // namespace media::store
