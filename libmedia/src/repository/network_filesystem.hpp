/// Which filesystems SQLite's locks and shared memory cannot be trusted on.
#pragma once

#include <filesystem>

#include "media/result.hpp"

namespace media {

/// By the magic number of statfs(2).
bool is_network_filesystem(unsigned long magic) noexcept;

/// `unsupported` where `path`, or the folder it would be made in, lies on a network filesystem.
Result<void> refuse_network_filesystem(const std::filesystem::path& path);

}  // namespace media
