/// What mediad is told by its environment.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "auth/claims.hpp"
#include "edge/network.hpp"
#include "edge/rate_limiter.hpp"
#include "edge/security_headers.hpp"
#include "media/library.hpp"
#include "media/postgres_repository.hpp"
#include "media/s3_store.hpp"
#include "media/tiers.hpp"

namespace media::server {

/// Which part of the work a process does; those that share a catalog may divide it.
enum class Role : std::uint8_t {
  all,
  api,     ///< Requests. Nothing is processed, collected or told to others here.
  worker,  ///< Jobs, collections and webhooks; of requests health and metrics alone.
};

enum class RunMode : std::uint8_t { local, production };
enum class LogFormat : std::uint8_t { pretty, json };

struct Config {
  RunMode run_mode = RunMode::local;
  std::string host;  ///< Default by mode: 127.0.0.1, 0.0.0.0.
  std::uint16_t port = 3000;
  Role role = Role::all;
  std::string public_url;  ///< Without a trailing slash; empty: by the request's Host.
  std::uint64_t max_upload_bytes = 524'288'000;
  std::size_t max_connections = 8192;
  /// 0: no such limit. Trusted proxies are beyond it.
  std::size_t max_connections_per_address = 2048;
  /// Whose X-Forwarded fields are believed.
  std::vector<Network> trusted_proxies;
  std::string trusted_proxies_text;  ///< As configured.
  std::string sendfile_header;       ///< Empty: none.
  std::string sendfile_prefix;       ///< Empty: as the header wants it.
  /// What the header says for a file of that path below the base path; percent-encoded, as the proxies want it.
  [[nodiscard]] std::string sendfile_target(const std::string& file) const;
  std::size_t reader_threads = 16;
  std::size_t body_threads = 32;
  std::chrono::seconds shutdown_grace{8};

  /// No host: the catalog is in SQLite below the base path.
  PostgresRepositoryOptions postgres{.port = 5432};
  std::filesystem::path base_path;  ///< Default by mode: ./media, /app/media.
  std::filesystem::path temp_path;  ///< Empty: below the base.
  S3StoreOptions s3;                ///< Where its bucket is empty, blobs are below the base path.
  bool s3_redirect = false;
  TierPlaces tiers;  ///< Below where blobs are stored first. Empty ones: as noted in the base path.
  std::string warm_rule;
  std::string cold_rule;
  std::chrono::seconds tier_interval{0};  ///< 0: nothing is moved by this process.
  std::uint64_t promote_below_bytes = 0;  ///< 0: what is read stays where it is.
  std::uint64_t pack_below_bytes = media::LibraryOptions{}.pack_below_bytes;
  std::uint64_t rendition_budget_bytes = 0;  ///< 0: no limit.
  std::optional<std::uint64_t> read_cache_bytes;
  std::chrono::seconds collect_interval{3600};
  std::uint64_t scrub_bytes_per_second = std::uint64_t{4} << 20U;  ///< 0: no scrubbing.
  std::chrono::seconds scrub_interval{86'400};
  std::chrono::seconds verify_interval = media::LibraryOptions{}.verify_interval;
  std::chrono::seconds collect_grace{std::chrono::hours{24}};

  AdmissionPolicy policy;
  Quota default_quota;
  ClamdOptions clamd;  ///< No address: nothing is scanned.
  UnscannedRule unscanned = UnscannedRule::refuse;
  Isolation isolation = Isolation::process;
  unsigned workers = 2;
  unsigned job_threads = 2;
  std::chrono::seconds deadline{30};
  unsigned encodings = 1;  ///< 0: left to another process.
  std::size_t encoding_queue = media::LibraryOptions{}.encoding_queue;
  std::chrono::seconds video_deadline{3600};
  std::uint64_t video_max_bytes = media::ProcessingBudget{}.max_video_bytes;
  unsigned derivations_at_once = 0;  ///< 0: as many as workers.
  std::size_t derivation_queue = media::LibraryOptions{}.derivation_queue;
  [[nodiscard]] unsigned derivations() const noexcept { return derivations_at_once == 0 ? workers : derivations_at_once; }

  std::string log_level = "info";
  std::string log_level_file{};  ///< Empty: none.
  LogFormat log_format = LogFormat::pretty;

  RateLimits rate_limits;  ///< Default by mode: off, on.
  /// What is said beside `trusted_proxies`, and may not contradict them.
  std::optional<bool> trust_forwarded_headers;
  /// Whose pages may call; "*": everybody's.
  std::vector<std::string> cors_origins;
  SecurityHeaders security_headers;
  bool metrics_enabled = true;
  std::string metrics_path = "/metrics";  ///< At the root and below the base path.
  std::uint16_t metrics_port = 0;         ///< 0: the same as everything else.

  /// Off: everybody is the one local user.
  bool auth_enabled = false;
  std::string jwt_secret;  ///< Of HS256; empty: none.
  std::string jwks_file;
  std::string jwks_url;
  std::chrono::seconds jwks_refresh{300};
  ClaimRules claim_rules;
  bool oauth2_enabled = false;
  /// Every token is judged by its issuer then, and none here.
  bool introspection_enabled = false;
  std::string introspection_path = "/oauth2/introspect";  ///< Below `oauth2_base_url`.
  std::string oauth2_base_url;
  std::string oauth2_client_id;
  std::string oauth2_client_secret;
  std::chrono::seconds token_cache_lifetime{60};

  std::string otlp_endpoint;  ///< Empty: nobody traces.
  std::string trace_service_name = "mediad";
  double trace_sample_ratio = 1;

  std::string webhook_url;  ///< Empty: nobody is told.
  std::string webhook_secret;
  std::chrono::seconds webhook_timeout{10};

  /// The first signs URLs, all verify. Empty: a key of the library's own, kept beside it.
  std::vector<std::string> url_secrets;
  std::chrono::seconds upload_url_lifetime{900};
  std::chrono::seconds resumable_lifetime{std::chrono::hours{24}};
  /// Lower case, with the dot.
  std::vector<std::string> blocked_extensions = {".exe", ".bat", ".cmd", ".com", ".scr", ".vbs", ".js"};
  /// Widths and heights of pictures on the fly that need no signature.
  std::vector<std::uint32_t> free_sizes = {320, 800, 1600};
};

/// Variables by name.
using Environment = std::map<std::string, std::string>;

/// This process's environment.
Environment process_environment();
/// KEY=VALUE lines; blank lines and lines that begin with # are skipped, one pair of quotes around a value removed.
/// A line that is none of these is a fault.
Environment parse_env_file(const std::string& text, std::vector<std::string>& faults);

struct LoadedConfig {
  Config config;
  /// One line for each thing wrong, naming the variable and what it accepts. Empty: good.
  std::vector<std::string> faults;
};

/// Reads the environment; in local mode `.env.local` below `working_folder` fills what it leaves open. `in_container` decides the mode
/// where RUN_MODE does not.
LoadedConfig load_config(Environment environment, const std::filesystem::path& working_folder, bool in_container);

/// True where this process runs in a container (the marks that Docker, Podman and Kubernetes leave).
bool runs_in_container(const Environment& environment);

/// `NAME=value` lines of everything in force.
std::string print_config(const Config& config);
/// A Markdown table of every variable there is: name, meaning, what it accepts, default. The same on every machine.
std::string list_settings();

}  // namespace media::server
