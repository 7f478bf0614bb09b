/// JSON that a client sends.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "http/message.hpp"
#include "media/library.hpp"
#include "media/result.hpp"

namespace media::server {

/// The body as one JSON object, of at most 64 KiB. `unsupported` unless the request says that it is JSON: another site's page can make a
/// browser send text unasked, but not `application/json`. `invalid_argument` for anything else, `too_large`, and the body's own errors.
Result<nlohmann::ordered_json> read_json_object(http::Request& request);

/// Streams a body into the library, and says how many bytes came; stops reading once these are more than `limit_bytes`.
Result<std::uint64_t> pour(ByteSource& source, Ingest& ingest, std::uint64_t limit_bytes = UINT64_MAX);

}  // namespace media::server
