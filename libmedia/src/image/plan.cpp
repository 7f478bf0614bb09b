#include "image/plan.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "image/orient.hpp"

namespace media::image {
namespace {

std::uint32_t rounded(double side, std::uint32_t at_most) {
  return std::clamp<std::uint32_t>(static_cast<std::uint32_t>(std::llround(std::min(side, 4e9))), 1U, std::max(at_most, 1U));
}

}  // namespace

Size Geometry::whole_size() const noexcept {
  const auto up = [](std::uint32_t side, double keep) {
    // The small margin takes back what dividing and multiplying by the same number leaves over.
    return static_cast<std::uint32_t>(std::ceil(std::min(side / keep - 1e-6, 4e9)));
  };
  return {up(size.width, keep_width), up(size.height, keep_height)};
}

Geometry Geometry::coded(std::uint8_t orientation) const noexcept {
  Geometry out = *this;
  if (orientation >= 5) {
    std::swap(out.size.width, out.size.height);
    std::swap(out.keep_width, out.keep_height);
    std::swap(out.at_x, out.at_y);
  }
  const Reversed reversed = reversed_by(orientation);
  if (reversed.x) out.at_x = 1 - out.at_x;
  if (reversed.y) out.at_y = 1 - out.at_y;
  return out;
}

Geometry plan(Size picture, const Transform& transform) {
  const double width = picture.width;
  const double height = picture.height;
  if (transform.width == 0 && transform.height == 0) return {picture, 1, 1};

  const double scale_x = transform.width / width;
  const double scale_y = transform.height / height;
  if (transform.width == 0 || transform.height == 0 || transform.fit == Fit::contain || transform.fit == Fit::inside) {
    double scale = std::min(scale_x, scale_y);
    if (transform.width == 0) scale = scale_y;
    if (transform.height == 0) scale = scale_x;
    if (scale > 1 && !transform.enlarge) scale = 1;
    constexpr std::uint32_t kNoLimit = 0xFFFFFFFF;
    return {{rounded(width * scale, transform.width == 0 ? kNoLimit : transform.width),
             rounded(height * scale, transform.height == 0 ? kNoLimit : transform.height)},
            1,
            1};
  }

  const double scale = std::max(scale_x, scale_y);
  const double shrink = scale > 1 && !transform.enlarge ? 1 / scale : 1;
  const Size size{rounded(transform.width * shrink, transform.width), rounded(transform.height * shrink, transform.height)};
  if (transform.fit == Fit::fill) return {size, 1, 1};
  return {size, std::min(1.0, scale_x / scale), std::min(1.0, scale_y / scale)};
}

}  // namespace media::image
