/// The source of a job as a descriptor of its own: all that a worker gets to see of anybody's bytes.
#pragma once

#include <cstdint>
#include <filesystem>

#include "core/unique_fd.hpp"
#include "media/io.hpp"
#include "media/result.hpp"

namespace media::cage {

/// Sources up to this size lie in memory, larger ones in a file without a name.
inline constexpr std::uint64_t kMaxMemorySource = 64ULL << 20U;

/// Copies the source, once, into a memfd sealed against every change, or above `max_memory_bytes` into a nameless file in
/// `folder`, opened for reading only. It is a copy and not the store's own descriptor, so that no worker holds
/// anything that is the store's; and no one can change it under the decoder's eyes.
/// Errors: the reader's own; `corrupt` (the source got shorter), `no_space`, `unavailable`, `io`.
Result<UniqueFd> copy_source(const ByteReader& source, std::uint64_t max_memory_bytes, const std::filesystem::path& folder);

}  // namespace media::cage
