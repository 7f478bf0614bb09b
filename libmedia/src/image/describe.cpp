#include "image/describe.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include "image/orient.hpp"

namespace media::image {
namespace {

/// Longer side of a picture that has all that is told of it.
constexpr std::uint32_t kLooksSide = 128;

/// The ThumbHash format takes no larger pictures.
constexpr std::uint32_t kLongestSide = 100;

// A small picture: every pixel of every large one need not be read for it.

/// For each sample of the result, in one direction, the samples that it is made of.
struct Taps {
  struct Tap {
    std::uint32_t index;
    float weight;
  };
  std::vector<Tap> taps;
  std::vector<std::size_t> ends;

  [[nodiscard]] std::span<const Tap> of(std::uint32_t sample) const noexcept {
    const std::size_t begin = sample == 0 ? 0 : ends[sample - 1];
    return std::span(taps).subspan(begin, ends[sample] - begin);
  }
};

Taps make_taps(std::uint32_t input, std::uint32_t output) {
  // Averaging all of a big span tells little more than averaging a few samples that are spread over it.
  constexpr double kWidestSpan = 4;
  const double span = static_cast<double>(input) / output;
  Taps out;
  for (std::uint32_t i = 0; i < output; ++i) {
    const double begin = i * span;
    const double end = std::min(begin + span, static_cast<double>(input));
    if (span > kWidestSpan) {
      for (const double share : {1.0 / 6, 0.5, 5.0 / 6}) {
        out.taps.push_back({static_cast<std::uint32_t>(begin + share * span), 1.0F / 3});
      }
    } else {
      for (auto j = static_cast<std::uint32_t>(begin); j < end; ++j) {
        const double covered = std::min(end, j + 1.0) - std::max(begin, static_cast<double>(j));
        if (covered > 1e-6) out.taps.push_back({j, static_cast<float>(covered / span)});
      }
    }
    out.ends.push_back(out.taps.size());
  }
  return out;
}

std::uint8_t to_byte(float value) noexcept { return static_cast<std::uint8_t>(std::clamp(value + 0.5F, 0.0F, 255.0F)); }

template <std::uint32_t kChannels>
void shrink_row(const Image& picture, std::span<const Taps::Tap> rows, const Taps& across, std::span<std::uint8_t> out) {
  std::uint8_t* to = out.data();
  for (std::uint32_t x = 0; x < out.size() / 4; ++x, to += 4) {
    std::array<float, 3> sums{};
    float alphas = 0;
    for (const Taps::Tap& row : rows) {
      const std::uint8_t* const line = picture.row(row.index).data();
      for (const Taps::Tap& column : across.of(x)) {
        const std::uint8_t* const pixel = line + std::size_t{column.index} * kChannels;
        float weight = row.weight * column.weight;
        if constexpr (kChannels == 4) weight *= static_cast<float>(pixel[3]) / 255;
        for (std::size_t c = 0; c < 3; ++c) sums[c] += weight * static_cast<float>(pixel[kChannels == 1 ? 0 : c]);
        alphas += weight;
      }
    }
    const float scale = alphas > 0 ? 1 / alphas : 0;
    for (std::size_t c = 0; c < 3; ++c) to[c] = to_byte(sums[c] * scale);
    to[3] = to_byte(alphas * 255);
  }
}

/// Averages of code values, weighted by alpha.
Image shrink(const Image& picture, Size size) {
  const Taps across = make_taps(picture.size.width, size.width);
  const Taps down = make_taps(picture.size.height, size.height);
  Image out(size, Layout::rgba);
  for (std::uint32_t y = 0; y < size.height; ++y) {
    switch (channels(picture.layout)) {
      case 1:
        shrink_row<1>(picture, down.of(y), across, out.row(y));
        break;
      case 3:
        shrink_row<3>(picture, down.of(y), across, out.row(y));
        break;
      default:
        shrink_row<4>(picture, down.of(y), across, out.row(y));
        break;
    }
  }
  return out;
}

/// At most 100 pixels a side, RGBA. A picture that is small enough keeps its pixels.
Image small_picture(const Image& picture) {
  const std::uint32_t longest = std::max(picture.size.width, picture.size.height);
  if (longest <= kLongestSide) return picture.layout == Layout::rgba ? picture : shrink(picture, picture.size);
  const auto side = [&](std::uint32_t length) {
    return std::max<std::uint32_t>(1, static_cast<std::uint32_t>((std::uint64_t{length} * kLongestSide + longest / 2) / longest));
  };
  return shrink(picture, {side(picture.size.width), side(picture.size.height)});
}

// The discrete cosine transform (DCT-II), as far as it is needed: the lowest frequencies of a plane of any size.

/// cos(pi / length * frequency * (i + 1/2)): those of all frequencies for the first i, then for the second one, and so on.
std::vector<double> cosines(std::uint32_t length, std::uint32_t frequencies) {
  std::vector<double> out;
  out.reserve(std::size_t{length} * frequencies);
  for (std::uint32_t i = 0; i < length; ++i) {
    for (std::uint32_t frequency = 0; frequency < frequencies; ++frequency) {
      out.push_back(std::cos(std::numbers::pi / length * frequency * (i + 0.5)));
    }
  }
  return out;
}

/// Averages of the plane times the waves: `across` of them in each of `down` rows.
std::vector<double> transform_plane(const std::vector<double>& plane, Size size, std::uint32_t across, std::uint32_t down) {
  const std::vector<double> horizontal = cosines(size.width, across);
  const std::vector<double> vertical = cosines(size.height, down);
  std::vector<double> out(std::size_t{across} * down);
  std::vector<double> sums(across);
  for (std::uint32_t y = 0; y < size.height; ++y) {
    std::fill(sums.begin(), sums.end(), 0);
    const double* wave = horizontal.data();
    for (std::uint32_t x = 0; x < size.width; ++x, wave += across) {
      const double value = plane[std::size_t{y} * size.width + x];
      for (std::uint32_t u = 0; u < across; ++u) sums[u] += value * wave[u];
    }
    for (std::uint32_t v = 0; v < down; ++v) {
      const double weight = vertical[std::size_t{y} * down + v];
      for (std::uint32_t u = 0; u < across; ++u) out[std::size_t{v} * across + u] += sums[u] * weight;
    }
  }
  const auto count = static_cast<double>(size.pixels());
  for (double& value : out) value /= count;
  return out;
}

// ThumbHash, as its author's page and programs describe it.

/// Waves of brightness along the shorter side of an opaque or a transparent picture, and along the longer one.
constexpr std::uint32_t longest_waves(bool has_alpha) noexcept { return has_alpha ? 5 : 7; }
constexpr std::uint32_t kColourWaves = 3;
constexpr std::uint32_t kAlphaWaves = 5;
constexpr std::uint32_t kFewestWaves = 3;

/// Only the waves in the corner of the low frequencies are kept: a triangle of them.
constexpr bool is_kept(std::uint32_t u, std::uint32_t v, std::uint32_t across, std::uint32_t down) noexcept {
  return u * down < across * (down - v);
}

constexpr std::size_t count_kept(std::uint32_t across, std::uint32_t down) noexcept {
  std::size_t count = 0;
  for (std::uint32_t v = 0; v < down; ++v) {
    for (std::uint32_t u = 0; u < across; ++u) count += is_kept(u, v, across, down) ? 1U : 0U;
  }
  return count - 1;  // the average is kept elsewhere
}

/// One plane of a ThumbHash: its average, and its waves as shares of the strongest one, from 0 to 1.
struct Plane {
  double average = 0;
  double strongest = 0;
  std::vector<double> waves;
};

Plane encode_plane(const std::vector<double>& plane, Size size, std::uint32_t across, std::uint32_t down) {
  // Below this a wave is what rounding left of nothing.
  constexpr double kNothing = 1e-9;
  const std::vector<double> coefficients = transform_plane(plane, size, across, down);
  Plane out;
  out.average = coefficients[0];
  for (std::uint32_t v = 0; v < down; ++v) {
    for (std::uint32_t u = 0; u < across; ++u) {
      if ((u == 0 && v == 0) || !is_kept(u, v, across, down)) continue;
      out.waves.push_back(coefficients[std::size_t{v} * across + u]);
      out.strongest = std::max(out.strongest, std::abs(out.waves.back()));
    }
  }
  if (out.strongest < kNothing) {
    out.strongest = 0;
    std::fill(out.waves.begin(), out.waves.end(), 0);
  } else {
    for (double& wave : out.waves) wave = 0.5 + 0.5 / out.strongest * wave;
  }
  return out;
}

/// A share as a whole number up to `most`. Halves go up.
std::uint32_t steps(double share, double most) {
  return static_cast<std::uint32_t>(std::clamp(std::floor(share * most + 0.5), 0.0, std::ceil(most)));
}

std::vector<std::byte> make_thumbhash(const Image& picture) {
  const Size size = picture.size;
  const std::size_t count = picture.data.size() / 4;
  std::array<double, 3> average{};
  double opacity = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint8_t* const pixel = picture.data.data() + i * 4;
    const double alpha = pixel[3] / 255.0;
    for (std::size_t c = 0; c < 3; ++c) average[c] += alpha * pixel[c] / 255.0;
    opacity += alpha;
  }
  if (opacity > 0) {
    for (double& channel : average) channel /= opacity;
  }

  const bool has_alpha = !is_opaque(picture);
  const bool is_landscape = size.width > size.height;
  const std::uint32_t longest = std::max(size.width, size.height);
  const auto waves = [&](std::uint32_t side) { return std::max(1U, steps(static_cast<double>(side) / longest, longest_waves(has_alpha))); };
  const std::uint32_t across = waves(size.width);
  const std::uint32_t down = waves(size.height);
  // One plane after the other in the same memory. What is transparent is laid over the average colour, where it disturbs least.
  std::vector<double> values(count);
  const auto encode = [&](std::uint32_t plane_across, std::uint32_t plane_down, auto&& value_of) {
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint8_t* const pixel = picture.data.data() + i * 4;
      const double alpha = pixel[3] / 255.0;
      std::array<double, 3> colour{};
      for (std::size_t c = 0; c < 3; ++c) colour[c] = average[c] * (1 - alpha) + alpha * pixel[c] / 255.0;
      values[i] = value_of(colour, alpha);
    }
    return encode_plane(values, size, plane_across, plane_down);
  };
  using Rgb = std::array<double, 3>;
  std::vector<Plane> planes;
  planes.push_back(encode(std::max(kFewestWaves, across), std::max(kFewestWaves, down),
                          [](const Rgb& colour, double) { return (colour[0] + colour[1] + colour[2]) / 3; }));
  planes.push_back(encode(kColourWaves, kColourWaves, [](const Rgb& colour, double) { return (colour[0] + colour[1]) / 2 - colour[2]; }));
  planes.push_back(encode(kColourWaves, kColourWaves, [](const Rgb& colour, double) { return colour[0] - colour[1]; }));
  if (has_alpha) planes.push_back(encode(kAlphaWaves, kAlphaWaves, [](const Rgb&, double alpha) { return alpha; }));

  const std::uint32_t first = steps(planes[0].average, 63) | steps(0.5 + 0.5 * planes[1].average, 63) << 6U |
                              steps(0.5 + 0.5 * planes[2].average, 63) << 12U | steps(planes[0].strongest, 31) << 18U |
                              (has_alpha ? 1U << 23U : 0U);
  const std::uint32_t second = (is_landscape ? down : across) | steps(planes[1].strongest, 63) << 3U |
                               steps(planes[2].strongest, 63) << 9U | (is_landscape ? 1U << 15U : 0U);
  std::vector<std::byte> hash{std::byte(first), std::byte(first >> 8U), std::byte(first >> 16U), std::byte(second),
                              std::byte(second >> 8U)};
  if (has_alpha) hash.push_back(std::byte(steps(planes[3].average, 15) | steps(planes[3].strongest, 15) << 4U));
  bool is_low = true;
  for (const Plane& plane : planes) {
    for (const double wave : plane.waves) {
      const std::uint32_t value = steps(wave, 15);
      if (is_low) {
        hash.push_back(std::byte(value));
      } else {
        hash.back() |= std::byte(value << 4U);
      }
      is_low = !is_low;
    }
  }
  return hash;
}

// The dominant colour: a cube of colours that holds more of the picture than any other.

std::string find_dominant_colour(const Image& picture) {
  // Cubes half of which overlap, so that a colour at the border of one is in the midst of another.
  constexpr std::size_t kCells = 16;
  struct Cell {
    std::uint32_t weight = 0;  ///< 10,000 pixels at most, and 255 each.
    std::array<std::uint32_t, 3> sums{};
  };
  std::vector<Cell> cells(kCells * kCells * kCells);
  const auto cell_of = [&](std::size_t red, std::size_t green, std::size_t blue) -> Cell& {
    return cells[(red * kCells + green) * kCells + blue];
  };
  for (std::size_t at = 0; at < picture.data.size(); at += 4) {
    const std::uint8_t* const pixel = picture.data.data() + at;
    Cell& cell = cell_of(pixel[0] >> 4U, pixel[1] >> 4U, pixel[2] >> 4U);
    cell.weight += pixel[3];
    for (std::size_t c = 0; c < 3; ++c) cell.sums[c] += std::uint32_t{pixel[c]} * pixel[3];
  }
  Cell heaviest;
  for (std::size_t red = 0; red + 1 < kCells; ++red) {
    for (std::size_t green = 0; green + 1 < kCells; ++green) {
      for (std::size_t blue = 0; blue + 1 < kCells; ++blue) {
        Cell cube;
        for (std::size_t corner = 0; corner < 8; ++corner) {
          const Cell& cell = cell_of(red + (corner >> 2U), green + (corner >> 1U & 1U), blue + (corner & 1U));
          cube.weight += cell.weight;
          for (std::size_t c = 0; c < 3; ++c) cube.sums[c] += cell.sums[c];
        }
        if (cube.weight > heaviest.weight) heaviest = cube;
      }
    }
  }
  // What is all transparent shows what is behind it, which is most often white.
  if (heaviest.weight == 0) return "#ffffff";
  std::string out = "#";
  for (const std::uint32_t sum : heaviest.sums) {
    constexpr char kDigits[] = "0123456789abcdef";
    const std::uint32_t value = (sum + heaviest.weight / 2) / heaviest.weight;
    out += kDigits[value >> 4U];
    out += kDigits[value & 15U];
  }
  return out;
}

// The perceptual hash: which of the lowest waves of a tiny picture go up.

std::optional<PerceptualHash> find_perceptual_hash(const Image& picture) {
  constexpr std::uint32_t kSide = 32;
  constexpr std::size_t kBits = 64;
  /// Of 255: weaker waves are made by rounding and compression as much as by the picture. Of nearly 300 small and bad copies of photos 46
  /// were more than 6 bits away, and one 33, where every wave counted; 2 and 10 are left of that. Other photos are as far away as before.
  constexpr double kFaint = 1;
  /// With fewer that are not faint, all plain pictures would look alike.
  constexpr std::size_t kFewest = 16;

  // Over white, as in renditions without alpha, so that both have one hash.
  const Image tiny = flatten(shrink(picture, {kSide, kSide}), Colour{});
  std::vector<double> luma(std::size_t{kSide} * kSide);
  for (std::size_t i = 0; i < luma.size(); ++i) {
    const std::uint8_t* const pixel = tiny.data.data() + i * 3;
    luma[i] = 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2];
  }
  // In zigzag order without the average: the 64 waves of which the most is left when a picture is made small or is badly compressed.
  constexpr std::uint32_t kWaves = 11;
  const std::vector<double> waves = transform_plane(luma, {kSide, kSide}, kWaves, kWaves);
  PerceptualHash hash;
  std::size_t taken = 0;
  std::size_t clear = 0;
  for (std::uint32_t diagonal = 1; taken < kBits; ++diagonal) {
    for (std::uint32_t u = 0; u <= diagonal && taken < kBits; ++u, ++taken) {
      // The amplitude: a wave's average over the picture is a quarter of it, or half where it runs along one side only.
      const double amplitude = waves[std::size_t{diagonal - u} * kWaves + u] * (u == 0 || u == diagonal ? 2 : 4);
      hash.bits = hash.bits << 1U | (amplitude > kFaint ? 1U : 0U);
      if (std::abs(amplitude) > kFaint) ++clear;
    }
  }
  if (clear < kFewest) return std::nullopt;
  return hash;
}

}  // namespace

Geometry small_geometry(Size picture) {
  Transform box;
  box.width = box.height = kLooksSide;
  return plan(picture, box);
}

Appearance describe(const Image& picture, std::uint8_t orientation) {
  const Image small = orient(small_picture(picture), orientation);
  Appearance appearance;
  appearance.thumbhash = make_thumbhash(small);
  appearance.dominant_colour = find_dominant_colour(small);
  appearance.perceptual_hash = find_perceptual_hash(small);
  return appearance;
}

bool is_thumbhash(std::span<const std::byte> bytes) noexcept {
  constexpr std::size_t kOpaqueHead = 5;
  if (bytes.size() < kOpaqueHead) return false;
  const bool has_alpha = (bytes[2] & std::byte{0x80}) != std::byte{0};
  const bool is_landscape = (bytes[4] & std::byte{0x80}) != std::byte{0};
  const std::uint32_t longer = longest_waves(has_alpha);
  const std::uint32_t shorter = std::to_integer<std::uint32_t>(bytes[3] & std::byte{7});
  if (shorter < 1 || shorter > longer) return false;
  const std::uint32_t across = std::max(kFewestWaves, is_landscape ? longer : shorter);
  const std::uint32_t down = std::max(kFewestWaves, is_landscape ? shorter : longer);
  std::size_t waves = count_kept(across, down) + 2 * count_kept(kColourWaves, kColourWaves);
  if (has_alpha) waves += count_kept(kAlphaWaves, kAlphaWaves);
  const std::size_t head = has_alpha ? kOpaqueHead + 1 : kOpaqueHead;
  if (bytes.size() != head + (waves + 1) / 2) return false;
  return waves % 2 == 0 || (bytes.back() >> 4U) == std::byte{0};
}

}  // namespace media::image
