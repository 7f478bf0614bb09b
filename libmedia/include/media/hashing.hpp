/// SHA-256 of many contents, and how fast it is on this machine.
#pragma once

#include <chrono>
#include <cstddef>
#include <span>
#include <string>

#include "media/digest.hpp"
#include "media/export.hpp"

namespace media {

/// The digests of contents that are in memory, several at a time where the processor can: `digests[i]` of `contents[i]`. Thread-safety: may
/// be called concurrently.
MEDIA_EXPORT void hash_together(std::span<const std::span<const std::byte>> contents, std::span<Digest> digests);

/// What hashes here, chosen when the program starts, and how many bytes a second one core brings through it.
struct HashingFacts {
  std::string implementation{};            ///< "SHA-NI" or "OpenSSL", of many contents at a time.
  unsigned lanes = 1;                      ///< Contents that are hashed at a time on one core.
  double together_bytes_per_second = 0;    ///< Many contents of 16 KiB.
  double one_stream_bytes_per_second = 0;  ///< One content in pieces of 16 KiB, by OpenSSL, as a large file is hashed.
};
/// Measures, for about twice so long.
MEDIA_EXPORT HashingFacts measure_hashing(std::chrono::milliseconds each = std::chrono::milliseconds(40));

}  // namespace media
