/// The tracks of MP4 and MOV, as `probe_details` tells them.
#pragma once

#include "inspect/cursor.hpp"
#include "media/details.hpp"
#include "media/result.hpp"

namespace media::inspect {

/// Display sizes are given before turning. Errors: `corrupt`, and the reader's own.
Result<void> read_movie_details(Cursor& cursor, MediaDetails& details);

}  // namespace media::inspect
