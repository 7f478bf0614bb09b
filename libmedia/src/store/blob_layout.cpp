#include "store/blob_layout.hpp"

#include <algorithm>

namespace media::store {
namespace {

bool is_lower_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

}  // namespace

std::string blob_path(const Digest& digest) {
  return folder_path(kFanOutDepth, folder_index(digest, kFanOutDepth)) + '/' + digest.to_hex();
}

std::uint32_t folder_index(const Digest& digest, unsigned depth) {
  std::uint32_t index = 0;
  for (unsigned i = 0; i < depth; ++i) index = index << 8U | digest.bytes()[i];
  return index;
}

std::string folder_path(unsigned depth, std::uint32_t index) {
  static constexpr char kDigits[] = "0123456789abcdef";
  if (depth == 0) return ".";
  std::string path;
  for (unsigned i = depth; i-- > 0;) {
    const std::uint32_t byte = index >> (8U * i) & 0xffU;
    if (!path.empty()) path.push_back('/');
    path.push_back(kDigits[byte >> 4U]);
    path.push_back(kDigits[byte & 15U]);
  }
  return path;
}

bool is_fan_out_name(std::string_view name) { return name.size() == 2 && std::all_of(name.begin(), name.end(), is_lower_hex); }

std::optional<Digest> digest_of_name(std::string_view name) {
  // Only the one spelling that the store writes: an upper-case name would not be found again by its digest.
  if (!std::all_of(name.begin(), name.end(), is_lower_hex)) return std::nullopt;
  auto digest = Digest::from_hex(name);
  if (!digest) return std::nullopt;
  return *digest;
}

}  // namespace media::store
