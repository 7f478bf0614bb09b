#include "healthcheck.hpp"

#include <nlohmann/json.hpp>
#include <string_view>

#include "routes.hpp"
#include "web_client.hpp"

namespace media::server {
namespace {

/// Longer than the server waits for its own checks, and shorter than what probes are usually given.
constexpr std::chrono::milliseconds kPatience{4000};
constexpr std::size_t kMostShown = 60;

std::string authority_of(const HealthQuestion& question) {
  std::string host = question.host;
  if (host.empty() || host == "0.0.0.0") host = "127.0.0.1";
  if (host == "::") host = "::1";
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  return host + ":" + std::to_string(question.port);
}

/// "database timeout, storage not_ready" out of an answer's checks; empty where it has none that fail.
std::string failing_checks(const std::string& body) {
  const auto answer = nlohmann::json::parse(body, nullptr, false);
  const auto checks = answer.is_object() ? answer.find("checks") : answer.end();
  if (!answer.is_object() || checks == answer.end() || !checks->is_object()) return {};
  std::string failing;
  for (const auto& [name, check] : checks->items()) {
    if (!check.is_object() || !check.contains("status") || !check["status"].is_string()) continue;
    const auto& status = check["status"].get_ref<const std::string&>();
    if (status == "ready" || status.size() > kMostShown || name.size() > kMostShown) continue;
    failing.append(failing.empty() ? "" : ", ").append(name).append(" ").append(status);
  }
  return failing;
}

}  // namespace

Result<void> ask_health(const HealthQuestion& question) {
  const std::string_view route = question.about == HealthQuestion::About::ready ? "/ready" : "/live";
  WebClient client;
  WebRequest request;
  request.url = "http://" + authority_of(question) + std::string(kBasePath) + std::string(route);
  request.timeout = kPatience;
  request.direct = true;
  MEDIA_TRY_ASSIGN(const WebReply reply, client.ask(request));
  if (reply.status == 200) return {};
  const std::string failing = failing_checks(reply.body);
  return Error{Errc::unavailable, request.url + " answers " + std::to_string(reply.status) + (failing.empty() ? "" : ": " + failing)};
}

}  // namespace media::server
