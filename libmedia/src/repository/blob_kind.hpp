/// Of which kind a blob is, by the rows that refer to it.
#pragma once

#include <optional>
#include <string>

#include "media/placement.hpp"

namespace media {

/// `media_type`: of a media whose original it is; absent where there is none.
inline BlobKind kind_of_blob(const std::optional<std::string>& media_type, bool is_rendition) {
  if (!media_type) return is_rendition ? BlobKind::rendition : BlobKind::other;
  if (media_type->starts_with("image/")) return BlobKind::image;
  return media_type->starts_with("video/") ? BlobKind::video : BlobKind::other;
}

}  // namespace media
