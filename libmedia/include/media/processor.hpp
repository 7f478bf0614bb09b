/// Decoding and encoding of untrusted bytes, in this process or in worker processes.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "media/appearance.hpp"
#include "media/export.hpp"
#include "media/io.hpp"
#include "media/media_info.hpp"
#include "media/result.hpp"
#include "media/transform.hpp"

namespace media {

/// What one derivation may cost. Checked before memory is allocated where a header tells, else while it runs.
struct ProcessingBudget {
  /// Pixels of a decoded picture.
  std::uint64_t max_pixels = 50'000'000;
  /// Bytes of decoded and intermediate pixels at one time; a worker also gets an address-space limit from it.
  std::uint64_t max_memory_bytes = 512ULL << 20U;
  /// Bytes of the source.
  std::uint64_t max_source_bytes = 500ULL << 20U;
  /// Bytes of one encoded picture.
  std::uint64_t max_output_bytes = 64ULL << 20U;
  /// Wall time of one call.
  std::chrono::milliseconds deadline{30'000};
  /// Frames of an animation whose frames are kept.
  std::uint32_t max_frames = 1'000;
  /// Pixels of all frames of such an animation together: of the source, and of each output.
  std::uint64_t max_total_pixels = 250'000'000;
  /// Bytes of one encoded video, which lie in a file without a name until they are kept.
  std::uint64_t max_video_bytes = 2ULL << 30U;
  /// Wall time of one call that encodes a video, instead of `deadline`.
  std::chrono::milliseconds video_deadline = std::chrono::hours(1);
};

struct DeriveOptions {
  ProcessingBudget budget{};
  /// Counted from the start: afterwards no further quality is tried for a transform with a score or a limit of bytes, and the best so far
  /// is taken. Absent: the search always ends, and its outcome does not depend on the machine's speed (what a stored rendition needs).
  std::optional<std::chrono::milliseconds> search_time{};
  std::stop_token stop{};
  /// Called now and then with the share done, 0 to 1, rising; from the calling thread.
  std::function<void(double)> progress{};
};

/// One encoded picture or video. It carries no metadata of its source but what its transform asks to keep.
struct Encoded {
  Transform transform{};
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::vector<std::byte> bytes{};
  std::uint8_t quality = 0;  ///< That it was encoded at; 0 of a lossless format.
  double score = 0;          ///< What it reached, 0 to 100, where the transform asks for a score; else 0.
  /// Of a video, instead of `bytes`. May read from the source, which has to live on for as long.
  std::shared_ptr<const ByteReader> content{};
};

struct Derived {
  /// Facts of the decoded source; where they differ from the header probe these are the true ones.
  MediaInfo source{};
  /// The average colour as "#rrggbb", to be shown until the picture is there.
  std::string placeholder{};
  /// Empty where every output that was asked for is cut or stretched: then nothing shows the picture as it is.
  Appearance appearance{};
  /// One for each transform asked for, in the same order.
  std::vector<Encoded> outputs{};
};

/// Turns untrusted media into facts and pictures. Nothing above it may know where the work is done.
///
/// Errors of both: `unsupported` (format, feature), `corrupt` (cannot be decoded), `too_large` (budget, deadline),
/// `cancelled`, `unavailable` (no worker to be had), `internal` (the worker died; the message says how).
///
/// Thread-safety: every method may be called concurrently; workers are a pool.
class MEDIA_EXPORT Processor {
 public:
  virtual ~Processor() = default;
  Processor(const Processor&) = delete;
  Processor& operator=(const Processor&) = delete;

  /// What decoding shows of a source, as opposed to what its header claims.
  virtual Result<MediaInfo> probe(const ByteReader& source, const DeriveOptions& options) = 0;
  /// Decodes once, or once for each of few scales, and makes every output. The bytes of an output depend on the source and its transform,
  /// not on what else is asked for. An empty list of transforms just proves that the source decodes.
  virtual Result<Derived> derive(const ByteReader& source, std::span<const Transform> transforms, const DeriveOptions& options) = 0;
  /// True where it can make pictures of this format. Videos need media-video-worker, also to be made of pictures.
  [[nodiscard]] virtual bool handles(Format format) const noexcept;
  /// True where it can encode videos.
  [[nodiscard]] virtual bool encodes() const noexcept;

 protected:
  Processor() = default;
};

/// Names the encoder that makes a format, its version and every setting that changes its bytes
/// ("aom-3.6.0/s8/1"): part of a rendition's name. `unsupported` for a format that this build cannot write.
MEDIA_EXPORT Result<std::string> encoder_version(Format format);
/// True where this build can decode the picture format into pixels, in any process; of a video `Processor::handles` tells.
MEDIA_EXPORT bool can_decode(Format format) noexcept;

/// Does the work on the calling thread, in this process. For trusted bytes, or where the caller is caged itself. Pictures only.
MEDIA_EXPORT std::unique_ptr<Processor> make_in_process_processor();

struct WorkerPoolOptions {
  /// The media-worker binary; empty: searched by `find_worker`.
  std::filesystem::path worker_path{};
  /// Processes at most; further calls wait for one, up to their deadline.
  unsigned workers = 2;
  /// A worker is replaced after so many jobs, so that a leak has an end.
  unsigned jobs_per_worker = 500;
  /// The media-video-worker binary; empty: searched by `find_video_worker`, and where there is none, videos are `unsupported`.
  std::filesystem::path video_worker_path{};
  /// Processes at most that decode videos, beside those for pictures; 0: half as many as `workers`, at least one.
  unsigned video_workers = 0;
  /// Processes at most that encode videos, beside all others, for these take long.
  unsigned encoding_workers = 1;
};

/// MEDIA_WORKER, then beside the running binary, then the installed libexec folder. `not_found` names them all.
MEDIA_EXPORT Result<std::filesystem::path> find_worker();
/// The same for media-video-worker, which holds FFmpeg and comes in a package of its own: MEDIA_VIDEO_WORKER names it.
MEDIA_EXPORT Result<std::filesystem::path> find_video_worker();

/// Does the work in pools of media-worker and media-video-worker processes, started at need and kept warm: one dies, one job fails.
/// Errors: `not_found` (no worker binary), `io`.
MEDIA_EXPORT Result<std::unique_ptr<Processor>> make_worker_processor(const WorkerPoolOptions& options);

}  // namespace media
