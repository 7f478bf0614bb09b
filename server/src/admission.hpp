/// What happens to every request before its route: `http::Hooks::admit`.
#pragma once

#include <optional>

#include "auth/access.hpp"
#include "auth/authenticator.hpp"
#include "config.hpp"
#include "edge/forwarding.hpp"
#include "edge/rate_limiter.hpp"
#include "http/message.hpp"
#include "http/router.hpp"
#include "media/trace.hpp"
#include "telemetry/log.hpp"
#include "telemetry/metrics.hpp"

namespace media::server {

/// What the admission found out about a request; travels in `http::Request::admitted`.
struct Admitted {
  Caller caller;
  Origin origin;
  std::optional<RateDecision> rate;       ///< Empty where nothing limits the request.
  bool asked_for_gzip_tag = false;        ///< If-None-Match named a compressed answer.
  std::string traceparent{};              ///< Of the span that the request is here; empty: nobody traces.
  std::optional<Span::Suspended> span{};  ///< While it waits to be asked again.
};

/// A chain of steps; the first that answers ends it. Puts an `Admitted` into `request.admitted`.
///
/// Thread-safety: may be called concurrently; what it refers to may.
class Admission {
 public:
  /// All outlive it. Without an authenticator everybody is the local user.
  Admission(const Config& config, const Authenticator* authenticator, RateLimiter& limiter, Metrics& metrics, Log& log)
      : config_(config), authenticator_(authenticator), limiter_(limiter), metrics_(metrics), log_(log) {}

  std::optional<http::Response> operator()(http::Request& request, const http::Route& route) const;

 private:
  std::optional<http::Response> authenticate(http::Request& request, Access access, Admitted& admitted) const;
  std::optional<http::Response> limit_rate(const http::Request& request, const http::Route& route, Admitted& admitted) const;

  const Config& config_;
  const Authenticator* authenticator_;
  RateLimiter& limiter_;
  Metrics& metrics_;
  Log& log_;
};

/// Null where the admission was never asked: no route matched, or the head could not be read.
const Admitted* admitted_of(const http::Request& request);
/// Whom the admission found; the anonymous caller where it was never asked.
const Caller& caller_of(const http::Request& request);

}  // namespace media::server
