#include <gif_lib.h>
#include <hwy/highway.h>
#include <jpeglib.h>
#include <lcms2.h>
#include <spng.h>
#include <webp/decode.h>
#include <webp/encode.h>
#if MEDIA_WITH_AVIF
#include <avif/avif.h>
#endif
#if MEDIA_WITH_HEIC
#include <libheif/heif.h>
#endif
#if MEDIA_WITH_TIFF
#include <tiffio.h>
#endif

#include <array>
#include <string>

#include "image/format.hpp"
#include "image/simd.hpp"
#include "media/doctor.hpp"

namespace media {
namespace {

#define MEDIA_TEXT_OF(number) #number
#define MEDIA_TEXT(number) MEDIA_TEXT_OF(number)

/// 0x010203 as "1.2.3".
std::string three_parts(int packed) {
  return std::to_string(packed >> 16 & 0xff) + '.' + std::to_string(packed >> 8 & 0xff) + '.' + std::to_string(packed & 0xff);
}

std::vector<LibraryVersion> libraries() {
  std::vector<LibraryVersion> all;
#ifdef LIBJPEG_TURBO_VERSION
  all.push_back({"libjpeg-turbo", MEDIA_TEXT(LIBJPEG_TURBO_VERSION)});
#else
  all.push_back({"libjpeg", std::to_string(JPEG_LIB_VERSION)});
#endif
  all.push_back({"libspng", spng_version_string()});
  all.push_back({"libwebp", three_parts(WebPGetEncoderVersion())});
  all.push_back({"giflib", MEDIA_TEXT(GIFLIB_MAJOR) "." MEDIA_TEXT(GIFLIB_MINOR) "." MEDIA_TEXT(GIFLIB_RELEASE)});
#if MEDIA_WITH_AVIF
  std::array<char, 256> codecs{};
  ::avifCodecVersions(codecs.data());
  all.push_back({"libavif", std::string(::avifVersion()) + " (" + codecs.data() + ")"});
#endif
#if MEDIA_WITH_HEIC
  all.push_back({"libheif", ::heif_get_version()});
#endif
#if MEDIA_WITH_TIFF
  // "LIBTIFF, Version 4.5.0" and lines of copyright.
  const std::string tiff = ::TIFFGetVersion();
  const auto number = tiff.find("Version ");
  all.push_back({"libtiff", number == std::string::npos ? tiff : tiff.substr(number + 8, tiff.find('\n', number) - number - 8)});
#endif
  const int colour = ::cmsGetEncodedCMMversion();
  all.push_back({"lcms2", std::to_string(colour / 1000) + '.' + std::to_string(colour / 10 % 100)});
  all.push_back({"Highway", MEDIA_TEXT(HWY_MAJOR) "." MEDIA_TEXT(HWY_MINOR) "." MEDIA_TEXT(HWY_PATCH)});
  return all;
}

}  // namespace

ImageFacts image_facts() {
  ImageFacts facts;
  facts.simd = image::simd_target();
  for (const image::Codec& codec : image::codecs()) {
    facts.codecs.push_back(
        {std::string(to_string(codec.format)), codec.encode != nullptr, codec.version != nullptr ? codec.version() : std::string()});
  }
  facts.libraries = libraries();
  return facts;
}

}  // namespace media
