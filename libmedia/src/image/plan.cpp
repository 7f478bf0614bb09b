#include "image/plan.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "image/orient.hpp"
#include "image/transform_limits.hpp"

namespace media::image {
namespace {

std::uint32_t rounded(double side, std::uint32_t at_most) {
  return std::clamp<std::uint32_t>(static_cast<std::uint32_t>(std::llround(std::min(side, 4e9))), 1U, std::max(at_most, 1U));
}

/// Share of what is cut off that goes before what is kept, for a point (in thousandths) to come as near to the middle as it can.
double at(std::uint32_t point, double keep) {
  // Exactly the middle for the middle: it is what a geometry has that does not say.
  if (keep >= 1 || 2 * point == limits::kWholeShare) return 0.5;
  return std::clamp((static_cast<double>(point) / limits::kWholeShare - keep / 2) / (1 - keep), 0.0, 1.0);
}

/// The nearest share that cuts between pixels: what is not scaled must not be moved by half of one either.
double whole_at(std::uint32_t spare, double share) { return spare == 0 ? 0.5 : std::floor(spare * share + 0.5) / spare; }

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

Geometry plan(Size picture, const Transform& given) {
  const Transform transform = canonical(given);
  const double width = picture.width;
  const double height = picture.height;
  if (transform.width == 0 && transform.height == 0) return {picture, 1, 1};

  const double scale_x = transform.width / width;
  const double scale_y = transform.height / height;
  if (transform.width == 0 || transform.height == 0 || transform.fit == Fit::inside || transform.fit == Fit::pad) {
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

  if (transform.fit == Fit::none) {
    const Size size{std::min(transform.width, picture.width), std::min(transform.height, picture.height)};
    Geometry geometry{size, size.width / width, size.height / height};
    geometry.at_x = whole_at(picture.width - size.width, at(transform.gravity.x, geometry.keep_width));
    geometry.at_y = whole_at(picture.height - size.height, at(transform.gravity.y, geometry.keep_height));
    return geometry;
  }

  const double scale = std::max(scale_x, scale_y);
  const double shrink = scale > 1 && !transform.enlarge ? 1 / scale : 1;
  const Size size{rounded(transform.width * shrink, transform.width), rounded(transform.height * shrink, transform.height)};
  if (transform.fit == Fit::fill) return {size, 1, 1};
  Geometry geometry{size, std::min(1.0, scale_x / scale), std::min(1.0, scale_y / scale)};
  geometry.at_x = at(transform.gravity.x, geometry.keep_width);
  geometry.at_y = at(transform.gravity.y, geometry.keep_height);
  return geometry;
}

Geometry within(Size picture, const Box& part, const Geometry& geometry) {
  if (part.size == picture) return geometry;
  const auto side = [](std::uint32_t whole, std::uint32_t begin, std::uint32_t length, double& keep, double& at) {
    const double first = begin + length * (1 - keep) * at;
    keep = length * keep / whole;
    at = keep < 1 ? std::clamp(first / (whole * (1 - keep)), 0.0, 1.0) : 0.5;
  };
  Geometry out = geometry;
  side(picture.width, part.left, part.size.width, out.keep_width, out.at_x);
  side(picture.height, part.top, part.size.height, out.keep_height, out.at_y);
  return out;
}

Canvas canvas_of(Size picture, const Transform& given) {
  const Transform transform = canonical(given);
  if (transform.fit != Fit::pad) return {picture};
  const auto before = [](std::uint32_t spare, std::uint32_t share) {
    return static_cast<std::uint32_t>((std::uint64_t{spare} * share + limits::kWholeShare / 2) / limits::kWholeShare);
  };
  const Size size{std::max(transform.width, picture.width), std::max(transform.height, picture.height)};
  return {size, before(size.width - picture.width, transform.gravity.x), before(size.height - picture.height, transform.gravity.y)};
}

}  // namespace media::image
