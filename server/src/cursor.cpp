#include "cursor.hpp"

#include <charconv>
#include <nlohmann/json.hpp>

#include "auth/strict_json.hpp"
#include "base64.hpp"

namespace media::server {

Result<MediaId> parse_media_id(std::string_view text) {
  MediaId id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  const bool digits_only = !text.empty() && text.front() >= '0' && text.front() <= '9';
  if (error != std::errc{} || end != text.data() + text.size() || !digits_only || id < 1 || id > kMaxMediaId) {
    return Error{Errc::invalid_argument, "a media id is a positive integer below 2^53"};
  }
  return id;
}

std::string to_string(const Cursor& cursor) {
  return base64_encode("{\"id\":" + std::to_string(cursor.id) + (cursor.backward ? ",\"dir\":\"prev\"}" : "}"));
}

Result<Cursor> parse_cursor(std::string_view text) {
  const Error bad{Errc::invalid_argument, "cursor: not one that this service gave out"};
  if (text.empty() || text.size() > 512) return bad;
  const auto decoded = base64_decode(text);
  if (!decoded || decoded->empty()) return bad;
  if (const auto plain = parse_media_id(*decoded)) return Cursor{*plain, false};
  const auto object = parse_strict_object(*decoded);
  if (!object) return bad;
  const nlohmann::json& json = *object;
  if (!json.contains("id") || !json["id"].is_number_unsigned()) return bad;
  const auto id = json["id"].get<std::uint64_t>();
  // One beyond the ids on either side: the ends of a page that begins with the first one, or ends with the last.
  if (id > static_cast<std::uint64_t>(kMaxMediaId) + 1) return bad;
  Cursor cursor{static_cast<MediaId>(id), false};
  if (json.contains("dir")) {
    if (json["dir"] != "prev" && json["dir"] != "next") return bad;
    cursor.backward = json["dir"] == "prev";
  }
  return cursor;
}

}  // namespace media::server
