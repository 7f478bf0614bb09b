#include "media_json.hpp"

#include "text.hpp"

namespace mediactl {
namespace {

template <class T>
Json known(bool is_known, const T& value) {
  return is_known ? Json(value) : Json();
}

Json rendition_object(const media::Rendition& rendition, std::span<const media::Preset> presets) {
  Json preset_name;
  for (const media::Preset& preset : presets) {
    media::Transform transform = preset.transform;
    transform.format = rendition.format;
    if (media::to_string(transform) == rendition.transform) preset_name = preset.name;
  }
  return Json{{"preset", preset_name},
              {"transform", rendition.transform},
              {"format", std::string(media::to_string(rendition.format))},
              {"media_type", std::string(media::mime_type(rendition.format))},
              {"width", rendition.width},
              {"height", rendition.height},
              {"size", rendition.size_bytes},
              {"digest", rendition.digest.to_hex()}};
}

}  // namespace

std::string media_path(const media::Digest& digest) {
  const std::string hex = digest.to_hex();
  return hex.substr(0, 2) + "/" + hex.substr(2, 2) + "/" + hex.substr(4, 2) + "/" + hex;
}

Json media_object(const media::Media& media, std::span<const media::Rendition> renditions, std::span<const media::Preset> presets) {
  Json list = Json::array();
  for (const media::Rendition& rendition : renditions) list.push_back(rendition_object(rendition, presets));
  return Json{{"id", media.id},
              {"content_hash", media.digest ? Json(media.digest->to_hex()) : Json()},
              {"original_filename", media.filename},
              {"media_type", media.media_type},
              {"media_path", media.digest ? Json(media_path(*media.digest)) : Json()},
              {"file_size", media.size_bytes},
              {"processing_status", std::string(media::to_string(media.status))},
              {"uploaded_at", media::to_rfc3339(media.uploaded_at)},
              {"updated_at", media::to_rfc3339(media.updated_at)},
              {"visibility", std::string(media::to_string(media.visibility))},
              {"width", known(media.info.display_width() > 0, media.info.display_width())},
              {"height", known(media.info.display_height() > 0, media.info.display_height())},
              {"duration_ms", media.info.duration ? Json(media.info.duration->count()) : Json()},
              {"placeholder", known(!media.placeholder.empty(), media.placeholder)},
              {"dominant_color", known(!media.appearance.dominant_colour.empty(), media.appearance.dominant_colour)},
              {"thumbhash", known(media.appearance.known(), base64(media.appearance.thumbhash))},
              {"perceptual_hash", media.appearance.perceptual_hash ? Json(media::to_string(*media.appearance.perceptual_hash)) : Json()},
              {"held", known(media.held != media::Hold::none, std::string(media::to_string(media.held)))},
              {"owner_id", media.owner},
              {"tags", media.tags},
              {"expires_at", media.expires_at ? Json(media::to_rfc3339(*media.expires_at)) : Json()},
              {"error_message", known(!media.error_message.empty(), media.error_message)},
              {"renditions", std::move(list)}};
}

}  // namespace mediactl
