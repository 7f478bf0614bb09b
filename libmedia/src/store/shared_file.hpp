/// Files that become the store's without being copied: see media/file_sharing.hpp.
#pragma once

#include <memory>

#include "media/file_sharing.hpp"
#include "store/temp_folder.hpp"

namespace media::store {

Result<SharedFile> reflink_file(const std::shared_ptr<TempFolder>& folder, int source);

}  // namespace media::store
