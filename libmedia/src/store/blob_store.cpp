#include "media/blob_store.hpp"

namespace media {

std::vector<Result<std::unique_ptr<Staged>>> BlobStore::finish_together(std::span<const std::unique_ptr<BlobWriter>> writers) {
  std::vector<Result<std::unique_ptr<Staged>>> staged;
  staged.reserve(writers.size());
  for (const auto& writer : writers) staged.push_back(writer->finish());
  return staged;
}

Result<void> BlobStore::wipe(std::span<const Digest> /*removed*/, const std::stop_token& /*stop*/) { return {}; }

}  // namespace media
