/// Where the keys for signed URLs come from.
#pragma once

#include "config.hpp"
#include "media/sign.hpp"

namespace media::server {

/// The configured secrets; without any, one drawn by chance and kept in `<base path>/url-signing.key`, readable by this user alone, so that
/// URLs outlive a restart. Several processes that start at once agree on one. Errors: `io`, `denied`, `corrupt` (the file holds no key).
Result<SigningKeys> open_signing_keys(const Config& config);

}  // namespace media::server
