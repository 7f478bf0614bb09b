/// What size and which part of a picture a transform asks for.
#pragma once

#include "image/pixels.hpp"
#include "media/transform.hpp"

namespace media::image {

/// The part of a picture that is kept, and the size it gets.
struct Geometry {
  Size size;
  double keep_width = 1;   ///< Share of the picture's width that is kept.
  double keep_height = 1;  ///< Share of its height.
  double at_x = 0.5;       ///< Share of what is cut off that goes at the left: 0 keeps the left edge, 1 the right one.
  double at_y = 0.5;       ///< The same at the top.

  [[nodiscard]] bool whole() const noexcept { return keep_width >= 1 && keep_height >= 1; }
  /// The size of the whole picture at this scale, rounded up.
  [[nodiscard]] Size whole_size() const noexcept;
  /// This geometry of an upright picture, for the picture as it is coded under an EXIF orientation (1 to 8).
  [[nodiscard]] Geometry coded(std::uint8_t orientation) const noexcept;
  friend bool operator==(const Geometry&, const Geometry&) = default;
};

/// For an upright picture of this size (at least 1 x 1). The result has at least one pixel a side, keeps within the
/// box, and where `enlarge` is not set never shows a pixel of the source as more than one pixel: a box to be covered or
/// filled shrinks then, and keeps its proportions. A gravity that is `smart` counts as the centre.
Geometry plan(Size picture, const Transform& transform);

/// A rectangle of whole pixels.
struct Box {
  std::uint32_t left = 0;
  std::uint32_t top = 0;
  Size size;
  friend bool operator==(const Box&, const Box&) = default;
};

/// A geometry that was planned for a part of a picture, as one of the whole picture.
Geometry within(Size picture, const Box& part, const Geometry& geometry);

/// Where `fit=pad` puts a picture of this size, and in how large a one; others fill theirs.
struct Canvas {
  Size size;
  std::uint32_t left = 0;
  std::uint32_t top = 0;
};
Canvas canvas_of(Size picture, const Transform& transform);

}  // namespace media::image
