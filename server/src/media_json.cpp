#include "media_json.hpp"

#include <map>
#include <nlohmann/json.hpp>
#include <span>

#include "base64.hpp"

namespace media::server {
namespace {

/// At least so long a page may keep the URLs that it was given.
constexpr std::chrono::hours kRenditionUrlLifetime{1};

std::string_view text_of(std::span<const std::byte> bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

/// By format, what an `srcset` attribute takes: of the renditions that are there, each width once, the narrowest first.
nlohmann::ordered_json srcset_of(const nlohmann::ordered_json& renditions) {
  std::map<std::string, std::map<std::uint32_t, std::string>> urls;
  for (const auto& rendition : renditions) {
    urls[rendition["format"]].emplace(rendition["width"].get<std::uint32_t>(), rendition["url"].get<std::string>());
  }
  auto object = nlohmann::ordered_json::object();
  for (const auto& [format, by_width] : urls) {
    std::string value;
    for (const auto& [width, url] : by_width) value += (value.empty() ? "" : ", ") + url + " " + std::to_string(width) + "w";
    object[format] = std::move(value);
  }
  return object;
}

}  // namespace

nlohmann::ordered_json media_json(const Media& media) {
  nlohmann::ordered_json object;
  object["id"] = media.id;
  if (media.digest) {
    const std::string hex = media.digest->to_hex();
    object["content_hash"] = hex;
    object["original_filename"] = media.filename;
    object["media_type"] = media.media_type;
    object["media_path"] = hex.substr(0, 2) + "/" + hex.substr(2, 2) + "/" + hex.substr(4, 2) + "/" + hex;
  } else {
    object["content_hash"] = nullptr;
    object["original_filename"] = media.filename;
    object["media_type"] = media.media_type;
    object["media_path"] = nullptr;
  }
  object["file_size"] = media.size_bytes;
  object["processing_status"] = to_string(media.status);
  object["uploaded_at"] = to_rfc3339(media.uploaded_at);
  object["updated_at"] = to_rfc3339(media.updated_at);
  object["visibility"] = to_string(media.visibility);
  const auto side = [](std::uint32_t pixels) { return pixels > 0 ? nlohmann::ordered_json(pixels) : nlohmann::ordered_json(nullptr); };
  object["width"] = side(media.info.display_width());
  object["height"] = side(media.info.display_height());
  object["duration_ms"] = media.info.duration ? nlohmann::ordered_json(media.info.duration->count()) : nlohmann::ordered_json(nullptr);
  // What is kept back is not shown, and how it looks is not told either.
  const bool is_held = media.held != Hold::none;
  object["placeholder"] =
      is_held || media.placeholder.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(media.placeholder);
  const Appearance appearance = is_held ? Appearance{} : media.appearance;
  object["dominant_color"] =
      appearance.dominant_colour.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(appearance.dominant_colour);
  object["thumbhash"] =
      appearance.known() ? nlohmann::ordered_json(base64_encode(text_of(appearance.thumbhash))) : nlohmann::ordered_json(nullptr);
  object["perceptual_hash"] =
      appearance.perceptual_hash ? nlohmann::ordered_json(to_string(*appearance.perceptual_hash)) : nlohmann::ordered_json(nullptr);
  object["held"] = media.held == Hold::none ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(to_string(media.held));
  object["owner_id"] = media.owner;
  object["tags"] = media.tags;
  object["expires_at"] = media.expires_at ? nlohmann::ordered_json(to_rfc3339(*media.expires_at)) : nlohmann::ordered_json(nullptr);
  return object;
}

void add_renditions(nlohmann::ordered_json& object, const Media& media, const std::vector<Rendition>& renditions,
                    const std::vector<Preset>& presets, const UrlSigner& signer, const std::string& base_url) {
  object["renditions"] = nlohmann::ordered_json::array();
  const Timestamp expires_at = signer.rounded_expiry(kRenditionUrlLifetime);
  for (const Preset& preset : presets) {
    if (media.held != Hold::none) break;  // no rendition is handed out either
    for (const Format format : preset.formats) {
      Transform transform = preset.transform;
      transform.format = format;
      const std::string spelling = to_string(transform);
      const auto encoder = encoder_version(format);
      if (!encoder) continue;
      for (const Rendition& rendition : renditions) {
        if (rendition.transform != spelling || rendition.encoder != *encoder) continue;
        nlohmann::ordered_json entry;
        entry["preset"] = preset.name;
        entry["format"] = to_string(format);
        entry["media_type"] = mime_type(format);
        entry["width"] = rendition.width;
        entry["height"] = rendition.height;
        entry["size"] = rendition.size_bytes;
        entry["url"] = signer.delivery_url(base_url, "/media/" + std::to_string(media.id) + "/renditions/" + preset.name,
                                           {{"format", std::string(to_string(format))}, {"v", rendition.digest.to_hex()}}, expires_at);
        object["renditions"].push_back(std::move(entry));
        break;
      }
    }
  }
  object["srcset"] = srcset_of(object["renditions"]);
}

std::string dump(const nlohmann::ordered_json& value) {
  return value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace media::server
