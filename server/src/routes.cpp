#include "routes.hpp"

#include <algorithm>

namespace media::server {
namespace {

/// A host as RFC 3986 has it: anything else in a Host field must not become part of a URL that we hand out.
bool is_plain_host(std::string_view host) {
  return !host.empty() && host.size() <= 255 && std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == ':' || c == '[' ||
           c == ']' || c == '_';
  });
}

}  // namespace

std::string RouteContext::base_url(const http::Request& request) const {
  if (!config.public_url.empty()) return config.public_url + std::string(kBasePath);
  const auto host = request.header("Host");
  const std::string authority = host && is_plain_host(*host) ? std::string(*host) : config.host + ":" + std::to_string(config.port);
  return "http://" + authority + std::string(kBasePath);
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

http::Router make_router(RouteContext& context) {
  http::Router router;
  add_health_routes(router, context);
  add_media_routes(router, context);
  add_upload_routes(router, context);
  add_promised_upload_routes(router, context);
  add_tus_routes(router, context);
  add_link_routes(router, context);
  add_content_routes(router, context);
  add_document_routes(router, context);
  return router;
}

}  // namespace media::server
