/// Base64 (RFC 4648), for cursors and digests.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace media::server {

/// The standard alphabet, padded.
std::string base64_encode(std::span<const std::uint8_t> bytes);
std::string base64_encode(std::string_view text);
/// Reads the standard and the URL-safe alphabet, padding optional; nothing for anything else.
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace media::server
