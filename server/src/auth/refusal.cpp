#include "auth/refusal.hpp"

#include "auth/claims.hpp"
#include "errors.hpp"

namespace media::server {

http::Response refuse_anonymous(const http::Request& request) {
  return error_response(401, "this needs a credential: Authorization: Bearer …", request)
      .with("WWW-Authenticate", "Bearer realm=\"media\"");
}

http::Response refuse_credential(const http::Request& request) {
  return error_response(401, "the credential is invalid", request)
      .with("WWW-Authenticate", "Bearer realm=\"media\", error=\"invalid_token\"");
}

http::Response refuse_scope(const http::Request& request, Scope needed) {
  const std::string scope(to_string(needed));
  return error_response(403, "this needs the scope " + scope, request, {"scope", scope})
      .with("WWW-Authenticate", "Bearer realm=\"media\", error=\"insufficient_scope\", scope=\"" + scope + "\"");
}

http::Response cannot_authenticate(const http::Request& request) {
  return error_response(503, "credentials cannot be checked at present; try again shortly", request).with("Retry-After", "5");
}

}  // namespace media::server
