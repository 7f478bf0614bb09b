/// The tracks of WebM and Matroska, as `probe_details` tells them.
#pragma once

#include "inspect/cursor.hpp"
#include "media/details.hpp"
#include "media/result.hpp"

namespace media::inspect {

/// Errors: `corrupt`, and the reader's own.
Result<void> read_matroska_details(Cursor& cursor, MediaDetails& details);

}  // namespace media::inspect
