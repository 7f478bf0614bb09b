// Unpredictable names for requests and boundaries.
#pragma once

#include <string>

namespace media::http {

/// 32 lower-case hexadecimal digits from the operating system's randomness.
std::string random_id();

}  // namespace media::http
