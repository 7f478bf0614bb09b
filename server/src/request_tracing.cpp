#include "request_tracing.hpp"

#include <any>
#include <string>
#include <utility>

#include "admission.hpp"
#include "auth/access.hpp"
#include "edge/trace_context.hpp"

namespace media::server {
namespace {

/// A stranger's `traceparent` would choose what is recorded, and under which ids.
std::optional<TraceContext> parent_of(const http::Request& request, const Admitted* admitted) {
  if (admitted == nullptr || admitted->caller.is_anonymous()) return std::nullopt;
  const auto given = find_traceparent(request);
  return given ? from_traceparent(*given) : std::nullopt;
}

std::string name_of(std::string_view method, std::string_view route) { return std::string(method) + ' ' + std::string(route); }

}  // namespace

http::Response handle_traced(http::Request& request, const http::Route& route, Tracer& tracer) {
  if (tier_of(route) == Tier::health) return route.handler(request);
  const TraceScope scope({&tracer, std::nullopt});
  auto* const admitted = std::any_cast<Admitted>(&request.admitted);
  std::optional<Span> span;
  if (admitted != nullptr && admitted->span) {
    span.emplace(name_of(request.method, route.pattern), SpanKind::server, *std::exchange(admitted->span, std::nullopt));
  } else {
    span.emplace(name_of(request.method, route.pattern), SpanKind::server, parent_of(request, admitted));
  }
  if (admitted != nullptr) admitted->traceparent = to_traceparent(*span->context());
  span->set("http.request.method", request.method);
  span->set("http.route", route.pattern);
  span->set("http.request_id", request.request_id);
  try {
    http::Response response = route.handler(request);
    if (!response.wait_for.empty() && admitted != nullptr) {
      admitted->span = span->suspend();
      return response;
    }
    span->set("http.response.status_code", std::int64_t{response.status});
    if (response.status >= 500) span->fail();
    return response;
  } catch (...) {
    span->fail();
    throw;
  }
}

void end_abandoned(const http::AccessRecord& record, Tracer& tracer) {
  const Admitted* const admitted = admitted_of(*record.request);
  if (admitted == nullptr || !admitted->span) return;
  const TraceScope scope({&tracer, std::nullopt});
  Span span(name_of(record.method, record.route), SpanKind::server, *admitted->span);
  span.set("http.request_id", std::string(record.request_id));
  span.fail();
}

}  // namespace media::server
