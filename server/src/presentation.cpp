#include "presentation.hpp"

#include "admission.hpp"
#include "edge/compression.hpp"
#include "edge/cors.hpp"
#include "edge/security_headers.hpp"
#include "edge/trace_context.hpp"
#include "routes.hpp"

namespace media::server {
namespace {

void add_rate(const RateDecision& rate, http::Response& response) {
  response.headers.set("X-RateLimit-Limit", std::to_string(rate.limit));
  response.headers.set("X-RateLimit-Remaining", std::to_string(rate.remaining));
  response.headers.set("X-RateLimit-Reset", std::to_string(rate.full_in.count()));
}

}  // namespace

void Presentation::operator()(const http::Request& request, const http::Route*, http::Response& response) const {
  const Admitted* const admitted = admitted_of(request);
  add_tus_fields(request, response);
  if (response.status == 304) {
    if (admitted != nullptr && admitted->asked_for_gzip_tag) mark_not_modified(response);
  } else {
    compress(request, response);
  }
  if (admitted != nullptr && admitted->rate) add_rate(*admitted->rate, response);
  if (admitted != nullptr && !admitted->traceparent.empty()) {
    response.headers.set("traceparent", admitted->traceparent);
  } else if (const auto trace = find_traceparent(request)) {
    response.headers.set("traceparent", std::string(*trace));
  }
  const bool is_https = config_.public_url.starts_with("https://") || (admitted != nullptr && admitted->origin.scheme == "https");
  add_security_headers(config_.security_headers, is_https, response);
  add_cors(config_.cors_origins, request, response);
}

}  // namespace media::server
