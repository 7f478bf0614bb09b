/// What mediad on this store signs with.
#pragma once

#include <string>

#include "command.hpp"
#include "media/sign.hpp"

namespace mediactl {

/// A variable's value; empty where it is not set.
std::string environment(const char* name);

/// The environment's key (UPLOAD_URL_SECRET, or the file that UPLOAD_URL_SECRET_FILE names), else the one that is kept beside the store.
/// Errors: `invalid_argument`, and those of open_signing_key_file.
media::Result<media::SigningKeys> open_signing_keys(const Globals& globals);

}  // namespace mediactl
