/// Where a page of a listing begins.
#pragma once

#include <string>
#include <string_view>

#include "media/records.hpp"
#include "media/result.hpp"

namespace media::server {

/// base64 of `{"id":N}`: the last id seen; or of `{"id":N,"dir":"prev"}`: the first id seen, to go back from. There need not be a media of
/// that id.
struct Cursor {
  MediaId id = 0;
  bool backward = false;
  friend bool operator==(const Cursor&, const Cursor&) = default;
};

std::string to_string(const Cursor& cursor);
/// Reads what `to_string` writes, and the base64 of a plain integer. `invalid_argument` for anything else.
Result<Cursor> parse_cursor(std::string_view text);

/// A positive integer below 2^53, digits only. `invalid_argument` otherwise.
Result<MediaId> parse_media_id(std::string_view text);

}  // namespace media::server
