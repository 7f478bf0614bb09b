/// The header fields of tus 1.0.0 that have a grammar of their own. Errors are `invalid_argument`; messages say what is accepted.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "media/result.hpp"
#include "tus_checksum.hpp"

namespace media::server {

/// Upload-Metadata: keys, each once, and their decoded values, in order.
struct UploadMetadata {
  std::vector<std::pair<std::string, std::string>> entries;

  /// Empty where there is no such key.
  [[nodiscard]] std::string value_of(std::string_view key) const;
};
/// At most 4096 bytes: they are stored, and told again with every HEAD.
Result<UploadMetadata> parse_upload_metadata(std::string_view text);

struct UploadChecksum {
  ChecksumAlgorithm algorithm = ChecksumAlgorithm::sha1;
  std::string digest;  ///< Raw, and as long as the algorithm's are.
};
Result<UploadChecksum> parse_upload_checksum(std::string_view text);

/// Upload-Concat: a part, or the ids of the parts that make the whole.
struct UploadConcat {
  bool is_final = false;
  std::vector<std::string> parts;
};
/// The parts of a final upload are named by URL, absolute or not; `uploads_path` is what stands before the ids in their paths.
Result<UploadConcat> parse_upload_concat(std::string_view text, std::string_view uploads_path);

}  // namespace media::server
