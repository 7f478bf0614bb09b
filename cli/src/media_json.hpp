/// A media as the JSON object of the HTTP contract.
#pragma once

#include <span>

#include "console.hpp"
#include "media/records.hpp"
#include "media/transform.hpp"

namespace mediactl {

/// The object that `GET /media/{id}` answers, less what only a server can know (signed URLs). What is unknown is null.
/// Width and height are those that a viewer sees, after orientation. `presets` give renditions their names.
Json media_object(const media::Media& media, std::span<const media::Rendition> renditions, std::span<const media::Preset> presets);

/// "ab/cd/ef/<64 hex>": where a filesystem store keeps the blob.
std::string media_path(const media::Digest& digest);

}  // namespace mediactl
