#include "service.hpp"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>

#include "admission.hpp"
#include "auth/authenticator.hpp"
#include "edge/trace_context.hpp"
#include "errors.hpp"
#include "media/store_location.hpp"
#include "media/tiers.hpp"
#include "presentation.hpp"
#include "request_tracing.hpp"
#include "routes.hpp"
#include "telemetry/otlp.hpp"
#include "webhook.hpp"

namespace media::server {
namespace {

/// Segments are rewritten at leisure: requests want the disk as well.
constexpr std::uint64_t kCompactBytesPerSecond = std::uint64_t{64} << 20U;

/// So that one that is started anew each night gets to it, too.
constexpr std::chrono::seconds kFirstScrub{600};

http::Response error_hook(int status, const std::string& message, const http::Request& request) {
  return error_response(status, message, request);
}

/// Blobs that are elsewhere, and a note beside the catalog that they are.
Result<std::unique_ptr<BlobStore>> open_bucket(const Config& config) {
  MEDIA_TRY_ASSIGN(const auto noted, read_store_note(config.base_path));
  if (config.s3.bucket.empty()) {
    if (!noted) return std::unique_ptr<BlobStore>();
    return Error{Errc::conflict, "the library in " + config.base_path.string() + " keeps its blobs in " + *noted +
                                     ": set MEDIA_SERVICE_STORAGE_S3_BUCKET and its like"};
  }
  S3StoreOptions options = config.s3;
  options.temp_path = config.temp_path.empty() ? config.base_path / "temp" : config.temp_path;
  MEDIA_TRY_ASSIGN(auto store, open_s3_store(options));
  MEDIA_TRY(note_store(config.base_path, s3_url(options)));
  return store;
}

/// With the tiers below it; null where all blobs are below the base path.
Result<std::unique_ptr<BlobStore>> open_blobs(const Config& config) {
  MEDIA_TRY_ASSIGN(auto store, open_bucket(config));
  MEDIA_TRY_ASSIGN(const auto noted, read_tier_note(config.base_path));
  if (!config.tiers.any() && !noted.any()) return store;
  if (config.s3_redirect) {
    return Error{Errc::invalid_argument,
                 "MEDIA_SERVICE_STORAGE_S3_REDIRECT: the library has tiers, and downloads cannot be handed to one of them"};
  }
  if (!config.sendfile_header.empty()) {
    return Error{Errc::invalid_argument, "MEDIA_SERVICE_SERVER_SENDFILE_HEADER: the library has tiers, and a file may be in any of them"};
  }
  const auto lacks_rule = [&](const std::string& place, const std::string& noted_place, const std::string& rule) {
    return config.tier_interval.count() > 0 && rule.empty() && !(place.empty() && noted_place.empty());
  };
  if (lacks_rule(config.tiers.warm, noted.warm, config.warm_rule) || lacks_rule(config.tiers.cold, noted.cold, config.cold_rule)) {
    return Error{Errc::invalid_argument,
                 "MEDIA_SERVICE_STORAGE_TIER_INTERVAL_SECONDS: wants a rule for each tier (…_WARM_RULE, …_COLD_RULE); none: what is there "
                 "is brought back up"};
  }
  if (!store) {
    FilesystemStoreOptions folder;
    folder.base_path = config.base_path;
    folder.temp_path = config.temp_path;
    folder.pack_below_bytes = config.pack_below_bytes;
    MEDIA_TRY_ASSIGN(store, open_filesystem_store(folder));
  }
  OpenTiersOptions options;
  options.places = config.tiers;
  options.pack_below_bytes = config.pack_below_bytes;
  options.temp_path = config.temp_path.empty() ? config.base_path / "temp" : config.temp_path;
  return open_tiers(std::move(store), config.base_path, options);
}

/// Database and storage, and each lower tier apart: without one, what is elsewhere is served all the same.
/// Who scrapes is few and patient.
Result<std::unique_ptr<http::Server>> start_metrics_server(RouteContext& context) {
  http::ServerOptions options;
  options.host = context.config.host;
  options.port = context.config.metrics_port;
  options.max_connections = 64;
  options.reader_threads = 2;
  http::Router router;
  MEDIA_TRY(add_metrics_routes(router, context));
  http::Hooks hooks;
  hooks.error = error_hook;
  return http::Server::start(options, std::move(router), std::move(hooks));
}

/// Background work yields to requests. Linux has a nice value for each thread; elsewhere this would be the process's.
void lower_priority() {
  const auto thread = static_cast<id_t>(::syscall(SYS_gettid));
  static_cast<void>(::setpriority(PRIO_PROCESS, thread, 10));  // refused only where it already is lower
}

/// What was found damaged is told until it is mended, and what waits until it has been looked at.
Result<void> check_integrity(Library& library) {
  const auto counts = library.gate().quarantine_counts();
  if (!counts) return Error{Errc::unavailable, "the catalog does not answer"};
  if (counts->damaged + counts->missing == 0) return {};
  return Error{Errc::corrupt, std::to_string(counts->damaged) + " damaged, " + std::to_string(counts->missing) + " missing"};
}

Result<void> check_quarantine(Library& library) {
  const auto counts = library.gate().quarantine_counts();
  if (!counts) return Error{Errc::unavailable, "the catalog does not answer"};
  if (counts->held() == 0) return {};
  return Error{Errc::conflict, std::to_string(counts->held()) + " kept back, " + std::to_string(counts->unscanned) + " of them unscanned"};
}

std::vector<HealthChecks::Dependency> health_dependencies(Library& library) {
  std::vector<HealthChecks::Dependency> all = {{"database", [&library] { return library.check_repository(); }},
                                               {"storage", [&library] { return library.check_store(); }},
                                               {"integrity", [&library] { return check_integrity(library); }, false},
                                               {"quarantine", [&library] { return check_quarantine(library); }, false}};
  const auto tiers = library.tier_names();
  for (std::size_t i = 1; i < tiers.size(); ++i) {
    all.push_back({"storage_" + tiers[i],
                   [&library, i]() -> Result<void> {
                     // What the store says names a folder or a host.
                     if (!library.check_tier(i)) return Error{Errc::unavailable, "the tier does not answer"};
                     return {};
                   },
                   false});
  }
  if (library.gate().has_scanner()) {
    all.push_back({"scanner",
                   [&library]() -> Result<void> {
                     // What the system says of a socket names a path, which is nobody else's business.
                     if (!library.gate().check_scanner()) return Error{Errc::unavailable, "clamd does not answer"};
                     return {};
                   },
                   false});
  }
  return all;
}

void log_request(Log& log, const http::AccessRecord& record) {
  const LogLevel level = record.status >= 500 ? LogLevel::warn : LogLevel::info;
  const Admitted* const admitted = admitted_of(*record.request);
  std::string_view trace;
  if (admitted != nullptr && !admitted->traceparent.empty()) {
    trace = trace_id_of(admitted->traceparent);
  } else if (const auto given = find_traceparent(*record.request)) {
    trace = trace_id_of(*given);
  }
  log.write(level, "request",
            {{"request_id", record.request_id},
             {"trace_id", trace},
             {"method", record.method},
             {"path", loggable_path(record.path)},
             {"status", std::int64_t{record.status}},
             {"complete", std::int64_t{record.complete ? 1 : 0}},
             {"received", static_cast<std::int64_t>(record.body_bytes_received)},
             {"sent", static_cast<std::int64_t>(record.body_bytes_sent)},
             {"duration_us", std::int64_t{record.duration.count()}},
             {"remote", record.remote_address},
             {"client", admitted == nullptr ? record.remote_address : std::string_view(admitted->origin.address)},
             {"owner", admitted == nullptr ? std::string_view() : std::string_view(admitted->caller.owner)}});
}

http::Hooks make_hooks(const Config& config, const Authenticator* authenticator, RateLimiter& limiter, Metrics& metrics, Tracer* tracer,
                       Log& log) {
  http::Hooks hooks;
  hooks.error = error_hook;
  hooks.admit = Admission(config, authenticator, limiter, metrics, log);
  hooks.dress = Presentation(config);
  if (tracer != nullptr) {
    hooks.handle = [tracer](http::Request& request, const http::Route& route) { return handle_traced(request, route, *tracer); };
  }
  hooks.access = [&metrics, tracer, &log](const http::AccessRecord& record) {
    metrics.count_request(record);
    if (tracer != nullptr) end_abandoned(record, *tracer);
    log_request(log, record);
  };
  hooks.fault = [&log](std::string_view what, const http::Request& request) {
    log.write(LogLevel::error, "fault in a handler",
              {{"request_id", request.request_id}, {"path", loggable_path(request.path)}, {"reason", what}});
  };
  return hooks;
}

}  // namespace

struct Service::Parts {
  Parts(Config wanted, Log& where) : config(std::move(wanted)), log(where) {}

  /// Works off a queue of the library until it is stopped. `name` is what the log calls the thread.
  void work_off(const std::stop_token& stop, Result<std::size_t> (Library::*run)(const RunJobsOptions&), std::string_view name) {
    lower_priority();
    const TraceScope scope({tracer.get(), std::nullopt});
    while (!stop.stop_requested()) {
      RunJobsOptions options;
      options.stop = stop;
      options.until_idle = false;
      const auto ended = (*library.*run)(options);
      if (ended) continue;
      log.write(LogLevel::error, name, {{"reason", ended.error().message}});
      pause(stop, std::chrono::seconds(5));
    }
  }

  void tell(const std::stop_token& stop) {
    lower_priority();
    while (!stop.stop_requested()) {
      RunJobsOptions options;
      options.stop = stop;
      options.until_idle = false;
      const auto ended = library->send_notifications(
          [&](const Notification& notification) {
            auto sent = webhook->send(notification);
            if (!sent) {
              log.write(
                  LogLevel::warn, "webhook",
                  {{"notification", notification.id}, {"attempt", std::int64_t{notification.attempts}}, {"reason", sent.error().message}});
            }
            return sent;
          },
          options);
      if (ended) continue;
      log.write(LogLevel::error, "webhook thread", {{"reason", ended.error().message}});
      pause(stop, std::chrono::seconds(5));
    }
  }

  void collect(const std::stop_token& stop) {
    lower_priority();
    while (pause(stop, config.collect_interval)) {
      const auto swept = library->sweep_uploads();
      if (!swept) log.write(LogLevel::error, "sweep of uploads", {{"reason", swept.error().message}});
      const auto expired = library->sweep_expired();
      if (!expired) log.write(LogLevel::error, "sweep of expired media", {{"reason", expired.error().message}});
      if (expired && *expired > 0) log.write(LogLevel::info, "expired media", {{"removed", static_cast<std::int64_t>(*expired)}});
      const auto report = library->collect(std::nullopt, stop);
      if (!stop.stop_requested()) metrics->count_collection(report.has_value());
      if (!report) {
        log.write(LogLevel::error, "collection", {{"reason", report.error().message}});
      } else if (report->removed > 0 || report->condemned > 0 || report->evicted.renditions > 0) {
        log.write(LogLevel::info, "collection",
                  {{"renditions_evicted", static_cast<std::int64_t>(report->evicted.renditions)},
                   {"condemned", static_cast<std::int64_t>(report->condemned)},
                   {"removed", static_cast<std::int64_t>(report->removed)},
                   {"removed_bytes", static_cast<std::int64_t>(report->removed_bytes)},
                   {"freed_bytes", static_cast<std::int64_t>(report->compacted.freed_bytes)}});
      }
    }
  }

  /// Reads again what was not verified for long, slowly, and says what has rotted.
  void scrub(const std::stop_token& stop) {
    lower_priority();
    auto wait = std::min(config.scrub_interval, kFirstScrub);
    while (pause(stop, wait)) {
      wait = config.scrub_interval;
      VerifyOptions options;
      options.threads = 1;
      options.stop = stop;
      options.bytes_per_second = config.scrub_bytes_per_second;
      options.unless_verified_since = clock.now() - config.verify_interval;
      options.on_fault = [this](const Fault& fault) {
        if (fault.problem == Fault::Problem::stray) return;  // a collection's business
        metrics->count_scrub_finding(fault.problem);
        log.write(LogLevel::error, "scrub",
                  {{"problem", to_string(fault.problem)},
                   {"blob", fault.digest ? fault.digest->to_hex() : std::string()},
                   {"reason", fault.message}});
      };
      const auto report = library->verify(options);
      if (!report) {
        if (report.error().code != Errc::cancelled) log.write(LogLevel::error, "scrub", {{"reason", report.error().message}});
        continue;
      }
      metrics->count_scrubbed(report->blobs, report->bytes);
      if (report->blobs > 0) {
        log.write(LogLevel::info, "scrub",
                  {{"blobs", static_cast<std::int64_t>(report->blobs)},
                   {"bytes", static_cast<std::int64_t>(report->bytes)},
                   {"damaged", static_cast<std::int64_t>(report->damaged)},
                   {"missing", static_cast<std::int64_t>(report->missing)}});
      }
    }
  }

  /// Brings blobs to their tiers now and then.
  void arrange(const std::stop_token& stop) {
    lower_priority();
    while (pause(stop, config.tier_interval)) {
      ArrangeOptions options;
      options.stop = stop;
      for (const std::string& tier : library->tier_names()) {
        if (tier != "hot") options.rules.push_back(PlacementRule::parse(tier == "warm" ? config.warm_rule : config.cold_rule).value());
      }
      options.on_problem = [this](const TierMove& move, const Error& error) {
        log.write(LogLevel::error, "tiers",
                  {{"blob", move.digest.to_hex()}, {"from", move.from}, {"to", move.to}, {"reason", error.message}});
      };
      const auto report = library->arrange_tiers(options);
      if (!report) {
        log.write(LogLevel::error, "tiers", {{"reason", report.error().message}});
      } else if (report->demoted + report->promoted + report->trimmed > 0) {
        log.write(LogLevel::info, "tiers",
                  {{"demoted", static_cast<std::int64_t>(report->demoted)},
                   {"promoted", static_cast<std::int64_t>(report->promoted)},
                   {"trimmed", static_cast<std::int64_t>(report->trimmed)},
                   {"copied_bytes", static_cast<std::int64_t>(report->copied_bytes)},
                   {"freed_bytes", static_cast<std::int64_t>(report->freed_bytes)}});
      }
    }
  }

  /// Copies what was read from a lower tier into the first one.
  void promote(const std::stop_token& stop) {
    lower_priority();
    while (pause(stop, std::chrono::seconds(1))) {
      const auto promoted = library->promote_read(config.promote_below_bytes, stop);
      if (promoted) continue;
      log.write(LogLevel::warn, "promotion between tiers", {{"reason", promoted.error().message}});
      pause(stop, std::chrono::seconds(30));
    }
  }

  /// False where it was told to stop meanwhile.
  bool pause(const std::stop_token& stop, std::chrono::seconds time) {
    std::unique_lock lock(pause_mutex);
    paused.wait_for(lock, stop, time, [] { return false; });
    return !stop.stop_requested();
  }

  Config config;
  Log& log;
  std::unique_ptr<OtlpExporter> tracer;  ///< Null: nobody traces.
  std::unique_ptr<Library> library;
  std::unique_ptr<HealthChecks> health;
  SystemClock clock;
  std::unique_ptr<Webhook> webhook;  ///< Null: nobody is told.
  std::unique_ptr<UrlSigner> signer;
  std::unique_ptr<Authenticator> authenticator;  ///< Null: authentication is off.
  RateLimiter limiter;
  std::unique_ptr<Metrics> metrics;
  std::unique_ptr<RouteContext> context;
  std::mutex pause_mutex;
  std::condition_variable_any paused;
  std::vector<std::jthread> threads;  // stopped before what they use goes
  std::unique_ptr<http::Server> server;
  std::atomic<http::Server*> started{nullptr};   ///< `server` once it is there: requests come before `start` has its return value.
  std::unique_ptr<http::Server> metrics_server;  ///< Null where metrics have no port of their own.
};

Service::Service(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Service::~Service() { stop(); }

Result<std::unique_ptr<Service>> Service::start(const Config& config, Log& log) {
  auto parts = std::make_unique<Parts>(config, log);
  LibraryOptions options;
  options.base_path = config.base_path;
  options.temp_path = config.temp_path;
  MEDIA_TRY_ASSIGN(options.store, open_blobs(config));
  options.pack_below_bytes = config.pack_below_bytes;
  options.compact_bytes_per_second = kCompactBytesPerSecond;
  options.policy = config.policy;
  options.gate.default_quota = config.default_quota;
  options.gate.unscanned = config.unscanned;
  if (!config.clamd.address.empty()) {
    MEDIA_TRY_ASSIGN(options.gate.scanner, open_clamd_scanner(config.clamd));
  }
  options.budget.max_pixels = config.policy.max_pixels;
  options.budget.max_frames = config.policy.max_frames;
  options.budget.max_total_pixels = config.policy.max_pixels;
  options.budget.max_source_bytes = config.policy.max_bytes();
  options.budget.deadline = config.deadline;
  options.budget.video_deadline = config.video_deadline;
  options.budget.max_video_bytes = config.video_max_bytes;
  options.encoding_queue = config.encoding_queue;
  options.encodings_at_once = std::max(config.encodings, 1U);
  options.isolation = config.isolation;
  options.workers = config.workers;
  options.derivations_at_once = config.derivations();
  options.derivation_queue = config.derivation_queue;
  options.rendition_budget_bytes = config.rendition_budget_bytes;
  constexpr std::uint64_t kCacheOfBucket = std::uint64_t{64} << 20U;
  options.read_cache_bytes = config.read_cache_bytes.value_or(config.s3.bucket.empty() ? 0 : kCacheOfBucket);
  options.collect_grace = config.collect_grace;
  options.verify_interval = config.verify_interval;
  Parts* const self = parts.get();
  options.on_media_changed = [self](MediaId id) {
    if (http::Server* const server = self->started) server->wake(waiting_key(id));
  };
  if (!config.webhook_url.empty()) {
    parts->webhook =
        std::make_unique<Webhook>(Webhook::Options{config.webhook_url, config.webhook_secret, config.webhook_timeout}, parts->clock);
    options.describe_event = [self](MediaEvent event, const Media& media) { return webhook_body(event, media, self->clock.now()); };
  }
  if (!config.postgres.host.empty()) {
    MEDIA_TRY_ASSIGN(options.repository, open_postgres_repository(config.postgres));
    MEDIA_TRY(note_catalog(config.base_path, "postgresql, schema " + config.postgres.schema));
  } else if (auto own = require_own_catalog(config.base_path); !own) {
    return Error{own.error().code, own.error().message + ": set POSTGRES_HOST and its like"};
  }
  if (!config.otlp_endpoint.empty()) {
    OtlpExporter::Options traces;
    traces.endpoint = config.otlp_endpoint;
    traces.service_name = config.trace_service_name;
    traces.sample_ratio = config.trace_sample_ratio;
    parts->tracer = std::make_unique<OtlpExporter>(std::move(traces), log);
  }
  MEDIA_TRY_ASSIGN(parts->library, Library::open(std::move(options)));
  Library& library = *parts->library;
  parts->health = std::make_unique<HealthChecks>(health_dependencies(library));
  MEDIA_TRY_ASSIGN(auto keys, config.url_secrets.empty() ? open_signing_key_file(config.base_path / "url-signing.key")
                                                         : SigningKeys::open(config.url_secrets));
  parts->signer = std::make_unique<UrlSigner>(std::move(keys), parts->clock);
  if (config.auth_enabled) {
    MEDIA_TRY_ASSIGN(parts->authenticator, Authenticator::open(parts->config, library, parts->clock, log));
  } else {
    log.write(config.run_mode == RunMode::production ? LogLevel::warn : LogLevel::info,
              "authentication is off: everybody is one local user");
  }
  parts->metrics = std::make_unique<Metrics>(Metrics::Sources{[self]() -> std::optional<http::Server::Stats> {
                                                                http::Server* const server = self->started;
                                                                if (server == nullptr) return std::nullopt;
                                                                return server->stats();
                                                              },
                                                              [&library]() -> Result<Metrics::StorageSums> {
                                                                Metrics::StorageSums sums;
                                                                MEDIA_TRY_ASSIGN(sums.blobs, library.storage_usage());
                                                                MEDIA_TRY_ASSIGN(sums.renditions, library.rendition_usage(false));
                                                                MEDIA_TRY_ASSIGN(sums.on_demand, library.rendition_usage(true));
                                                                return sums;
                                                              },
                                                              [&library, self]() -> Result<Metrics::Moment> {
                                                                Metrics::Moment moment;
                                                                MEDIA_TRY_ASSIGN(moment.jobs, library.count_jobs());
                                                                std::error_code failure;
                                                                const auto space = std::filesystem::space(self->config.base_path, failure);
                                                                if (!failure) moment.disk = Metrics::Disk{space.capacity, space.available};
                                                                return moment;
                                                              },
                                                              [&library] { return library.derivation_stats(); },
                                                              [self] { return self->health->run(); }, [self] { return self->clock.now(); },
                                                              [self]() -> std::optional<OtlpExporter::Stats> {
                                                                if (!self->tracer) return std::nullopt;
                                                                return self->tracer->stats();
                                                              },
                                                              [&library]() -> Result<Metrics::GateNumbers> {
                                                                Metrics::GateNumbers numbers;
                                                                MEDIA_TRY_ASSIGN(numbers.quarantine, library.gate().quarantine_counts());
                                                                numbers.scans = library.gate().scan_stats();
                                                                numbers.has_scanner = library.gate().has_scanner();
                                                                numbers.scanner_answers = library.gate().check_scanner().has_value();
                                                                return numbers;
                                                              },
                                                              [&library] { return measures(library); }});
  parts->context = std::make_unique<RouteContext>(library, parts->config, log, *parts->health, *parts->signer, *parts->metrics,
                                                  [self](std::string_view key) {
                                                    if (http::Server* const server = self->started) server->wake(key);
                                                  });

  http::ServerOptions http;
  http.host = config.host;
  http.port = config.port;
  http.max_connections = config.max_connections;
  http.max_connections_per_address = config.max_connections_per_address;
  http.is_shared_address = [&proxies = parts->config.trusted_proxies](std::string_view address) { return contains(proxies, address); };
  http.reader_threads = config.reader_threads;
  http.body_threads = config.body_threads;
  // Beside those who wait for a change: as many again as pictures may, since several clients may wait for one.
  http.max_waiting += 2 * config.derivation_queue;
  MEDIA_TRY_ASSIGN(http::Router router, make_router(*parts->context));
  // tests/e2e/openapi_test.py compares these lines with docs/api/openapi.yaml.
  for (const auto& [method, route] : router.list()) {
    log.write(LogLevel::debug, "route", {{"method", method}, {"pattern", route->pattern}, {"access", to_string(access_of(*route))}});
  }
  // Nothing may fail any more once requests are answered.
  if (config.metrics_enabled && config.metrics_port != 0) {
    MEDIA_TRY_ASSIGN(parts->metrics_server, start_metrics_server(*parts->context));
  }
  MEDIA_TRY_ASSIGN(parts->server, http::Server::start(http, std::move(router),
                                                      make_hooks(parts->config, parts->authenticator.get(), parts->limiter, *parts->metrics,
                                                                 parts->tracer.get(), log)));
  parts->started = parts->server.get();

  const bool has_tiers = !library.tier_names().empty();
  // Where the reads are: a worker would not know of them.
  if (has_tiers && config.promote_below_bytes > 0) {
    parts->threads.emplace_back([self](const std::stop_token& stop) { self->promote(stop); });
  }
  if (config.role == Role::api) return std::unique_ptr<Service>(new Service(std::move(parts)));
  for (unsigned i = 0; i < config.job_threads; ++i) {
    parts->threads.emplace_back([self](const std::stop_token& stop) { self->work_off(stop, &Library::run_jobs, "job thread"); });
  }
  if (config.encodings > 0 && !library.encodes()) {
    log.write(LogLevel::info, "no videos are encoded here", {{"reason", "media-video-worker is not installed"}});
  }
  for (unsigned i = 0; library.encodes() && i < config.encodings; ++i) {
    parts->threads.emplace_back([self](const std::stop_token& stop) { self->work_off(stop, &Library::run_encodings, "encoding thread"); });
  }
  parts->threads.emplace_back([self](const std::stop_token& stop) { self->collect(stop); });
  if (config.scrub_bytes_per_second > 0) parts->threads.emplace_back([self](const std::stop_token& stop) { self->scrub(stop); });
  if (has_tiers && config.tier_interval.count() > 0) {
    parts->threads.emplace_back([self](const std::stop_token& stop) { self->arrange(stop); });
  }
  if (parts->webhook) parts->threads.emplace_back([self](const std::stop_token& stop) { self->tell(stop); });
  return std::unique_ptr<Service>(new Service(std::move(parts)));
}

std::uint16_t Service::port() const noexcept { return parts_->server->port(); }

void Service::stop() {
  if (!parts_) return;
  for (auto& thread : parts_->threads) thread.request_stop();
  parts_->server->stop(parts_->config.shutdown_grace);
  parts_->metrics_server.reset();  // before the server that it asks
  parts_->threads.clear();
  parts_.reset();
}

}  // namespace media::server
