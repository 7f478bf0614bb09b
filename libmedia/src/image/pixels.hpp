/// Decoded pixels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "media/transform.hpp"

namespace media::image {

struct Size {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  [[nodiscard]] constexpr std::uint64_t pixels() const noexcept { return std::uint64_t{width} * height; }
  friend bool operator==(const Size&, const Size&) = default;
};

/// Channels in this order, interleaved. Alpha is straight (not premultiplied); CMYK is 0 for no ink.
enum class Layout : std::uint8_t { grey, rgb, rgba, cmyk };

constexpr std::uint32_t channels(Layout layout) noexcept {
  switch (layout) {
    case Layout::grey:
      return 1;
    case Layout::rgb:
      return 3;
    case Layout::rgba:
    case Layout::cmyk:
      return 4;
  }
  return 4;
}

/// What white, and opaque, is among code values of this type: all there are of them are used.
template <class Code>
inline constexpr std::uint32_t kWhite = std::numeric_limits<Code>::max();

/// A picture in memory; rows follow each other without padding, so that `stride` is width x channels samples.
template <class Code>
struct Raster {
  Size size;
  Layout layout = Layout::rgb;
  std::vector<Code> data;

  Raster() = default;
  Raster(Size picture_size, Layout picture_layout)
      : size(picture_size), layout(picture_layout), data(picture_size.pixels() * channels(picture_layout)) {}

  [[nodiscard]] std::size_t stride() const noexcept { return std::size_t{size.width} * channels(layout); }
  [[nodiscard]] std::span<Code> row(std::uint32_t y) noexcept { return {data.data() + y * stride(), stride()}; }
  [[nodiscard]] std::span<const Code> row(std::uint32_t y) const noexcept { return {data.data() + y * stride(), stride()}; }
};

/// 8 bits a sample: what nearly all sources have, and all outputs but those of `Transform::depth` 10.
using Image = Raster<std::uint8_t>;
/// 16 bits a sample, in this machine's order, whatever depth it comes from.
using DeepImage = Raster<std::uint16_t>;

/// Bytes of an image of this size.
constexpr std::uint64_t image_bytes(Size size, Layout layout) noexcept { return size.pixels() * channels(layout); }

/// 8 bits as 16, and 16 to the nearest 8.
constexpr std::uint16_t widened(std::uint8_t code) noexcept { return static_cast<std::uint16_t>(code * 257U); }
constexpr std::uint8_t narrowed(std::uint16_t code) noexcept { return static_cast<std::uint8_t>((code * 255U + 32767U) / 65535U); }
Image narrowed(const DeepImage& image);

/// The same picture without alpha, laid over `background`. Others are returned as they are.
Image flatten(Image image, Colour background);
DeepImage flatten(DeepImage image, Colour background);
/// Grey spread over three channels. Others are returned as they are.
Image grey_to_rgb(Image image);
DeepImage grey_to_rgb(DeepImage image);
/// True where every pixel is opaque.
bool is_opaque(const Image& image) noexcept;
bool is_opaque(const DeepImage& image) noexcept;
/// The average of grey, RGB or RGBA as "#rrggbb": taken of light, not of its code values, and weighted by alpha. Of a tall
/// picture not every row is looked at.
std::string average_colour(const Image& image);

}  // namespace media::image
