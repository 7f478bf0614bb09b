/// From a request's credential to its caller.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "auth/caller.hpp"
#include "auth/introspection.hpp"
#include "auth/jwt.hpp"
#include "config.hpp"
#include "http/message.hpp"
#include "media/clock.hpp"
#include "media/library.hpp"
#include "telemetry/log.hpp"
#include "web_client.hpp"

namespace media::server {

/// Thread-safety: `authenticate` may be called concurrently; what changes inside has mutexes of its own.
class Authenticator {
 public:
  /// Library, clock and log outlive it. An error where a configured source is of no use: a server that knows nobody is better not started.
  static Result<std::unique_ptr<Authenticator>> open(const Config& config, const Library& library, const Clock& clock, Log& log);

  /// The anonymous caller where there is no credential. `denied` for one that is wrong (the message is for a log), `unavailable` where it
  /// cannot be checked.
  [[nodiscard]] Result<Caller> authenticate(const http::Request& request) const;

 private:
  Authenticator(const Library& library, const Clock& clock) : library_(library), clock_(clock) {}
  [[nodiscard]] Result<Caller> judge_token(std::string_view token) const;
  [[nodiscard]] Result<Caller> judge_api_key(std::string_view token) const;

  const Library& library_;
  const Clock& clock_;
  std::unique_ptr<WebClient> web_;  ///< Outlives those that ask by it.
  std::unique_ptr<KeyRing> keys_;
  std::unique_ptr<JwtVerifier> tokens_;           ///< Null: no tokens are judged here.
  std::unique_ptr<Introspection> introspection_;  ///< Null: none are judged by their issuer.
};

}  // namespace media::server
