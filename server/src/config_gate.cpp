// What may come in: quotas, the scanner, files that are two kinds at once.

#include <array>
#include <utility>

#include "config_reading.hpp"
#include "config_settings.hpp"

namespace media::server {
namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 53U;
constexpr const char* kRules = "refuse, hold or accept";

template <class Rule>
constexpr std::array<std::pair<Rule, std::string_view>, 3> rule_names() {
  return {{{Rule::refuse, "refuse"}, {Rule::hold, "hold"}, {Rule::accept, "accept"}}};
}

template <class Rule>
bool read_rule(const std::string& text, Rule& into) {
  for (const auto& [rule, name] : rule_names<Rule>()) {
    if (text != name) continue;
    into = rule;
    return true;
  }
  return false;
}

template <class Rule>
std::string write_rule(Rule wanted) {
  for (const auto& [rule, name] : rule_names<Rule>()) {
    if (rule == wanted) return std::string(name);
  }
  return {};
}

/// 0 for none.
bool read_limit(const std::string& text, std::optional<std::uint64_t>& into, std::uint64_t most) {
  std::uint64_t limit = 0;
  if (!read_number(text, limit, 0, most)) return false;
  into = limit == 0 ? std::nullopt : std::optional(limit);
  return true;
}

bool read_address(const std::string& text, std::string& into) {
  into = text;
  ClamdOptions options;
  options.address = text;
  return text.empty() || open_clamd_scanner(options).has_value();
}

}  // namespace

const std::vector<Setting>& gate_settings() {
  static const std::vector<Setting> kSettings = {
      {"MEDIA_SERVICE_QUOTA_BYTES", "bytes that an owner may have, unless `mediactl quota` says otherwise of this one",
       "0 (no limit) to 9007199254740992",
       [](Config& c, const std::string& text) { return read_limit(text, c.default_quota.max_bytes, kMostBytes); },
       [](const Config& c) { return std::to_string(c.default_quota.max_bytes.value_or(0)); }},
      {"MEDIA_SERVICE_QUOTA_MEDIA", "the same of media", "0 (no limit) to 9007199254740992",
       [](Config& c, const std::string& text) { return read_limit(text, c.default_quota.max_media, kMostBytes); },
       [](const Config& c) { return std::to_string(c.default_quota.max_media.value_or(0)); }},
      {"MEDIA_SERVICE_SCANNER_CLAMD_ADDRESS", "the clamd that scans everything that comes in",
       "unix:/PATH, or 127.0.0.1:PORT or [::1]:PORT; empty for no scanning",
       [](Config& c, const std::string& text) { return read_address(text, c.clamd.address); },
       [](const Config& c) { return c.clamd.address; }},
      {"MEDIA_SERVICE_SCANNER_UNSCANNED", "what becomes of files that clamd has not seen, because it is down or they are too large for it",
       "refuse (503, 422), hold (kept back until it has seen them) or accept",
       [](Config& c, const std::string& text) { return read_rule(text, c.unscanned); },
       [](const Config& c) { return write_rule(c.unscanned); }},
      {"MEDIA_SERVICE_SCANNER_TIMEOUT_SECONDS", "how long a scan may take", "1 to 600",
       [](Config& c, const std::string& text) { return read_seconds(text, c.clamd.scan_timeout, 1, 600); },
       [](const Config& c) { return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(c.clamd.scan_timeout).count()); }},
      {"MEDIA_SERVICE_SCANNER_MAX_CONNECTIONS", "scans at one time", "1 to 256",
       [](Config& c, const std::string& text) { return read_number(text, c.clamd.max_connections, 1, 256); },
       [](const Config& c) { return std::to_string(c.clamd.max_connections); }},
      {"MEDIA_SERVICE_SCANNER_MAX_BYTES", "files beyond it count as too large for clamd without being sent",
       "0 (clamd decides: StreamMaxLength) to 9007199254740992",
       [](Config& c, const std::string& text) { return read_number(text, c.clamd.max_bytes, 0, kMostBytes); },
       [](const Config& c) { return std::to_string(c.clamd.max_bytes); }},
      {"MEDIA_SERVICE_MIDDLEWARE_VALIDATION_POLYGLOTS",
       "what becomes of pictures and videos that are an archive, a document, a web page or a program as well", kRules,
       [](Config& c, const std::string& text) { return read_rule(text, c.policy.polyglots); },
       [](const Config& c) { return write_rule(c.policy.polyglots); }},
  };
  return kSettings;
}

}  // namespace media::server
