// Any text as a transform. What is taken has one spelling, which reads back as the same, and a plan for every picture.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "image/orient.hpp"
#include "image/plan.hpp"
#include "image/transform_limits.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace media;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto read = parse_transform(text);
  if (!read) {
    if (read.error().code != Errc::invalid_argument || read.error().message.empty() || read.error().message.size() > 400) std::abort();
    return 0;
  }
  const Transform meant = canonical(*read);
  const std::string spelling = to_string(*read);
  const auto again = parse_transform(spelling);
  if (!again || *again != meant || to_string(*again) != spelling || canonical(meant) != meant) std::abort();
  if (!image::edits_are_in_range(*read) || !image::edits_are_in_range(meant) || image::turn_of(*read) != image::turn_of(meant))
    std::abort();
  for (const image::Size picture : {image::Size{1, 1}, image::Size{4000, 3000}, image::Size{1, 16384}}) {
    const image::Geometry geometry = image::plan(picture, *read);
    if (geometry != image::plan(picture, meant) || geometry.size.pixels() == 0) std::abort();
    if (!(geometry.keep_width > 0 && geometry.keep_width <= 1 && geometry.at_x >= 0 && geometry.at_x <= 1)) std::abort();
    if (!(geometry.keep_height > 0 && geometry.keep_height <= 1 && geometry.at_y >= 0 && geometry.at_y <= 1)) std::abort();
    const image::Canvas canvas = image::canvas_of(geometry.size, *read);
    if (canvas.left + geometry.size.width > canvas.size.width || canvas.top + geometry.size.height > canvas.size.height) std::abort();
  }
  return 0;
}
