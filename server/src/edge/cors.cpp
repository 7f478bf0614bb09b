#include "edge/cors.hpp"

#include <algorithm>

#include "edge/fields.hpp"

namespace media::server {
namespace {

constexpr const char* kMethods = "GET, HEAD, POST, PUT, PATCH, DELETE";
constexpr const char* kRequestFields =
    "Authorization, baggage, Cache-Control, Content-Disposition, Content-Type, Idempotency-Key, If-Match, If-Modified-Since, "
    "If-None-Match, "
    "If-Range, If-Unmodified-Since, Pragma, Range, traceparent, tracestate, Tus-Resumable, Upload-Checksum, Upload-Concat, "
    "Upload-Defer-Length, Upload-Length, Upload-Metadata, Upload-Offset, X-API-Key, X-Filename, X-HTTP-Method-Override, X-Request-Id, "
    "X-Requested-With";
constexpr const char* kAnswerFields =
    "Accept-Ranges, Content-Disposition, Content-Range, ETag, Link, Location, Media-Id, Repr-Digest, Retry-After, traceparent, "
    "Tus-Checksum-Algorithm, Tus-Extension, Tus-Max-Size, Tus-Resumable, Tus-Version, Upload-Concat, Upload-Expires, Upload-Length, "
    "Upload-Metadata, Upload-Offset, WWW-Authenticate, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-Request-Id";
/// The most that browsers keep a preflight's answer for.
constexpr const char* kMaxAgeSeconds = "7200";

}  // namespace

bool is_origin(std::string_view text) {
  if (text == "*") return true;
  const auto scheme = text.find("://");
  if (scheme == std::string_view::npos || scheme == 0) return false;
  const auto host = text.substr(scheme + 3);
  return !host.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == ':' || c == '/' || c == '[' || c == ']' ||
           c == '+';
  }) && host.find('/') == std::string_view::npos;
}

void add_cors(const std::vector<std::string>& allowed, const http::Request& request, http::Response& response) {
  if (allowed.empty()) return;
  const bool any = std::find(allowed.begin(), allowed.end(), "*") != allowed.end();
  if (!any) add_vary(response, "Origin");
  const auto origin = request.header("Origin");
  if (!origin) return;
  const bool known = any || std::find(allowed.begin(), allowed.end(), *origin) != allowed.end();
  const bool preflight = request.method == "OPTIONS" && request.header("Access-Control-Request-Method");
  if (known) response.headers.set("Access-Control-Allow-Origin", any ? "*" : std::string(*origin));
  if (!preflight) {
    if (known) response.headers.set("Access-Control-Expose-Headers", kAnswerFields);
    return;
  }
  // Asked before the request itself, without credentials: no route could say more, and a path that is none shows when it is asked for.
  response.status = 204;
  response.pieces.clear();
  response.headers.remove("Content-Type");
  if (!known) return;
  response.headers.set("Access-Control-Allow-Methods", kMethods);
  response.headers.set("Access-Control-Allow-Headers", kRequestFields);
  response.headers.set("Access-Control-Max-Age", kMaxAgeSeconds);
}

}  // namespace media::server
