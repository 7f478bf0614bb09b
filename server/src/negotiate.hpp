/// Which format a client can show, and how a file name travels in a header.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.hpp"
#include "media/media_info.hpp"

namespace media::server {

/// The Accept field, of however many lines it is; nothing where there is none.
std::optional<std::string> accepted_by(const http::Request& request);

/// Picks from what is on offer by an Accept field (RFC 9110 section 12.5.1): AVIF, then WebP, where the client names them; a wildcard
/// alone does not promise that it can show them, so everybody else gets JPEG, or PNG where the picture has alpha and the client takes it.
Format negotiate(std::optional<std::string_view> accept, const std::vector<Format>& on_offer, bool has_alpha);

/// A Content-Disposition (RFC 6266) with an ASCII fallback and, where needed, the name in UTF-8; what is not UTF-8 is replaced.
std::string content_disposition(std::string_view kind, std::string_view filename);

}  // namespace media::server
