/// Unpredictable text from the operating system.
#pragma once

#include <cstddef>
#include <string>

namespace media {

/// `bytes` random bytes as lower-case hexadecimal. Aborts where the system has no randomness: there is nothing safe to go on with.
std::string random_hex(std::size_t bytes);

}  // namespace media
