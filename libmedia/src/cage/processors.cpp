// The two ways to have untrusted bytes decoded, and where the worker is found.
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <system_error>
#include <utility>

#include "cage/pool.hpp"
#include "cage/source_file.hpp"
#include "image/pipeline.hpp"
#include "media/processor.hpp"

namespace media {
namespace {

namespace fs = std::filesystem;
constexpr const char* kWorkerName = "media-worker";

class InProcess final : public Processor {
 public:
  Result<MediaInfo> probe(const ByteReader& source, const DeriveOptions& options) override { return image::probe(source, options); }
  Result<Derived> derive(const ByteReader& source, std::span<const Transform> transforms, const DeriveOptions& options) override {
    return image::derive(source, transforms, options);
  }
};

bool is_program(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored) && ::access(path.c_str(), X_OK) == 0;
}

/// Where a worker may be, the most particular place first.
std::vector<fs::path> worker_places() {
  std::vector<fs::path> places;
  std::error_code failure;
  const fs::path self = fs::read_symlink("/proc/self/exe", failure);
  if (!failure && self.has_parent_path()) {
    const fs::path folder = self.parent_path();
    places.push_back(folder / kWorkerName);
    places.push_back(folder.parent_path() / "libexec" / "libmedia" / kWorkerName);
  }
  places.push_back(fs::path(MEDIA_LIBEXECDIR) / kWorkerName);
  return places;
}

Error not_a_program(const std::string& what) { return Error{Errc::not_found, what + " is no program that can be run"}; }

}  // namespace

std::unique_ptr<Processor> make_in_process_processor() { return std::make_unique<InProcess>(); }

Result<std::filesystem::path> find_worker() {
  // What somebody has named must not be quietly replaced by something else.
  if (const char* named = std::getenv("MEDIA_WORKER"); named != nullptr && *named != '\0') {
    if (!is_program(named)) return not_a_program("MEDIA_WORKER=" + std::string(named));
    return fs::path(named);
  }
  std::string tried = "MEDIA_WORKER (not set)";
  for (const fs::path& place : worker_places()) {
    if (is_program(place)) return place;
    tried += ", " + place.string();
  }
  return Error{Errc::not_found, "media-worker is at none of: " + tried};
}

Result<std::unique_ptr<Processor>> make_worker_processor(const WorkerPoolOptions& options) {
  if (options.workers == 0) return Error{Errc::invalid_argument, "a pool of 0 workers"};
  if (options.jobs_per_worker == 0) return Error{Errc::invalid_argument, "workers that are replaced after 0 jobs"};
  cage::PoolOptions pool{options.worker_path, options.workers, options.jobs_per_worker, {}, cage::kMaxMemorySource};
  if (pool.worker_path.empty()) {
    MEDIA_TRY_ASSIGN(pool.worker_path, find_worker());
  } else if (!is_program(pool.worker_path)) {
    return not_a_program(pool.worker_path.string());
  }
  std::error_code failure;
  pool.spool_folder = fs::temp_directory_path(failure);
  if (failure) return Error{Errc::io, "the folder for temporary files: " + failure.message()};
  return std::make_unique<cage::WorkerPool>(std::move(pool));
}

}  // namespace media
