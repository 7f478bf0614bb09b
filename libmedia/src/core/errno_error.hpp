/// errno into `Error`: the one translation.
#pragma once

#include <string_view>

#include "media/result.hpp"

namespace media {

/// `what` names operation and object ("open /x/y"); the system's own words are appended.
Error errno_error(int error_number, std::string_view what);

}  // namespace media
