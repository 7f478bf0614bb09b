/// Where a blob lies in a filesystem store: `ab/cd/ef/<64 hex>`, and what a name found there means.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "media/digest.hpp"

namespace media::store {

/// Folders above a blob. Their names are the digest's first bytes, one each.
inline constexpr unsigned kFanOutDepth = 3;

/// The blob's path below the store's base.
std::string blob_path(const Digest& digest);

/// The first `depth` bytes of the digest as a number: which folder of that depth it belongs to.
std::uint32_t folder_index(const Digest& digest, unsigned depth);
/// The path of that folder below the base: "." at depth 0, "ab/cd" at depth 2.
std::string folder_path(unsigned depth, std::uint32_t index);

/// Two lower-case hexadecimal digits.
bool is_fan_out_name(std::string_view name);
/// The digest that a file name spells in full, in lower case; absent for any other name.
std::optional<Digest> digest_of_name(std::string_view name);

}  // namespace media::store
