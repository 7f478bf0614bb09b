/// Media ids on the command line.
#pragma once

#include <optional>
#include <string_view>

#include "media/records.hpp"

namespace mediactl {

/// Digits only, 1 to 2^53 - 1; absent for everything else.
std::optional<media::MediaId> parse_media_id(std::string_view text) noexcept;

/// "no media 7 in the store", as an error.
media::Error no_such_media(media::MediaId id);

}  // namespace mediactl
