// Pictures and videos made without any codec of ours: bytes as the specifications have them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace test {

struct Rgba {
  std::uint8_t red = 0;
  std::uint8_t green = 0;
  std::uint8_t blue = 0;
  std::uint8_t alpha = 255;
};

/// An 8-bit PNG (RGB, or RGBA with `alpha`) of `pixel(x, y)`, its pixels stored, not compressed; `comment` makes two of the same picture
/// differ.
std::vector<std::byte> png(std::uint32_t width, std::uint32_t height, const std::function<Rgba(std::uint32_t, std::uint32_t)>& pixel,
                           bool alpha = false, std::string_view comment = {});
/// A smooth picture in which every corner differs; photographs compress like it.
std::vector<std::byte> gradient_png(std::uint32_t width, std::uint32_t height, std::string_view comment = {});
/// A GIF of 2 x 1 pixels, black and white, that change places every 0.1 s for ever.
std::vector<std::byte> blinking_gif();
/// An MP4 that describes one H.264 track of the given size and duration and holds `payload_bytes` of media data.
/// Its headers are whole; its payload is no video.
std::vector<std::byte> mp4(std::uint32_t width, std::uint32_t height, std::uint32_t duration_ms, std::size_t payload_bytes);

}  // namespace test
