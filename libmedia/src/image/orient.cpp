#include "image/orient.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace media::image {
namespace {

/// Where the pixel (x, y) of the result lies in the source: origin + x * across + y * down, in bytes.
struct Walk {
  std::ptrdiff_t origin;
  std::ptrdiff_t across;
  std::ptrdiff_t down;
};

Walk walk(const Image& image, std::uint8_t orientation) {
  const auto pixel = static_cast<std::ptrdiff_t>(channels(image.layout));
  const auto line = static_cast<std::ptrdiff_t>(image.stride());
  const std::ptrdiff_t right = pixel * (static_cast<std::ptrdiff_t>(image.size.width) - 1);
  const std::ptrdiff_t bottom = line * (static_cast<std::ptrdiff_t>(image.size.height) - 1);
  switch (orientation) {
    case 2:
      return {right, -pixel, line};
    case 3:
      return {bottom + right, -pixel, -line};
    case 4:
      return {bottom, pixel, -line};
    case 5:
      return {0, line, pixel};
    case 6:
      return {bottom, -line, pixel};
    case 7:
      return {bottom + right, -line, -pixel};
    case 8:
      return {right, line, -pixel};
    default:
      return {0, pixel, line};
  }
}

template <std::size_t kPixel>
void copy_pixels(const Image& from, Image& to, const Walk& way) {
  // In squares, because with a quarter turn one of the two sides is read or written across the rows.
  constexpr std::uint32_t kTile = 32;
  for (std::uint32_t top = 0; top < to.size.height; top += kTile) {
    const std::uint32_t bottom = std::min(top + kTile, to.size.height);
    for (std::uint32_t left = 0; left < to.size.width; left += kTile) {
      const std::uint32_t right = std::min(left + kTile, to.size.width);
      for (std::uint32_t y = top; y < bottom; ++y) {
        std::uint8_t* out = to.row(y).data() + std::size_t{left} * kPixel;
        std::ptrdiff_t at = way.origin + static_cast<std::ptrdiff_t>(y) * way.down + static_cast<std::ptrdiff_t>(left) * way.across;
        for (std::uint32_t x = left; x < right; ++x, out += kPixel, at += way.across) std::memcpy(out, from.data.data() + at, kPixel);
      }
    }
  }
}

}  // namespace

Image orient(const Image& image, std::uint8_t orientation) {
  if (orientation < 2 || orientation > 8) return image;
  Image out(upright(image.size, orientation), image.layout);
  const Walk way = walk(image, orientation);
  switch (channels(image.layout)) {
    case 1:
      copy_pixels<1>(image, out, way);
      break;
    case 3:
      copy_pixels<3>(image, out, way);
      break;
    default:
      copy_pixels<4>(image, out, way);
      break;
  }
  return out;
}

Image orient(Image&& image, std::uint8_t orientation) {
  if (orientation < 2 || orientation > 8) return std::move(image);
  return orient(std::as_const(image), orientation);
}

}  // namespace media::image
