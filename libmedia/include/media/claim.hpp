/// What a sender says of a file before it is there, held against the formats.
#pragma once

#include <string_view>

#include "media/export.hpp"
#include "media/media_info.hpp"

namespace media {

/// True for types that say nothing of what a file is: none, and those that clients without an opinion send. Parameters and case count for
/// nothing, here and below.
MEDIA_EXPORT bool claims_nothing(std::string_view media_type) noexcept;

/// The format under which files of this media type are sent; beyond the types of the catalog those that cameras and telephones use
/// ("video/3gpp"). `Format::unknown` for others.
MEDIA_EXPORT Format format_from_claim(std::string_view media_type) noexcept;

/// Whether content of the format `found` is what was claimed. A claim holds for the format itself; MP4 and QuickTime are one family under
/// many names, and every WebM is a Matroska file.
MEDIA_EXPORT bool claim_holds(Format claimed, Format found) noexcept;

}  // namespace media
