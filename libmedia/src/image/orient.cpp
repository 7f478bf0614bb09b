#include "image/orient.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace media::image {
namespace {

/// Where the pixel (x, y) of the result lies in the source: origin + x * across + y * down, in samples.
struct Walk {
  std::ptrdiff_t origin;
  std::ptrdiff_t across;
  std::ptrdiff_t down;
};

template <class Code>
Walk walk(const Raster<Code>& image, std::uint8_t orientation) {
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

template <std::size_t kPixel, class Code>
void copy_pixels(const Raster<Code>& from, Raster<Code>& to, const Walk& way) {
  // In squares, because with a quarter turn one of the two sides is read or written across the rows.
  constexpr std::uint32_t kTile = 32;
  for (std::uint32_t top = 0; top < to.size.height; top += kTile) {
    const std::uint32_t bottom = std::min(top + kTile, to.size.height);
    for (std::uint32_t left = 0; left < to.size.width; left += kTile) {
      const std::uint32_t right = std::min(left + kTile, to.size.width);
      for (std::uint32_t y = top; y < bottom; ++y) {
        Code* out = to.row(y).data() + std::size_t{left} * kPixel;
        std::ptrdiff_t at = way.origin + static_cast<std::ptrdiff_t>(y) * way.down + static_cast<std::ptrdiff_t>(left) * way.across;
        for (std::uint32_t x = left; x < right; ++x, out += kPixel, at += way.across)
          std::memcpy(out, from.data.data() + at, kPixel * sizeof(Code));
      }
    }
  }
}

/// An orientation as what it does to a direction: exchange the axes or not, then turn each round or not.
struct Turn {
  bool swaps;
  bool against_x;
  bool against_y;
};

Turn turn_from(std::uint8_t orientation) {
  if (orientation < 1 || orientation > 8) return {false, false, false};
  const unsigned place = (orientation - 1U) % 4;
  return {orientation >= 5, place == 1 || place == 2, place >= 2};
}

std::uint8_t number_of(const Turn& turn) {
  const unsigned place = turn.against_y ? (turn.against_x ? 2U : 3U) : (turn.against_x ? 1U : 0U);
  return static_cast<std::uint8_t>(1 + place + (turn.swaps ? 4 : 0));
}

template <class Code>
Raster<Code> turned(const Raster<Code>& image, std::uint8_t orientation) {
  Raster<Code> out(upright(image.size, orientation), image.layout);
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

bool turns(std::uint8_t orientation) { return orientation >= 2 && orientation <= 8; }

}  // namespace

std::uint8_t combined(std::uint8_t first, std::uint8_t second) noexcept {
  Turn turn = turn_from(first);
  const Turn then = turn_from(second);
  // An exchange of axes takes along what has been done to them.
  if (then.swaps) std::swap(turn.against_x, turn.against_y);
  return number_of({turn.swaps != then.swaps, turn.against_x != then.against_x, turn.against_y != then.against_y});
}

std::uint8_t turn_of(const Transform& transform) noexcept {
  constexpr std::array<std::uint8_t, 4> kClockwise{1, 6, 3, 8};
  std::uint8_t turn = kClockwise[transform.rotate_degrees / 90U % 4U];
  if (transform.flip_horizontal) turn = combined(turn, 2);
  if (transform.flip_vertical) turn = combined(turn, 4);
  return turn;
}

Image orient(const Image& image, std::uint8_t orientation) { return turns(orientation) ? turned(image, orientation) : image; }
Image orient(Image&& image, std::uint8_t orientation) { return turns(orientation) ? turned(image, orientation) : std::move(image); }
DeepImage orient(DeepImage&& image, std::uint8_t orientation) { return turns(orientation) ? turned(image, orientation) : std::move(image); }

}  // namespace media::image
