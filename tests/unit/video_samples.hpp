// Videos that tests make with the ffmpeg command, and what comes of them.
#pragma once

#include <string>
#include <vector>

#include "catch.hpp"
#include "ffmpeg.hpp"
#include "image_samples.hpp"
#include "media/io.hpp"
#include "support.hpp"
#include "video/derive.hpp"
#include "video/process.hpp"

namespace test {

/// H.264 of one of FFmpeg's sources ("testsrc2=…"), a key frame every `gop` frames.
inline std::vector<std::byte> h264(const std::string& source, const std::string& gop = "25", const std::string& name = "a.mp4") {
  return film(name, {"-f", "lavfi", "-i", source, "-c:v", "libx264", "-preset", "ultrafast", "-g", gop, "-pix_fmt", "yuv420p"});
}

inline media::Result<media::Derived> derive_video(std::span<const std::byte> source, const std::vector<std::string>& texts,
                                                  const media::DeriveOptions& options = {}) {
  media::video::get_ready();
  std::vector<media::Transform> transforms;
  for (const std::string& text : texts) {
    const auto transform = media::parse_transform(text);
    REQUIRE(transform.has_value());
    transforms.push_back(*transform);
  }
  return media::video::derive(media::MemoryReader(source), transforms, options);
}

/// The pixels of one output, which is a PNG.
inline media::image::Image pixels(std::span<const std::byte> source, const std::string& transform = "format=png") {
  const auto derived = derive_video(source, {transform});
  if (!derived) FAIL(derived.error().message);
  auto image = decode(derived->outputs.at(0).bytes, media::Format::png);
  REQUIRE(image.has_value());
  return std::move(*image);
}

struct Pixel {
  int red;
  int green;
  int blue;
};
inline Pixel pixel(const media::image::Image& image, double x, double y) {
  const auto at_x = static_cast<std::uint32_t>(x * (image.size.width - 1));
  const auto at_y = static_cast<std::uint32_t>(y * (image.size.height - 1));
  const std::uint32_t parts = media::image::channels(image.layout);
  const std::uint8_t* const c = image.row(at_y).data() + std::size_t{at_x} * parts;
  return parts < 3 ? Pixel{c[0], c[0], c[0]} : Pixel{c[0], c[1], c[2]};
}
inline bool near(const Pixel& is, const Pixel& wanted, int tolerance) {
  return std::abs(is.red - wanted.red) <= tolerance && std::abs(is.green - wanted.green) <= tolerance &&
         std::abs(is.blue - wanted.blue) <= tolerance;
}
#define CHECK_PIXEL(is, ...)                                                      \
  do {                                                                            \
    const test::Pixel media_is = (is);                                            \
    INFO("is " << media_is.red << " " << media_is.green << " " << media_is.blue); \
    CHECK(test::near(media_is, __VA_ARGS__));                                     \
  } while (false)

}  // namespace test
