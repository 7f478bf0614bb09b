/// Fields that tell a browser to take an answer for no more than it is.
#pragma once

#include <cstdint>
#include <string>

#include "http/message.hpp"

namespace media::server {

struct SecurityHeaders {
  bool enabled = true;
  /// Over https only; 0: not sent.
  std::uint32_t hsts_max_age_seconds = 0;
  std::string content_security_policy = "default-src 'none'; frame-ancestors 'none'";
  std::string frame_options = "DENY";           ///< Empty: not sent.
  std::string referrer_policy = "no-referrer";  ///< A signed URL must not travel on as a referrer.
};

/// What the answer says itself stays.
void add_security_headers(const SecurityHeaders& wanted, bool is_https, http::Response& response);

}  // namespace media::server
