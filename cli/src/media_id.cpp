#include "media_id.hpp"

#include <charconv>
#include <string>

namespace mediactl {

std::optional<media::MediaId> parse_media_id(std::string_view text) noexcept {
  media::MediaId id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size() || id < 1 || id > media::kMaxMediaId) return std::nullopt;
  return id;
}

media::Error no_such_media(media::MediaId id) {
  return media::Error{media::Errc::not_found, "no media " + std::to_string(id) + " in the store"};
}

}  // namespace mediactl
