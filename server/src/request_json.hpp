/// JSON that a client sends.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "http/message.hpp"
#include "media/library.hpp"
#include "media/result.hpp"

namespace media::server {

/// The body as one JSON object, of at most 64 KiB. `invalid_argument` for anything else, `too_large`, and the body's own errors.
Result<nlohmann::ordered_json> read_json_object(http::Request& request);

/// Streams a body into the library.
Result<void> pour(ByteSource& source, Ingest& ingest);

}  // namespace media::server
