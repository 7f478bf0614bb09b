/// Pictures as items of a `meta` box (ISO/IEC 23008-12, and AVIF on top of it).
#pragma once

#include "inspect/boxes.hpp"
#include "media/media_info.hpp"

namespace media::inspect {

/// Reads the `meta` box at whose body the cursor is, and fills in what the primary picture states. Errors: `corrupt`.
Result<void> read_items(Cursor& cursor, const Box& meta, MediaInfo& info);

}  // namespace media::inspect
