#include "edge/forwarding.hpp"

#include <algorithm>

#include "edge/fields.hpp"

namespace media::server {
namespace {

/// Some proxies write the port along: "192.0.2.1:4711", "[2001:db8::1]:4711".
std::string_view without_port(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return text;
  if (text.front() == '[') return text[colon - 1] == ']' ? text.substr(0, colon) : text;
  return text.find(':') == colon ? text.substr(0, colon) : text;
}

std::string client_address(const http::Request& request, const std::vector<Network>& trusted) {
  std::string address = request.remote_address;
  const auto hops = list_elements(request.headers, "X-Forwarded-For");
  for (auto hop = hops.rbegin(); hop != hops.rend(); ++hop) {
    const auto bytes = parse_address(without_port(*hop));
    if (!bytes) break;  // a proxy that we trust wrote nonsense, or passed it on: the one before it is the last that we know
    address = to_string(*bytes);
    if (!contains(trusted, address)) break;
  }
  return address;
}

/// As RFC 3986 has it: anything else must not become part of a URL that we hand out.
bool is_plain_host(std::string_view host) {
  return !host.empty() && host.size() <= 255 && std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == ':' || c == '[' ||
           c == ']' || c == '_';
  });
}

}  // namespace

Origin find_origin(const http::Request& request, const std::vector<Network>& trusted) {
  Origin origin{request.remote_address, "http", std::string(request.header("Host").value_or(""))};
  if (contains(trusted, request.remote_address)) {
    origin.address = client_address(request, trusted);
    // The first of several: the one that the client spoke to.
    if (const auto schemes = list_elements(request.headers, "X-Forwarded-Proto"); !schemes.empty() && schemes.front() == "https")
      origin.scheme = "https";
    if (const auto hosts = list_elements(request.headers, "X-Forwarded-Host"); !hosts.empty()) origin.host = hosts.front();
  }
  if (!is_plain_host(origin.host)) origin.host.clear();
  return origin;
}

}  // namespace media::server
