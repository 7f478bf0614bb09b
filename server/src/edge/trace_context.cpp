#include "edge/trace_context.hpp"

#include <algorithm>

namespace media::server {
namespace {

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_zero(std::string_view text) { return text.find_first_not_of('0') == std::string_view::npos; }

}  // namespace

std::optional<std::string_view> find_traceparent(const http::Request& request) {
  if (request.headers.count("traceparent") != 1) return std::nullopt;
  const std::string_view text = *request.header("traceparent");
  const bool well_formed = text.size() == 55 && text.substr(0, 2) == "00" && text[2] == '-' && text[35] == '-' && text[52] == '-' &&
                           is_hex(text.substr(3, 32)) && is_hex(text.substr(36, 16)) && is_hex(text.substr(53, 2)) &&
                           !is_zero(text.substr(3, 32)) && !is_zero(text.substr(36, 16));
  return well_formed ? std::optional(text) : std::nullopt;
}

std::string_view trace_id_of(std::string_view traceparent) { return traceparent.substr(3, 32); }

}  // namespace media::server
