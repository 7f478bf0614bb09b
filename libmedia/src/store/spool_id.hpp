/// Ids of uploads, which become names of files.
#pragma once

#include <algorithm>
#include <string_view>

namespace media::store {

inline bool is_spool_id(std::string_view id) noexcept {
  return !id.empty() && id.size() <= 64 &&
         std::all_of(id.begin(), id.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z'); });
}

}  // namespace media::store
