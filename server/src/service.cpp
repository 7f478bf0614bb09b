#include "service.hpp"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "admission.hpp"
#include "auth/authenticator.hpp"
#include "errors.hpp"
#include "routes.hpp"
#include "signing_key_file.hpp"

namespace media::server {
namespace {

/// Background work yields to requests. Linux has a nice value for each thread; elsewhere this would be the process's.
void lower_priority() {
  const auto thread = static_cast<id_t>(::syscall(SYS_gettid));
  static_cast<void>(::setpriority(PRIO_PROCESS, thread, 10));  // refused only where it already is lower
}

http::Hooks make_hooks(const Authenticator* authenticator, Log& log) {
  http::Hooks hooks;
  hooks.error = [](int status, const std::string& message, const http::Request& request) {
    return with_tus_fields(error_response(status, message, request), request);
  };
  hooks.admit = Admission(authenticator, log);
  hooks.access = [&log](const http::AccessRecord& record) {
    const LogLevel level = record.status >= 500 ? LogLevel::warn : LogLevel::info;
    log.write(level, "request",
              {{"request_id", record.request_id},
               {"method", record.method},
               {"path", record.path},
               {"status", std::int64_t{record.status}},
               {"complete", std::int64_t{record.complete ? 1 : 0}},
               {"received", static_cast<std::int64_t>(record.body_bytes_received)},
               {"sent", static_cast<std::int64_t>(record.body_bytes_sent)},
               {"duration_us", std::int64_t{record.duration.count()}},
               {"remote", record.remote_address}});
  };
  hooks.fault = [&log](std::string_view what, const http::Request& request) {
    log.write(LogLevel::error, "fault in a handler", {{"request_id", request.request_id}, {"path", request.path}, {"reason", what}});
  };
  return hooks;
}

}  // namespace

struct Service::Parts {
  Parts(Config wanted, Log& where) : config(std::move(wanted)), log(where) {}

  void run_jobs(const std::stop_token& stop) {
    lower_priority();
    while (!stop.stop_requested()) {
      RunJobsOptions options;
      options.stop = stop;
      options.until_idle = false;
      const auto ended = library->run_jobs(options);
      if (ended) continue;
      log.write(LogLevel::error, "job thread", {{"reason", ended.error().message}});
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
      const auto report = library->collect();
      if (!report) {
        log.write(LogLevel::error, "collection", {{"reason", report.error().message}});
      } else if (report->removed > 0 || report->condemned > 0) {
        log.write(LogLevel::info, "collection",
                  {{"condemned", static_cast<std::int64_t>(report->condemned)},
                   {"removed", static_cast<std::int64_t>(report->removed)},
                   {"removed_bytes", static_cast<std::int64_t>(report->removed_bytes)}});
      }
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
  std::unique_ptr<Library> library;
  std::unique_ptr<HealthChecks> health;
  SystemClock clock;
  std::unique_ptr<UrlSigner> signer;
  std::unique_ptr<Authenticator> authenticator;  ///< Null: authentication is off.
  std::unique_ptr<RouteContext> context;
  std::mutex pause_mutex;
  std::condition_variable_any paused;
  std::vector<std::jthread> threads;  // stopped before what they use goes
  std::unique_ptr<http::Server> server;
};

Service::Service(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Service::~Service() { stop(); }

Result<std::unique_ptr<Service>> Service::start(const Config& config, Log& log) {
  auto parts = std::make_unique<Parts>(config, log);
  LibraryOptions options;
  options.base_path = config.base_path;
  options.temp_path = config.temp_path;
  options.policy = config.policy;
  options.budget.max_pixels = config.policy.max_pixels;
  options.budget.max_source_bytes = config.policy.max_bytes();
  options.budget.deadline = config.deadline;
  options.isolation = config.isolation;
  options.workers = config.workers;
  options.collect_grace = config.collect_grace;
  MEDIA_TRY_ASSIGN(parts->library, Library::open(std::move(options)));
  Library& library = *parts->library;
  parts->health = std::make_unique<HealthChecks>(std::vector<HealthChecks::Dependency>{
      {"database", [&library] { return library.check_repository(); }}, {"storage", [&library] { return library.check_store(); }}});
  MEDIA_TRY_ASSIGN(auto keys, open_signing_keys(config));
  parts->signer = std::make_unique<UrlSigner>(std::move(keys), parts->clock);
  if (config.auth_enabled) {
    MEDIA_TRY_ASSIGN(parts->authenticator, Authenticator::open(parts->config, library, parts->clock, log));
  } else {
    log.write(config.run_mode == RunMode::production ? LogLevel::warn : LogLevel::info,
              "authentication is off: everybody is one local user");
  }
  parts->context = std::make_unique<RouteContext>(library, parts->config, log, *parts->health, *parts->signer);

  http::ServerOptions http;
  http.host = config.host;
  http.port = config.port;
  http.max_connections = config.max_connections;
  http.reader_threads = config.reader_threads;
  http.body_threads = config.body_threads;
  MEDIA_TRY_ASSIGN(parts->server, http::Server::start(http, make_router(*parts->context), make_hooks(parts->authenticator.get(), log)));

  Parts* const self = parts.get();
  for (unsigned i = 0; i < config.job_threads; ++i) {
    parts->threads.emplace_back([self](const std::stop_token& stop) { self->run_jobs(stop); });
  }
  parts->threads.emplace_back([self](const std::stop_token& stop) { self->collect(stop); });
  return std::unique_ptr<Service>(new Service(std::move(parts)));
}

std::uint16_t Service::port() const noexcept { return parts_->server->port(); }

void Service::stop() {
  if (!parts_) return;
  for (auto& thread : parts_->threads) thread.request_stop();
  parts_->server->stop(parts_->config.shutdown_grace);
  parts_->threads.clear();
  parts_.reset();
}

}  // namespace media::server
