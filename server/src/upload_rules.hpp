/// What may be announced for upload, whichever way its bytes come. The content itself is judged when it is there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config.hpp"
#include "media/library.hpp"

namespace media::server {

inline constexpr std::size_t kMaxFilenameBytes = 255;

std::string ascii_lower(std::string text);
/// What stands behind the last slash, of either kind.
std::string without_path(std::string filename);

// What would be accepted instead; nothing where the announcement is good.

/// A name that is too long or empty, has control characters or one of the blocked extensions, at its end or further in.
std::optional<std::string> refuse_filename(const std::string& filename, const std::vector<std::string>& blocked_extensions);
/// A type (in lower case) that is not let in.
std::optional<std::string> refuse_type(const std::string& media_type, const AdmissionPolicy& policy);
/// A name whose extension says another type.
std::optional<std::string> refuse_mismatch(const std::string& filename, const std::string& media_type);

/// The most bytes that an upload announced with this type may have; with an empty one, any upload at all.
std::uint64_t upload_limit(const std::string& media_type, const AdmissionPolicy& policy, const Config& config);

}  // namespace media::server
