/// Pictures as JPEG, WebP and AVIF keep them: a plane of brightness and two of colour.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "image/pixels.hpp"
#include "media/result.hpp"

namespace media::image {

/// How many samples of colour there are.
enum class Chroma : std::uint8_t {
  full,  ///< One for each pixel.
  half,  ///< One for each square of two by two pixels, in its middle (4:2:0 as JFIF has it).
};

/// The size of the planes of colour; with `half` an odd last column or row has a sample of its own.
constexpr Size chroma_size(Size picture, Chroma chroma) noexcept {
  if (chroma == Chroma::full) return picture;
  return {(picture.width + 1) / 2, (picture.height + 1) / 2};
}

/// A picture in memory as Y', Cb and Cr of ITU-R BT.601 in full range (JFIF), 8 bits each, sRGB primaries and curve. Rows of a plane
/// follow each other without padding.
struct Planes {
  Size size;
  Chroma chroma = Chroma::half;
  std::array<std::vector<std::uint8_t>, 3> data;

  [[nodiscard]] Size plane_size(std::size_t plane) const noexcept { return plane == 0 ? size : chroma_size(size, chroma); }
  [[nodiscard]] const std::uint8_t* row(std::size_t plane, std::uint32_t y) const noexcept {
    return data[plane].data() + std::size_t{plane_size(plane).width} * y;
  }
};

/// What the rows of a plane are of: sample (x, y) covers the stretch from x to x + 1 in a grid in which the whole picture goes from
/// `left` to `left` + `across` and from `top` to `top` + `down`. The plane may go on beyond that (padding of the last block, the
/// second pixel of a pair).
struct PlaneGrid {
  Size size;
  double across = 0;
  double down = 0;
  double left = 0;
  double top = 0;
};

/// Some rows of all three planes, from top to bottom.
struct PlaneRows {
  struct Part {
    const std::uint8_t* data = nullptr;
    std::size_t stride = 0;   ///< Bytes from row to row.
    std::uint32_t count = 0;  ///< Rows.
  };
  std::array<Part, 3> planes;
};

/// What a decoder is that has planes to give, in the colours of `Planes` but for the profile of the file; at several scales at once, so
/// that one pass over the file serves pictures of several sizes.
///
/// Thread-safety: none; it holds a codec's state.
class PlaneDecoder {
 public:
  virtual ~PlaneDecoder() = default;
  PlaneDecoder(const PlaneDecoder&) = delete;
  PlaneDecoder& operator=(const PlaneDecoder&) = delete;

  /// The scale, by a number of the decoder's own that rises with it, from which a picture is made well whose whole would have this size.
  [[nodiscard]] virtual std::uint32_t scale_for(Size wanted) const = 0;
  /// Scales can be had together where these numbers of theirs are equal.
  [[nodiscard]] virtual std::uint32_t pass_of(std::uint32_t scale) const = 0;
  /// Once, instead of `Decoder::start`, and as that: one answer for each scale. The samples at a scale do not depend on what else is asked
  /// for.
  virtual Result<std::vector<std::array<PlaneGrid, 3>>> start_planes(std::span<const std::uint32_t> scales) = 0;
  /// The next rows at each scale, from all scales the same stretch of the picture, until each plane has had all of its own; valid until the
  /// next call. Errors as `Decoder::start`'s.
  virtual Result<std::span<const PlaneRows>> read_rows() = 0;

 protected:
  PlaneDecoder() = default;
};

/// Applies an EXIF orientation, as for an Image. Where it reverses a side of odd length, planes of half as much colour have to have been
/// made for that (`PlaneResampler`): the squares of two by two pixels are counted from the other end then.
Planes orient(Planes planes, std::uint8_t orientation);
/// Planes of full chroma as RGB.
Image to_rgb(const Planes& planes);
/// A picture as AVIF keeps it beyond 8 bits: as Planes of half chroma, but so many bits a sample, in the lower ones of 16, and with alpha.
struct DeepPlanes {
  Size size;
  unsigned bits = 10;
  /// Y', Cb, Cr, alpha; the last one is empty where the picture has none.
  std::array<std::vector<std::uint16_t>, 4> data;

  [[nodiscard]] Size plane_size(std::size_t plane) const noexcept {
    return plane == 0 || plane == 3 ? size : chroma_size(size, Chroma::half);
  }
};
/// Of rgb or rgba, at 9 to 12 bits: each sample the nearest one there is. Whole numbers all the way, the same on every machine.
DeepPlanes to_planes(const DeepImage& image, unsigned bits);

/// The average colour of each two by two pixels; planes that have it so already are returned as they are.
Planes halve_chroma(Planes planes);

}  // namespace media::image
