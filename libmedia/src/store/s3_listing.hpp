/// Walks the blobs of a bucket in the order of their keys, which is that of their digests.
#pragma once

#include <cstddef>
#include <string>

#include "media/blob_store.hpp"
#include "store/s3_client.hpp"

namespace media::store::s3 {

/// As `BlobStore::list`; a cursor is a key without the prefix.
Result<BlobPage> list_objects(Client& client, const std::string& prefix, const std::string& cursor, std::size_t limit);

/// Removes objects directly below `folder` (a key with a slash at its end) that are older than `age`. Best effort, a thousand at most.
void remove_old_objects(Client& client, const std::string& folder, std::chrono::seconds age);

/// Removes every object whose key begins so.
Result<void> remove_objects(Client& client, const std::string& beginning);

}  // namespace media::store::s3
