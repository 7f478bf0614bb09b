#include "url.hpp"

namespace media::server {

std::string_view host_of_url(std::string_view url) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!url.starts_with(scheme)) continue;
    std::string_view authority = url.substr(scheme.size());
    authority = authority.substr(0, authority.find_first_of("/?#"));
    if (authority.find('@') != std::string_view::npos) return {};
    if (!authority.starts_with('[')) return authority.substr(0, authority.find(':'));
    const auto bracket = authority.find(']');
    return bracket == std::string_view::npos ? std::string_view() : authority.substr(0, bracket + 1);
  }
  return {};
}

bool is_loopback_url(std::string_view url) {
  const std::string_view host = host_of_url(url);
  // Digits and dots alone: "127.example.com" is a name like any other.
  return host == "localhost" || host == "[::1]" ||
         (host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string_view::npos);
}

}  // namespace media::server
