#include "media/appearance.hpp"

namespace media {

std::string to_string(PerceptualHash hash) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (unsigned shift = 64; shift > 0; shift -= 4) text += kDigits[hash.bits >> (shift - 4) & 15U];
  return text;
}

}  // namespace media
