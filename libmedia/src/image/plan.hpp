/// What size and which part of a picture a transform asks for.
#pragma once

#include "image/pixels.hpp"
#include "media/transform.hpp"

namespace media::image {

/// The part of a picture that is kept, always about its centre, and the size it gets.
struct Geometry {
  Size size;
  double keep_width = 1;   ///< Share of the picture's width that is kept.
  double keep_height = 1;  ///< Share of its height.

  [[nodiscard]] bool whole() const noexcept { return keep_width >= 1 && keep_height >= 1; }
  /// The size of the whole picture at this scale, rounded up.
  [[nodiscard]] Size whole_size() const noexcept;
  /// The same for a picture that still lies on its side.
  [[nodiscard]] Geometry turned() const noexcept { return {{size.height, size.width}, keep_height, keep_width}; }
  friend bool operator==(const Geometry&, const Geometry&) = default;
};

/// For an upright picture of this size (at least 1 x 1). The result has at least one pixel a side, keeps within the
/// box, and where `enlarge` is not set never shows a pixel of the source as more than one pixel: a box to be covered or
/// filled shrinks then, and keeps its proportions.
Geometry plan(Size picture, const Transform& transform);

}  // namespace media::image
