// Any text as the fields of tus: what is taken can be written again and is taken again, ids are fit for a path.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base64.hpp"
#include "tus_fields.hpp"

using namespace media::server;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

constexpr std::string_view kUploads = "/api/v1/media-management/uploads";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);

  if (const auto metadata = parse_upload_metadata(text)) {
    std::string again;
    for (const auto& [key, value] : metadata->entries) again += (again.empty() ? "" : ",") + key + " " + base64_encode(value);
    // The standard form has padding that the text may have left out.
    if (again.size() <= 4096) require(parse_upload_metadata(again).value().entries == metadata->entries);
    for (const auto& [key, value] : metadata->entries) require(metadata->value_of(key) == value);
  }
  if (const auto checksum = parse_upload_checksum(text)) {
    require(checksum->digest.size() == (checksum->algorithm == ChecksumAlgorithm::sha1 ? 20U : 32U));
  }
  if (const auto concat = parse_upload_concat(text, kUploads)) {
    require(concat->is_final == !concat->parts.empty());
    require(concat->parts.size() <= 256);
    std::string again = concat->is_final ? "final;" : "partial";
    for (const std::string& part : concat->parts) {
      require(!part.empty() && part.size() <= 64 && part.find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyz") == std::string::npos);
      again += std::string(kUploads) + "/" + part + " ";
    }
    require(parse_upload_concat(again, kUploads).value().parts == concat->parts);
  }
  return 0;
}
