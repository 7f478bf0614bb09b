/// Base64 (RFC 4648), for cursors, digests and tokens.
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
/// Reads the URL-safe alphabet alone, without padding and with no bit set that means nothing: one value has one spelling, as signed
/// text must (RFC 7515, section 2).
std::optional<std::string> base64url_decode(std::string_view text);

}  // namespace media::server
