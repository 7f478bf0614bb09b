/// W3C Trace Context, as far as it is carried through.
#pragma once

#include <optional>
#include <string_view>

#include "http/message.hpp"

namespace media::server {

/// The request's traceparent where it is well-formed: "00-<32 hex>-<16 hex>-<2 hex>", neither id all zeros.
std::optional<std::string_view> find_traceparent(const http::Request& request);
/// Its trace id.
std::string_view trace_id_of(std::string_view traceparent);

}  // namespace media::server
