/// Lists in header fields.
#pragma once

#include <string_view>
#include <vector>

#include "http/message.hpp"

namespace media::server {

/// The elements of a comma-separated field that may have come in several lines; surrounding blanks removed, empty ones left out.
/// The views live as long as the fields are not changed.
std::vector<std::string_view> list_elements(const http::Fields& fields, std::string_view name);

/// Adds a name to Vary unless it is there.
void add_vary(http::Response& response, std::string_view name);

}  // namespace media::server
