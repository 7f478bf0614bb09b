// What this API is: for programs, and for people.

#include "routes/documents.hpp"

#include <string>

#include "errors.hpp"
#include "routes.hpp"

namespace media::server {
namespace {

/// For as long as the program is not replaced, it is the same: a client asks whether it still is.
http::Response unless_known(const http::Request& request, std::string_view text, std::string_view etag, std::string_view media_type) {
  const std::string tag(etag);
  if (const auto status = http::failed_precondition(request, tag)) {
    if (*status == 304) return http::Response::empty(304).with("ETag", tag).with("Cache-Control", "no-cache");
    return error_response(*status, "the document is not as If-Match says", request);
  }
  return http::Response::text(200, std::string(text), media_type)
      .with("ETag", tag)
      .with("Cache-Control", "no-cache")
      .with("X-Content-Type-Options", "nosniff");
}

http::Response answer_yaml(const http::Request& request) {
  const ApiDocument& document = api_document();
  return unless_known(request, document.yaml, document.yaml_etag, "application/yaml");
}

http::Response answer_page(const http::Request& request) {
  const ApiDocument& document = api_document();
  return unless_known(request, document.page, document.page_etag, "text/html; charset=utf-8")
      .with("Content-Security-Policy", std::string(document.page_policy))
      .with("Referrer-Policy", "no-referrer");
}

}  // namespace

void add_document_routes(http::Router& router, RouteContext&) {
  const http::RouteOptions open{.tag = tag_of(Access::open)};
  // At the root, too: that is where people and tools look first.
  for (const std::string& base : {std::string(), std::string(kBasePath)}) {
    router.add("GET", base + "/openapi.yaml", answer_yaml, open);
    router.add("GET", base + "/docs", answer_page, open);
  }
}

}  // namespace media::server
