// Pictures that the image tests make for themselves, and how alike two pictures are.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "image/format.hpp"
#include "image/pipeline.hpp"
#include "media/io.hpp"

namespace test {

/// A smooth picture with an edge in it, no two corners alike: what codecs are made for, and what shows a turned picture.
inline media::image::Image scene(media::image::Size size, media::image::Layout layout = media::image::Layout::rgb) {
  media::image::Image image(size, layout);
  const std::uint32_t parts = channels(layout);
  for (std::uint32_t y = 0; y < size.height; ++y) {
    for (std::uint32_t x = 0; x < size.width; ++x) {
      const double u = (x + 0.5) / size.width;
      const double v = (y + 0.5) / size.height;
      const bool bar = u > 0.25 && u < 0.4 && v > 0.1 && v < 0.6;
      const double colours[4] = {bar ? 0.9 : 0.15 + 0.7 * u, bar ? 0.8 : 0.2 + 0.6 * v, 0.5 + 0.3 * std::sin(3 * u) * std::cos(2 * v),
                                 0.25 + 0.75 * v};
      for (std::uint32_t c = 0; c < parts; ++c) {
        image.row(y)[std::size_t{x} * parts + c] = static_cast<std::uint8_t>(std::lround(255 * colours[c]));
      }
    }
  }
  return image;
}

/// Peak signal to noise in dB; infinite for equal pictures, -1 where they are of different shapes.
inline double psnr(const media::image::Image& a, const media::image::Image& b) {
  if (a.size != b.size || a.layout != b.layout || a.data.empty()) return -1;
  double sum = 0;
  for (std::size_t i = 0; i < a.data.size(); ++i) {
    const double difference = double{static_cast<double>(a.data[i])} - b.data[i];
    sum += difference * difference;
  }
  if (sum == 0) return std::numeric_limits<double>::infinity();
  return 10 * std::log10(255.0 * 255.0 * static_cast<double>(a.data.size()) / sum);
}

inline std::vector<std::byte> encode(const media::image::Image& image, media::Format format, int quality) {
  const media::DeriveOptions options;
  return media::image::find_codec(format)->encode(image, quality, media::image::Control(options)).value();
}

/// All pixels of an encoded picture as they are coded: not turned, not converted, at full size.
inline media::Result<media::image::Image> decode(std::span<const std::byte> bytes, media::Format format) {
  const media::DeriveOptions options;
  const media::image::Control control(options);
  const media::MemoryReader reader(bytes);
  MEDIA_TRY_ASSIGN(auto decoder, media::image::find_codec(format)->open(reader, control));
  MEDIA_TRY_ASSIGN(const media::image::Rows rows, decoder->start(decoder->header().picture));
  media::image::Image image(rows.size, rows.layout);
  for (std::uint32_t y = 0; y < rows.size.height; ++y) MEDIA_TRY(decoder->read_row(image.row(y)));
  return image;
}

/// The same in 16 bits, of a file that keeps more than 8.
inline media::Result<media::image::DeepImage> decode_deep(std::span<const std::byte> bytes, media::Format format) {
  const media::DeriveOptions options;
  const media::image::Control control(options);
  const media::MemoryReader reader(bytes);
  MEDIA_TRY_ASSIGN(auto decoder, media::image::find_codec(format)->open(reader, control));
  if (decoder->deep() == nullptr) return media::Error{media::Errc::unsupported, "no more than 8 bits"};
  MEDIA_TRY_ASSIGN(const media::image::Rows rows, decoder->deep()->start_deep());
  media::image::DeepImage image(rows.size, rows.layout);
  for (std::uint32_t y = 0; y < rows.size.height; ++y) MEDIA_TRY(decoder->deep()->read_deep_row(image.row(y)));
  return image;
}

inline media::Result<media::Derived> derive(std::span<const std::byte> source, const std::vector<std::string>& transforms,
                                            const media::DeriveOptions& options = {}) {
  std::vector<media::Transform> parsed;
  for (const std::string& text : transforms) {
    MEDIA_TRY_ASSIGN(auto transform, media::parse_transform(text));
    parsed.push_back(transform);
  }
  return media::image::derive(media::MemoryReader(source), parsed, options);
}

/// The one output as pixels.
inline media::Result<media::image::Image> derived_pixels(std::span<const std::byte> source, const std::string& transform) {
  MEDIA_TRY_ASSIGN(auto derived, derive(source, {transform}));
  return decode(derived.outputs.at(0).bytes, derived.outputs.at(0).transform.format);
}

inline void append(std::vector<std::byte>& out, std::string_view text) {
  for (const char c : text) out.push_back(static_cast<std::byte>(c));
}
inline void append_big_endian(std::vector<std::byte>& out, std::uint32_t value, int width) {
  for (int i = width - 1; i >= 0; --i) out.push_back(static_cast<std::byte>(value >> (8 * i)));
}

/// A TIFF block with an orientation and a GPS position, in either byte order.
inline std::vector<std::byte> exif(std::uint8_t orientation, bool big_endian = true) {
  std::vector<std::byte> out;
  const auto number = [&](std::uint32_t value, int width) {
    for (int i = 0; i < width; ++i) out.push_back(static_cast<std::byte>(value >> (8 * (big_endian ? width - 1 - i : i))));
  };
  append(out, big_endian ? "MM" : "II");
  number(42, 2);
  number(8, 4);
  number(2, 2);
  number(0x0112, 2), number(3, 2), number(1, 4), number(orientation, 2), number(0, 2);
  number(0x8825, 2), number(4, 2), number(1, 4), number(38, 4);  // The GPS directory.
  number(0, 4);
  number(1, 2);
  number(1, 2), number(2, 2), number(2, 4);  // GPSLatitudeRef
  append(out, std::string_view("N\0\0\0", 4));
  number(0, 4);
  append(out, "GPS-SECRET");
  return out;
}

/// A JPEG with a segment put in after its first marker.
inline std::vector<std::byte> with_jpeg_segment(std::span<const std::byte> jpeg, std::uint8_t marker, std::span<const std::byte> content) {
  std::vector<std::byte> out(jpeg.begin(), jpeg.begin() + 2);
  out.push_back(std::byte{0xFF});
  out.push_back(std::byte{marker});
  append_big_endian(out, static_cast<std::uint32_t>(content.size() + 2), 2);
  out.insert(out.end(), content.begin(), content.end());
  out.insert(out.end(), jpeg.begin() + 2, jpeg.end());
  return out;
}

inline std::vector<std::byte> with_jpeg_exif(std::span<const std::byte> jpeg, std::span<const std::byte> tiff) {
  std::vector<std::byte> content;
  append(content, std::string_view("Exif\0\0", 6));
  content.insert(content.end(), tiff.begin(), tiff.end());
  return with_jpeg_segment(jpeg, 0xE1, content);
}

inline std::vector<std::byte> with_jpeg_profile(std::span<const std::byte> jpeg, std::span<const std::byte> profile) {
  std::vector<std::byte> content;
  append(content, std::string_view("ICC_PROFILE\0\1\1", 14));
  content.insert(content.end(), profile.begin(), profile.end());
  return with_jpeg_segment(jpeg, 0xE2, content);
}

inline bool contains(std::span<const std::byte> bytes, std::string_view text) {
  return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()).find(text) != std::string_view::npos;
}

}  // namespace test
