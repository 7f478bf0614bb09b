#include "image/pixels.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "image/tone.hpp"

namespace media::image {
namespace {

constexpr std::uint32_t kAveragedRows = 128;

}  // namespace

Image flatten(Image image, Colour background) {
  if (image.layout != Layout::rgba) return image;
  Image out(image.size, Layout::rgb);
  const std::array<unsigned, 3> under{background.red, background.green, background.blue};
  const std::uint8_t* in = image.data.data();
  std::uint8_t* to = out.data.data();
  // Code values are mixed, not light: that is what browsers and editors do, so the result looks like the source does there.
  for (std::uint64_t left = image.size.pixels(); left > 0; --left, in += 4, to += 3) {
    const unsigned alpha = in[3];
    for (std::size_t c = 0; c < 3; ++c) to[c] = static_cast<std::uint8_t>((in[c] * alpha + under[c] * (255 - alpha) + 127) / 255);
  }
  return out;
}

Image grey_to_rgb(Image image) {
  if (image.layout != Layout::grey) return image;
  Image out(image.size, Layout::rgb);
  std::uint8_t* to = out.data.data();
  for (const std::uint8_t value : image.data) {
    to[0] = to[1] = to[2] = value;
    to += 3;
  }
  return out;
}

bool is_opaque(const Image& image) noexcept {
  if (image.layout != Layout::rgba) return true;
  for (std::size_t at = 3; at < image.data.size(); at += 4) {
    if (image.data[at] != 255) return false;
  }
  return true;
}

std::string average_colour(const Image& image) {
  const std::uint32_t step = channels(image.layout);
  const auto& light = to_light();
  std::array<std::uint64_t, 3> sums{};
  std::uint64_t weights = 0;
  const std::uint32_t rows_apart = std::max(1U, image.size.height / kAveragedRows);
  for (std::uint32_t y = 0; y < image.size.height; y += rows_apart) {
    const std::span<const std::uint8_t> row = image.row(y);
    for (std::size_t at = 0; at < row.size(); at += step) {
      const std::uint8_t* pixel = row.data() + at;
      const unsigned alpha = step == 4 ? pixel[3] : 255;
      for (std::size_t c = 0; c < 3; ++c) sums[c] += static_cast<std::uint64_t>(light[pixel[step == 1 ? 0 : c]]) * alpha;
      weights += alpha;
    }
  }
  std::string out = "#";
  for (const std::uint64_t sum : sums) {
    // A picture that is all transparent shows what is behind it, which is most often white.
    const std::uint64_t average = weights == 0 ? kFullLight : (sum + weights / 2) / weights;
    const std::uint8_t value = from_light()[std::min<std::uint64_t>(average, kFullLight)];
    constexpr char kDigits[] = "0123456789abcdef";
    out += kDigits[value >> 4U];
    out += kDigits[value & 15U];
  }
  return out;
}

}  // namespace media::image
