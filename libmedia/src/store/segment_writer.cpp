#include "store/segment_writer.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "core/errno_error.hpp"
#include "core/random.hpp"
#include "store/file_ops.hpp"

namespace media::store {
namespace {

constexpr const char* kAppending = "append to a segment";

/// False where another process holds the lock, or where the file was removed meanwhile.
Result<bool> take_lock(int descriptor, struct stat& status) {
  while (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return false;
    if (errno != EINTR) return errno_error(errno, "lock a segment");
  }
  if (::fstat(descriptor, &status) != 0) return errno_error(errno, "stat a segment");
  return status.st_nlink > 0;
}

}  // namespace

std::string segment_name(const SegmentId& id) { return id.to_hex() + std::string(kSegmentSuffix); }
std::string index_name(const SegmentId& id) { return id.to_hex() + std::string(kIndexSuffix); }
std::string deaths_name(const SegmentId& id) { return id.to_hex() + std::string(kDeathsSuffix); }

void note_death(int folder, const SegmentId& id, std::uint64_t offset) {
  const UniqueFd file = open_at(folder, deaths_name(id).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0644);
  if (!file) return;
  std::array<std::byte, 8> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(offset >> (8U * i) & 0xffU);
  // One write appends as a whole, beside those of other processes. A lost note is no loss.
  static_cast<void>(::write(file.get(), bytes.data(), bytes.size()) == std::ssize(bytes));
}

std::vector<std::uint64_t> read_deaths(int folder, const SegmentId& id) {
  constexpr std::uint64_t kMost = std::uint64_t{64} << 20U;
  std::vector<std::uint64_t> offsets;
  const UniqueFd file = open_at(folder, deaths_name(id).c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  struct stat status{};
  if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return offsets;
  std::vector<std::byte> bytes(static_cast<std::size_t>(std::min(static_cast<std::uint64_t>(status.st_size), kMost)));
  const auto got = read_file(file.get(), bytes.size(), 0, bytes, "read " + deaths_name(id));
  for (std::size_t at = 0; got && at + 8 <= *got; at += 8) {
    std::uint64_t offset = 0;
    for (std::size_t i = 8; i-- > 0;) offset = offset << 8U | static_cast<std::uint64_t>(bytes[at + i]);
    offsets.push_back(offset);
  }
  return offsets;
}

Result<std::optional<LockedSegment>> lock_segment(int folder, const SegmentId& id) {
  LockedSegment locked;
  locked.descriptor = open_at(folder, segment_name(id).c_str(), O_RDWR | O_NOFOLLOW);
  if (!locked.descriptor) {
    if (errno == ENOENT) return std::optional<LockedSegment>();
    return errno_error(errno, "open segment " + segment_name(id));
  }
  struct stat status{};
  MEDIA_TRY_ASSIGN(const bool mine, take_lock(locked.descriptor.get(), status));
  if (!mine) return std::optional<LockedSegment>();
  locked.size = static_cast<std::uint64_t>(status.st_size);
  return std::optional(std::move(locked));
}

Result<void> write_segment_index(int folder, const SegmentIndex& index) {
  const auto bytes = encode_segment_index(index);
  const std::string name = index_name(index.id);
  const std::string temp = name + '.' + random_hex(4);
  const UniqueFd file = open_at(folder, temp.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644);
  if (!file) return errno_error(errno, "make the index of a segment");
  const auto write = [&]() -> Result<void> {
    MEDIA_TRY(write_all(file.get(), bytes, 0, "write the index of a segment"));
    MEDIA_TRY(sync_once(file.get(), "sync the index of a segment"));
    if (::renameat(folder, temp.c_str(), folder, name.c_str()) != 0) return errno_error(errno, "rename the index of a segment");
    return {};
  };
  auto written = write();
  if (!written) ::unlinkat(folder, temp.c_str(), 0);
  return written;
}

Result<std::shared_ptr<SegmentWriter>> SegmentWriter::create(int folder) {
  // Between the making of the file and the lock an opening may take it for a leftover; then another is made.
  constexpr int kAttempts = 16;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const SegmentId id = SegmentId::make();
    const std::string name = segment_name(id);
    UniqueFd file = open_at(folder, name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0644);
    if (!file) {
      if (errno == EEXIST) continue;
      return errno_error(errno, "make a segment");
    }
    const auto prepare = [&]() -> Result<bool> {
      struct stat status{};
      MEDIA_TRY_ASSIGN(const bool mine, take_lock(file.get(), status));
      if (!mine) return false;
      MEDIA_TRY(write_all(file.get(), encode_segment_header(id), 0, "write a segment's header"));
      MEDIA_TRY(sync_once(file.get(), "sync a segment"));
      MEDIA_TRY(sync_once(folder, "sync the folder of the segments"));
      return true;
    };
    auto prepared = prepare();
    if (!prepared) {
      ::unlinkat(folder, name.c_str(), 0);
      return std::move(prepared).error();
    }
    if (*prepared) return std::shared_ptr<SegmentWriter>(new SegmentWriter(id, std::move(file), kFirstEntry));
  }
  return Error{Errc::unavailable, "make a segment: other processes keep taking it away"};
}

Result<std::shared_ptr<SegmentWriter>> SegmentWriter::resume(const SegmentId& id, LockedSegment segment, std::uint64_t end) {
  if (segment.size > end && ::ftruncate(segment.descriptor.get(), static_cast<off_t>(end)) != 0) {
    return errno_error(errno, "cut the torn end of segment " + segment_name(id));
  }
  return std::shared_ptr<SegmentWriter>(new SegmentWriter(id, std::move(segment.descriptor), end));
}

Result<std::vector<std::uint64_t>> SegmentWriter::append(std::span<const PackedContent> contents) {
  static constexpr SegmentBlock kPadding{};
  std::vector<std::uint64_t> offsets;
  std::vector<SegmentBlock> headers;
  std::vector<struct iovec> pieces;
  offsets.reserve(contents.size());
  headers.reserve(contents.size());
  pieces.reserve(3 * contents.size());
  // pwritev(2) does not write to what it is given.
  const auto add = [&](const std::byte* bytes, std::size_t length) { pieces.push_back({const_cast<std::byte*>(bytes), length}); };
  std::uint64_t at = end_;
  for (const PackedContent& content : contents) {
    headers.push_back(encode_entry_header(id_, at, content.digest, content.bytes.size()));
    offsets.push_back(at);
    add(headers.back().data(), headers.back().size());
    add(content.bytes.data(), content.bytes.size());
    const std::uint64_t span = entry_span(content.bytes.size());
    add(kPadding.data(), static_cast<std::size_t>(span) - kSegmentBlock - content.bytes.size());
    at += span;
  }
  if (auto written = write_all_of(descriptor_.get(), pieces, end_, kAppending); !written) {
    auto taken_back = take_back(contents, offsets);
    const std::lock_guard lock(mutex_);
    if (!taken_back) failure_ = std::move(taken_back).error();
    written_ = end_;
    return std::move(written).error();
  }
  end_ = at;
  const std::lock_guard lock(mutex_);
  written_ = at;
  return offsets;
}

Result<void> SegmentWriter::take_back(std::span<const PackedContent> contents, std::span<const std::uint64_t> offsets) {
  struct stat status{};
  if (::fstat(descriptor_.get(), &status) != 0) return errno_error(errno, "stat a segment");
  for (std::size_t i = 0; i < contents.size(); ++i) {
    const std::uint64_t behind = offsets[i] + entry_span(contents[i].bytes.size());
    if (behind > static_cast<std::uint64_t>(status.st_size)) break;
    MEDIA_TRY(write_all(descriptor_.get(), std::span(&kDeadState, 1), offsets[i] + kStateOffset, "take back an entry of a segment"));
    end_ = behind;
  }
  if (::ftruncate(descriptor_.get(), static_cast<off_t>(end_)) != 0) return errno_error(errno, "cut a segment");
  return {};
}

bool SegmentWriter::broken() const {
  const std::lock_guard lock(mutex_);
  return failure_.has_value();
}

Result<void> SegmentWriter::sync(std::uint64_t end) {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (synced_ >= end) return {};
    if (failure_) return *failure_;
    if (!syncing_) break;
    changed_.wait(lock);
  }
  syncing_ = true;
  const std::uint64_t target = written_;
  lock.unlock();
  auto synced = sync_data_once(descriptor_.get(), "sync a segment");
  lock.lock();
  syncing_ = false;
  if (synced) {
    synced_ = target;
  } else {
    failure_ = synced.error();
  }
  changed_.notify_all();
  return synced;
}

}  // namespace media::store
