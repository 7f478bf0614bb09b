/// The HTTP contract as routes over a library.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "admission.hpp"
#include "config.hpp"
#include "health.hpp"
#include "http/http.hpp"
#include "media/library.hpp"
#include "telemetry/log.hpp"
#include "telemetry/metrics.hpp"
#include "url_signer.hpp"

namespace media::server {

inline constexpr std::string_view kBasePath = "/api/v1/media-management";

/// What every route may use. Outlives the server.
struct RouteContext {
  Library& library;
  const Config& config;
  Log& log;
  HealthChecks& health;
  const UrlSigner& signer;
  Metrics& metrics;
  /// Has requests that wait for a key (`http::Response::later`) asked again. Any thread.
  std::function<void(std::string_view key)> wake;

  [[nodiscard]] const Caller& caller_of(const http::Request& request) const { return server::caller_of(request); }
  /// Whose media a request is about. Without authentication everybody is the one local user; the anonymous caller owns nothing.
  [[nodiscard]] const std::string& owner_of(const http::Request& request) const { return caller_of(request).owner; }
  /// May this caller look at it? Its owner may, and an admin; so may everybody at what is public, and whoever is known at what is
  /// for the authenticated. Beyond what is public it takes the scope to read.
  [[nodiscard]] bool may_see(const http::Request& request, const Media& media) const;
  /// Its owner may, and an admin. The route has asked for the scope to write.
  [[nodiscard]] bool may_change(const http::Request& request, const Media& media) const;
  /// "http://host:port/api/v1/media-management", by configuration, else as the client addressed us.
  [[nodiscard]] std::string base_url(const http::Request& request) const;
};

using MediaHandler = std::function<http::Response(http::Request&, RouteContext&, const Media&)>;
/// Reads `{id}`, finds the media and hands it on where the caller may see it or the URL is signed; 400, 401, 403 and 404 are answered
/// here. Routes made of it say `Access::by_media`.
http::Handler with_media(RouteContext& context, MediaHandler handler);
/// As above for what only the owner may do; a signature is no permission for it. 403 where the caller may see the media but not change it.
http::Handler with_own_media(RouteContext& context, MediaHandler handler);

/// What requests that wait for a change of a media are woken by.
std::string waiting_key(MediaId id);

/// Every route of the contract that this version has, or those of health alone for a worker; metrics only where they have no port of their
/// own.
/// Errors: `invalid_argument` where the configured path of the metrics is another route's.
Result<http::Router> make_router(RouteContext& context);

/// Adds to an answer what the clients of routes/tus.cpp expect of every answer to their paths, whoever made it.
void add_tus_fields(const http::Request& request, http::Response& response);

// One function for each file in routes/.
void add_health_routes(http::Router& router, RouteContext& context);
void add_media_routes(http::Router& router, RouteContext& context);
void add_upload_routes(http::Router& router, RouteContext& context);
void add_promised_upload_routes(http::Router& router, RouteContext& context);
void add_tus_routes(http::Router& router, RouteContext& context);
void add_video_routes(http::Router& router, RouteContext& context);
void add_similar_routes(http::Router& router, RouteContext& context);
void add_link_routes(http::Router& router, RouteContext& context);
void add_content_routes(http::Router& router, RouteContext& context);
void add_document_routes(http::Router& router, RouteContext& context);
/// For the router of everything else, or for one of its own.
Result<void> add_metrics_routes(http::Router& router, RouteContext& context);

}  // namespace media::server
