/// The S3 store of a build without it.
#include "media/s3_store.hpp"

namespace media {

Result<std::unique_ptr<BlobStore>> open_s3_store(const S3StoreOptions& /*options*/) {
  return Error{Errc::unsupported, "open an S3 store: this build has none (MEDIA_WITH_S3)"};
}

}  // namespace media
