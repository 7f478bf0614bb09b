/// Damaged objects set aside within the bucket.
#pragma once

#include <string>

#include "media/digest.hpp"
#include "store/s3_client.hpp"

namespace media::store::s3 {

/// As `BlobStore::quarantine`: reads the object at `key`, and where its bytes are not what `digest` says moves it below `folder`.
Result<bool> quarantine_object(Client& client, const std::string& key, const std::string& folder, const Digest& digest);

}  // namespace media::store::s3
