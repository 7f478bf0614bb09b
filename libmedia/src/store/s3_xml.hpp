/// What an object store answers in XML. These are bytes of somebody else's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "media/clock.hpp"
#include "media/result.hpp"

namespace media::store::s3 {

/// The document of an error. What it lacks is empty.
struct ErrorDocument {
  std::string code{};
  std::string region{};
};
/// Never fails: what is no such document has no code.
ErrorDocument parse_error(std::string_view xml);

struct ListedObject {
  std::string key{};  ///< As it is, prefix and all.
  std::uint64_t size = 0;
  Timestamp modified{};
};
struct ObjectPage {
  std::vector<ListedObject> objects{};
  bool more = false;
};
/// A ListBucketResult that was asked for with `encoding-type=url`. `io` where it is none.
Result<ObjectPage> parse_objects(std::string_view xml);

struct PendingUpload {
  std::string key{};
  std::string id{};
  Timestamp initiated{};
};
struct UploadPage {
  std::vector<PendingUpload> uploads{};
  bool more = false;
  std::string next_key{};
  std::string next_id{};
};
/// A ListMultipartUploadsResult, likewise.
Result<UploadPage> parse_uploads(std::string_view xml);

/// The id in an InitiateMultipartUploadResult. `io` where there is none.
Result<std::string> parse_upload_id(std::string_view xml);

/// Text for an XML document of ours.
std::string xml_escape(std::string_view text);

}  // namespace media::store::s3
