/// Appending to a segment, and making durable what many threads have appended with one sync.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/unique_fd.hpp"
#include "media/result.hpp"
#include "store/segment_format.hpp"

namespace media::store {

std::string segment_name(const SegmentId& id);
std::string index_name(const SegmentId& id);

/// The file of a segment, locked: as long as it lives nobody else appends to it, cuts it or removes it. The lock belongs to the open file,
/// so the kernel drops it however the process ends.
struct LockedSegment {
  UniqueFd descriptor;  ///< For reading and writing.
  std::uint64_t size = 0;
};

/// Nothing where another holds it or where it is gone.
Result<std::optional<LockedSegment>> lock_segment(int folder, const SegmentId& id);

/// Beside a segment, the places of entries that died since its index was written, 8 bytes each. A hint, like the index: each is looked up
/// in the segment itself. Without it a blob that was removed would be listed again after a crash.
std::string deaths_name(const SegmentId& id);
void note_death(int folder, const SegmentId& id, std::uint64_t offset);
std::vector<std::uint64_t> read_deaths(int folder, const SegmentId& id);

/// Writes the index of a segment beside it. Not needed for anything but speed.
Result<void> write_segment_index(int folder, const SegmentIndex& index);

/// A content to be appended; the bytes outlive the call.
struct PackedContent {
  Digest digest{};
  std::span<const std::byte> bytes{};
};

/// Thread-safety: `append` by one thread at a time, their caller sees to that; `sync` by any number, a mutex guards its turn.
class SegmentWriter {
 public:
  /// Makes a new segment, durable and empty. Errors: `no_space`, `io`, `denied`, `unavailable`.
  static Result<std::shared_ptr<SegmentWriter>> create(int folder);
  /// Goes on with one that lies there, behind its last entry: what follows there is cut off.
  static Result<std::shared_ptr<SegmentWriter>> resume(const SegmentId& id, LockedSegment segment, std::uint64_t end);

  [[nodiscard]] const SegmentId& id() const noexcept { return id_; }
  [[nodiscard]] std::uint64_t end() const noexcept { return end_; }

  /// Appends contents; answers the places of their entries. Nothing is durable yet. After a failure those of the entries that are whole are
  /// dead: other processes may have seen them, so that their places are never written again; `end` is behind them. Where not even that
  /// worked, the writer is `broken` and to be given up; whoever goes on with the segment keeps what is whole, and cuts what is torn.
  Result<std::vector<std::uint64_t>> append(std::span<const PackedContent> contents);
  [[nodiscard]] bool broken() const;

  /// Makes all that lies before `end` durable. One sync serves everybody who appended before it began; whoever comes meanwhile shares the
  /// next. After a failure nobody is believed any more, because the kernel may have dropped the pages and tell of it once only.
  Result<void> sync(std::uint64_t end);

 private:
  SegmentWriter(const SegmentId& id, UniqueFd descriptor, std::uint64_t end)
      : id_(id), descriptor_(std::move(descriptor)), end_(end), written_(end), synced_(end) {}

  Result<void> take_back(std::span<const PackedContent> contents, std::span<const std::uint64_t> offsets);

  const SegmentId id_;
  const UniqueFd descriptor_;
  std::uint64_t end_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t written_;
  std::uint64_t synced_;
  bool syncing_ = false;
  std::optional<Error> failure_;
};

}  // namespace media::store
