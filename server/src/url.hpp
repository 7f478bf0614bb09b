/// Writing URLs.
#pragma once

#include <string>
#include <string_view>

namespace media::server {

/// Everything but RFC 3986's unreserved characters as %XX.
std::string percent_encode(std::string_view text);

}  // namespace media::server
