/// What happened so far, in numbers, for Prometheus.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "edge/rate_limiter.hpp"
#include "health.hpp"
#include "http/server.hpp"
#include "media/library.hpp"
#include "media/measures.hpp"
#include "media/result.hpp"
#include "telemetry/otlp.hpp"

namespace media::server {

enum class DownloadKind : std::uint8_t { original, rendition };
enum class AuthFailure : std::uint8_t {
  refused,      ///< The credential is none, or not good enough.
  unavailable,  ///< Nobody could judge it.
};

/// Counts what the server does. Names and their meaning: docs/operations.md; those that the earlier service had are kept. A label's values
/// are ours, never a client's, so that no client can make the number of time series grow.
///
/// Thread-safety: may be called concurrently, for the tables of series are under a mutex and prometheus-cpp's own objects may. Counting
/// takes some tenths of a microsecond, `text` some milliseconds, up to a second now and then while the storage is summed up or the jobs are
/// counted, and as long as the health checks wait for a dependency that hangs.
class Metrics {
 public:
  struct Disk {
    std::uint64_t size_bytes = 0;
    std::uint64_t available_bytes = 0;
  };
  struct StorageSums {
    StorageUsage blobs;
    RenditionUsage renditions;  ///< All of them.
    RenditionUsage on_demand;   ///< Of these, those that count against the budget.
  };
  /// What alerts go by, and so must be of now.
  struct Moment {
    std::vector<JobCount> jobs;
    std::optional<Disk> disk;  ///< What the base path lies on.
  };
  struct GateNumbers {
    QuarantineCounts quarantine;
    ScanStats scans;
    bool has_scanner = false;
    bool scanner_answers = false;
  };
  /// Asked when the numbers are. Each may be empty, or not know: its metrics are not there then.
  struct Sources {
    std::function<std::optional<http::Server::Stats>()> server;
    /// Asked by a thread of its own, at most once a minute and for at most a hundredth of the time.
    std::function<Result<StorageSums>()> storage;
    /// Likewise, but at most once a second and for at most a twentieth of the time.
    std::function<Result<Moment>()> moment;
    std::function<DerivationStats()> derivations;
    std::function<std::vector<Check>()> health;
    std::function<Timestamp()> now;
    std::function<std::optional<OtlpExporter::Stats>()> traces;
    std::function<Result<GateNumbers>()> gate;
    std::function<Measures()> measures;
  };

  explicit Metrics(Sources sources);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  void count_request(const http::AccessRecord& record);
  void count_upload(IngestStatus outcome);
  void count_download(DownloadKind kind);
  void count_auth_attempt();
  void count_auth_failure(AuthFailure failure);
  void count_rate_limited(RateTier tier);
  void count_scrubbed(std::uint64_t blobs, std::uint64_t bytes);
  void count_scrub_finding(Fault::Problem problem);
  void count_collection(bool done);

  /// Everything in the text format 0.0.4 (`kMediaType`).
  std::string text();
  static constexpr std::string_view kMediaType = "text/plain; version=0.0.4; charset=utf-8";

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace media::server
