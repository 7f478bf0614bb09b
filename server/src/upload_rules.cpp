#include "upload_rules.hpp"

#include <algorithm>

#include "media/claim.hpp"

namespace media::server {
namespace {

/// The first of the blocked extensions that the name has, at its end or further in; empty for none.
std::string blocked_extension(const std::string& filename, const std::vector<std::string>& blocked) {
  const std::string name = ascii_lower(filename);
  for (std::size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1)) {
    // Systems that drop what stands behind a name's end would see the extension.
    std::string extension = name.substr(dot, name.find('.', dot + 1) - dot);
    extension.erase(std::min(extension.find(':'), extension.size()));
    extension.erase(extension.find_last_not_of(' ') + 1);
    if (std::find(blocked.begin(), blocked.end(), extension) != blocked.end()) return extension;
  }
  return {};
}

std::string extension_of(const std::string& filename) {
  const auto dot = filename.find_last_of('.');
  return dot == std::string::npos ? std::string() : ascii_lower(filename.substr(dot + 1));
}

}  // namespace

std::string ascii_lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return text;
}

std::string without_path(std::string filename) {
  const auto slash = filename.find_last_of("/\\");
  if (slash != std::string::npos) filename.erase(0, slash + 1);
  return filename;
}

std::optional<std::string> refuse_filename(const std::string& filename, const std::vector<std::string>& blocked_extensions) {
  if (filename.empty() || filename.size() > kMaxFilenameBytes) return "a name of 1 to 255 bytes";
  if (std::any_of(filename.begin(), filename.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; })) {
    return "a name without control characters";
  }
  const std::string blocked = blocked_extension(filename, blocked_extensions);
  if (!blocked.empty()) return "names without the extension " + blocked;
  return std::nullopt;
}

std::optional<std::string> refuse_type(const std::string& media_type, const AdmissionPolicy& policy) {
  const Format format = format_from_claim(media_type);
  const auto may_be = [&](Format allowed) { return claim_holds(format, allowed); };
  if (format != Format::unknown && std::any_of(policy.allowed.begin(), policy.allowed.end(), may_be)) return std::nullopt;
  std::string types;
  for (const Format allowed : policy.allowed) types += (types.empty() ? "" : ", ") + std::string(mime_type(allowed));
  return types;
}

std::optional<std::string> refuse_mismatch(const std::string& filename, const std::string& media_type) {
  const Format named = format_from_name(extension_of(filename));
  const Format typed = format_from_claim(media_type);
  // Both may hold of one content: of a WebM that its type calls Matroska, say.
  if (named == Format::unknown || claim_holds(named, typed) || claim_holds(typed, named)) return std::nullopt;
  return "a name that ends as " + media_type + " does, or in no media type's extension";
}

std::uint64_t upload_limit(const std::string& media_type, const AdmissionPolicy& policy, const Config& config) {
  const Format format = format_from_claim(media_type);
  std::uint64_t limit = policy.max_bytes();
  if (format != Format::unknown) limit = is_image(format) ? policy.max_image_bytes : policy.max_video_bytes;
  return std::min(limit, config.max_upload_bytes);
}

}  // namespace media::server
