/// Writing URLs, and the little that we read of them.
#pragma once

#include <string>
#include <string_view>

namespace media::server {

/// Everything but RFC 3986's unreserved characters as %XX.
std::string percent_encode(std::string_view text);

/// The host of an absolute http or https URL without a user ("[::1]" with its brackets); empty for anything else.
std::string_view host_of_url(std::string_view url);
/// Does the URL name this very machine by a loopback address, or as localhost?
bool is_loopback_url(std::string_view url);

}  // namespace media::server
