#include "image/place.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "image/borders.hpp"
#include "image/colour.hpp"
#include "image/orient.hpp"
#include "image/resample.hpp"
#include "image/saliency.hpp"

namespace media::image {
namespace {

constexpr std::uint32_t kRowsBetweenChecks = 32;

/// What was seen of a picture; empty where nobody asked for it.
struct Look {
  std::optional<Borders> borders;
  Image small;
};

Size look_size(Size picture) {
  Transform transform;
  transform.width = transform.height = kLookSide;
  return plan(picture, transform).size;
}

/// Hands all rows to something that takes them.
template <class Taker>
Result<void> push_rows(Decoder& decoder, const Rows& rows, const Control& control, Taker& taker) {
  std::vector<std::uint8_t> row(std::size_t{rows.size.width} * channels(rows.layout));
  for (std::uint32_t y = 0; y < rows.size.height; ++y) {
    if (y % kRowsBetweenChecks == 0) MEDIA_TRY(control.check());
    MEDIA_TRY(decoder.read_row(row));
    taker.push_row(row);
  }
  return {};
}

/// At full size: an edge is there to the pixel.
Result<Borders> look_at_borders(Decoder& decoder, const Control& control) {
  MEDIA_TRY_ASSIGN(const Rows rows, decoder.start(decoder.header().picture));
  Borders borders(rows.size, rows.layout);
  MEDIA_TRY(push_rows(decoder, rows, control, borders));
  return borders;
}

/// As small as the format gives it.
Result<Image> look_at_subject(Decoder& decoder, const Control& control) {
  const Geometry small{look_size(decoder.header().picture)};
  MEDIA_TRY_ASSIGN(const Rows rows, decoder.start(small.size));
  MEDIA_TRY(control.check_memory(Resampler::working_bytes(rows.size, rows.layout, small), "a look at the picture"));
  Resampler resampler(rows.size, rows.layout, small);
  MEDIA_TRY(push_rows(decoder, rows, control, resampler));
  // After the rows, because some decoders know their profile only then.
  return to_srgb(resampler.take(), decoder.header().profile);
}

/// The pixels of `small` that show this part of the picture: at least one.
Image cropped(const Image& small, Size picture, const Box& part) {
  if (part.size == picture) return small;
  const auto scaled = [](std::uint32_t at, std::uint32_t to, std::uint32_t from) {
    return static_cast<std::uint32_t>((std::uint64_t{at} * to + from / 2) / from);
  };
  const auto range = [&](std::uint32_t first, std::uint32_t length, std::uint32_t to, std::uint32_t from) {
    const std::uint32_t begin = std::min(scaled(first, to, from), to - 1);
    return std::pair(begin, std::clamp(scaled(first + length, to, from), begin + 1, to) - begin);
  };
  const auto [left, width] = range(part.left, part.size.width, small.size.width, picture.width);
  const auto [top, height] = range(part.top, part.size.height, small.size.height, picture.height);
  Image out({width, height}, small.layout);
  const std::size_t parts = channels(small.layout);
  for (std::uint32_t y = 0; y < height; ++y) {
    const auto from = small.row(top + y).subspan(left * parts, out.stride());
    std::copy(from.begin(), from.end(), out.row(y).begin());
  }
  return out;
}

/// Whether there is anything to choose from by looking.
bool looks_for_subject(const Transform& transform) { return canonical(transform).gravity.smart; }

Placement placed(const Header& header, const Transform& transform, const Look& look) {
  const std::uint8_t orientation = combined(header.info.orientation, turn_of(transform));
  const Box part = transform.trim == 0 ? Box{0, 0, header.picture} : look.borders->inner(transform.trim);
  const Size seen = upright(part.size, orientation);
  Transform found = transform;
  if (looks_for_subject(transform)) {
    const Geometry window = plan(seen, transform);
    const Image shown = orient(cropped(look.small, header.picture, part), orientation);
    if (!window.whole()) found.gravity = salient_point(shown, window.keep_width, window.keep_height);
  }
  return {within(header.picture, part, plan(seen, found).coded(orientation)), orientation};
}

}  // namespace

Result<std::vector<Placement>> place(const Header& header, std::span<const Transform> transforms, const Control& control,
                                     const OpenAgain& open_again) {
  const bool at_borders = std::any_of(transforms.begin(), transforms.end(), [](const Transform& each) { return each.trim != 0; });
  const bool at_subject = std::any_of(transforms.begin(), transforms.end(), looks_for_subject);
  // One decoding for each, because the subject is looked for in a reduced one: in a full one it might be found elsewhere, and where a
  // picture is cut must not depend on what else is asked for.
  Look look;
  if (at_borders) {
    MEDIA_TRY_ASSIGN(const auto decoder, open_again());
    MEDIA_TRY_ASSIGN(look.borders, look_at_borders(*decoder, control));
  }
  if (at_subject) {
    MEDIA_TRY_ASSIGN(const auto decoder, open_again());
    MEDIA_TRY_ASSIGN(look.small, look_at_subject(*decoder, control));
  }
  std::vector<Placement> placements;
  placements.reserve(transforms.size());
  for (const Transform& transform : transforms) placements.push_back(placed(header, transform, look));
  return placements;
}

}  // namespace media::image
