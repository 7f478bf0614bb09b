/// errno into `media::Error`: the one translation of the command line.
#pragma once

#include <string_view>

#include "media/result.hpp"

namespace mediactl {

/// `what` names operation and object; the system's own words are appended. Empty: the system's words alone.
media::Error system_error(int error_number, std::string_view what);

}  // namespace mediactl
