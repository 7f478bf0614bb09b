// mediad: reads its environment, serves, and drains when told to stop.

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "config.hpp"
#include "healthcheck.hpp"
#include "media/version.hpp"
#include "routes.hpp"
#include "service.hpp"
#include "telemetry/log.hpp"

namespace {

using namespace media;
using namespace media::server;

constexpr int kExitUnhealthy = 1;
constexpr int kExitConfig = 2;
constexpr int kExitStart = 3;

constexpr const char* kHelp = R"(mediad: keeps photos and videos, proves them intact and serves them in every size.

usage: mediad [--role ROLE] [--port-file FILE]
              [--healthcheck[=live] | --check-config | --print-config | --list-settings | --version | --help]

  --role ROLE        api: answer requests; worker: work off jobs; all: both (the default, see MEDIA_SERVICE_SERVER_ROLE)
  --port-file FILE   write the port to FILE once requests are answered; with --healthcheck: read it there
  --healthcheck      ask the mediad that runs with this configuration whether it is ready, and exit with 0 or 1;
                     --healthcheck=live asks only whether it answers, whatever catalog and store do
  --check-config     say what is wrong with the configuration, if anything, and exit
  --print-config     print the configuration in force and exit
  --list-settings    print every variable there is, its meaning and its default, as a Markdown table, and exit
  --version          print the version and exit

Configuration comes from the environment, in local mode from .env.local too; docs/configuration.md lists it.
SIGTERM or SIGINT drains and stops. SIGHUP changes the level of the log (MEDIA_SERVICE_LOGGING_LEVEL_FILE).

Exit codes: 0 stopped as told, 1 not healthy, 2 configuration or usage, 3 cannot start.
)";

struct Arguments {
  std::optional<std::string> port_file;
  std::optional<std::string> role;
  enum class Action { serve, health, check, print, list, version, help } action = Action::serve;
  HealthQuestion::About health = HealthQuestion::About::ready;
};

std::optional<Arguments> read_arguments(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--port-file" && i + 1 < argc) {
      arguments.port_file = argv[++i];
    } else if (argument.starts_with("--port-file=")) {
      arguments.port_file = argument.substr(12);
    } else if (argument == "--role" && i + 1 < argc) {
      arguments.role = argv[++i];
    } else if (argument.starts_with("--role=")) {
      arguments.role = argument.substr(7);
    } else if (argument == "--healthcheck" || argument == "--healthcheck=ready") {
      arguments.action = Arguments::Action::health;
    } else if (argument == "--healthcheck=live") {
      arguments.action = Arguments::Action::health;
      arguments.health = HealthQuestion::About::live;
    } else if (argument == "--check-config") {
      arguments.action = Arguments::Action::check;
    } else if (argument == "--print-config") {
      arguments.action = Arguments::Action::print;
    } else if (argument == "--list-settings") {
      arguments.action = Arguments::Action::list;
    } else if (argument == "--version") {
      arguments.action = Arguments::Action::version;
    } else if (argument == "--help" || argument == "-h") {
      arguments.action = Arguments::Action::help;
    } else {
      std::cerr << "mediad: unknown argument '" << argument << "'; see mediad --help\n";
      return std::nullopt;
    }
  }
  return arguments;
}

/// Whole or not at all: whoever waits for the file reads it the moment it is there.
bool write_port_file(const std::string& path, std::uint16_t port) {
  const std::string temp = path + ".part";
  std::FILE* const file = std::fopen(temp.c_str(), "we");
  if (file == nullptr) return false;
  const bool written = std::fprintf(file, "%u\n", unsigned{port}) > 0;
  return std::fclose(file) == 0 && written && std::rename(temp.c_str(), path.c_str()) == 0;
}

/// Each connection is a descriptor, and the usual soft limit of 1024 is far below what the system would allow: it is there for
/// programs that still use select(2).
void raise_descriptor_limit(const Config& config, Log& log) {
  struct rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  static_cast<void>(::setrlimit(RLIMIT_NOFILE, &limit));
  constexpr rlim_t kOwnDescriptors = 512;  // store, catalog, workers, and the files that are being served
  if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < config.max_connections + kOwnDescriptors) {
    log.write(
        LogLevel::warn, "the limit of open files is too low for as many connections as are configured",
        {{"limit", static_cast<std::int64_t>(limit.rlim_max)}, {"max_connections", static_cast<std::int64_t>(config.max_connections)}});
  }
}

int unhealthy(const std::string& reason) {
  std::cerr << "mediad: not healthy: " << reason << '\n';
  return kExitUnhealthy;
}

/// Of a probe every end but 0 is the same: container engines keep other codes for themselves.
int check_health(const Config& config, const Arguments& arguments) {
  HealthQuestion question{config.host, config.port, arguments.health};
  if (question.port == 0) {
    std::ifstream file(arguments.port_file.value_or(""));
    if (!(file >> question.port) || question.port == 0) {
      return unhealthy("MEDIA_SERVICE_SERVER_PORT is 0, and " + (arguments.port_file ? "'" + *arguments.port_file + "' names no port"
                                                                                     : std::string("no --port-file says which it became")));
    }
  }
  const auto answer = ask_health(question);
  return answer ? 0 : unhealthy(answer.error().message);
}

/// Who turns the log up or down need not stop a server that shows a fault just now.
class LogLevels {
 public:
  LogLevels(const Config& config, Log& log) : config_(config), log_(log), level_(config.log_level) {
    if (!config.log_level_file.empty()) read_file();
  }

  void change() {
    if (config_.log_level_file.empty()) {
      take(level_ == "debug" ? config_.log_level == "debug" ? "info" : config_.log_level : "debug");
    } else if (!read_file()) {
      return;
    }
    log_.write(LogLevel::info, "log level changed", {{"level", level_}});
  }

 private:
  void take(const std::string& level) {
    level_ = level;
    log_.set_level(level);
  }
  bool read_file() {
    std::ifstream file(config_.log_level_file);
    std::string level;
    if (!(file >> level) || !is_log_level(level)) {
      log_.write(LogLevel::error, "the log level stays as it is: its file names none",
                 {{"file", config_.log_level_file}, {"level", level_}});
      return false;
    }
    take(level);
    return true;
  }

  const Config& config_;
  Log& log_;
  std::string level_;
};

int serve(const Config& config, const std::optional<std::string>& port_file) {
  // Blocked before any thread starts, so that every thread inherits it and only sigwait below sees the signal.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  // Who started it by nohup(1) wants it to outlive the terminal, no more.
  struct sigaction hangup{};
  if (::sigaction(SIGHUP, nullptr, &hangup) != 0 || hangup.sa_handler != SIG_IGN) sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  Log log(config.log_level, config.log_format == LogFormat::json);
  LogLevels levels(config, log);
  raise_descriptor_limit(config, log);
  auto service = Service::start(config, log);
  if (!service) {
    log.flush();
    std::cerr << "mediad: cannot start: " << service.error().message << '\n';
    return kExitStart;
  }
  const std::string url = "http://" + (config.host == "0.0.0.0" ? "127.0.0.1" : config.host) + ":" + std::to_string((*service)->port()) +
                          std::string(kBasePath);
  log.write(LogLevel::info, "serving", {{"url", url}, {"store", config.base_path.native()}, {"version", MEDIA_VERSION}});
  if (port_file && !write_port_file(*port_file, (*service)->port())) {
    std::cerr << "mediad: cannot write the port file '" << *port_file << "'\n";
    return kExitStart;
  }
  // From a terminal it says that the terminal is gone.
  const bool at_terminal = ::isatty(STDIN_FILENO) == 1;
  int signal = 0;
  for (sigwait(&signals, &signal); signal == SIGHUP && !at_terminal; sigwait(&signals, &signal)) levels.change();
  log.write(LogLevel::info, "stopping", {{"signal", std::int64_t{signal}}});
  (*service)->stop();
  log.write(LogLevel::info, "stopped");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  // Bodies come and go in pieces of some hundred KiB: given back to the system each time, their pages would be zeroed, mapped and flushed
  // from the processors' translation buffers for every request, which cost an eighth of an upload.
  ::mallopt(M_TRIM_THRESHOLD, 32 << 20);
  ::mallopt(M_MMAP_THRESHOLD, 4 << 20);
  const auto arguments = read_arguments(argc, argv);
  if (!arguments) return kExitConfig;
  if (arguments->action == Arguments::Action::help) {
    std::cout << kHelp;
    return 0;
  }
  if (arguments->action == Arguments::Action::version) {
    std::cout << "mediad " << MEDIA_VERSION << '\n';
    return 0;
  }
  if (arguments->action == Arguments::Action::list) {
    std::cout << list_settings();
    return 0;
  }
  Environment environment = process_environment();
  if (arguments->role) environment["MEDIA_SERVICE_SERVER_ROLE"] = *arguments->role;
  const bool in_container = runs_in_container(environment);
  std::error_code failure;
  const auto loaded = load_config(std::move(environment), std::filesystem::current_path(failure), in_container);
  for (const std::string& fault : loaded.faults) std::cerr << "mediad: " << fault << '\n';
  if (!loaded.faults.empty()) return arguments->action == Arguments::Action::health ? kExitUnhealthy : kExitConfig;
  switch (arguments->action) {
    case Arguments::Action::health:
      return check_health(loaded.config, *arguments);
    case Arguments::Action::check:
      std::cout << "the configuration is good\n";
      return 0;
    case Arguments::Action::print:
      std::cout << print_config(loaded.config);
      return 0;
    default:
      return serve(loaded.config, arguments->port_file);
  }
}
