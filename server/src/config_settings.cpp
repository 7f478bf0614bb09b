#include "config_settings.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <sstream>

#include "config_reading.hpp"
#include "edge/cors.hpp"
#include "http/message.hpp"
#include "telemetry/log.hpp"
#include "url.hpp"

namespace media::server {
namespace {

bool read_bool(const std::string& text, bool& into) {
  if (text == "true" || text == "1" || text == "yes" || text == "on") return into = true, true;
  if (text == "false" || text == "0" || text == "no" || text == "off") return into = false, true;
  return false;
}

std::string write_bool(bool value) { return value ? "true" : "false"; }

bool read_types(const std::string& text, std::vector<Format>& into) {
  std::vector<Format> formats;
  std::istringstream words(text);
  for (std::string word; std::getline(words, word, ',');) {
    word.erase(0, word.find_first_not_of(" \t"));
    word.erase(word.find_last_not_of(" \t") + 1);
    Format format = format_from_mime(word);
    if (format == Format::unknown) format = format_from_name(word);
    if (format == Format::unknown) return false;
    if (std::find(formats.begin(), formats.end(), format) == formats.end()) formats.push_back(format);
  }
  if (formats.empty()) return false;
  into = std::move(formats);
  return true;
}

bool read_rule(const std::string& text, std::string& into) {
  if (!PlacementRule::parse(text)) return false;
  into = text;
  return true;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> words;
  std::istringstream stream(text);
  for (std::string word; std::getline(stream, word, ',');) {
    word.erase(0, word.find_first_not_of(" \t"));
    word.erase(word.find_last_not_of(" \t") + 1);
    words.push_back(std::move(word));
  }
  return words;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ",") + word;
  return text;
}

bool read_extensions(const std::string& text, std::vector<std::string>& into) {
  std::vector<std::string> extensions;
  for (std::string word : split(text == "none" ? "" : text)) {
    std::transform(word.begin(), word.end(), word.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (word.size() < 2 || word.front() != '.' || word.find_first_of("./\\", 1) != std::string::npos) return false;
    extensions.push_back(std::move(word));
  }
  if (extensions.empty() && text != "none") return false;
  into = std::move(extensions);
  return true;
}

bool read_sizes(const std::string& text, std::vector<std::uint32_t>& into) {
  std::vector<std::uint32_t> sizes;
  for (const std::string& word : split(text)) {
    std::uint32_t size = 0;
    if (!read_number(word, size, 1, 16'384)) return false;
    sizes.push_back(size);
  }
  if (sizes.empty()) return false;
  into = std::move(sizes);
  return true;
}

bool read_url(const std::string& text, std::string& into) {
  if (!text.starts_with("http://") && !text.starts_with("https://")) return false;
  if (text.find_first_of(" \t\"<>\\?#") != std::string::npos || text.size() < 10) return false;
  into = text;
  while (into.ends_with('/')) into.pop_back();
  return true;
}

/// A route's pattern without captures, and none below which others are (routes/metrics.cpp sees to it that the list is whole).
bool is_path_for_metrics(const std::string& text) {
  static constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./";
  static constexpr std::array<std::string_view, 7> kTaken = {"media", "uploads", "live", "health", "ready", "docs", "openapi.yaml"};
  const std::string first = text.substr(0, text.find('/', 1)).erase(0, 1);
  return text.size() > 1 && std::find(kTaken.begin(), kTaken.end(), first) == kTaken.end() && text.front() == '/' && text.back() != '/' &&
         text.find("//") == std::string::npos && text.find("/.") == std::string::npos &&
         text.find_first_not_of(kPlain) == std::string::npos;
}

bool read_networks(const std::string& text, std::vector<Network>& into) {
  std::vector<Network> networks;
  for (const std::string& word : split(text)) {
    const auto network = Network::parse(word);
    if (!network) return false;
    networks.push_back(*network);
  }
  into = std::move(networks);
  return true;
}

bool read_scope_map(const std::string& text, std::vector<std::pair<std::string, Scope>>& into) {
  std::vector<std::pair<std::string, Scope>> pairs;
  for (const std::string& word : split(text)) {
    const auto equals = word.rfind('=');
    const auto ours = equals == std::string::npos ? std::nullopt : scope_from(word.substr(equals + 1));
    if (!ours || equals == 0) return false;
    pairs.emplace_back(word.substr(0, equals), *ours);
  }
  into = std::move(pairs);
  return true;
}

}  // namespace

bool read_service_url(const std::string& text, std::string& into) {
  if (!text.empty() && (host_of_url(text).empty() || text.find_first_of(" \t\"<>\\#") != std::string::npos)) return false;
  into = text;
  return true;
}

const std::vector<Setting>& settings() {
  static const std::vector<Setting> kSettings = [] {
    std::vector<Setting> all = server_settings();
    all.insert(all.end(), postgres_settings().begin(), postgres_settings().end());
    all.insert(all.end(), trace_settings().begin(), trace_settings().end());
    all.insert(all.end(), gate_settings().begin(), gate_settings().end());
    return all;
  }();
  return kSettings;
}

const std::vector<Setting>& server_settings() {
  static const std::vector<Setting> kSettings = {
      {"MEDIA_SERVICE_SERVER_HOST", "where it listens", "an address to listen on",
       [](Config& c, const std::string& text) { return !text.empty() && (c.host = text, true); }, [](const Config& c) { return c.host; }},
      {"MEDIA_SERVICE_SERVER_PORT", "the port; `--port-file` tells which where it is 0", "0 (a free one) to 65535",
       [](Config& c, const std::string& text) { return read_number(text, c.port, 0, 65535); },
       [](const Config& c) { return std::to_string(c.port); }},
      {"MEDIA_SERVICE_SERVER_ROLE",
       "what this process does: answers requests (api), works off jobs and clears up (worker), or both; `--role` says it too",
       "api, worker or all",
       [](Config& c, const std::string& text) {
         c.role = text == "api" ? Role::api : text == "worker" ? Role::worker : Role::all;
         return text == "api" || text == "worker" || text == "all";
       },
       [](const Config& c) {
         return std::string(c.role == Role::api ? "api" : c.role == Role::worker ? "worker" : "all");
       }},
      {"MEDIA_SERVICE_SERVER_PUBLIC_URL",
       "the URL under which clients reach the service, without `/api/v1/…`; it stands in every URL that is handed out",
       "an http or https URL without a query", [](Config& c, const std::string& text) { return read_url(text, c.public_url); },
       [](const Config& c) { return c.public_url; }, "by the request's `Host`"},
      {"MEDIA_SERVICE_SERVER_MAX_UPLOAD_SIZE", "bytes of one upload, whatever it is", "bytes, at least 1",
       [](Config& c, const std::string& text) { return read_number(text, c.max_upload_bytes, 1, 1ULL << 50U); },
       [](const Config& c) { return std::to_string(c.max_upload_bytes); }},
      {"MEDIA_SERVICE_SERVER_MAX_CONNECTIONS", "open connections", "1 to 1000000",
       [](Config& c, const std::string& text) { return read_number(text, c.max_connections, 1, 1'000'000); },
       [](const Config& c) { return std::to_string(c.max_connections); }},
      {"MEDIA_SERVICE_SERVER_MAX_CONNECTIONS_PER_ADDRESS", "open connections of one address; trusted proxies are exempt",
       "0 (no limit) to 1000000",
       [](Config& c, const std::string& text) { return read_number(text, c.max_connections_per_address, 0, 1'000'000); },
       [](const Config& c) { return std::to_string(c.max_connections_per_address); }},
      {"MEDIA_SERVICE_SERVER_TRUSTED_PROXIES", "whose `X-Forwarded-For`, `-Proto` and `-Host` are believed",
       "addresses and networks such as 10.0.0.0/8, separated by commas",
       [](Config& c, const std::string& text) { return read_networks(text, c.trusted_proxies) && (c.trusted_proxies_text = text, true); },
       [](const Config& c) { return c.trusted_proxies_text; }},
      {"MEDIA_SERVICE_SERVER_SENDFILE_HEADER",
       "the field by which a trusted proxy is told of a file that it shall send itself: `X-Accel-Redirect` of nginx, "
       "`X-Sendfile` of Apache and lighttpd; empty: mediad sends everything",
       "X-Accel-Redirect or X-Sendfile",
       [](Config& c, const std::string& text) {
         return c.sendfile_header = text, text.empty() || text == "X-Accel-Redirect" || text == "X-Sendfile";
       },
       [](const Config& c) { return c.sendfile_header; }},
      {"MEDIA_SERVICE_SERVER_SENDFILE_PREFIX", "stands before the file's path below the base path in that field",
       "a path such as /media-blobs/",
       [](Config& c, const std::string& text) {
         return c.sendfile_prefix = text, text.empty() || (text.front() == '/' && text.back() == '/');
       },
       [](const Config& c) { return c.sendfile_prefix; }, "`/media-blobs/` with `X-Accel-Redirect`, the base path with `X-Sendfile`"},
      {"MEDIA_SERVICE_SERVER_READER_THREADS", "threads for requests without a body, at most", "1 to 1024",
       [](Config& c, const std::string& text) { return read_number(text, c.reader_threads, 1, 1024); },
       [](const Config& c) { return std::to_string(c.reader_threads); }},
      {"MEDIA_SERVICE_SERVER_BODY_THREADS",
       "threads for bodies (uploads above all) that come at their clients' pace, and as many for those that have come whole, at most",
       "1 to 1024", [](Config& c, const std::string& text) { return read_number(text, c.body_threads, 1, 1024); },
       [](const Config& c) { return std::to_string(c.body_threads); }},
      {"MEDIA_SERVICE_SERVER_SHUTDOWN_GRACE_SECONDS", "how long a stop waits for requests in flight", "0 to 3600",
       [](Config& c, const std::string& text) { return read_seconds(text, c.shutdown_grace, 0, 3600); },
       [](const Config& c) { return std::to_string(c.shutdown_grace.count()); }},
      {"MEDIA_SERVICE_STORAGE_BASE_PATH", "the store; the catalog `catalog.db` lies in it", "a folder",
       [](Config& c, const std::string& text) { return !text.empty() && (c.base_path = text, true); },
       [](const Config& c) { return c.base_path.string(); }},
      {"MEDIA_SERVICE_STORAGE_TEMP_PATH", "where files are written before they are published", "a folder on the base path's filesystem",
       [](Config& c, const std::string& text) { return !text.empty() && (c.temp_path = text, true); },
       [](const Config& c) { return (c.temp_path.empty() ? c.base_path / "temp" : c.temp_path).string(); }, "`<base>/temp`"},
      {"MEDIA_SERVICE_STORAGE_PACK_BELOW",
       "contents smaller than this lie many to a file, in `<base>/segments`; 0: each in a file of its own", "bytes, 0 to 16777216",
       [](Config& c, const std::string& text) { return read_number(text, c.pack_below_bytes, 0, 16ULL << 20U); },
       [](const Config& c) { return std::to_string(c.pack_below_bytes); }},
      {"MEDIA_SERVICE_STORAGE_RENDITION_BUDGET",
       "bytes of the pictures that were made on the fly; those that nobody asked for the longest go "
       "first. The presets' renditions and encoded videos neither count nor go",
       "bytes, 0 (no limit) to 1125899906842624",
       [](Config& c, const std::string& text) { return read_number(text, c.rendition_budget_bytes, 0, 1ULL << 50U); },
       [](const Config& c) { return std::to_string(c.rendition_budget_bytes); }},
      {"MEDIA_SERVICE_STORAGE_READ_CACHE",
       "bytes of memory for small contents (below 256 KiB) that are read often, renditions above all; 0: none, which on a local disk the "
       "system's page cache makes up for",
       "bytes, 0 to 1099511627776",
       [](Config& c, const std::string& text) {
         c.read_cache_bytes.reset();
         return text.empty() || read_number(text, c.read_cache_bytes.emplace(), 0, 1ULL << 40U);
       },
       [](const Config& c) { return c.read_cache_bytes ? std::to_string(*c.read_cache_bytes) : std::string(); },
       "67108864 where blobs are in a bucket, else 0"},
      {"MEDIA_SERVICE_STORAGE_MAX_FILE_SIZE", "bytes of a video", "bytes, at least 1",
       [](Config& c, const std::string& text) { return read_number(text, c.policy.max_video_bytes, 1, 1ULL << 50U); },
       [](const Config& c) { return std::to_string(c.policy.max_video_bytes); }},
      {"MEDIA_SERVICE_STORAGE_COLLECT_INTERVAL_SECONDS", "between two garbage collections, and two sweeps of what has expired",
       "1 to 31536000", [](Config& c, const std::string& text) { return read_seconds(text, c.collect_interval, 1, 31'536'000); },
       [](const Config& c) { return std::to_string(c.collect_interval.count()); }},
      {"MEDIA_SERVICE_STORAGE_SCRUB_BYTES_PER_SECOND",
       "at which rate blobs that were not verified for long are read again in the background, to find what has rotted; 0: they are not",
       "bytes, 0 to 1099511627776",
       [](Config& c, const std::string& text) { return read_number(text, c.scrub_bytes_per_second, 0, 1ULL << 40U); },
       [](const Config& c) { return std::to_string(c.scrub_bytes_per_second); }},
      {"MEDIA_SERVICE_STORAGE_SCRUB_INTERVAL_SECONDS",
       "between two rounds of that; the first begins ten minutes after the start at the latest", "1 to 31536000",
       [](Config& c, const std::string& text) { return read_seconds(text, c.scrub_interval, 1, 31'536'000); },
       [](const Config& c) { return std::to_string(c.scrub_interval.count()); }},
      {"MEDIA_SERVICE_STORAGE_VERIFY_INTERVAL_SECONDS",
       "how long a blob counts as verified: within it a file is served without being hashed again, and scrubbing passes it over",
       "0 to 31536000", [](Config& c, const std::string& text) { return read_seconds(text, c.verify_interval, 0, 31'536'000); },
       [](const Config& c) { return std::to_string(c.verify_interval.count()); }},
      {"MEDIA_SERVICE_STORAGE_COLLECT_GRACE_SECONDS", "how long bytes without a reference live on", "0 to 31536000",
       [](Config& c, const std::string& text) { return read_seconds(text, c.collect_grace, 0, 31'536'000); },
       [](const Config& c) { return std::to_string(c.collect_grace.count()); }},
      {"MEDIA_SERVICE_STORAGE_S3_BUCKET",
       "the bucket of an S3-compatible object store that holds the blobs; catalog, uploads under way and temp files stay below the base "
       "path",
       "the name of a bucket that is there", [](Config& c, const std::string& text) { return c.s3.bucket = text, true; },
       [](const Config& c) { return c.s3.bucket; }},
      {"MEDIA_SERVICE_STORAGE_S3_ENDPOINT", "where the object store answers",
       "http://host[:port] or https://host[:port]; empty for AWS's own",
       [](Config& c, const std::string& text) { return read_service_url(text, c.s3.endpoint); },
       [](const Config& c) { return c.s3.endpoint; }},
      {"MEDIA_SERVICE_STORAGE_S3_REGION", "the bucket's region", "a name such as us-east-1",
       [](Config& c, const std::string& text) { return !text.empty() && (c.s3.region = text, true); },
       [](const Config& c) { return c.s3.region; }},
      {"MEDIA_SERVICE_STORAGE_S3_PREFIX", "stands before every key in the bucket", "at most 512 bytes, without a slash in front",
       [](Config& c, const std::string& text) { return c.s3.prefix = text, !text.starts_with('/') && text.size() <= 512; },
       [](const Config& c) { return c.s3.prefix; }},
      {"MEDIA_SERVICE_STORAGE_S3_PATH_STYLE", "the bucket is in the path of its URLs, or else in the host's name", "true or false",
       [](Config& c, const std::string& text) { return read_bool(text, c.s3.path_style); },
       [](const Config& c) { return write_bool(c.s3.path_style); }},
      {"MEDIA_SERVICE_STORAGE_S3_ACCESS_KEY_ID", "who asks; without it `AWS_ACCESS_KEY_ID` and its like, else the credentials file",
       "an access key, beside `MEDIA_SERVICE_STORAGE_S3_SECRET_ACCESS_KEY`",
       [](Config& c, const std::string& text) { return c.s3.credentials.access_key_id = text, true; },
       [](const Config& c) { return c.s3.credentials.access_key_id; }},
      {"MEDIA_SERVICE_STORAGE_S3_CREDENTIALS_FILE", "a file in the form of `~/.aws/credentials`, read again whenever it changes", "a file",
       [](Config& c, const std::string& text) { return c.s3.credentials_file = text, true; },
       [](const Config& c) { return c.s3.credentials_file.string(); }},
      {"MEDIA_SERVICE_STORAGE_S3_CA_FILE", "certificates to trust instead of the system's", "a file of PEM certificates",
       [](Config& c, const std::string& text) { return c.s3.ca_file = text, true; }, [](const Config& c) { return c.s3.ca_file.string(); }},
      {"MEDIA_SERVICE_STORAGE_S3_REDIRECT",
       "whole downloads of originals are answered by 302 to the object store, which sends the bytes itself, unverified", "true or false",
       [](Config& c, const std::string& text) { return read_bool(text, c.s3_redirect); },
       [](const Config& c) { return write_bool(c.s3_redirect); }},
      {"MEDIA_SERVICE_STORAGE_S3_PUBLIC_ENDPOINT", "the object store as clients reach it, for those redirects",
       "http://host[:port] or https://host[:port]",
       [](Config& c, const std::string& text) { return read_service_url(text, c.s3.public_endpoint); },
       [](const Config& c) { return c.s3.public_endpoint; }, "as `MEDIA_SERVICE_STORAGE_S3_ENDPOINT`"},
      {"MEDIA_SERVICE_STORAGE_WARM",
       "a second tier for blobs, below the place where they are stored first; noted in the base path, and used from then on",
       "a folder or s3://BUCKET[/PREFIX]?endpoint=URL&region=NAME; empty: as noted",
       [](Config& c, const std::string& text) { return c.tiers.warm = text, true; }, [](const Config& c) { return c.tiers.warm; }},
      {"MEDIA_SERVICE_STORAGE_COLD", "the lowest tier, likewise", "as `MEDIA_SERVICE_STORAGE_WARM`",
       [](Config& c, const std::string& text) { return c.tiers.cold = text, true; }, [](const Config& c) { return c.tiers.cold; }},
      {"MEDIA_SERVICE_STORAGE_WARM_RULE", "what belongs into the warm tier",
       "conditions such as `unread>30d size>=1M`, alternatives apart by `;`; empty: nothing",
       [](Config& c, const std::string& text) { return read_rule(text, c.warm_rule); }, [](const Config& c) { return c.warm_rule; }},
      {"MEDIA_SERVICE_STORAGE_COLD_RULE", "what belongs into the cold tier, which goes first", "as `MEDIA_SERVICE_STORAGE_WARM_RULE`",
       [](Config& c, const std::string& text) { return read_rule(text, c.cold_rule); }, [](const Config& c) { return c.cold_rule; }},
      {"MEDIA_SERVICE_STORAGE_TIER_INTERVAL_SECONDS",
       "between two rounds in which a worker brings blobs to the tiers that they belong to; 0: `mediactl tier apply` alone does",
       "0, or 60 to 31536000",
       [](Config& c, const std::string& text) {
         return text == "0" ? (c.tier_interval = {}, true) : read_seconds(text, c.tier_interval, 60, 31'536'000);
       },
       [](const Config& c) { return std::to_string(c.tier_interval.count()); }},
      {"MEDIA_SERVICE_STORAGE_PROMOTE_BELOW_BYTES",
       "what is smaller and was read from a lower tier is copied into the first one; 0: it stays where it is", "bytes, 0 to 1099511627776",
       [](Config& c, const std::string& text) { return read_number(text, c.promote_below_bytes, 0, 1ULL << 40U); },
       [](const Config& c) { return std::to_string(c.promote_below_bytes); }},
      {"MEDIA_SERVICE_PROCESSING_ISOLATION", "where files are decoded: in media-worker processes, or in mediad itself (trusted files only)",
       "process or none",
       [](Config& c, const std::string& text) {
         c.isolation = text == "none" ? Isolation::none : Isolation::process;
         return text == "none" || text == "process";
       },
       [](const Config& c) { return std::string(c.isolation == Isolation::none ? "none" : "process"); }},
      {"MEDIA_SERVICE_PROCESSING_WORKERS", "media-worker processes at most", "1 to 256",
       [](Config& c, const std::string& text) { return read_number(text, c.workers, 1, 256); },
       [](const Config& c) { return std::to_string(c.workers); }, "the processors, at most 64"},
      {"MEDIA_SERVICE_PROCESSING_JOB_THREADS", "jobs at one time; 0 leaves them to another process on the same store", "0 to 256",
       [](Config& c, const std::string& text) { return read_number(text, c.job_threads, 0, 256); },
       [](const Config& c) { return std::to_string(c.job_threads); }, "the processors, at most 64"},
      {"MEDIA_SERVICE_PROCESSING_DERIVATIONS", "pictures that are made at one time, on the fly and by jobs together", "1 to 256",
       [](Config& c, const std::string& text) { return read_number(text, c.derivations_at_once, 1, 256); },
       [](const Config& c) { return std::to_string(c.derivations()); }, "as many as `MEDIA_SERVICE_PROCESSING_WORKERS`"},
      {"MEDIA_SERVICE_PROCESSING_DERIVATION_QUEUE",
       "pictures on the fly that wait for their turn; requests beyond it are answered 503 with `Retry-After`", "0 to 100000",
       [](Config& c, const std::string& text) { return read_number(text, c.derivation_queue, 0, 100'000); },
       [](const Config& c) { return std::to_string(c.derivation_queue); }},
      {"MEDIA_SERVICE_PROCESSING_DEADLINE_SECONDS", "wall time of one job, and of the wait for a picture's turn", "1 to 3600",
       [](Config& c, const std::string& text) { return read_seconds(text, c.deadline, 1, 3600); },
       [](const Config& c) { return std::to_string(c.deadline.count()); }},
      {"MEDIA_SERVICE_PROCESSING_ENCODINGS", "videos that are encoded at one time; 0 leaves them to another process on the same store",
       "0 to 64", [](Config& c, const std::string& text) { return read_number(text, c.encodings, 0, 64); },
       [](const Config& c) { return std::to_string(c.encodings); }},
      {"MEDIA_SERVICE_PROCESSING_ENCODING_QUEUE",
       "videos that are ordered and not there yet, of all owners; nobody has more in it than is free for others, and beyond it 503",
       "1 to 100000", [](Config& c, const std::string& text) { return read_number(text, c.encoding_queue, 1, 100'000); },
       [](const Config& c) { return std::to_string(c.encoding_queue); }},
      {"MEDIA_SERVICE_PROCESSING_VIDEO_DEADLINE_SECONDS", "wall time of encoding one video", "10 to 86400",
       [](Config& c, const std::string& text) { return read_seconds(text, c.video_deadline, 10, 86'400); },
       [](const Config& c) { return std::to_string(c.video_deadline.count()); }},
      {"MEDIA_SERVICE_PROCESSING_VIDEO_MAX_BYTES", "bytes of one video that is encoded", "65536 to 1099511627776",
       [](Config& c, const std::string& text) { return read_number(text, c.video_max_bytes, 65'536, std::uint64_t{1} << 40U); },
       [](const Config& c) { return std::to_string(c.video_max_bytes); }},
      {"MEDIA_SERVICE_LOGGING_LEVEL", "what is logged: this and worse", "trace, debug, info, warn, error or off",
       [](Config& c, const std::string& text) {
         c.log_level = text;
         return is_log_level(text);
       },
       [](const Config& c) { return c.log_level; }},
      {"MEDIA_SERVICE_LOGGING_LEVEL_FILE",
       "holds the level to take at the start and at each SIGHUP; without one SIGHUP goes to debug, and the next one back", "a file",
       [](Config& c, const std::string& text) { return c.log_level_file = text, true; }, [](const Config& c) { return c.log_level_file; }},
      {"MEDIA_SERVICE_LOGGING_CONSOLE_FORMAT", "for people, or JSON lines", "pretty or json",
       [](Config& c, const std::string& text) {
         c.log_format = text == "json" ? LogFormat::json : LogFormat::pretty;
         return text == "json" || text == "pretty";
       },
       [](const Config& c) { return std::string(c.log_format == LogFormat::json ? "json" : "pretty"); }},
      {"MEDIA_SERVICE_MIDDLEWARE_AUTH_ENABLED", "whether callers must say who they are", "true or false",
       [](Config& c, const std::string& text) { return read_bool(text, c.auth_enabled); },
       [](const Config& c) { return write_bool(c.auth_enabled); },
       "`true` where a way to authenticate is configured, else `false`; production wants one or the other said"},
      {"MEDIA_SERVICE_AUTH_JWKS_FILE", "the issuer's public keys, for RS256 and ES256", "a file with a JWK set",
       [](Config& c, const std::string& text) { return c.jwks_file = text, true; }, [](const Config& c) { return c.jwks_file; }},
      {"MEDIA_SERVICE_AUTH_JWKS_URL", "the same, fetched", "an https URL of a JWK set (http on loopback, and in local mode)",
       [](Config& c, const std::string& text) { return read_service_url(text, c.jwks_url); }, [](const Config& c) { return c.jwks_url; }},
      {"MEDIA_SERVICE_AUTH_JWKS_REFRESH_SECONDS", "how old fetched keys may grow", "10 to 86400",
       [](Config& c, const std::string& text) { return read_seconds(text, c.jwks_refresh, 10, 86'400); },
       [](const Config& c) { return std::to_string(c.jwks_refresh.count()); }},
      {"MEDIA_SERVICE_AUTH_INTROSPECTION_PATH", "where the issuer is asked about tokens",
       "a path that begins with a slash, below OAUTH2_SERVICE_BASE_URL",
       [](Config& c, const std::string& text) {
         c.introspection_path = text;
         return text.starts_with('/') && text.find_first_of(" \t\"<>\\?#") == std::string::npos;
       },
       [](const Config& c) { return c.introspection_path; }},
      {"OAUTH2_SERVICE_ENABLED", "that tokens come from an OAuth2 issuer; wants introspection, a shared secret or keys", "true or false",
       [](Config& c, const std::string& text) { return read_bool(text, c.oauth2_enabled); },
       [](const Config& c) { return write_bool(c.oauth2_enabled); }},
      {"OAUTH2_INTROSPECTION_ENABLED", "the issuer is asked about every token (RFC 7662), and none is judged here", "true or false",
       [](Config& c, const std::string& text) { return read_bool(text, c.introspection_enabled); },
       [](const Config& c) { return write_bool(c.introspection_enabled); }},
      {"OAUTH2_SERVICE_BASE_URL", "the issuer", "an https URL without a query (http on loopback, and in local mode)",
       [](Config& c, const std::string& text) { return text.empty() || (read_url(text, c.oauth2_base_url) && !host_of_url(text).empty()); },
       [](const Config& c) { return c.oauth2_base_url; }},
      {"OAUTH2_CLIENT_ID", "with the secret, what introspection authenticates with", "the name by which the issuer knows this service",
       [](Config& c, const std::string& text) { return c.oauth2_client_id = text, true; },
       [](const Config& c) { return c.oauth2_client_id; }},
      {"OAUTH2_TOKEN_CACHE_TTL_SECONDS", "how long the issuer's yes is remembered, never beyond the token's end", "0 to 3600",
       [](Config& c, const std::string& text) { return read_seconds(text, c.token_cache_lifetime, 0, 3600); },
       [](const Config& c) { return std::to_string(c.token_cache_lifetime.count()); }},
      {"MEDIA_SERVICE_AUTH_ISSUER", "only tokens of this issuer are taken", "the iss of tokens for this service",
       [](Config& c, const std::string& text) { return c.claim_rules.issuer = text, true; },
       [](const Config& c) { return c.claim_rules.issuer; }},
      {"MEDIA_SERVICE_AUTH_AUDIENCE", "only tokens for this audience are taken", "the aud of tokens for this service",
       [](Config& c, const std::string& text) { return c.claim_rules.audience = text, true; },
       [](const Config& c) { return c.claim_rules.audience; }},
      {"MEDIA_SERVICE_AUTH_REQUIRE_SCOPES", "whether a token without any scope claim may do nothing, rather than read and write",
       "true or false", [](Config& c, const std::string& text) { return read_bool(text, c.claim_rules.require_scopes); },
       [](const Config& c) { return write_bool(c.claim_rules.require_scopes); }},
      {"MEDIA_SERVICE_AUTH_SCOPE_MAP", "what the scopes of existing tokens mean here",
       "theirs=ours, separated by commas; ours is media:read, media:write or media:admin",
       [](Config& c, const std::string& text) { return read_scope_map(text, c.claim_rules.scope_map); },
       [](const Config& c) {
         std::vector<std::string> pairs;
         for (const auto& [theirs, ours] : c.claim_rules.scope_map) pairs.push_back(theirs + "=" + std::string(to_string(ours)));
         return joined(pairs);
       }},
      {"MEDIA_SERVICE_MIDDLEWARE_CORS_ALLOWED_ORIGINS", "whose pages may call from a browser",
       "origins such as https://app.example, separated by commas, or *",
       [](Config& c, const std::string& text) {
         c.cors_origins = split(text);
         return std::all_of(c.cors_origins.begin(), c.cors_origins.end(), is_origin);
       },
       [](const Config& c) { return joined(c.cors_origins); }},
      {"MEDIA_SERVICE_MIDDLEWARE_SECURITY_ENABLED", "whether the four fields below and `X-Content-Type-Options` are sent", "true or false",
       [](Config& c, const std::string& text) { return read_bool(text, c.security_headers.enabled); },
       [](const Config& c) { return write_bool(c.security_headers.enabled); }},
      {"MEDIA_SERVICE_MIDDLEWARE_SECURITY_HSTS_MAX_AGE_SECONDS", "`Strict-Transport-Security`",
       "0 (not sent) to 63072000; sent over https only",
       [](Config& c, const std::string& text) { return read_number(text, c.security_headers.hsts_max_age_seconds, 0, 63'072'000); },
       [](const Config& c) { return std::to_string(c.security_headers.hsts_max_age_seconds); }},
      {"MEDIA_SERVICE_MIDDLEWARE_SECURITY_CSP", "`Content-Security-Policy`",
       "a Content-Security-Policy for answers without one of their own; empty for none",
       [](Config& c, const std::string& text) {
         c.security_headers.content_security_policy = text;
         return http::is_valid_field("Content-Security-Policy", text);
       },
       [](const Config& c) { return c.security_headers.content_security_policy; }},
      {"MEDIA_SERVICE_MIDDLEWARE_SECURITY_FRAME_OPTIONS", "`X-Frame-Options`", "DENY, SAMEORIGIN or none",
       [](Config& c, const std::string& text) {
         c.security_headers.frame_options = text == "none" ? "" : text;
         return text == "DENY" || text == "SAMEORIGIN" || text == "none";
       },
       [](const Config& c) { return c.security_headers.frame_options.empty() ? std::string("none") : c.security_headers.frame_options; }},
      {"MEDIA_SERVICE_MIDDLEWARE_SECURITY_REFERRER_POLICY", "`Referrer-Policy`", "a Referrer-Policy such as no-referrer; empty for none",
       [](Config& c, const std::string& text) {
         c.security_headers.referrer_policy = text;
         return text.find_first_not_of("abcdefghijklmnopqrstuvwxyz-, ") == std::string::npos;
       },
       [](const Config& c) { return c.security_headers.referrer_policy; }},
      {"MEDIA_SERVICE_MIDDLEWARE_RATE_LIMITING_ENABLED", "whether requests are counted", "true or false",
       [](Config& c, const std::string& text) { return read_bool(text, c.rate_limits.enabled); },
       [](const Config& c) { return write_bool(c.rate_limits.enabled); }},
      {"MEDIA_SERVICE_MIDDLEWARE_RATE_LIMITING_BURST", "how many of a minute's requests may come at once, in every tier",
       "0 (all of them) to 1000000",
       [](Config& c, const std::string& text) {
         RateLimit read;
         if (!read_number(text, read.burst, 0, 1'000'000)) return false;
         for (RateLimit& limit : c.rate_limits.tiers) limit.burst = read.burst;
         return true;
       },
       [](const Config& c) { return std::to_string(c.rate_limits.tiers.front().burst); }},
      {"MEDIA_SERVICE_MIDDLEWARE_RATE_LIMITING_HEALTH_PER_MINUTE", "`/health`, `/ready`, `/live`, `/metrics`", "0 (no limit) to 1000000",
       [](Config& c, const std::string& text) { return read_number(text, c.rate_limits[RateTier::health].per_minute, 0, 1'000'000); },
       [](const Config& c) { return std::to_string(c.rate_limits[RateTier::health].per_minute); }},
      {"MEDIA_SERVICE_MIDDLEWARE_RATE_LIMITING_PUBLIC_PER_MINUTE", "callers without a credential, by address", "0 (no limit) to 1000000",
       [](Config& c, const std::string& text) { return read_number(text, c.rate_limits[RateTier::anonymous].per_minute, 0, 1'000'000); },
       [](const Config& c) { return std::to_string(c.rate_limits[RateTier::anonymous].per_minute); }},
      {"MEDIA_SERVICE_MIDDLEWARE_RATE_LIMITING_AUTHENTICATED_PER_MINUTE", "callers with a credential, by owner", "0 (no limit) to 1000000",
       [](Config& c, const std::string& text) {
         return read_number(text, c.rate_limits[RateTier::authenticated].per_minute, 0, 1'000'000);
       },
       [](const Config& c) { return std::to_string(c.rate_limits[RateTier::authenticated].per_minute); }},
      {"MEDIA_SERVICE_MIDDLEWARE_RATE_LIMITING_UPLOAD_PER_MINUTE", "uploads, whoever sends them", "0 (no limit) to 1000000",
       [](Config& c, const std::string& text) { return read_number(text, c.rate_limits[RateTier::upload].per_minute, 0, 1'000'000); },
       [](const Config& c) { return std::to_string(c.rate_limits[RateTier::upload].per_minute); }},
      {"MEDIA_SERVICE_MIDDLEWARE_RATE_LIMITING_ADMIN_PER_MINUTE", "callers with the scope `media:admin`", "0 (no limit) to 1000000",
       [](Config& c, const std::string& text) { return read_number(text, c.rate_limits[RateTier::admin].per_minute, 0, 1'000'000); },
       [](const Config& c) { return std::to_string(c.rate_limits[RateTier::admin].per_minute); }},
      {"MEDIA_SERVICE_MIDDLEWARE_RATE_LIMITING_DELIVERY_PER_MINUTE", "downloads and pictures, pieces of resumable uploads, whoever asks",
       "0 (no limit) to 1000000",
       [](Config& c, const std::string& text) { return read_number(text, c.rate_limits[RateTier::delivery].per_minute, 0, 1'000'000); },
       [](const Config& c) { return std::to_string(c.rate_limits[RateTier::delivery].per_minute); }},
      {"MEDIA_SERVICE_MIDDLEWARE_RATE_LIMITING_TRUST_FORWARDED_HEADERS",
       "older name: says no more than `MEDIA_SERVICE_SERVER_TRUSTED_PROXIES` does",
       "true beside MEDIA_SERVICE_SERVER_TRUSTED_PROXIES, false without",
       [](Config& c, const std::string& text) { return read_bool(text, c.trust_forwarded_headers.emplace()); },
       [](const Config& c) { return write_bool(!c.trusted_proxies.empty()); }},
      {"MEDIA_SERVICE_MIDDLEWARE_METRICS_ENABLED", "whether there are metrics for Prometheus", "true or false",
       [](Config& c, const std::string& text) { return read_bool(text, c.metrics_enabled); },
       [](const Config& c) { return write_bool(c.metrics_enabled); }},
      {"MEDIA_SERVICE_MIDDLEWARE_METRICS_PATH", "where they are, at the root and below the base path",
       "a path that begins with a slash, of letters, digits, -, _, . and further slashes, where nothing else is",
       [](Config& c, const std::string& text) {
         c.metrics_path = text;
         return is_path_for_metrics(text);
       },
       [](const Config& c) { return c.metrics_path; }},
      {"MEDIA_SERVICE_MIDDLEWARE_METRICS_PORT", "a port of their own, on the same host, and nowhere else then",
       "0 (the server's own port) to 65535, another than MEDIA_SERVICE_SERVER_PORT",
       [](Config& c, const std::string& text) { return read_number(text, c.metrics_port, 0, 65'535); },
       [](const Config& c) { return std::to_string(c.metrics_port); }},
      {"MEDIA_SERVICE_MIDDLEWARE_VALIDATION_ALLOWED_FILE_TYPES", "what may come in", "media types or format names, separated by commas",
       [](Config& c, const std::string& text) { return read_types(text, c.policy.allowed); },
       [](const Config& c) {
         std::string text;
         for (const Format format : c.policy.allowed) text += (text.empty() ? "" : ",") + std::string(mime_type(format));
         return text;
       }},
      {"MEDIA_SERVICE_MIDDLEWARE_VALIDATION_MAX_FILE_SIZE_MB", "MiB of an image", "1 to 1048576",
       [](Config& c, const std::string& text) {
         std::uint64_t mebibytes = 0;
         if (!read_number(text, mebibytes, 1, 1U << 20U)) return false;
         c.policy.max_image_bytes = mebibytes << 20U;
         return true;
       },
       [](const Config& c) { return std::to_string(c.policy.max_image_bytes >> 20U); }},
      {"MEDIA_SERVICE_MIDDLEWARE_VALIDATION_BLOCKED_EXTENSIONS", "extensions that no file's name may have; inner ones too",
       "extensions such as .exe, separated by commas; none for no blocking",
       [](Config& c, const std::string& text) { return read_extensions(text, c.blocked_extensions); },
       [](const Config& c) { return c.blocked_extensions.empty() ? std::string("none") : joined(c.blocked_extensions); }},
      {"MEDIA_SERVICE_UPLOAD_URL_LIFETIME_SECONDS", "how long an upload may be sent after it was asked for", "1 to 604800",
       [](Config& c, const std::string& text) { return read_seconds(text, c.upload_url_lifetime, 1, 604'800); },
       [](const Config& c) { return std::to_string(c.upload_url_lifetime.count()); }},
      {"MEDIA_SERVICE_UPLOAD_RESUMABLE_LIFETIME_SECONDS", "how long a resumable upload may take from its first request to its last",
       "1 to 2592000", [](Config& c, const std::string& text) { return read_seconds(text, c.resumable_lifetime, 1, 2'592'000); },
       [](const Config& c) { return std::to_string(c.resumable_lifetime.count()); }},
      {"MEDIA_SERVICE_WEBHOOK_URL", "who is told what became of a media", "an http or https URL",
       [](Config& c, const std::string& text) { return read_service_url(text, c.webhook_url); },
       [](const Config& c) { return c.webhook_url; }},
      {"MEDIA_SERVICE_WEBHOOK_TIMEOUT_SECONDS", "how long the receiver may take to answer", "1 to 60",
       [](Config& c, const std::string& text) { return read_seconds(text, c.webhook_timeout, 1, 60); },
       [](const Config& c) { return std::to_string(c.webhook_timeout.count()); }},
      {"MEDIA_SERVICE_PROCESSING_FREE_SIZES", "sides of pictures on the fly that need no signature",
       "sides in pixels, separated by commas, for pictures without a signature",
       [](Config& c, const std::string& text) { return read_sizes(text, c.free_sizes); },
       [](const Config& c) {
         std::vector<std::string> sizes;
         for (const std::uint32_t size : c.free_sizes) sizes.push_back(std::to_string(size));
         return joined(sizes);
       }},
      {"MEDIA_SERVICE_MIDDLEWARE_VALIDATION_MAX_PIXELS", "pixels of an image, all frames together",
       "pixels of an image, its frames together",
       [](Config& c, const std::string& text) { return read_number(text, c.policy.max_pixels, 1, 1ULL << 40U); },
       [](const Config& c) { return std::to_string(c.policy.max_pixels); }},
  };
  return kSettings;
}

const std::vector<Secret>& secrets() {
  static const std::vector<Secret> kSecrets = {
      {"UPLOAD_URL_SECRET", "signs upload and delivery URLs", "32 to 4096 bytes, in production drawn by chance (`openssl rand -hex 32`)",
       [](const Config& c) { return !c.url_secrets.empty(); },
       "drawn by chance and kept in `<base>/url-signing.key`; production wants one"},
      {"UPLOAD_URL_SECRET_PREVIOUS", "the one before it: URLs that it signed stay good", "as above, beside another `UPLOAD_URL_SECRET`",
       [](const Config& c) { return c.url_secrets.size() > 1; }},
      {"JWT_SECRET", "what tokens with HS256 are signed with", "as above, another than those",
       [](const Config& c) { return !c.jwt_secret.empty(); }},
      {"OAUTH2_CLIENT_SECRET", "what introspection authenticates with", "at most 4096 bytes; in production at least 16, drawn by chance",
       [](const Config& c) { return !c.oauth2_client_secret.empty(); }},
      {kS3SecretKey, "the secret key of `MEDIA_SERVICE_STORAGE_S3_ACCESS_KEY_ID`", "at most 4096 bytes, the object store's own choice",
       [](const Config& c) { return !c.s3.credentials.secret_access_key.empty(); }},
      {kS3SessionToken, "of temporary credentials", "as the object store gave it",
       [](const Config& c) { return !c.s3.credentials.session_token.empty(); }},
      {kWebhookSecret, "signs what the webhook sends", "as `UPLOAD_URL_SECRET`; `whsec_` and base64 is decoded first",
       [](const Config& c) { return !c.webhook_secret.empty(); }},
      {kPostgresPassword, "the role's password", "what the database accepts", [](const Config& c) { return !c.postgres.password.empty(); }},
      {kEarlierPostgresPassword, "the same, by the name that it had for the earlier service", "either this or `POSTGRES_PASSWORD`",
       [](const Config& c) { return !c.postgres.password.empty(); }, "`POSTGRES_PASSWORD`"},
  };
  return kSecrets;
}

}  // namespace media::server
