#include "config.hpp"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string_view>
#include <thread>

#include "config_settings.hpp"
#include "media/sign.hpp"
#include "url.hpp"

extern char** environ;

namespace media::server {
namespace {

constexpr std::string_view kPrefix = "MEDIA_SERVICE_";

bool is_secret(std::string_view name) {
  if (name.ends_with("_FILE")) name.remove_suffix(5);
  return std::any_of(secrets().begin(), secrets().end(), [&](const Secret& secret) { return secret.name == name; });
}

/// A secret by its name or by the file that `<name>_FILE` names; nothing where neither is set.
std::optional<std::string> find_secret(const Environment& environment, const std::string& name, std::vector<std::string>& faults) {
  const auto set = [&](const std::string& variable) {
    const auto found = environment.find(variable);
    return found == environment.end() || found->second.empty() ? environment.end() : found;
  };
  const auto plain = set(name);
  const auto by_file = set(name + "_FILE");
  if (plain != environment.end() && by_file != environment.end()) faults.push_back(name + ": accepts either itself or " + name + "_FILE");
  if (plain != environment.end()) return plain->second;
  if (by_file == environment.end()) return std::nullopt;
  std::ifstream file(by_file->second, std::ios::binary);
  if (!file) {
    faults.push_back(name + "_FILE: accepts a file that can be read");
    return std::nullopt;
  }
  std::string text{std::istreambuf_iterator<char>(file), {}};
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  return text;
}

/// What stands in examples, and what nobody drew by chance.
bool is_guessable(const std::string& secret) {
  std::string text = secret;
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const std::string_view word : {"secret", "change", "default", "example", "password", "your-", "your_"}) {
    if (text.find(word) != std::string::npos) return true;
  }
  std::sort(text.begin(), text.end());
  text.erase(std::unique(text.begin(), text.end()), text.end());
  return text.size() < 8;
}

/// Empty where there is none, or none that is good enough.
std::string read_secret(const Environment& environment, const std::string& name, bool production, LoadedConfig& loaded) {
  const auto secret = find_secret(environment, name, loaded.faults);
  if (!secret) return {};
  if (secret->size() < SigningKeys::kMinSecretBytes || secret->size() > 4096) {
    loaded.faults.push_back(name + ": accepts " + std::to_string(SigningKeys::kMinSecretBytes) + " to 4096 bytes");
    return {};
  }
  if (production && is_guessable(*secret)) {
    loaded.faults.push_back(name + ": accepts a secret drawn by chance (openssl rand -hex 32)");
    return {};
  }
  return *secret;
}

/// Is it there at all, good or not?
bool has_secret(const Environment& environment, const std::string& name) {
  const auto filled = [&](const std::string& variable) {
    const auto found = environment.find(variable);
    return found != environment.end() && !found->second.empty();
  };
  return filled(name) || filled(name + "_FILE");
}

void read_url_secrets(const Environment& environment, bool production, LoadedConfig& loaded) {
  const bool has_current = has_secret(environment, "UPLOAD_URL_SECRET");
  const std::string current = read_secret(environment, "UPLOAD_URL_SECRET", production, loaded);
  const std::string previous = read_secret(environment, "UPLOAD_URL_SECRET_PREVIOUS", production, loaded);
  if (!current.empty()) loaded.config.url_secrets.push_back(current);
  if (!previous.empty() && !has_current) {
    loaded.faults.emplace_back("UPLOAD_URL_SECRET_PREVIOUS: accepts a key beside UPLOAD_URL_SECRET only");
  } else if (!previous.empty() && previous == current) {
    loaded.faults.emplace_back("UPLOAD_URL_SECRET_PREVIOUS: accepts another key than UPLOAD_URL_SECRET");
  } else if (!previous.empty()) {
    loaded.config.url_secrets.push_back(previous);
  }
  if (production && !has_current) loaded.faults.emplace_back("UPLOAD_URL_SECRET: production needs one (openssl rand -hex 32)");
}

constexpr std::size_t kMinClientSecretBytes = 16;

/// Of the issuer's choosing, so production alone is strict about it.
void read_client_secret(const Environment& environment, bool production, LoadedConfig& loaded) {
  const std::string name = "OAUTH2_CLIENT_SECRET";
  const auto secret = find_secret(environment, name, loaded.faults);
  if (!secret) return;
  loaded.config.oauth2_client_secret = *secret;
  if (secret->size() > 4096 || (production && secret->size() < kMinClientSecretBytes)) {
    loaded.faults.push_back(name + ": accepts 16 to 4096 bytes");
  } else if (production && is_guessable(*secret)) {
    loaded.faults.push_back(name + ": accepts a secret drawn by chance");
  }
}

void check_introspection(const Environment& environment, LoadedConfig& loaded) {
  const Config& config = loaded.config;
  auto& faults = loaded.faults;
  if (config.oauth2_enabled && !config.introspection_enabled && config.jwt_secret.empty() && config.jwks_file.empty() &&
      config.jwks_url.empty() && !has_secret(environment, "JWT_SECRET")) {
    faults.emplace_back(
        "OAUTH2_SERVICE_ENABLED: accepts true beside OAUTH2_INTROSPECTION_ENABLED=true, JWT_SECRET, MEDIA_SERVICE_AUTH_JWKS_URL or _FILE");
  }
  if (!config.introspection_enabled) return;
  if (!config.oauth2_enabled) faults.emplace_back("OAUTH2_INTROSPECTION_ENABLED: accepts true beside OAUTH2_SERVICE_ENABLED=true only");
  if (config.oauth2_base_url.empty()) faults.emplace_back("OAUTH2_SERVICE_BASE_URL: introspection needs it");
  if (config.oauth2_client_id.empty()) faults.emplace_back("OAUTH2_CLIENT_ID: introspection needs it");
  if (!has_secret(environment, "OAUTH2_CLIENT_SECRET")) faults.emplace_back("OAUTH2_CLIENT_SECRET: introspection needs it");
}

void read_auth(const Environment& environment, bool production, LoadedConfig& loaded) {
  Config& config = loaded.config;
  const bool has_jwt_secret = has_secret(environment, "JWT_SECRET");
  config.jwt_secret = read_secret(environment, "JWT_SECRET", production, loaded);
  const auto& url_secrets = config.url_secrets;
  if (!config.jwt_secret.empty() && std::find(url_secrets.begin(), url_secrets.end(), config.jwt_secret) != url_secrets.end()) {
    loaded.faults.emplace_back("JWT_SECRET: accepts another secret than UPLOAD_URL_SECRET and UPLOAD_URL_SECRET_PREVIOUS");
  }
  const bool said = environment.contains("MEDIA_SERVICE_MIDDLEWARE_AUTH_ENABLED");
  read_client_secret(environment, production, loaded);
  check_introspection(environment, loaded);
  if (!config.jwks_file.empty() && !config.jwks_url.empty()) {
    loaded.faults.emplace_back("MEDIA_SERVICE_AUTH_JWKS_URL: accepts either itself or MEDIA_SERVICE_AUTH_JWKS_FILE");
  }
  for (const auto& [name, url] : {std::pair<std::string, std::string>("MEDIA_SERVICE_AUTH_JWKS_URL", config.jwks_url),
                                  std::pair<std::string, std::string>("OAUTH2_SERVICE_BASE_URL", config.oauth2_base_url)}) {
    if (production && url.starts_with("http://") && !is_loopback_url(url)) {
      loaded.faults.push_back(name + ": accepts https in production, since whoever stands between could answer in the issuer's place");
    }
  }
  const bool has_source = has_jwt_secret || !config.jwks_file.empty() || !config.jwks_url.empty() || config.introspection_enabled;
  if (!said) config.auth_enabled = has_source;
  if (production && !said && !has_source) {
    loaded.faults.emplace_back(
        "MEDIA_SERVICE_MIDDLEWARE_AUTH_ENABLED: production needs a way to authenticate (JWT_SECRET, MEDIA_SERVICE_AUTH_JWKS_URL "
        "or _FILE, OAUTH2_INTROSPECTION_ENABLED; true by itself for API keys alone), or it "
        "said in so many words: false, behind something that authenticates");
  }
}

void read_s3(const Environment& environment, LoadedConfig& loaded) {
  S3StoreOptions& s3 = loaded.config.s3;
  const std::string prefix = "MEDIA_SERVICE_STORAGE_S3_";
  const auto secret = find_secret(environment, std::string(kS3SecretKey), loaded.faults);
  const auto token = find_secret(environment, std::string(kS3SessionToken), loaded.faults);
  s3.credentials.secret_access_key = secret.value_or("");
  s3.credentials.session_token = token.value_or("");
  if (s3.credentials.access_key_id.empty() != !has_secret(environment, std::string(kS3SecretKey))) {
    loaded.faults.push_back(prefix + "ACCESS_KEY_ID: accepts a key beside " + std::string(kS3SecretKey) +
                            ", and neither without the other");
  }
  if (s3.credentials.access_key_id.empty() && token)
    loaded.faults.push_back(std::string(kS3SessionToken) + ": accepts a token beside " + prefix + "ACCESS_KEY_ID only");
  if (!s3.credentials.access_key_id.empty() && !s3.credentials_file.empty()) {
    loaded.faults.push_back(prefix + "CREDENTIALS_FILE: accepts a file without " + prefix + "ACCESS_KEY_ID only");
  }
  // Defaults that are said, as --print-config does, ask for nothing.
  const bool any = loaded.config.s3_redirect || !s3.endpoint.empty() || !s3.public_endpoint.empty() || !s3.prefix.empty() ||
                   !s3.credentials.access_key_id.empty() || !s3.credentials_file.empty() || !s3.ca_file.empty();
  if (loaded.config.s3_redirect && loaded.config.tiers.any()) {
    loaded.faults.push_back(prefix + "REDIRECT: accepts true without MEDIA_SERVICE_STORAGE_WARM and _COLD only");
  }
  if (s3.bucket.empty() && any) loaded.faults.push_back(prefix + "BUCKET: the other settings of S3 want one");
}

void read_postgres_password(const Environment& environment, LoadedConfig& loaded) {
  const auto ours = find_secret(environment, std::string(kPostgresPassword), loaded.faults);
  const auto earlier = find_secret(environment, std::string(kEarlierPostgresPassword), loaded.faults);
  if (ours && earlier && *ours != *earlier) {
    loaded.faults.push_back(std::string(kPostgresPassword) + ": accepts the same as " + std::string(kEarlierPostgresPassword) +
                            ", or either alone");
  }
  loaded.config.postgres.password = ours ? *ours : earlier.value_or("");
}

void check_postgres(LoadedConfig& loaded) {
  const auto& postgres = loaded.config.postgres;
  if (postgres.host.empty() && (!postgres.database.empty() || !postgres.user.empty() || !postgres.password.empty())) {
    loaded.faults.emplace_back("POSTGRES_HOST: the other settings of PostgreSQL want one");
  }
  if (postgres.min_connections > postgres.max_connections) {
    loaded.faults.emplace_back("POSTGRES_MIN_CONNECTIONS: accepts at most POSTGRES_MAX_CONNECTIONS");
  }
}

}  // namespace

Environment process_environment() {
  Environment environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto equals = text.find('=');
    if (equals != std::string_view::npos) environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return environment;
}

Environment parse_env_file(const std::string& text, std::vector<std::string>& faults) {
  Environment environment;
  std::istringstream lines(text);
  std::size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    line.erase(0, line.find_first_not_of(" \t"));
    line.erase(line.find_last_not_of(" \t\r") + 1);
    if (line.empty() || line.front() == '#') continue;
    if (line.starts_with("export ")) line.erase(0, 7);
    const auto equals = line.find('=');
    if (equals == std::string::npos || equals == 0) {
      faults.push_back(".env.local line " + std::to_string(number) + ": expected NAME=value");
      continue;
    }
    std::string value = line.substr(equals + 1);
    if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') && value.back() == value.front()) {
      value = value.substr(1, value.size() - 2);
    }
    environment[line.substr(0, equals)] = value;
  }
  return environment;
}

bool runs_in_container(const Environment& environment) {
  return environment.contains("KUBERNETES_SERVICE_HOST") || ::access("/.dockerenv", F_OK) == 0 || ::access("/run/.containerenv", F_OK) == 0;
}

LoadedConfig load_config(Environment environment, const std::filesystem::path& working_folder, bool in_container) {
  LoadedConfig loaded;
  Config& config = loaded.config;
  config.run_mode = in_container ? RunMode::production : RunMode::local;
  if (const auto mode = environment.find("RUN_MODE"); mode != environment.end() && !mode->second.empty()) {
    if (mode->second == "local") {
      config.run_mode = RunMode::local;
    } else if (mode->second == "production") {
      config.run_mode = RunMode::production;
    } else {
      loaded.faults.push_back("RUN_MODE: accepts local or production");
    }
  }
  const bool production = config.run_mode == RunMode::production;
  if (!production) {
    std::ifstream file(working_folder / ".env.local", std::ios::binary);
    if (file) {
      const std::string text{std::istreambuf_iterator<char>(file), {}};
      for (auto& [name, value] : parse_env_file(text, loaded.faults)) environment.emplace(name, value);
    }
  }
  config.host = production ? "0.0.0.0" : "127.0.0.1";
  config.base_path = production ? "/app/media" : "./media";
  config.log_format = production ? LogFormat::json : LogFormat::pretty;
  config.rate_limits.enabled = production;
  config.security_headers.hsts_max_age_seconds = production ? 31'536'000 : 0;
  config.workers = config.job_threads = std::clamp(std::thread::hardware_concurrency(), 1U, 64U);

  for (const auto& [name, value] : environment) {
    const auto known = std::find_if(settings().begin(), settings().end(), [&](const Setting& setting) { return setting.name == name; });
    if (known == settings().end()) {
      if (name.starts_with(kPrefix) && !is_secret(name))
        loaded.faults.push_back(name + ": not a setting of this version (mediad --list-settings shows them)");
    } else if (!known->read(config, value)) {
      loaded.faults.push_back(name + ": accepts " + std::string(known->accepts));
    }
  }
  read_url_secrets(environment, production, loaded);
  read_auth(environment, production, loaded);
  read_s3(environment, loaded);
  config.webhook_secret = read_secret(environment, std::string(kWebhookSecret), production, loaded);
  if (config.webhook_url.empty() == has_secret(environment, std::string(kWebhookSecret))) {
    loaded.faults.emplace_back(
        "MEDIA_SERVICE_WEBHOOK_URL: accepts a URL beside MEDIA_SERVICE_WEBHOOK_SECRET, and neither without the other");
  }
  read_postgres_password(environment, loaded);
  check_postgres(loaded);
  if (!config.sendfile_header.empty() && (config.trusted_proxies.empty() || !config.s3.bucket.empty() || config.tiers.any())) {
    loaded.faults.emplace_back(
        "MEDIA_SERVICE_SERVER_SENDFILE_HEADER: accepts a header beside MEDIA_SERVICE_SERVER_TRUSTED_PROXIES, and where all blobs are below "
        "the base path");
  }
  if (config.metrics_port != 0 && config.metrics_port == config.port) {
    loaded.faults.emplace_back(
        "MEDIA_SERVICE_MIDDLEWARE_METRICS_PORT: accepts another port than MEDIA_SERVICE_SERVER_PORT, or 0 for the same");
  }
  if (config.trust_forwarded_headers.value_or(!config.trusted_proxies.empty()) == config.trusted_proxies.empty()) {
    loaded.faults.emplace_back(
        "MEDIA_SERVICE_MIDDLEWARE_RATE_LIMITING_TRUST_FORWARDED_HEADERS: accepts true beside MEDIA_SERVICE_SERVER_TRUSTED_PROXIES, for "
        "anybody can send such headers, and false without");
  }
  if (production && !loaded.faults.empty() && !environment.contains("RUN_MODE")) {
    // Whoever tries it out in a container never asked for production.
    loaded.faults.emplace_back("RUN_MODE: taken for production, because this is a container; local is for trying it out");
  }
  return loaded;
}

std::string Config::sendfile_target(const std::string& file) const {
  std::string prefix = sendfile_prefix;
  if (prefix.empty()) {
    const bool is_path = sendfile_header == "X-Sendfile";
    prefix = is_path ? (std::filesystem::absolute(base_path).lexically_normal() / "").string() : "/media-blobs/";
  }
  std::string target;
  for (const char c : prefix) target += c == '/' ? "/" : percent_encode(std::string_view(&c, 1));
  return target + file;
}

std::string print_config(const Config& config) {
  std::string text = "RUN_MODE=" + std::string(config.run_mode == RunMode::production ? "production" : "local") + "\n";
  for (const Setting& setting : settings()) text += std::string(setting.name) + "=" + setting.write(config) + "\n";
  for (const Secret& secret : secrets()) text += std::string(secret.name) + "=" + (secret.is_set(config) ? "********" : "") + "\n";
  return text;
}

std::string list_settings() {
  // Faults do not matter: production's demands are about the secrets, and what is not said has its default all the same.
  const Config local = load_config({{"RUN_MODE", "local"}}, "/nonexistent", false).config;
  const Config production = load_config({{"RUN_MODE", "production"}}, "/nonexistent", false).config;
  const auto quoted = [](const std::string& value) { return value.empty() ? std::string("none") : "`" + value + "`"; };
  std::string text = "| name | what it is | accepts | default |\n| --- | --- | --- | --- |\n";
  const auto add = [&](std::string_view name, std::string_view about, std::string_view accepts, std::string_view usual) {
    for (const std::string_view cell : {name, about, accepts, usual}) text += "| " + std::string(cell) + " ";
    text += "|\n";
  };
  add("`RUN_MODE`", "the mode, see above", "local or production", "`production` in a container, else `local`");
  for (const Setting& setting : settings()) {
    std::string usual(setting.usual);
    if (usual.empty()) {
      const std::string here = setting.write(local);
      const std::string there = setting.write(production);
      usual = quoted(here) + (here == there ? "" : "; in production " + quoted(there));
    }
    add("`" + std::string(setting.name) + "`", setting.about, setting.accepts, usual);
  }
  for (const Secret& secret : secrets()) {
    std::string names = "`" + std::string(secret.name) + "`, `";
    names.append(secret.name).append("_FILE`");
    add(names, secret.about, secret.accepts, secret.usual);
  }
  return text;
}

}  // namespace media::server
