#include "image/score.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <utility>

namespace media::image {
namespace {

constexpr std::uint32_t kBlock = 4;  ///< Windows are of two by two blocks.
constexpr std::size_t kParts = 3;
constexpr std::array<double, kParts> kWeights{0.8, 0.1, 0.1};

/// Sums over the samples of one block, of both pictures.
struct Sums {
  std::uint32_t first = 0;
  std::uint32_t second = 0;
  std::uint32_t squares = 0;  ///< Of both.
  std::uint32_t products = 0;

  Sums& operator+=(const Sums& other) {
    first += other.first;
    second += other.second;
    squares += other.squares;
    products += other.products;
    return *this;
  }
};

/// Brightness, blue and red of ITU-R BT.601 in full range.
std::array<std::uint8_t, kParts> parts_of(std::array<int, 3> rgb) {
  const auto [r, g, b] = rgb;
  return {static_cast<std::uint8_t>((77 * r + 150 * g + 29 * b + 128) >> 8),
          static_cast<std::uint8_t>(std::clamp(((-43 * r - 85 * g + 128 * b + 128) >> 8) + 128, 0, 255)),
          static_cast<std::uint8_t>(std::clamp(((128 * r - 107 * g - 21 * b + 128) >> 8) + 128, 0, 255))};
}

/// A pixel over grey of this level.
std::array<int, 3> pixel(const Image& image, std::uint32_t x, std::uint32_t y, int under) {
  const std::uint8_t* at = image.row(y).data() + std::size_t{x} * channels(image.layout);
  if (image.layout == Layout::grey) return {at[0], at[0], at[0]};
  if (image.layout != Layout::rgba) return {at[0], at[1], at[2]};
  const int alpha = at[3];
  const auto over = [&](int value) { return (value * alpha + under * (255 - alpha) + 127) / 255; };
  return {over(at[0]), over(at[1]), over(at[2])};
}

double similarity(const Sums& sums, double count) {
  // The constants of the paper for samples of 8 bits, times count squared.
  const double c1 = 0.01 * 255 * 0.01 * 255 * count * count;
  const double c2 = 0.03 * 255 * 0.03 * 255 * count * count;
  const double a = sums.first;
  const double b = sums.second;
  const double variances = sums.squares * count - a * a - b * b;
  const double covariance = sums.products * count - a * b;
  return (2 * a * b + c1) * (2 * covariance + c2) / ((a * a + b * b + c1) * (variances + c2));
}

double likeness_over(const Image& reference, const Image& picture, int under) {
  const Size size = reference.size;
  // The last block of a row or column may be of fewer samples, and is then left out unless it is the only one.
  const std::uint32_t across = std::max(size.width / kBlock, 1U);
  const std::uint32_t down = std::max(size.height / kBlock, 1U);
  const std::uint32_t block_width = std::min(size.width, kBlock);
  const std::uint32_t block_height = std::min(size.height, kBlock);
  std::array<std::vector<std::array<Sums, kParts>>, 2> rows;
  rows[0].resize(across);
  rows[1].resize(across);
  std::array<double, kParts> totals{};
  std::uint64_t windows = 0;
  const bool wide = across > 1;
  const bool high = down > 1;
  const double count = static_cast<double>(block_width * block_height) * (wide ? 2 : 1) * (high ? 2 : 1);
  for (std::uint32_t row = 0; row < down; ++row) {
    auto& now = rows[row % 2];
    const auto& above = rows[(row + 1) % 2];
    std::fill(now.begin(), now.end(), std::array<Sums, kParts>{});
    for (std::uint32_t y = row * kBlock; y < row * kBlock + block_height; ++y) {
      for (std::uint32_t x = 0; x < across * block_width; ++x) {
        const auto a = parts_of(pixel(reference, x, y, under));
        const auto b = parts_of(pixel(picture, x, y, under));
        auto& block = now[x / kBlock];
        for (std::size_t part = 0; part < kParts; ++part) {
          const std::uint32_t first = a[part];
          const std::uint32_t second = b[part];
          block[part] += Sums{first, second, first * first + second * second, first * second};
        }
      }
    }
    if (high && row == 0) continue;
    for (std::uint32_t x = wide ? 1 : 0; x < across; ++x) {
      for (std::size_t part = 0; part < kParts; ++part) {
        Sums window = now[x][part];
        if (wide) window += now[x - 1][part];
        if (high) window += above[x][part];
        if (wide && high) window += above[x - 1][part];
        totals[part] += similarity(window, count);
      }
      ++windows;
    }
  }
  double score = 0;
  for (std::size_t part = 0; part < kParts; ++part) score += kWeights[part] * totals[part] / static_cast<double>(windows);
  return 100 * std::max(score, 0.0);
}

}  // namespace

double likeness(const Image& reference, const Image& picture) {
  if (reference.size != picture.size) return 0;
  const double over_white = likeness_over(reference, picture, 255);
  if (reference.layout != Layout::rgba && picture.layout != Layout::rgba) return over_white;
  return std::min(over_white, likeness_over(reference, picture, 0));
}

Result<Candidate> choose(const Aim& aim, const std::function<Result<std::vector<std::byte>>(int quality)>& encode,
                         const std::function<Result<double>(const std::vector<std::byte>&)>& score_of, const Control& control) {
  std::map<int, Candidate> tried;
  const auto attempt = [&](int quality) -> Result<const Candidate*> {
    if (const auto found = tried.find(quality); found != tried.end()) return &found->second;
    MEDIA_TRY(control.check());
    Candidate candidate;
    candidate.quality = quality;
    MEDIA_TRY_ASSIGN(candidate.bytes, encode(quality));
    if (aim.score > 0) {
      MEDIA_TRY_ASSIGN(candidate.score, score_of(candidate.bytes));
    }
    return &tried.emplace(quality, std::move(candidate)).first->second;
  };
  const auto fits = [&](const Candidate& candidate) { return aim.max_bytes == 0 || candidate.bytes.size() <= aim.max_bytes; };
  int best = aim.quality;
  if (aim.score > 0) {
    // No quality up to `low` will do; `high` will, or is the last resort.
    int low = 0;
    int high = 100;
    while (high - low > 1 && (tried.empty() || !control.search_is_over())) {
      const int middle = (low + high + 1) / 2;
      MEDIA_TRY_ASSIGN(const Candidate* candidate, attempt(middle));
      // More than the bytes allowed is too much, whatever it looks like.
      (candidate->score >= aim.score || !fits(*candidate) ? high : low) = middle;
    }
    best = high - low > 1 && !tried.contains(high) ? tried.rbegin()->first : high;
  }
  MEDIA_TRY_ASSIGN(const Candidate* chosen, attempt(best));
  if (!fits(*chosen)) {
    // Whatever has been tried already narrows it down.
    int low = 0;
    int high = best;
    for (const auto& [quality, candidate] : tried) {
      if (quality < best && fits(candidate)) low = quality;
    }
    for (const auto& [quality, candidate] : tried) {
      if (quality > low && quality < high && !fits(candidate)) high = quality;
    }
    if (low == 0) {
      low = 1;
      MEDIA_TRY_ASSIGN(const Candidate* least, attempt(low));
      if (!fits(*least)) {
        return Error{Errc::too_large, "even at the lowest quality the picture has " + std::to_string(least->bytes.size()) +
                                          " bytes, more than " + std::to_string(aim.max_bytes) + ": ask for fewer pixels or more bytes"};
      }
    }
    while (high - low > 1 && !control.search_is_over()) {
      const int middle = (low + high) / 2;
      MEDIA_TRY_ASSIGN(const Candidate* candidate, attempt(middle));
      (fits(*candidate) ? low : high) = middle;
    }
    MEDIA_TRY_ASSIGN(chosen, attempt(low));
  }
  return tried.at(chosen->quality);
}

}  // namespace media::image
