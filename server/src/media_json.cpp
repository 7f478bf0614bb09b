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

/// A rendition that is there, as a page takes it.
struct Offer {
  std::string_view preset;
  Format format = Format::unknown;
  const Rendition* rendition = nullptr;
  std::string url;
};

std::vector<Offer> offers_of(const Media& media, const std::vector<Rendition>& renditions, const std::vector<Preset>& presets,
                             const UrlSigner& signer, const std::string& base_url) {
  std::vector<Offer> offers;
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
        offers.push_back({preset.name, format, &rendition,
                          signer.delivery_url(base_url, "/media/" + std::to_string(media.id) + "/renditions/" + preset.name,
                                              {{"format", std::string(to_string(format))}, {"v", rendition.digest.to_hex()}}, expires_at)});
        break;
      }
    }
  }
  return offers;
}

/// By format, what an `srcset` attribute takes: each width once, the narrowest first.
void write_srcset(JsonWriter& json, const std::vector<Offer>& offers) {
  std::map<std::string_view, std::map<std::uint32_t, std::string_view>> urls;
  for (const Offer& offer : offers) urls[to_string(offer.format)].emplace(offer.rendition->width, offer.url);
  json.key("srcset").begin_object();
  for (const auto& [format, by_width] : urls) {
    std::string value;
    for (const auto& [width, url] : by_width) {
      if (!value.empty()) value += ", ";
      value += url;
      value += " " + std::to_string(width) + "w";
    }
    json.member(format, value);
  }
  json.end_object();
}

}  // namespace

void write_media(JsonWriter& json, const Media& media) {
  json.member("id", media.id);
  const std::string hex = media.digest ? media.digest->to_hex() : std::string();
  const auto unless_empty = [](std::string_view text) { return text.empty() ? std::nullopt : std::optional(text); };
  json.member("content_hash", unless_empty(hex));
  json.member("original_filename", media.filename);
  json.member("media_type", media.media_type);
  const std::string path = hex.empty() ? hex : hex.substr(0, 2) + "/" + hex.substr(2, 2) + "/" + hex.substr(4, 2) + "/" + hex;
  json.member("media_path", unless_empty(path));
  json.member("file_size", media.size_bytes);
  json.member("processing_status", to_string(media.status));
  json.member("uploaded_at", to_rfc3339(media.uploaded_at));
  json.member("updated_at", to_rfc3339(media.updated_at));
  json.member("visibility", to_string(media.visibility));
  const auto side = [](std::uint32_t pixels) { return pixels > 0 ? std::optional(pixels) : std::nullopt; };
  json.member("width", side(media.info.display_width()));
  json.member("height", side(media.info.display_height()));
  json.member("duration_ms", media.info.duration ? std::optional(media.info.duration->count()) : std::nullopt);
  // What is kept back is not shown, and how it looks is not told either.
  const bool is_held = media.held != Hold::none;
  const Appearance appearance = is_held ? Appearance{} : media.appearance;
  json.member("placeholder", is_held ? std::nullopt : unless_empty(media.placeholder));
  json.member("dominant_color", unless_empty(appearance.dominant_colour));
  json.member("thumbhash", appearance.known() ? std::optional(base64_encode(text_of(appearance.thumbhash))) : std::nullopt);
  json.member("perceptual_hash", appearance.perceptual_hash ? std::optional(to_string(*appearance.perceptual_hash)) : std::nullopt);
  json.member("held", is_held ? std::optional(to_string(media.held)) : std::nullopt);
  json.member("owner_id", media.owner);
  json.key("tags").begin_array();
  for (const std::string& tag : media.tags) json.value(tag);
  json.end_array();
  json.member("expires_at", media.expires_at ? std::optional(to_rfc3339(*media.expires_at)) : std::nullopt);
}

void write_renditions(JsonWriter& json, const Media& media, const std::vector<Rendition>& renditions, const std::vector<Preset>& presets,
                      const UrlSigner& signer, const std::string& base_url) {
  const auto offers = offers_of(media, renditions, presets, signer, base_url);
  json.key("renditions").begin_array();
  for (const Offer& offer : offers) {
    json.begin_object();
    json.member("preset", offer.preset);
    json.member("format", to_string(offer.format));
    json.member("media_type", mime_type(offer.format));
    json.member("width", offer.rendition->width);
    json.member("height", offer.rendition->height);
    json.member("size", offer.rendition->size_bytes);
    json.member("url", offer.url);
    json.end_object();
  }
  json.end_array();
  write_srcset(json, offers);
}

std::string dump(const nlohmann::ordered_json& value) {
  return value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace media::server
