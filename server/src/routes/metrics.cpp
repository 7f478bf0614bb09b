// Numbers for Prometheus.

#include "routes.hpp"

namespace media::server {

Result<void> add_metrics_routes(http::Router& router, RouteContext& context) {
  const auto answer = [&context](http::Request&) {
    return http::Response::text(200, context.metrics.text(), Metrics::kMediaType).with("Cache-Control", "no-store");
  };
  // At the root, where scrapers look, and where the clients of the earlier service expect it.
  for (const std::string& base : {std::string(), std::string(kBasePath)}) {
    const std::string path = base + context.config.metrics_path;
    if (!router.match("GET", path).allowed.empty()) {
      return Error{Errc::invalid_argument,
                   "MEDIA_SERVICE_MIDDLEWARE_METRICS_PATH: accepts a path that nothing else has, and " + path + " is taken"};
    }
    router.add("GET", path, answer, {.tag = tag_of(Access::open, Tier::health)});
  }
  return {};
}

}  // namespace media::server
