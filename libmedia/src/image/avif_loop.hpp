/// How often an AVIF sequence is played, which libavif knows of only from 1.0 on: the edit list of its track (ISO/IEC 14496-12,
/// section 8.6.6, with the flag for repeating).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "media/result.hpp"

namespace media::image {

/// 0: for ever. So is what the file does not say, as browsers have it.
std::uint32_t avif_plays(std::span<const std::byte> file) noexcept;

/// The file as libavif has written it, with an edit list in each track that has none, and without the time at which it was made, so that
/// equal frames make equal bytes. Errors: `internal` where it is not built as libavif builds it.
Result<std::vector<std::byte>> finish_avif_sequence(std::vector<std::byte> file, std::uint32_t plays);

}  // namespace media::image
