// What an object store answers, and a file of credentials: the first byte says which reader gets the rest.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "store/s3_answer.hpp"
#include "store/s3_credentials.hpp"
#include "store/s3_text.hpp"
#include "store/s3_xml.hpp"

using namespace media;
using namespace media::store::s3;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

/// Whatever it says, the message is one line that can be shown.
void check_error(std::string_view text, long status) {
  HttpAnswer answer;
  answer.status = status;
  answer.text = text;
  const auto line = text.substr(0, text.find('\n'));
  answer.headers = {{"date", std::string(line)}, {"x-amz-bucket-region", std::string(line)}, {"retry-after", std::string(line)}};
  const Error error = error_of(answer, {"http://host", "bucket", "region"}, "get", Timestamp());
  require(error.message.starts_with("get: ") && error.message.size() < 400);
  require(std::none_of(error.message.begin(), error.message.end(), [](unsigned char c) { return c < 0x20 || c >= 0x7f; }));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 6) {
    case 0:
      if (const auto page = parse_objects(text)) {
        for (const ListedObject& object : page->objects) require(!object.key.empty());
        require(!page->more || !page->objects.empty());
      }
      break;
    case 1:
      static_cast<void>(parse_uploads(text));
      break;
    case 2:
      if (const auto id = parse_upload_id(text)) require(!id->empty());
      break;
    case 3:
      for (const long status : {200L, 301L, 400L, 403L, 404L, 500L}) check_error(text, status);
      break;
    case 4:
      if (const auto range = parse_content_range(text)) require(range->first <= range->last && range->last < range->total);
      require(percent_decode(percent_encode(text)) == text);
      break;
    default:
      if (const auto found = parse_credentials(text, "default"))
        require(!found->access_key_id.empty() && !found->secret_access_key.empty());
  }
  return 0;
}
