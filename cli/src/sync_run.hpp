/// Copying what one store has and another lacks.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>

#include "media/blob_store.hpp"

namespace mediactl {

struct SyncPlan {
  unsigned jobs = 1;
  bool verify = false;  ///< Blobs that are there already are read and hashed, and copied anew where they are damaged.
  bool dry_run = false;
  std::stop_token stop{};
  /// Both from one thread at a time.
  std::function<void(std::uint64_t blobs, std::uint64_t bytes)> progress{};
  std::function<void(const std::string& location, const std::string& reason)> problem{};
};

struct SyncReport {
  std::uint64_t copied = 0;  ///< Under dry_run: that would be.
  std::uint64_t copied_bytes = 0;
  std::uint64_t present = 0;
  std::uint64_t present_bytes = 0;
  std::uint64_t mended = 0;   ///< Among the copied: damaged, or of another size, where they went.
  std::uint64_t damaged = 0;  ///< Not what their digest says in the source: not copied.
  std::uint64_t strays = 0;   ///< In the source, and no blobs: not copied.
};

/// Walks both stores in the order of digests. A blob is hashed as it is copied, and is in the destination whole or not at all, so a run may
/// end anywhere, and the next one goes on. Nothing is removed. Errors: those of the stores; what was copied by then stays.
media::Result<SyncReport> sync_stores(const media::BlobStore& source, media::BlobStore& destination, const SyncPlan& plan);

}  // namespace mediactl
