#include "store/fan_out.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <new>

#include "core/errno_error.hpp"
#include "store/blob_layout.hpp"

namespace media::store {

Result<void> FanOut::prepare(const Digest& digest, std::set<FanOutFolder>& to_sync, std::set<FanOutFolder>& fresh) const {
  for (unsigned depth = 1; depth <= kFanOutDepth; ++depth) {
    const FanOutFolder folder{depth, folder_index(digest, depth)};
    if (known(folder) || fresh.contains(folder)) continue;
    const FanOutFolder parent{depth - 1, folder_index(digest, depth - 1)};
    const std::string path = folder_path(folder.depth, folder.index);
    // A name that is something else than a folder shows at the next step, as ENOTDIR.
    if (::mkdirat(base_, path.c_str(), 0755) != 0 && errno != EEXIST) return errno_error(errno, "make folder " + path);
    to_sync.insert(parent);
    fresh.insert(folder);
  }
  to_sync.insert(FanOutFolder{kFanOutDepth, folder_index(digest, kFanOutDepth)});
  return {};
}

void FanOut::remember(const std::set<FanOutFolder>& fresh) {
  for (const auto& folder : fresh) set_known(folder, true);
}

void FanOut::forget(const Digest& digest) {
  for (unsigned depth = 1; depth <= kFanOutDepth; ++depth) set_known({depth, folder_index(digest, depth)}, false);
}

bool FanOut::known(const FanOutFolder& folder) const {
  if (folder.depth == 1) return top_[folder.index];
  if (folder.depth == 2) return middle_[folder.index];
  return deepest_ && (deepest_.get()[folder.index / 64] >> (folder.index % 64) & 1U) != 0;
}

void FanOut::set_known(const FanOutFolder& folder, bool value) {
  if (folder.depth == 1) {
    top_[folder.index] = value;
  } else if (folder.depth == 2) {
    middle_[folder.index] = value;
  } else {
    // calloc gives pages that take memory only when a bit in them is set, unlike a vector.
    if (!deepest_)
      deepest_.reset(
          static_cast<std::uint64_t*>(std::calloc((1U << 24U) / 64, sizeof(std::uint64_t))));  // NOLINT(cppcoreguidelines-no-malloc)
    if (!deepest_) throw std::bad_alloc();
    std::uint64_t& word = deepest_.get()[folder.index / 64];
    const std::uint64_t bit = std::uint64_t{1} << (folder.index % 64);
    word = value ? word | bit : word & ~bit;
  }
}

}  // namespace media::store
