/// Walks the blobs of a filesystem store in the order of their digests.
#pragma once

#include <cstddef>
#include <string>

#include "media/blob_store.hpp"

namespace media::store {

/// The next `limit` objects after `cursor` (a location, or empty). Memory is bound by the largest single folder.
/// What appears or vanishes between two calls may or may not be listed; the rest is listed once.
/// Errors: `invalid_argument` (no limit), `io`, `denied`, `unavailable`.
Result<BlobPage> list_blobs(int base, const std::string& cursor, std::size_t limit);

}  // namespace media::store
