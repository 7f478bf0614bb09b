// The one list of image formats. A new one is a file of its own and a line here.
#include "image/format.hpp"

#include <algorithm>
#include <array>

#include "image/settings.hpp"
#include "media/processor.hpp"

namespace media::image {

std::span<const Codec> codecs() noexcept {
  static const std::array kCodecs{
      kJpeg, kPng, kWebp,
#if MEDIA_WITH_AVIF
      kAvif,
#endif
      kGif,  kBmp,
#if MEDIA_WITH_TIFF
      kTiff,
#endif
#if MEDIA_WITH_HEIC
      kHeic,  // After AVIF: both share brands, and AVIF's are the more special.
#endif
  };
  return kCodecs;
}

void load_codecs() noexcept {
  for (const Codec& codec : codecs()) {
    if (codec.load != nullptr) codec.load();
  }
}

const Codec* find_codec(Format format) noexcept {
  const auto all = codecs();
  const auto found = std::find_if(all.begin(), all.end(), [&](const Codec& codec) { return codec.format == format; });
  return found == all.end() ? nullptr : &*found;
}

bool has_bytes(std::span<const std::byte> head, std::size_t offset, std::string_view bytes) noexcept {
  if (offset > head.size() || head.size() - offset < bytes.size()) return false;
  return std::equal(bytes.begin(), bytes.end(), head.begin() + static_cast<std::ptrdiff_t>(offset),
                    [](char a, std::byte b) { return static_cast<std::byte>(a) == b; });
}

bool has_brand(std::span<const std::byte> head, std::span<const std::string_view> brands) noexcept {
  if (!has_bytes(head, 4, "ftyp") || head.size() < 16) return false;
  std::size_t box = 0;
  for (std::size_t i = 0; i < 4; ++i) box = box << 8U | static_cast<std::size_t>(head[i]);
  const std::size_t end = std::min(box, head.size());
  for (std::size_t at = 8; at + 4 <= end; at += 4) {
    if (at == 12) continue;  // The minor version.
    if (std::any_of(brands.begin(), brands.end(), [&](std::string_view brand) { return has_bytes(head, at, brand); })) return true;
  }
  return false;
}

Result<void> WholeDecoder::read_row(std::span<std::uint8_t> row) {
  const auto from = image_.row(next_++);
  std::copy(from.begin(), from.end(), row.begin());
  return {};
}

}  // namespace media::image

namespace media {

Result<std::string> encoder_version(Format format) {
  // FFmpeg's own version is not part of it: the library does not map FFmpeg, and who changes a setting raises the number.
  if (format == Format::mp4) return std::string("h264-aac/v") + std::to_string(image::kVideoRevision);
  if (format == Format::webm) return std::string("vp9-opus/v") + std::to_string(image::kVideoRevision);
  const image::Codec* codec = image::find_codec(format);
  if (codec == nullptr || codec->version == nullptr) {
    return Error{Errc::unsupported, "this build cannot write " + std::string(to_string(format))};
  }
  return codec->version() + "/p" + std::to_string(image::kPixelsRevision);
}

bool can_decode(Format format) noexcept { return image::find_codec(format) != nullptr; }

}  // namespace media
