/// JSON of strangers: small, flat, and each name once.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

namespace media::server {

/// Nothing for text that is no JSON object, nests deeper than eight levels, or has a name twice in one object (the parser would keep the
/// last, another reader the first).
std::optional<nlohmann::json> parse_strict_object(std::string_view text);

}  // namespace media::server
