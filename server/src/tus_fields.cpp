#include "tus_fields.hpp"

#include <algorithm>
#include <optional>

#include "base64.hpp"
#include "http/text.hpp"

namespace media::server {
namespace {

constexpr std::size_t kMaxMetadataBytes = 4096;
constexpr std::size_t kMaxParts = 256;
constexpr std::size_t kMaxIdBytes = 64;
constexpr std::size_t kSha1Bytes = 20;
constexpr std::size_t kSha256Bytes = 32;

/// Cuts the text before `separator` off its front; all of it where there is none.
std::string_view take_until(std::string_view& text, char separator) {
  const auto at = text.find(separator);
  const std::string_view head = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
  return head;
}

bool is_printable_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

/// The id in a part's URL. Only the path counts: the same server has other names behind proxies.
std::optional<std::string> part_id(std::string_view url, std::string_view uploads_path) {
  url = url.substr(0, url.find_first_of("?#"));
  if (url.ends_with('/')) url.remove_suffix(1);
  const auto slash = url.rfind('/');
  if (slash == std::string_view::npos || !url.substr(0, slash).ends_with(uploads_path)) return std::nullopt;
  const std::string_view id = url.substr(slash + 1);
  const bool plain = !id.empty() && id.size() <= kMaxIdBytes &&
                     std::all_of(id.begin(), id.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z'); });
  if (!plain) return std::nullopt;
  return std::string(id);
}

}  // namespace

std::string UploadMetadata::value_of(std::string_view key) const {
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const auto& entry) { return entry.first == key; });
  return found == entries.end() ? std::string() : found->second;
}

Result<UploadMetadata> parse_upload_metadata(std::string_view text) {
  const auto refuse = [](std::string_view accepts) {
    return Error{Errc::invalid_argument, "Upload-Metadata: accepts " + std::string(accepts)};
  };
  UploadMetadata metadata;
  if (text.size() > kMaxMetadataBytes) return refuse("at most 4096 bytes");
  text = http::trim(text);
  if (text.empty()) return metadata;
  // Not until the text is used up: a comma at the end promises another pair.
  for (bool more = true; more;) {
    more = text.find(',') != std::string_view::npos;
    std::string_view pair = http::trim(take_until(text, ','));
    const std::string_view key = take_until(pair, ' ');
    const std::string_view encoded = http::trim(pair);
    if (key.empty() || !is_printable_ascii(key)) return refuse("pairs of a key and a value in Base64, apart by commas");
    auto value = base64_decode(encoded);
    if (!value) return refuse("values in Base64");
    const bool is_new =
        std::none_of(metadata.entries.begin(), metadata.entries.end(), [&](const auto& entry) { return entry.first == key; });
    if (!is_new) return refuse("each key once");
    metadata.entries.emplace_back(std::string(key), std::move(*value));
  }
  return metadata;
}

Result<UploadChecksum> parse_upload_checksum(std::string_view text) {
  const auto refuse = [](std::string_view accepts) {
    return Error{Errc::invalid_argument, "Upload-Checksum: accepts " + std::string(accepts)};
  };
  text = http::trim(text);
  const std::string_view algorithm = take_until(text, ' ');
  UploadChecksum checksum;
  if (algorithm == "sha256") {
    checksum.algorithm = ChecksumAlgorithm::sha256;
  } else if (algorithm != "sha1") {
    return refuse("the algorithms sha1 and sha256");
  }
  auto digest = base64_decode(http::trim(text));
  if (!digest || digest->size() != (checksum.algorithm == ChecksumAlgorithm::sha1 ? kSha1Bytes : kSha256Bytes)) {
    return refuse("the algorithm's name, a space, and a digest of its length in Base64");
  }
  checksum.digest = std::move(*digest);
  return checksum;
}

Result<UploadConcat> parse_upload_concat(std::string_view text, std::string_view uploads_path) {
  constexpr std::string_view kFinal = "final;";
  const auto refuse = [](std::string_view accepts) {
    return Error{Errc::invalid_argument, "Upload-Concat: accepts " + std::string(accepts)};
  };
  UploadConcat concat;
  text = http::trim(text);
  if (text == "partial") return concat;
  if (!text.starts_with(kFinal)) return refuse("partial, or final; and the URLs of the parts");
  concat.is_final = true;
  text.remove_prefix(kFinal.size());
  while (!(text = http::trim(text)).empty()) {
    auto id = part_id(take_until(text, ' '), uploads_path);
    if (!id) return refuse("URLs of uploads here");
    if (concat.parts.size() == kMaxParts) return refuse("up to 256 parts");
    concat.parts.push_back(std::move(*id));
  }
  if (concat.parts.empty()) return refuse("partial, or final; and the URLs of the parts");
  return concat;
}

}  // namespace media::server
