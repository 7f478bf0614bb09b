/// Bytes named on the command line: by their digest, or by a media that has them.
#pragma once

#include <string>

#include "media/library.hpp"

namespace mediactl {

/// 64 hexadecimal digits, or a media's id. Errors: `invalid_argument`, `not_found` (no such media, or one without content).
media::Result<media::Digest> digest_of_operand(media::Library& library, const std::string& operand);

}  // namespace mediactl
