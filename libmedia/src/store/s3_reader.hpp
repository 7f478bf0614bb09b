/// A blob in the bucket, read by ranges.
#pragma once

#include <memory>

#include "media/digest.hpp"
#include "media/io.hpp"
#include "store/s3_client.hpp"
#include "store/s3_read_ahead.hpp"

namespace media::store::s3 {

/// Opens with the first bytes at hand. Errors: `not_found`, those of Client::perform.
Result<std::unique_ptr<ByteReader>> open_object(const std::shared_ptr<Client>& client, const std::shared_ptr<ReadAhead>& read_ahead,
                                                const std::string& key, const Digest& digest);

}  // namespace media::store::s3
