/// Which pages of other origins may call (the Fetch standard's CORS protocol).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.hpp"

namespace media::server {

/// Reads an origin as a browser sends it ("https://app.example", "http://localhost:5173"), or "*": no path, no trailing slash.
bool is_origin(std::string_view text);

/// Adds what lets a page of `allowed` origins read the answer, and makes the answer to a preflight. Credentials that a browser sends by
/// itself (cookies) are never allowed: this service knows callers by what a page sends on purpose. Does nothing where none are allowed.
void add_cors(const std::vector<std::string>& allowed, const http::Request& request, http::Response& response);

}  // namespace media::server
