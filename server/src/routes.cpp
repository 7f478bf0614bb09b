#include "routes.hpp"

#include "edge/forwarding.hpp"

namespace media::server {
std::string RouteContext::base_url(const http::Request& request) const {
  if (!config.public_url.empty()) return config.public_url + std::string(kBasePath);
  const Origin origin = find_origin(request, config.trusted_proxies);
  const std::string authority = origin.host.empty() ? config.host + ":" + std::to_string(config.port) : origin.host;
  return origin.scheme + "://" + authority + std::string(kBasePath);
}

bool RouteContext::may_see(const http::Request& request, const Media& media) const {
  if (media.visibility == Visibility::is_public) return true;
  const Caller& caller = caller_of(request);
  if (caller.is_anonymous() || !caller.scopes.has(Scope::read)) return false;
  return media.visibility == Visibility::authenticated || may_change(request, media);
}

bool RouteContext::may_change(const http::Request& request, const Media& media) const {
  const Caller& caller = caller_of(request);
  return !caller.is_anonymous() && (media.owner == caller.owner || caller.scopes.has(Scope::admin));
}

Result<http::Router> make_router(RouteContext& context) {
  http::Router router;
  add_health_routes(router, context);
  const bool with_metrics = context.config.metrics_enabled && context.config.metrics_port == 0;
  if (context.config.role == Role::worker) {
    if (with_metrics) MEDIA_TRY(add_metrics_routes(router, context));
    return router;
  }
  add_media_routes(router, context);
  add_upload_routes(router, context);
  add_promised_upload_routes(router, context);
  add_tus_routes(router, context);
  add_similar_routes(router, context);
  add_video_routes(router, context);
  add_link_routes(router, context);
  add_content_routes(router, context);
  add_document_routes(router, context);
  if (with_metrics) MEDIA_TRY(add_metrics_routes(router, context));
  return router;
}

}  // namespace media::server
