/// Where the bytes are: immutable blobs by their digest.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "media/digest.hpp"
#include "media/export.hpp"
#include "media/io.hpp"
#include "media/result.hpp"

namespace media {

/// Content that is whole and hashed, but not yet visible. Destroying it unpublished leaves no trace, but for a dead entry of a segment
/// where it was written ahead.
///
/// Thread-safety: reading may be concurrent; publishing takes it over, and writing ahead needs it alone.
class MEDIA_EXPORT Staged : public ByteReader {
 public:
  [[nodiscard]] virtual const Digest& digest() const noexcept = 0;
  /// It will be published in a moment: what can be done before others are waited for may be done now, on the calling thread. Neither
  /// durable nor visible after it; a hint, of which a failure is no loss.
  virtual void write_ahead() noexcept {}
};

/// Takes the bytes of one blob in order and hashes them as they come. Destroying it before `finish`
/// leaves no trace.
///
/// Thread-safety: none; one writer, one stream.
class MEDIA_EXPORT BlobWriter {
 public:
  virtual ~BlobWriter() = default;
  BlobWriter(const BlobWriter&) = delete;
  BlobWriter& operator=(const BlobWriter&) = delete;

  /// Errors: `no_space`, `io`, `denied`, `unavailable`. After an error only destruction is allowed.
  virtual Result<void> write(std::span<const std::byte> piece) = 0;
  /// Ends the content. Nothing is durable or visible yet. The writer is spent afterwards.
  virtual Result<std::unique_ptr<Staged>> finish() = 0;

 protected:
  BlobWriter() = default;
};

/// What a store knows of a blob without reading it.
struct BlobStat {
  std::uint64_t size = 0;
  /// Opaque; changes when the stored object was replaced or touched (inode, size and change time of a file).
  /// Empty where the store has no such thing, as for a blob within a segment: a library hashes such a blob whenever it opens it.
  std::string identity{};

  friend bool operator==(const BlobStat&, const BlobStat&) = default;
};

/// One object found in the store by `list`.
struct ListedBlob {
  /// Absent for a stray: something that lies in the blobs' place without being one.
  std::optional<Digest> digest{};
  std::uint64_t size = 0;
  /// Where it lies, relative to the store's root; for messages.
  std::string location{};
  /// As in `BlobStat`, where the store sees it on the way; else empty.
  std::string identity{};
  /// Blobs that are read in the ascending order of this are read in the order of the disk, as far as the store knows it; 0 where it does
  /// not.
  std::uint64_t place = 0;
};

struct BlobPage {
  std::vector<ListedBlob> blobs{};
  /// Pass to the next call; empty after the last page.
  std::string next_cursor{};
};

/// What to rewrite, and how fast.
struct CompactOptions {
  /// A segment is rewritten when at least this much of it is dead.
  double min_dead_fraction = 0.5;
  std::uint64_t bytes_per_second = 0;  ///< Read and written; 0: as fast as the disk goes.
  std::stop_token stop{};
};
struct CompactReport {
  std::uint64_t segments = 0;  ///< Rewritten and removed.
  std::uint64_t left = 0;      ///< Dead enough, but in use by another process, or with something in them that cannot be moved.
  std::string problem{};       ///< The first failure among those, where there was one.
  std::uint64_t blobs_moved = 0;
  std::uint64_t freed_bytes = 0;  ///< Given back to the filesystem, once nobody has the old segments open.
};

struct PackOptions {
  std::stop_token stop{};
  std::function<void(std::uint64_t blobs, std::uint64_t bytes)> progress{};  ///< Now and then, on the calling thread.
};
struct PackReport {
  std::uint64_t blobs = 0;  ///< Moved from the one form into the other.
  std::uint64_t bytes = 0;
  std::uint64_t damaged = 0;  ///< Left where they are, because they are not what their digest says.
};

struct SegmentUsage {
  std::uint64_t segments = 0;
  std::uint64_t blobs = 0;
  std::uint64_t bytes = 0;       ///< Of the segments' files.
  std::uint64_t live_bytes = 0;  ///< Of the entries that are alive, with what surrounds them.
  std::uint64_t index_memory_bytes = 0;
};

/// A store that keeps small blobs many to a file.
///
/// Thread-safety: as BlobStore.
class MEDIA_EXPORT SegmentedStore {
 public:
  virtual ~SegmentedStore() = default;
  SegmentedStore(const SegmentedStore&) = delete;
  SegmentedStore& operator=(const SegmentedStore&) = delete;

  /// Rewrites segments that are mostly dead. Readers go on; a crash on the way loses nothing. Errors: as `publish`.
  virtual Result<CompactReport> compact(const CompactOptions& options) = 0;
  /// Brings small blobs that lie in files of their own into segments. Can be stopped, or killed, and called again. Errors: as `publish`,
  /// `cancelled`.
  virtual Result<PackReport> pack(const PackOptions& options) = 0;
  /// Brings all packed blobs back into files of their own; likewise.
  virtual Result<PackReport> unpack(const PackOptions& options) = 0;
  [[nodiscard]] virtual SegmentUsage segment_usage() const = 0;

 protected:
  SegmentedStore() = default;
};

/// What a presigned download says of itself to whoever follows it.
struct PresignOptions {
  std::chrono::seconds lifetime{300};  ///< 1 second to 7 days.
  std::string content_type{};          ///< Empty: what the store has, which knows no types.
  std::string content_disposition{};   ///< Empty: none.
  std::string cache_control{};         ///< Empty: none.
};

/// A store that can let others fetch a blob from it themselves, by a URL that is a credential until it expires. What goes out that way is
/// not verified by anybody on the way.
///
/// Thread-safety: as BlobStore.
class MEDIA_EXPORT PresigningStore {
 public:
  virtual ~PresigningStore() = default;
  PresigningStore(const PresigningStore&) = delete;
  PresigningStore& operator=(const PresigningStore&) = delete;

  /// A URL for one GET or HEAD of the blob, whole or by range. Whether the blob is there is not looked at, and no request is made.
  /// Errors: `invalid_argument` (the lifetime, control characters), `denied` (no credentials).
  virtual Result<std::string> presign_get(const Digest& digest, const PresignOptions& options) const = 0;

 protected:
  PresigningStore() = default;
};

class FileNamingStore;
class FileSharingStore;
class TieredStore;  // media/tiers.hpp

/// Immutable bytes by digest. One contract suite (tests/contract) says what every store must do.
///
/// Thread-safety: every method may be called concurrently, by several processes on one store too.
class MEDIA_EXPORT BlobStore {
 public:
  virtual ~BlobStore() = default;
  BlobStore(const BlobStore&) = delete;
  BlobStore& operator=(const BlobStore&) = delete;

  /// Starts a blob. `expected_size` is a hint (preallocation, choice of buffer); the content may differ from it.
  virtual Result<std::unique_ptr<BlobWriter>> begin(std::optional<std::uint64_t> expected_size = std::nullopt) = 0;

  /// Ends many contents at once, each as by its own `finish`; small ones may be hashed several at a time. The writers must come from this
  /// store; they are spent.
  virtual std::vector<Result<std::unique_ptr<Staged>>> finish_together(std::span<const std::unique_ptr<BlobWriter>> writers);

  /// Makes staged contents durable and visible: on success all of them are on stable storage under their
  /// digests, and a power cut a moment later loses none. Contents that are there already are published again over
  /// themselves. On failure none may be believed; some may be visible, which does no harm. Concurrent calls
  /// share their syncs. The staged contents must come from this store; they are spent either way.
  ///
  /// Errors: `no_space`, `io`, `denied`, `unavailable`.
  virtual Result<void> publish(std::span<const std::unique_ptr<Staged>> staged) = 0;

  /// Opens a blob. Its bytes are not verified here. Errors: `not_found`, `io`, `denied`, `unavailable`.
  virtual Result<std::unique_ptr<ByteReader>> open(const Digest& digest) const = 0;
  /// Absent where there is no such blob.
  virtual Result<std::optional<BlobStat>> stat(const Digest& digest) const = 0;
  /// Removes a blob; false where there was none. Readers that have it open keep their bytes.
  virtual Result<bool> remove(const Digest& digest) = 0;
  /// Everything in the blobs' place, ascending by digest, strays among them; `cursor` empty for the first page.
  virtual Result<BlobPage> list(const std::string& cursor, std::size_t limit) const = 0;
  /// Sets a damaged blob aside, out of the readers' sight, for a person to look at: each copy whose bytes are not what the digest says. A
  /// copy that is whole stays, whoever thought it damaged: it may have been stored anew since. False where nothing was set aside.
  virtual Result<bool> quarantine(const Digest& digest) = 0;
  /// Leaves nothing of these blobs, which have been removed: no copy that was set aside, no bytes that wait for a compaction. May overwrite
  /// the bytes of other removed blobs too, and readers that have a removed blob open may get zeros for it. Once for many: it may have to
  /// look through all that is dead. Errors: as `remove`, `cancelled`. A store that keeps nothing of what is removed has nothing to do.
  virtual Result<void> wipe(std::span<const Digest> removed, const std::stop_token& stop);
  /// Proves that the store can be written and read now (a health check): makes and removes a temp object.
  virtual Result<void> check() = 0;
  /// The store's power over segments; null where it has none.
  virtual SegmentedStore* segmented() noexcept { return nullptr; }
  /// The store's power to presign; null where it has none.
  virtual const PresigningStore* presigning() const noexcept { return nullptr; }
  /// The store's power to take in files without copying them (media/file_sharing.hpp); null where it has none.
  virtual FileSharingStore* file_sharing() noexcept { return nullptr; }
  /// The store's power to name the files that blobs are (media/file_naming.hpp); null where it has none.
  virtual const FileNamingStore* file_naming() const noexcept { return nullptr; }
  /// The stores that this one is made of; null where it is one.
  virtual const TieredStore* tiered() const noexcept { return nullptr; }

 protected:
  BlobStore() = default;
};

/// Blobs in this process's memory, for tests and short-lived programs. Gone with the object.
MEDIA_EXPORT std::unique_ptr<BlobStore> make_memory_store();

struct FilesystemStoreOptions {
  std::filesystem::path base_path{};
  /// Default: `<base>/temp`. Another filesystem than the base's is refused (`invalid_argument`).
  std::filesystem::path temp_path{};
  /// Threads that sync and rename on behalf of `publish`; many, because they wait for the disk and share its journal commits.
  unsigned sync_threads = 64;
  /// Contents up to this size stay in memory until they are published.
  std::size_t buffer_bytes = 256U << 10U;
  /// Contents smaller than this go into segments: 0 for none, at most 16 MiB. What lies in either form is found, whatever this says. Takes
  /// effect for contents that stay in memory (`buffer_bytes`).
  std::uint64_t pack_below_bytes = 256U << 10U;
  /// A segment of this size is full. 1 MiB to 64 GiB, the same for all who open the store.
  std::uint64_t segment_bytes = std::uint64_t{256} << 20U;
  /// Open for reading only: no temp folder is made, `begin`, `publish`, `remove` and `quarantine` answer `denied`.
  bool read_only = false;
};

/// Blobs as files `<base>/ab/cd/ef/<64 hex>`, the layout of existing deployments, and small ones many to a file under `<base>/segments/`.
///
/// A small blob is published by appending it to a segment, with one sync for all who append at the same time. A larger one by: temp file on
/// the same filesystem, write, fsync, rename, fsync of the folder and of each parent that is new. A start sweeps the temp folders that no
/// living process holds. Opening makes `base_path` where it is missing. Errors: `denied`, `no_space`, `io`, `invalid_argument`.
MEDIA_EXPORT Result<std::unique_ptr<BlobStore>> open_filesystem_store(const FilesystemStoreOptions& options);

}  // namespace media
