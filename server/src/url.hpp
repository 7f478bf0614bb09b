/// The little that we read of URLs.
#pragma once

#include <string_view>

namespace media::server {

/// The host of an absolute http or https URL without a user ("[::1]" with its brackets); empty for anything else.
std::string_view host_of_url(std::string_view url);
/// Does the URL name this very machine by a loopback address, or as localhost?
bool is_loopback_url(std::string_view url);

}  // namespace media::server
