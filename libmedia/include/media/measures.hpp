/// What an open library has measured of itself, for monitoring.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "media/export.hpp"
#include "media/media_info.hpp"

namespace media {

class Library;

/// Worker processes that ended, or were ended, without anybody having asked for it, since the pool was made. A job that is stopped by its
/// caller, and a worker that has done its number of jobs, are not among them.
struct WorkerDeaths {
  std::uint64_t crashed = 0;      ///< By a fault of their own: SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP or SIGABRT.
  std::uint64_t killed = 0;       ///< By any other signal. SIGKILL is what the kernel sends where memory has run out.
  std::uint64_t exited = 0;       ///< They left in the middle of a job; or the system does not tell how they ended.
  std::uint64_t late = 0;         ///< Ended at the deadline of a job.
  std::uint64_t nonsense = 0;     ///< Ended for answering otherwise than a worker does.
  std::uint64_t not_started = 0;  ///< Ended, or not there at all, before their first job.

  WorkerDeaths& operator+=(const WorkerDeaths& more) noexcept {
    crashed += more.crashed;
    killed += more.killed;
    exited += more.exited;
    late += more.late;
    nonsense += more.nonsense;
    not_started += more.not_started;
    return *this;
  }
  friend bool operator==(const WorkerDeaths&, const WorkerDeaths&) = default;
};

/// The steps that a content goes through, as far as they take time.
enum class Stage : std::uint8_t {
  ingest_admit,  ///< Looking at its type, header and claims.
  ingest_scan,   ///< Waiting for the scanner, where there is one.
  ingest_keep,   ///< To stable storage and into the catalog, with others where they come together.
  derive_wait,   ///< For a turn among those who want pictures.
  derive_make,   ///< Decoding, transforming, encoding; of a video, looking for the frames.
  derive_keep,   ///< A rendition to stable storage and into the catalog.
};

/// How long a stage took for contents of one format, failures included.
struct StageTimes {
  /// Upper bounds of the buckets, in seconds; the last bucket has none.
  static constexpr std::array<double, 15> kBounds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};

  Stage stage{};
  Format format = Format::unknown;                         ///< Of the source. `unknown` too where it was not known yet.
  std::array<std::uint64_t, kBounds.size() + 1> counts{};  ///< Of each bucket by itself.
  double sum_seconds = 0;
};

/// What `LibraryOptions::read_cache_bytes` is used for. Contents that are too large for it count nowhere.
struct ReadCacheNumbers {
  std::uint64_t hits = 0;
  std::uint64_t misses = 0;  ///< Read from the store, and hashed.
  std::uint64_t evictions = 0;
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;
  std::uint64_t budget_bytes = 0;
};

struct Measures {
  WorkerDeaths picture_workers{};
  WorkerDeaths video_workers{};
  std::vector<StageTimes> stages{};  ///< Those that happened.
  ReadCacheNumbers read_cache{};
};

/// Of a library that `Library::open` made. The deaths are 0 where it has no workers, or a Processor of the caller's own.
/// Thread-safety: may be called concurrently with anything; what is counted meanwhile may be in it or not.
MEDIA_EXPORT Measures measures(const Library& library);

}  // namespace media
