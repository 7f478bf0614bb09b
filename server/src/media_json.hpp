/// Media as the contract's JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "json_writer.hpp"
#include "media/library.hpp"
#include "url_signer.hpp"

namespace media::server {

/// The members of a media object, within one that the caller has begun.
void write_media(JsonWriter& json, const Media& media);
/// And `renditions` with their signed URLs, one for each that is a preset's, and `srcset` of the same URLs.
void write_renditions(JsonWriter& json, const Media& media, const std::vector<Rendition>& renditions, const std::vector<Preset>& presets,
                      const UrlSigner& signer, const std::string& base_url);
/// Text for a client; what is not UTF-8 in it becomes U+FFFD.
std::string dump(const nlohmann::ordered_json& value);

}  // namespace media::server
