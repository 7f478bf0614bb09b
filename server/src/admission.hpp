/// What happens to every request before its route: `http::Hooks::admit`.
#pragma once

#include <optional>

#include "auth/access.hpp"
#include "auth/authenticator.hpp"
#include "http/message.hpp"
#include "http/router.hpp"
#include "telemetry/log.hpp"

namespace media::server {

/// A chain of steps; the first that answers ends it. Puts a `Caller` into `request.caller`.
///
/// Thread-safety: may be called concurrently; the authenticator may.
class Admission {
 public:
  /// Both outlive it. Without an authenticator everybody is the local user.
  Admission(const Authenticator* authenticator, Log& log) : authenticator_(authenticator), log_(log) {}

  std::optional<http::Response> operator()(http::Request& request, const http::Route& route) const;

 private:
  std::optional<http::Response> authenticate(http::Request& request, const http::Route& route) const;

  const Authenticator* authenticator_;
  Log& log_;
};

/// Whom the admission found; the anonymous caller where it was never asked.
const Caller& caller_of(const http::Request& request);

}  // namespace media::server
