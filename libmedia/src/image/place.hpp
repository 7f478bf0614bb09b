/// Which part of a source each transform uses, and which way up: what needs its pixels to be known, too.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "image/format.hpp"
#include "image/plan.hpp"

namespace media::image {

/// Where a transform cuts the picture as it is coded, and how the result is turned then.
struct Placement {
  Geometry geometry;
  std::uint8_t orientation = 1;
  friend bool operator==(const Placement&, const Placement&) = default;
};

/// Opens the source once more, for a look at its pixels.
using OpenAgain = std::function<Result<std::unique_ptr<Decoder>>()>;

/// One placement for each transform. Where none of them trims or looks for the subject, nothing is opened: they follow from
/// the header. Else the source is decoded once more for each of the two: at full size to be trimmed (an edge is there to the
/// pixel), as small as the format gives it to be looked at. Of that look some rows and a small picture are kept at a time.
/// The transforms are within their ranges. Errors: the decoder's.
Result<std::vector<Placement>> place(const Header& header, std::span<const Transform> transforms, const Control& control,
                                     const OpenAgain& open_again);

}  // namespace media::image
