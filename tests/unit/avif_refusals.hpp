// Which pictures of the corpus newer releases of libavif take for damaged.
#pragma once

#include <avif/avif.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace test {

/// A reference to item 0, and a crop that is not marked essential, break rules that libavif has looked at since 1.1. Up to 1.0 it shows
/// these, and so do browsers with one of that age.
inline bool refused_by_libavif(std::string_view path) {
#if AVIF_VERSION >= 1010000
  constexpr std::array<std::string_view, 6> kFiles = {
      "avif/linku/star-8bpc-with-alpha.avifs",  "avif/linku/star-10bpc-with-alpha.avifs",
      "avif/linku/star-12bpc-with-alpha.avifs", "avif/mp4parse/alpha_video_avif_major_avis_compatible.avif",
      "avif/mp4parse/alpha_video_no_avis.avif", "avif/mp4parse/clap-missing-essential.avif",
  };
  return std::find(kFiles.begin(), kFiles.end(), path) != kFiles.end();
#else
  static_cast<void>(path);
  return false;
#endif
}

}  // namespace test
