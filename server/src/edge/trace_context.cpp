#include "edge/trace_context.hpp"

#include "media/trace.hpp"

namespace media::server {
std::optional<std::string_view> find_traceparent(const http::Request& request) {
  if (request.headers.count("traceparent") != 1) return std::nullopt;
  const std::string_view text = *request.header("traceparent");
  return from_traceparent(text) ? std::optional(text) : std::nullopt;
}

std::string_view trace_id_of(std::string_view traceparent) { return traceparent.substr(3, 32); }

}  // namespace media::server
