#include "image/saliency.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <vector>

namespace media::image {
namespace {

constexpr int kEdgeWeight = 4;
constexpr int kSkinWeight = 5;
constexpr int kColourWeight = 1;
constexpr int kDifferenceWeight = 2;

/// Of a window's middle, and how much less its rim weighs: so a subject comes to stand inside, not at the cut.
constexpr std::int64_t kMiddle = 256;
constexpr std::int64_t kRimLoss = 176;
/// How much a window at the picture's edge has to be better than one in its middle, in thousandths: who took the photo
/// aimed, too.
constexpr std::int64_t kAimed = 60;

struct Rgb {
  int red;
  int green;
  int blue;
};

Rgb at(const Image& picture, std::uint32_t x, std::uint32_t y) {
  const std::size_t parts = channels(picture.layout);
  const std::uint8_t* pixel = picture.row(y).data() + x * parts;
  return parts == 1 ? Rgb{pixel[0], pixel[0], pixel[0]} : Rgb{pixel[0], pixel[1], pixel[2]};
}

int brightness(const Rgb& c) { return (77 * c.red + 150 * c.green + 29 * c.blue + 128) >> 8; }

/// How near a colour's direction is to that of skin, whatever its brightness: 0 to 255. Skin of every tone lies within a
/// narrow cone about (0.78, 0.57, 0.44); what is nearly black has no direction to speak of.
int skin(const Rgb& c) {
  constexpr std::int64_t kRed = 200;
  constexpr std::int64_t kGreen = 146;
  constexpr std::int64_t kBlue = 112;
  constexpr std::int64_t kSquare = kRed * kRed + kGreen * kGreen + kBlue * kBlue;
  const int light = brightness(c);
  if (light < 40 || light > 245) return 0;
  const std::int64_t along = kRed * c.red + kGreen * c.green + kBlue * c.blue;
  const std::int64_t square = std::int64_t{c.red} * c.red + std::int64_t{c.green} * c.green + std::int64_t{c.blue} * c.blue;
  // The square of the cosine, in thousandths of a thousandth; 0.97 is the cone's rim, and grey lies outside.
  const std::int64_t cosine = along * along / (square * kSquare / 1'000'000 + 1);
  constexpr std::int64_t kRim = 970'000;
  return cosine <= kRim ? 0 : static_cast<int>(std::min<std::int64_t>((cosine - kRim) * 255 / (1'000'000 - kRim), 255));
}

int colourfulness(const Rgb& c) {
  const int light = brightness(c);
  if (light < 13 || light > 242) return 0;
  return std::max({c.red, c.green, c.blue}) - std::min({c.red, c.green, c.blue});
}

std::vector<std::int64_t> scores(const Image& picture) {
  const auto [width, height] = picture.size;
  std::array<std::int64_t, 3> mean{};
  for (std::uint32_t y = 0; y < height; ++y) {
    for (std::uint32_t x = 0; x < width; ++x) {
      const Rgb c = at(picture, x, y);
      mean[0] += c.red, mean[1] += c.green, mean[2] += c.blue;
    }
  }
  const auto pixels = static_cast<std::int64_t>(picture.size.pixels());
  for (std::int64_t& part : mean) part = (part + pixels / 2) / pixels;

  std::vector<std::int64_t> out(picture.size.pixels());
  for (std::uint32_t y = 0; y < height; ++y) {
    for (std::uint32_t x = 0; x < width; ++x) {
      const Rgb c = at(picture, x, y);
      const auto light = [&](std::uint32_t i, std::uint32_t j) { return brightness(at(picture, i, j)); };
      const int edge = std::abs(light(std::min(x + 1, width - 1), y) - light(x == 0 ? 0 : x - 1, y)) +
                       std::abs(light(x, std::min(y + 1, height - 1)) - light(x, y == 0 ? 0 : y - 1));
      const auto difference = static_cast<int>(std::abs(c.red - mean[0]) + std::abs(c.green - mean[1]) + std::abs(c.blue - mean[2])) / 3;
      int score =
          kEdgeWeight * std::min(edge, 255) + kSkinWeight * skin(c) + kColourWeight * colourfulness(c) + kDifferenceWeight * difference;
      if (picture.layout == Layout::rgba) score = score * picture.row(y)[std::size_t{x} * 4 + 3] / 255;
      out[std::size_t{y} * width + x] = score;
    }
  }
  return out;
}

/// Weights of the samples of a window, from rim to rim.
std::vector<std::int64_t> window_weights(std::uint32_t length) {
  std::vector<std::int64_t> out(length);
  for (std::uint32_t i = 0; i < length; ++i) {
    // Twice the distance from the middle, so that it is whole.
    const std::int64_t off = 2 * std::int64_t{i} + 1 - length;
    out[i] = kMiddle - kRimLoss * off * off / (std::int64_t{length} * length);
  }
  return out;
}

std::uint32_t window_length(std::uint32_t side, double keep) {
  return std::clamp<std::uint32_t>(static_cast<std::uint32_t>(std::lround(side * keep)), 1U, side);
}

/// 1000 in the middle of what a window can reach, less at either end.
std::int64_t aim(std::uint32_t at, std::uint32_t positions) {
  if (positions <= 1) return 1000;
  const std::int64_t off = std::abs(2 * std::int64_t{at} - (positions - 1));
  return 1000 - kAimed * off / (positions - 1);
}

}  // namespace

Gravity salient_point(const Image& picture, double keep_width, double keep_height) {
  const auto [width, height] = picture.size;
  const std::uint32_t across = window_length(width, keep_width);
  const std::uint32_t down = window_length(height, keep_height);
  const std::vector<std::int64_t> score = scores(picture);
  const std::vector<std::int64_t> across_weights = window_weights(across);
  const std::vector<std::int64_t> down_weights = window_weights(down);
  const std::uint32_t columns = width - across + 1;
  const std::uint32_t rows = height - down + 1;

  // First along the rows, then along the columns: a window's weights are a product.
  std::vector<std::int64_t> sums(std::size_t{columns} * height);
  for (std::uint32_t y = 0; y < height; ++y) {
    for (std::uint32_t x = 0; x < columns; ++x) {
      std::int64_t sum = 0;
      for (std::uint32_t i = 0; i < across; ++i) sum += score[std::size_t{y} * width + x + i] * across_weights[i];
      sums[std::size_t{y} * columns + x] = sum;
    }
  }
  std::int64_t best = -1;
  std::int64_t best_off = 0;
  std::uint32_t best_x = 0;
  std::uint32_t best_y = 0;
  for (std::uint32_t y = 0; y < rows; ++y) {
    for (std::uint32_t x = 0; x < columns; ++x) {
      std::int64_t sum = 0;
      for (std::uint32_t j = 0; j < down; ++j) sum += sums[std::size_t{y + j} * columns + x] * down_weights[j];
      const std::int64_t aimed = sum / 1000 * std::min(aim(x, columns), aim(y, rows));
      const std::int64_t off = std::abs(2 * std::int64_t{x} - (columns - 1)) + std::abs(2 * std::int64_t{y} - (rows - 1));
      if (aimed > best || (aimed == best && off < best_off)) {
        best = aimed;
        best_off = off;
        best_x = x;
        best_y = y;
      }
    }
  }
  const auto point = [](std::uint32_t first, std::uint32_t length, std::uint32_t side) {
    return static_cast<std::uint16_t>(length == side ? 500 : ((2 * first + length) * 500 + side / 2) / side);
  };
  return {point(best_x, across, width), point(best_y, down, height), false};
}

}  // namespace media::image
