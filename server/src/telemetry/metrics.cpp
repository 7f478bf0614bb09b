#include "telemetry/metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <thread>
#include <unordered_map>
#include <utility>

#include "media/version.hpp"
#include "telemetry/process_stats.hpp"

namespace media::server {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;
using Clock = std::chrono::steady_clock;

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

/// As the settings call them.
constexpr std::array<std::pair<RateTier, std::string_view>, 6> kTiers = {{{RateTier::health, "health"},
                                                                          {RateTier::anonymous, "public"},
                                                                          {RateTier::authenticated, "authenticated"},
                                                                          {RateTier::upload, "upload"},
                                                                          {RateTier::admin, "admin"},
                                                                          {RateTier::delivery, "delivery"}}};

/// What is observed of the requests of one method, route and status.
struct RequestSeries {
  Counter& requests;
  Counter* errors;  ///< Null for what is none.
  Histogram& duration;
  Histogram& request_size;
  Histogram& response_size;
};

/// Sums up what takes a while, on a thread of its own, when somebody asks and the last sum is older than `lifetime`. Of the time that a sum
/// took, `pause_factor` passes before the next.
template <class Sums>
class Sampler {
 public:
  Sampler(std::function<Result<Sums>()> source, std::chrono::seconds lifetime, int pause_factor)
      : source_(std::move(source)), lifetime_(lifetime), pause_factor_(pause_factor) {
    if (source_) thread_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
  }

  /// What is known; waits a moment for a sum that is under way. Nothing before the first one.
  std::optional<Sums> ask() {
    if (!source_) return std::nullopt;
    std::unique_lock lock(mutex_);
    if (!asked_ && Clock::now() >= next_) {
      asked_ = true;
      changed_.notify_all();
    }
    changed_.wait_for(lock, kPatience, [this] { return !asked_; });
    return known_;
  }

 private:
  static constexpr std::chrono::seconds kPatience{1};

  void work(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (changed_.wait(lock, stop, [this] { return asked_; })) {
      lock.unlock();
      const auto begun = Clock::now();
      const auto usage = source_();
      const auto ended = Clock::now();
      lock.lock();
      next_ = ended + std::max<Clock::duration>(lifetime_, pause_factor_ * (ended - begun));
      if (usage) known_ = *usage;  // else what is known stays: health says what is wrong
      asked_ = false;
      changed_.notify_all();
    }
  }

  const std::function<Result<Sums>()> source_;
  const std::chrono::seconds lifetime_;
  const int pause_factor_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool asked_ = false;
  Clock::time_point next_{};
  std::optional<Sums> known_;
  std::jthread thread_;  // stopped before what it uses goes
};

}  // namespace

struct Metrics::State {
  explicit State(Sources from) : sources(std::move(from)) {
    gauges("mediad_build_info", "Always 1; its label is the version that runs.").Add({{"version", MEDIA_VERSION}}).Set(1);
    for (const auto& [tier, name] : kTiers) rate_limited_by_tier[tier] = &rate_limited.Add({{"tier", std::string(name)}});
  }

  template <class Builder>
  auto& family(Builder builder, const char* name, const char* help) {
    return builder.Name(name).Help(help).Register(registry);
  }
  Family<Counter>& counters(const char* name, const char* help) { return family(prometheus::BuildCounter(), name, help); }
  Family<Gauge>& gauges(const char* name, const char* help) { return family(prometheus::BuildGauge(), name, help); }
  Family<Histogram>& histograms(const char* name, const char* help) { return family(prometheus::BuildHistogram(), name, help); }

  /// The series of a record, made where they are not there yet. They stay where they are.
  const RequestSeries& series_of(const http::AccessRecord& record) {
    const std::string_view method = method_label(record.method);
    const std::string_view route = record.route.empty() ? std::string_view("none") : record.route;
    thread_local std::string key;
    key.assign(method).append(1, ' ').append(route).append(1, ' ').append(std::to_string(record.status));
    {
      const std::shared_lock lock(series_mutex);
      if (const auto found = series.find(key); found != series.end()) return found->second;
    }
    const prometheus::Labels labels = {{"method", std::string(method)}, {"route", std::string(route)}};
    prometheus::Labels with_status = labels;
    with_status["status"] = record.status == 0 ? "none" : std::to_string(record.status);
    const bool is_error = record.status == 0 || record.status >= 400;
    // A family gives out the same series for the same labels: two threads may both come here.
    const RequestSeries made{requests.Add(with_status), is_error ? &errors.Add(with_status) : nullptr,
                             durations.Add(labels, duration_buckets()), request_sizes.Add(labels, size_buckets()),
                             response_sizes.Add(labels, size_buckets())};
    const std::unique_lock lock(series_mutex);
    return series.emplace(key, made).first->second;
  }

  void sample_server() {
    const auto stats = sources.server ? sources.server() : std::nullopt;
    if (!stats) return;
    Family<Gauge>& connections = gauges("http_connections", "Open connections.");
    connections.Add({{"state", "idle"}}).Set(static_cast<double>(stats->idle));
    connections.Add({{"state", "busy"}}).Set(static_cast<double>(stats->connections - std::min(stats->connections, stats->idle)));
    gauges("http_requests_active", "Requests with a thread, or waiting for one.").Add({}).Set(static_cast<double>(stats->running));
    gauges("http_requests_queued", "Requests waiting for a thread.").Add({}).Set(static_cast<double>(stats->queued));
    gauges("http_requests_waiting", "Requests parked until their answer is there (?wait=, a picture that is being made).")
        .Add({})
        .Set(static_cast<double>(stats->waiting));
    raise(counters("http_connections_accepted_total", "Connections that were accepted.").Add({}), stats->accepted);
    raise(
        counters("http_turned_away_total", "Requests and connections answered 503 or 429 before any route: no room, or stopping.").Add({}),
        stats->refused);
  }

  /// Brings a counter to where its source is.
  static void raise(Counter& counter, std::uint64_t to) {
    const double missing = static_cast<double>(to) - counter.Value();
    if (missing > 0) counter.Increment(missing);
  }

  void sample_storage() {
    const auto sum = usage.ask();
    if (!sum) return;
    gauges("media_storage_bytes", "Bytes of live blobs, originals and renditions.").Add({}).Set(static_cast<double>(sum->blobs.size_bytes));
    gauges("media_storage_blobs", "Live blobs, originals and renditions.").Add({}).Set(static_cast<double>(sum->blobs.blobs));
    Family<Gauge>& bytes = gauges("media_renditions_bytes", "Bytes of renditions: of presets, or made on demand, which the budget limits.");
    Family<Gauge>& count = gauges("media_renditions", "Renditions: of presets, or made on demand.");
    const auto on_demand_bytes = std::min(sum->on_demand.size_bytes, sum->renditions.size_bytes);
    const auto on_demand = std::min(sum->on_demand.renditions, sum->renditions.renditions);
    bytes.Add({{"kind", "preset"}}).Set(static_cast<double>(sum->renditions.size_bytes - on_demand_bytes));
    bytes.Add({{"kind", "on_demand"}}).Set(static_cast<double>(on_demand_bytes));
    count.Add({{"kind", "preset"}}).Set(static_cast<double>(sum->renditions.renditions - on_demand));
    count.Add({{"kind", "on_demand"}}).Set(static_cast<double>(on_demand));
  }

  void sample_moment() {
    const auto sum = moment.ask();
    if (!sum) return;
    const std::lock_guard lock(sampling);
    if (sum->disk) {
      gauges("media_disk_size_bytes", "What the base path's filesystem holds.").Add({}).Set(static_cast<double>(sum->disk->size_bytes));
      gauges("media_disk_available_bytes", "What is left of that for mediad.").Add({}).Set(static_cast<double>(sum->disk->available_bytes));
    }
    sample_jobs(sum->jobs);
  }

  /// Kinds and states of which there are none any more go back to 0.
  void sample_jobs(const std::vector<JobCount>& jobs) {
    static constexpr std::array<std::pair<JobState, const char*>, 3> kStates = {
        {{JobState::queued, "queued"}, {JobState::running, "running"}, {JobState::dead, "dead"}}};
    for (const JobCount& count : jobs) job_kinds.insert(count.kind);
    Family<Gauge>& numbers = gauges("media_jobs", "Jobs in the catalog; dead ones were given up.");
    Family<Gauge>& waits = gauges("media_jobs_waiting_seconds", "For how long the first of the queued jobs has been due.");
    const Timestamp now = sources.now ? sources.now() : Timestamp();
    for (const std::string& kind : job_kinds) {
      for (const auto& [state, name] : kStates) {
        const auto found = std::find_if(jobs.begin(), jobs.end(),
                                        [&, state = state](const JobCount& one) { return one.kind == kind && one.state == state; });
        numbers.Add({{"kind", kind}, {"state", name}}).Set(found == jobs.end() ? 0 : static_cast<double>(found->jobs));
        if (state != JobState::queued) continue;
        const std::chrono::duration<double> wait = found == jobs.end() ? std::chrono::duration<double>(0) : now - found->due_at;
        waits.Add({{"kind", kind}}).Set(std::max(wait.count(), 0.0));
      }
    }
  }

  void sample_health(const std::vector<Check>& checks) {
    Family<Gauge>& healthy =
        gauges("mediad_dependency_healthy", "1 while the check of a dependency succeeds, 0 where it fails or takes too long.");
    Family<Gauge>& took = gauges("mediad_dependency_check_seconds", "How long the latest check of a dependency took.");
    for (const Check& check : checks) {
      healthy.Add({{"dependency", check.name}}).Set(check.status == Check::Status::healthy ? 1 : 0);
      took.Add({{"dependency", check.name}}).Set(std::chrono::duration<double>(check.response_time).count());
    }
  }

  void sample_process() {
    const ProcessStats stats = read_process_stats();
    Counter& cpu = counters("process_cpu_seconds_total", "Processor time of mediad, without its workers.").Add({});
    cpu.Increment(std::max(stats.cpu_seconds - cpu.Value(), 0.0));
    gauges("process_start_time_seconds", "When mediad started, in seconds since 1970.").Add({}).Set(stats.start_time_seconds);
    gauges("process_resident_memory_bytes", "Memory of mediad, without its workers.")
        .Add({})
        .Set(static_cast<double>(stats.resident_bytes));
    gauges("process_open_fds", "Open file descriptors.").Add({}).Set(static_cast<double>(stats.open_descriptors));
    gauges("process_max_fds", "How many of them there may be.").Add({}).Set(static_cast<double>(stats.max_descriptors));
  }

  void sample_derivations() {
    if (!sources.derivations) return;
    const DerivationStats stats = sources.derivations();
    Family<Gauge>& running = gauges("media_derivations_running", "Pictures that are being made, for clients that wait or by jobs.");
    running.Add({{"for", "client"}}).Set(static_cast<double>(stats.running));
    running.Add({{"for", "job"}}).Set(static_cast<double>(stats.background));
    gauges("media_derivations_waiting", "Pictures on the fly that wait for their turn.").Add({}).Set(static_cast<double>(stats.waiting));
    Family<Counter>& ended = counters("media_derivations_total", "Pictures on the fly that were not there yet, by what became of them.");
    raise(ended.Add({{"outcome", "made"}}), stats.made);
    raise(ended.Add({{"outcome", "failed"}}), stats.failed);
    raise(ended.Add({{"outcome", "refused"}}), stats.refused);
    raise(ended.Add({{"outcome", "abandoned"}}), stats.abandoned);
    raise(counters("media_derivations_shared_total", "Requests for a picture that was being made for another one already.").Add({}),
          stats.shared);
    raise(counters("media_renditions_evicted_total", "Renditions that were dropped to keep within the budget.").Add({}), stats.evicted);
  }

  void sample_traces() {
    const auto stats = sources.traces ? sources.traces() : std::nullopt;
    if (!stats) return;
    Family<Counter>& spans = counters("media_trace_spans_total", "Spans of sampled traces, by what became of them.");
    raise(spans.Add({{"outcome", "sent"}}), stats->sent);
    raise(spans.Add({{"outcome", "dropped"}}), stats->dropped);
  }

  void sample_gate() {
    if (!sources.gate) return;
    const auto asked = sources.gate();
    if (!asked) return;  // health says what is wrong
    const QuarantineCounts& counts = asked->quarantine;
    Family<Gauge>& kept = gauges("media_quarantine", "Contents that are kept back from everybody, by the reason.");
    kept.Add({{"reason", "unscanned"}}).Set(static_cast<double>(counts.unscanned));
    kept.Add({{"reason", "unseen"}}).Set(static_cast<double>(counts.unseen));
    kept.Add({{"reason", "polyglot"}}).Set(static_cast<double>(counts.polyglot));
    kept.Add({{"reason", "infected"}}).Set(static_cast<double>(counts.infected));
    kept.Add({{"reason", "banned"}}).Set(static_cast<double>(counts.banned));
    kept.Add({{"reason", "damaged"}}).Set(static_cast<double>(counts.damaged));
    kept.Add({{"reason", "missing"}}).Set(static_cast<double>(counts.missing));
    if (!asked->has_scanner) return;
    gauges("media_scanner_up", "1 where clamd answers.").Add({}).Set(asked->scanner_answers ? 1 : 0);
    Family<Counter>& scans = counters("media_scans_total", "Contents that were given to clamd, by what it said.");
    raise(scans.Add({{"finding", "clean"}}), asked->scans.clean);
    raise(scans.Add({{"finding", "infected"}}), asked->scans.infected);
    raise(scans.Add({{"finding", "too_large"}}), asked->scans.too_large);
    raise(scans.Add({{"finding", "failed"}}), asked->scans.failed);
  }

  void sample_read_cache(const ReadCacheNumbers& numbers) {
    if (numbers.budget_bytes == 0) return;
    Family<Counter>& reads = counters("media_read_cache_reads_total", "Small contents that were opened, by where they were.");
    raise(reads.Add({{"from", "memory"}}), numbers.hits);
    raise(reads.Add({{"from", "store"}}), numbers.misses);
    raise(counters("media_read_cache_evictions_total", "Contents that made room for others.").Add({}), numbers.evictions);
    gauges("media_read_cache_entries", "Contents in memory.").Add({}).Set(static_cast<double>(numbers.entries));
    gauges("media_read_cache_bytes", "Memory of these.").Add({}).Set(static_cast<double>(numbers.bytes));
    gauges("media_read_cache_budget_bytes", "What they may have.").Add({}).Set(static_cast<double>(numbers.budget_bytes));
  }

  void sample_measures() {
    if (!sources.measures) return;
    const Measures measured = sources.measures();
    Family<Counter>& deaths = counters("media_worker_deaths_total", "Workers that ended before their time, by what they decode and why.");
    for (const auto& [worker, sums] : {std::pair("picture", measured.picture_workers), std::pair("video", measured.video_workers)}) {
      for (const auto& [reason, sum] :
           {std::pair("crashed", sums.crashed), std::pair("killed", sums.killed), std::pair("exited", sums.exited),
            std::pair("deadline", sums.late), std::pair("nonsense", sums.nonsense), std::pair("not_started", sums.not_started)}) {
        raise(deaths.Add({{"worker", worker}, {"reason", reason}}), sum);
      }
    }
    sample_read_cache(measured.read_cache);
    Family<Histogram>& ingest = histograms("media_ingest_duration_seconds", "Stages of taking a content in, by its format.");
    Family<Histogram>& derive = histograms("media_derive_duration_seconds", "Stages of making pictures, by the format of the source.");
    for (const StageTimes& times : measured.stages) {
      static constexpr std::array<std::pair<bool, const char*>, 6> kStages = {
          {{true, "admit"}, {true, "scan"}, {true, "keep"}, {false, "wait"}, {false, "make"}, {false, "keep"}}};
      const auto& [is_ingest, stage] = kStages.at(static_cast<std::size_t>(times.stage));
      Histogram& histogram = (is_ingest ? ingest : derive)
                                 .Add({{"stage", stage}, {"format", std::string(to_string(times.format))}},
                                      Histogram::BucketBoundaries(StageTimes::kBounds.begin(), StageTimes::kBounds.end()));
      StageTimes& told = told_stages[{times.stage, times.format}];
      std::vector<double> more;
      for (std::size_t i = 0; i < times.counts.size(); ++i) more.push_back(static_cast<double>(times.counts.at(i) - told.counts.at(i)));
      histogram.ObserveMultiple(more, times.sum_seconds - told.sum_seconds);
      told = times;
    }
  }

  Sources sources;
  Sampler<StorageSums> usage{sources.storage, std::chrono::seconds(60), 100};
  Sampler<Moment> moment{sources.moment, std::chrono::seconds(1), 20};
  std::map<std::pair<Stage, Format>, StageTimes> told_stages;                            ///< What the histograms have of each.
  std::set<std::string> job_kinds = {"derive", "describe", "encode", "notify", "scan"};  ///< And what else was seen.
  prometheus::Registry registry;

  Family<Counter>& requests = counters("http_requests_total", "Requests that were answered, or broken off (status none).");
  Family<Counter>& errors = counters("http_errors_total", "Requests that were answered with a status of 400 or above, or broken off.");
  Family<Histogram>& durations = histograms("http_request_duration_seconds", "From the end of a request's head to the end of its answer.");
  Family<Histogram>& request_sizes = histograms("http_request_size_bytes", "Bodies of requests that have one, as far as they were read.");
  Family<Histogram>& response_sizes = histograms("http_response_size_bytes", "Bodies of answers, as far as they were sent.");
  Family<Counter>& uploads = counters("media_uploads_total", "Files that came in whole, by what became of them.");
  std::array<Counter*, 3> uploads_by_outcome = {&uploads.Add({{"outcome", "stored"}}), &uploads.Add({{"outcome", "duplicate"}}),
                                                &uploads.Add({{"outcome", "refused"}})};
  Family<Counter>& downloads = counters("media_downloads_total", "Answers with bytes of a media.");
  std::array<Counter*, 2> downloads_by_kind = {&downloads.Add({{"kind", "original"}}), &downloads.Add({{"kind", "rendition"}})};

  Counter& scrubbed_blobs = counters("media_scrub_blobs_total", "Blobs that were read again in the background.").Add({});
  Counter& scrubbed_bytes = counters("media_scrub_bytes_total", "Their bytes, as far as they were whole.").Add({});
  Family<Counter>& scrub_findings =
      counters("media_scrub_findings_total", "Damaged and missing blobs that were found by that, anew in each round.");
  Counter& found_damaged = scrub_findings.Add({{"problem", "damaged"}});
  Counter& found_missing = scrub_findings.Add({{"problem", "missing"}});
  Family<Counter>& collections = counters("media_collections_total", "Garbage collections, by whether they got to their end.");
  Counter& collections_done = collections.Add({{"outcome", "done"}});
  Counter& collections_failed = collections.Add({{"outcome", "failed"}});

  Counter& auth_attempts = counters("auth_attempts_total", "Requests that brought a credential.").Add({});
  Family<Counter>& auth_failures = counters("auth_failures_total", "Of these, those whose credential did not do.");
  std::array<Counter*, 2> auth_failures_by_reason = {&auth_failures.Add({{"reason", "refused"}}),
                                                     &auth_failures.Add({{"reason", "unavailable"}})};
  Family<Counter>& rate_limited = counters("rate_limit_exceeded_total", "Requests answered 429 by the rate limits.");
  std::map<RateTier, Counter*> rate_limited_by_tier;  ///< Filled once.

  std::shared_mutex series_mutex;
  std::unordered_map<std::string, RequestSeries> series;  ///< By method, route and status.
  std::mutex sampling;                                    ///< Counters are raised by one thread at a time.
};

Metrics::Metrics(Sources sources) : state_(std::make_unique<State>(std::move(sources))) {}
Metrics::~Metrics() = default;

void Metrics::count_request(const http::AccessRecord& record) {
  const RequestSeries& series = state_->series_of(record);
  series.requests.Increment();
  if (series.errors != nullptr) series.errors->Increment();
  series.duration.Observe(std::chrono::duration<double>(record.duration).count());
  if (record.request->has_body) series.request_size.Observe(static_cast<double>(record.body_bytes_received));
  series.response_size.Observe(static_cast<double>(record.body_bytes_sent));
}

void Metrics::count_upload(IngestStatus outcome) { state_->uploads_by_outcome.at(static_cast<std::size_t>(outcome))->Increment(); }
void Metrics::count_download(DownloadKind kind) { state_->downloads_by_kind.at(static_cast<std::size_t>(kind))->Increment(); }
void Metrics::count_auth_attempt() { state_->auth_attempts.Increment(); }
void Metrics::count_auth_failure(AuthFailure failure) {
  state_->auth_failures_by_reason.at(static_cast<std::size_t>(failure))->Increment();
}
void Metrics::count_rate_limited(RateTier tier) { state_->rate_limited_by_tier.at(tier)->Increment(); }

void Metrics::count_scrubbed(std::uint64_t blobs, std::uint64_t bytes) {
  state_->scrubbed_blobs.Increment(static_cast<double>(blobs));
  state_->scrubbed_bytes.Increment(static_cast<double>(bytes));
}
void Metrics::count_scrub_finding(Fault::Problem problem) {
  (problem == Fault::Problem::missing ? state_->found_missing : state_->found_damaged).Increment();
}
void Metrics::count_collection(bool done) { (done ? state_->collections_done : state_->collections_failed).Increment(); }

std::string Metrics::text() {
  const auto checks = state_->sources.health ? state_->sources.health() : std::vector<Check>();  // may wait: outside the lock
  {
    const std::lock_guard lock(state_->sampling);
    state_->sample_server();
    state_->sample_derivations();
    state_->sample_traces();
    state_->sample_health(checks);
    state_->sample_process();
    state_->sample_gate();
    state_->sample_measures();
  }
  state_->sample_storage();
  state_->sample_moment();
  return prometheus::TextSerializer().Serialize(state_->registry.Collect());
}

}  // namespace media::server
