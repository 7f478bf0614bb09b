#include "edge/security_headers.hpp"

namespace media::server {
namespace {

void add(http::Response& response, const char* name, const std::string& value) {
  if (!value.empty() && !response.headers.find(name)) response.headers.add(name, value);
}

}  // namespace

void add_security_headers(const SecurityHeaders& wanted, bool is_https, http::Response& response) {
  if (!wanted.enabled) return;
  add(response, "X-Content-Type-Options", "nosniff");
  add(response, "Content-Security-Policy", wanted.content_security_policy);
  add(response, "X-Frame-Options", wanted.frame_options);
  add(response, "Referrer-Policy", wanted.referrer_policy);
  if (is_https && wanted.hsts_max_age_seconds > 0) {
    add(response, "Strict-Transport-Security", "max-age=" + std::to_string(wanted.hsts_max_age_seconds));
  }
}

}  // namespace media::server
