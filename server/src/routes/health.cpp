// Liveness, health and readiness.

#include <algorithm>
#include <nlohmann/json.hpp>

#include "media/clock.hpp"
#include "media/version.hpp"
#include "routes.hpp"

namespace media::server {
namespace {

using Json = nlohmann::ordered_json;

http::Response json(int status, const Json& body) {
  return http::Response::text(status, body.dump(), "application/json").with("Cache-Control", "no-store");
}

Json head(std::string_view status) {
  Json body;
  body["status"] = status;
  body["timestamp"] = to_rfc3339(SystemClock().now());
  body["service"] = "media-management-service";
  body["version"] = MEDIA_VERSION;
  return body;
}

/// Health and readiness differ in their words and in what one failing dependency means.
struct Words {
  std::string_view good;
  std::string_view partly;  ///< Empty: one failure of what is vital is enough for `bad`, and nothing else counts.
  std::string_view bad;
};

bool is_good(const Check& check) { return check.status == Check::Status::healthy; }

std::string_view overall_of(const std::vector<Check>& checks, const Words& words) {
  if (std::all_of(checks.begin(), checks.end(), is_good)) return words.good;
  if (words.partly.empty()) return words.bad;
  const bool any = std::any_of(checks.begin(), checks.end(), [](const Check& check) { return check.is_vital && is_good(check); });
  return any ? words.partly : words.bad;
}

http::Response answer(HealthChecks& health, const Words& words) {
  const auto started = std::chrono::steady_clock::now();
  auto checks = health.run();
  if (words.partly.empty()) std::erase_if(checks, [](const Check& check) { return !check.is_vital; });
  const std::string_view overall = overall_of(checks, words);

  Json body = head(overall);
  body["response_time_ms"] = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started).count();
  for (const Check& check : checks) {
    Json& entry = body["checks"][check.name];
    entry["status"] = is_good(check) ? words.good : check.status == Check::Status::timeout ? "timeout" : words.bad;
    entry["response_time_ms"] = check.response_time.count();
    if (!check.reason.empty()) entry["reason"] = check.reason;
  }
  body["checks"]["overall"] = overall;
  return json(overall == words.bad ? 503 : 200, body);
}

}  // namespace

void add_health_routes(http::Router& router, RouteContext& context) {
  const std::string base(kBasePath);
  const http::RouteOptions open{.tag = tag_of(Access::open, Tier::health)};
  router.add("GET", base + "/live", [](http::Request&) { return json(200, head("alive")); }, open);
  router.add(
      "GET", base + "/health", [&context](http::Request&) { return answer(context.health, {"healthy", "degraded", "unhealthy"}); }, open);
  router.add("GET", base + "/ready", [&context](http::Request&) { return answer(context.health, {"ready", "", "not_ready"}); }, open);
}

}  // namespace media::server
