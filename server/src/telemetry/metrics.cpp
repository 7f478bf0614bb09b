#include "telemetry/metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>

#include "media/version.hpp"

namespace media::server {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kUsageLifetime{60};
/// Of the time that the storage's numbers took, at least so much passes until they are asked for again.
constexpr int kUsagePauseFactor = 100;

const Histogram::BucketBoundaries& duration_buckets() {
  static const Histogram::BucketBoundaries kSeconds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};
  return kSeconds;
}

const Histogram::BucketBoundaries& size_buckets() {
  static const Histogram::BucketBoundaries kBytes = {1024,    16384,    65536,    262144,    1048576,
                                                     4194304, 16777216, 67108864, 268435456, 1073741824};
  return kBytes;
}

/// A method of its own where a route may have it; anything else a client thinks of is one.
std::string_view method_label(std::string_view method) {
  static constexpr std::array<std::string_view, 8> kKnown = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", ""};
  const auto* const known = std::find(kKnown.begin(), kKnown.end(), method);
  if (known == kKnown.end()) return "other";
  return known->empty() ? "none" : *known;
}

std::string_view tier_label(RateTier tier) {
  switch (tier) {
    case RateTier::health:
      return "health";
    case RateTier::anonymous:
      return "public";
    case RateTier::authenticated:
      return "authenticated";
    case RateTier::upload:
      return "upload";
    case RateTier::admin:
      return "admin";
    case RateTier::delivery:
      return "delivery";
  }
  return "unknown";
}

/// What is observed of the requests of one method and route. Counters by status come as statuses do.
struct RouteSeries {
  Histogram* duration = nullptr;
  Histogram* request_size = nullptr;
  Histogram* response_size = nullptr;
  struct Status {
    Counter* requests = nullptr;
    Counter* errors = nullptr;  ///< Null for what is none.
  };
  std::unordered_map<int, Status> statuses;
};

}  // namespace

struct Metrics::State {
  explicit State(Sources from) : sources(std::move(from)) {}

  template <class Builder>
  auto& family(Builder builder, const char* name, const char* help) {
    return builder.Name(name).Help(help).Register(registry);
  }
  Family<Counter>& counters(const char* name, const char* help) { return family(prometheus::BuildCounter(), name, help); }
  Family<Gauge>& gauges(const char* name, const char* help) { return family(prometheus::BuildGauge(), name, help); }
  Family<Histogram>& histograms(const char* name, const char* help) { return family(prometheus::BuildHistogram(), name, help); }

  /// Calls `observe` with the series of the record, which are made where they are not there yet.
  template <class Observe>
  void with_series(const http::AccessRecord& record, const Observe& observe) {
    const std::string_view method = method_label(record.method);
    const std::string_view route = record.route.empty() ? std::string_view("none") : record.route;
    thread_local std::string key;
    key.assign(method).append(1, ' ').append(route);
    {
      const std::shared_lock lock(series_mutex);
      if (const auto found = series.find(key); found != series.end()) {
        if (const auto status = found->second.statuses.find(record.status); status != found->second.statuses.end()) {
          return observe(found->second, status->second);
        }
      }
    }
    const std::unique_lock lock(series_mutex);
    RouteSeries& here = series[key];
    const prometheus::Labels labels = {{"method", std::string(method)}, {"route", std::string(route)}};
    if (here.duration == nullptr) {
      here.duration = &durations.Add(labels, duration_buckets());
      here.request_size = &request_sizes.Add(labels, size_buckets());
      here.response_size = &response_sizes.Add(labels, size_buckets());
    }
    RouteSeries::Status& status = here.statuses[record.status];
    if (status.requests == nullptr) {
      prometheus::Labels with_status = labels;
      with_status["status"] = record.status == 0 ? "none" : std::to_string(record.status);
      status.requests = &requests.Add(with_status);
      if (record.status == 0 || record.status >= 400) status.errors = &errors.Add(with_status);
    }
    observe(here, status);
  }

  void sample_server() {
    if (!sources.server) return;
    const auto stats = sources.server();
    if (!stats) return;
    connections_idle.Set(static_cast<double>(stats->idle));
    connections_open.Set(static_cast<double>(stats->connections));
    active.Set(static_cast<double>(stats->running));
    queued.Set(static_cast<double>(stats->queued));
    waiting.Set(static_cast<double>(stats->waiting));
    raise(accepted, stats->accepted);
    raise(turned_away, stats->refused);
  }

  /// Brings a counter to where its source is.
  static void raise(Counter& counter, std::uint64_t to) {
    const double missing = static_cast<double>(to) - counter.Value();
    if (missing > 0) counter.Increment(missing);
  }

  void sample_storage() {
    const auto begun = Clock::now();
    if (!sources.storage || begun < next_usage) return;
    const auto usage = sources.storage();
    const auto ended = Clock::now();
    next_usage = ended + std::max<Clock::duration>(kUsageLifetime, kUsagePauseFactor * (ended - begun));
    if (!usage) return;  // what is known stays; health says what is wrong
    storage_bytes.Set(static_cast<double>(usage->size_bytes));
    storage_blobs.Set(static_cast<double>(usage->blobs));
  }

  Sources sources;
  prometheus::Registry registry;

  Family<Counter>& requests = counters("http_requests_total", "Requests that were answered, or broken off (status none).");
  Family<Counter>& errors = counters("http_errors_total", "Requests that were answered with a status of 400 or above, or broken off.");
  Family<Histogram>& durations = histograms("http_request_duration_seconds", "From the end of a request's head to the end of its answer.");
  Family<Histogram>& request_sizes = histograms("http_request_size_bytes", "Bodies of requests, as far as they were read.");
  Family<Histogram>& response_sizes = histograms("http_response_size_bytes", "Bodies of answers, as far as they were sent.");
  Gauge& active = gauges("http_requests_active", "Requests with a thread, or waiting for one.").Add({});
  Gauge& queued = gauges("http_requests_queued", "Requests waiting for a thread.").Add({});
  Gauge& waiting = gauges("http_requests_waiting", "Requests parked until their answer is there (?wait=).").Add({});
  Family<Gauge>& connections = gauges("http_connections", "Open connections.");
  Gauge& connections_open = connections.Add({{"state", "open"}});
  Gauge& connections_idle = connections.Add({{"state", "idle"}});
  Counter& accepted = counters("http_connections_accepted_total", "Connections that were accepted.").Add({});
  Counter& turned_away =
      counters("http_turned_away_total", "Requests and connections answered 503 or 429 for want of room, before any route.").Add({});

  Family<Counter>& uploads = counters("media_uploads_total", "Files that came in whole, by what became of them.");
  std::array<Counter*, 3> uploads_by_outcome = {&uploads.Add({{"outcome", "stored"}}), &uploads.Add({{"outcome", "duplicate"}}),
                                                &uploads.Add({{"outcome", "refused"}})};
  Family<Counter>& downloads = counters("media_downloads_total", "Answers with bytes of a media.");
  std::array<Counter*, 2> downloads_by_kind = {&downloads.Add({{"kind", "original"}}), &downloads.Add({{"kind", "rendition"}})};
  Gauge& storage_bytes = gauges("media_storage_bytes", "Bytes of all blobs, originals and renditions.").Add({});
  Gauge& storage_blobs = gauges("media_storage_blobs", "Blobs, originals and renditions.").Add({});

  Counter& auth_attempts = counters("auth_attempts_total", "Requests that brought a credential.").Add({});
  Family<Counter>& auth_failures = counters("auth_failures_total", "Of these, those whose credential did not do.");
  std::array<Counter*, 2> auth_failures_by_reason = {&auth_failures.Add({{"reason", "refused"}}),
                                                     &auth_failures.Add({{"reason", "unavailable"}})};
  Family<Counter>& rate_limited = counters("rate_limit_exceeded_total", "Requests answered 429 by the rate limits.");
  std::array<Counter*, 6> rate_limited_by_tier = {&rate_limited.Add({{"tier", std::string(tier_label(RateTier::health))}}),
                                                  &rate_limited.Add({{"tier", std::string(tier_label(RateTier::anonymous))}}),
                                                  &rate_limited.Add({{"tier", std::string(tier_label(RateTier::authenticated))}}),
                                                  &rate_limited.Add({{"tier", std::string(tier_label(RateTier::upload))}}),
                                                  &rate_limited.Add({{"tier", std::string(tier_label(RateTier::admin))}}),
                                                  &rate_limited.Add({{"tier", std::string(tier_label(RateTier::delivery))}})};

  std::shared_mutex series_mutex;
  std::unordered_map<std::string, RouteSeries> series;  ///< By method and route.
  std::mutex sampling;                                  ///< One asks the sources; who comes meanwhile is told what is known.
  Clock::time_point next_usage{};
};

Metrics::Metrics(Sources sources) : state_(std::make_unique<State>(std::move(sources))) {
  state_->gauges("mediad_build_info", "Always 1; its label is the version that runs.").Add({{"version", MEDIA_VERSION}}).Set(1);
}
Metrics::~Metrics() = default;

void Metrics::count_request(const http::AccessRecord& record) {
  state_->with_series(record, [&](const RouteSeries& route, const RouteSeries::Status& status) {
    status.requests->Increment();
    if (status.errors != nullptr) status.errors->Increment();
    route.duration->Observe(std::chrono::duration<double>(record.duration).count());
    route.request_size->Observe(static_cast<double>(record.body_bytes_received));
    route.response_size->Observe(static_cast<double>(record.body_bytes_sent));
  });
}

void Metrics::count_upload(IngestStatus outcome) { state_->uploads_by_outcome.at(static_cast<std::size_t>(outcome))->Increment(); }
void Metrics::count_download(DownloadKind kind) { state_->downloads_by_kind.at(static_cast<std::size_t>(kind))->Increment(); }
void Metrics::count_auth_attempt() { state_->auth_attempts.Increment(); }
void Metrics::count_auth_failure(AuthFailure failure) {
  state_->auth_failures_by_reason.at(static_cast<std::size_t>(failure))->Increment();
}
void Metrics::count_rate_limited(RateTier tier) { state_->rate_limited_by_tier.at(static_cast<std::size_t>(tier))->Increment(); }

std::string Metrics::text() {
  if (const std::unique_lock lock(state_->sampling, std::try_to_lock); lock) {
    state_->sample_server();
    state_->sample_storage();
  }
  return prometheus::TextSerializer().Serialize(state_->registry.Collect());
}

}  // namespace media::server
