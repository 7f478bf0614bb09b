#include "image/pixels.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "image/tone.hpp"

namespace media::image {
namespace {

constexpr std::uint32_t kAveragedRows = 128;

template <class Code>
Raster<Code> laid_over(Raster<Code> image, Colour background) {
  if (image.layout != Layout::rgba) return image;
  constexpr unsigned kMost = kWhite<Code>;
  constexpr unsigned kUnit = kMost / 255;
  Raster<Code> out(image.size, Layout::rgb);
  const std::array<unsigned, 3> under{background.red * kUnit, background.green * kUnit, background.blue * kUnit};
  const Code* in = image.data.data();
  Code* to = out.data.data();
  // Code values are mixed, not light: that is what browsers and editors do, so the result looks like the source does there.
  for (std::uint64_t left = image.size.pixels(); left > 0; --left, in += 4, to += 3) {
    const unsigned alpha = in[3];
    // Of 16 bits, too, 32 hold the sum: white times white and a half.
    for (std::size_t c = 0; c < 3; ++c) to[c] = static_cast<Code>((in[c] * alpha + under[c] * (kMost - alpha) + kMost / 2) / kMost);
  }
  return out;
}

template <class Code>
Raster<Code> spread(Raster<Code> image) {
  if (image.layout != Layout::grey) return image;
  Raster<Code> out(image.size, Layout::rgb);
  Code* to = out.data.data();
  for (const Code value : image.data) {
    to[0] = to[1] = to[2] = value;
    to += 3;
  }
  return out;
}

template <class Code>
bool has_no_hole(const Raster<Code>& image) noexcept {
  if (image.layout != Layout::rgba) return true;
  for (std::size_t at = 3; at < image.data.size(); at += 4) {
    if (image.data[at] != kWhite<Code>) return false;
  }
  return true;
}

}  // namespace

Image narrowed(const DeepImage& image) {
  Image out(image.size, image.layout);
  std::transform(image.data.begin(), image.data.end(), out.data.begin(), [](std::uint16_t code) { return narrowed(code); });
  return out;
}

Image flatten(Image image, Colour background) { return laid_over(std::move(image), background); }
DeepImage flatten(DeepImage image, Colour background) { return laid_over(std::move(image), background); }
Image grey_to_rgb(Image image) { return spread(std::move(image)); }
DeepImage grey_to_rgb(DeepImage image) { return spread(std::move(image)); }
bool is_opaque(const Image& image) noexcept { return has_no_hole(image); }
bool is_opaque(const DeepImage& image) noexcept { return has_no_hole(image); }

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
