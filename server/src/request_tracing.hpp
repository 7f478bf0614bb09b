/// Requests as spans.
#pragma once

#include "http/message.hpp"
#include "http/router.hpp"
#include "http/server.hpp"
#include "media/trace.hpp"

namespace media::server {

/// Runs the route's handler as a span: of the trace that a caller whom we know names, else of one that begins here. Probes and scrapes are
/// not traced. For `http::Hooks::handle`.
http::Response handle_traced(http::Request& request, const http::Route& route, Tracer& tracer);

/// Records the span of a request whose client left while it waited to be asked again. For `http::Hooks::access`.
void end_abandoned(const http::AccessRecord& record, Tracer& tracer);

}  // namespace media::server
