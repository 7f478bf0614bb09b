/// How a library is opened: where it is, what it is made of, and what it may take.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "media/blob_store.hpp"
#include "media/clock.hpp"
#include "media/gate.hpp"
#include "media/inspect.hpp"
#include "media/processor.hpp"
#include "media/records.hpp"
#include "media/repository.hpp"
#include "media/transform.hpp"
#include "media/upload_spool.hpp"

namespace media {

/// What becomes of a media in the end.
enum class MediaEvent : std::uint8_t { completed, failed, removed };

/// Where untrusted bytes are decoded.
enum class Isolation : std::uint8_t {
  process,  ///< In media-worker processes. An open without a worker binary to be found fails with `not_found`.
  none,     ///< In this process.
};

struct LibraryOptions {
  /// The store's folder; the catalog is `<base_path>/catalog.db`. Needed unless both `store` and `repository` are given.
  std::filesystem::path base_path{};
  std::filesystem::path temp_path{};  ///< Default `<base_path>/temp`.
  /// Of the built-in store: see FilesystemStoreOptions.
  std::uint64_t pack_below_bytes = FilesystemStoreOptions{}.pack_below_bytes;
  /// How fast a collection rewrites segments: see CompactOptions.
  std::uint64_t compact_bytes_per_second = 0;
  /// Parts of the caller's own; absent ones are the built-in filesystem store and SQLite catalog.
  std::unique_ptr<BlobStore> store{};
  std::unique_ptr<Repository> repository{};
  std::unique_ptr<Processor> processor{};
  /// Default: `<base_path>/uploads`; in memory where there is no base path.
  std::unique_ptr<UploadSpool> spool{};
  std::shared_ptr<const Clock> clock{};  ///< Default: the system's.

  AdmissionPolicy policy{};
  GateOptions gate{};
  std::vector<Preset> presets = default_presets();
  ProcessingBudget budget{};
  Isolation isolation = Isolation::process;
  unsigned workers = 2;
  /// Pictures that are made at one time, for callers of `derive` and by jobs together; 0: as many as there are workers, which are also the
  /// most there can be. With a `processor` of the caller's own or `Isolation::none` any number, and 0: as many as there are processors.
  /// Callers go first; where a job waits too, it has every fifth turn.
  unsigned derivations_at_once = 0;
  /// Videos that are encoded at one time, by processes of their own: `run_encodings` runs one on each thread that calls it.
  unsigned encodings_at_once = 1;
  /// Videos that are ordered and not yet there, of all owners; beyond it `order_video` is `unavailable`. Nobody has more in it than is free
  /// for others.
  std::size_t encoding_queue = 1000;
  /// Pictures that callers of `derive` have asked for and that wait for their turn; beyond it `unavailable`.
  std::size_t derivation_queue = 256;
  /// Bytes of renditions that were made on demand (`Rendition::on_demand`): beyond it the least recently used ones are dropped, some
  /// hundreds whenever one is made, and as many as it takes by `collect`, which gives their bytes back after the grace period. Presets'
  /// renditions neither count nor go. 0: no limit.
  std::uint64_t rendition_budget_bytes = 0;
  /// Bytes of small contents (`kSmallBlobBytes`), proven whole, that stay in memory for the next reader, those read most and last. 0: none;
  /// for a store on a disk the system's page cache does as much for all but what lies in segments, which is hashed at each opening.
  std::uint64_t read_cache_bytes = 0;
  bool read_only = false;
  /// Says what is to be told to others of a change: kept in the transaction of the change itself, and handed to `send_notifications` until
  /// it is told. Runs within a transaction and perhaps twice: a pure function. An empty text: nothing is told. Absent: never.
  std::function<std::string(MediaEvent, const Media&)> describe_event{};
  /// Called after the change is durable, on the thread that made it; changes by other processes are not seen. Must be quick.
  std::function<void(MediaId)> on_media_changed{};
  /// False: `base_path` must hold a library already (`not_found` otherwise).
  bool create = true;
  /// Unreferenced blobs live on for so long after they were condemned.
  std::chrono::seconds collect_grace{std::chrono::hours{24}};
  /// A blob verified within so long is served without being hashed again.
  std::chrono::seconds verify_interval{std::chrono::hours{24 * 30}};
};

}  // namespace media
