#include "image/edit.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "image/plan.hpp"

namespace media::image {
namespace {

/// Full scale of the samples in which pictures are blurred: 8 bits would show steps after eight passes.
constexpr std::uint32_t kFull = 65535;
/// What a code value weighs in them.
template <class Code>
constexpr std::uint32_t kCode = kFull / kWhite<Code>;

constexpr std::uint32_t kWeightBits = 16;
/// Three boxes are off by 0.9 % of an edge's height, four by 0.7 %.
constexpr std::int64_t kPasses = 4;
/// Below this a Gaussian is summed up as it is: boxes of hardly more than a pixel are no picture of it, and it is short.
constexpr std::uint32_t kShortSigma = 200;
/// Samples that are blurred side by side: of columns that stand together, or of rows laid on their side. A constant, so that
/// compilers see whole vectors, and no more of them than fit, as tall as pictures are, into the second-level cache.
constexpr std::size_t kLine = 64;

/// Weights of a box of 2 * radius + 1 samples, and of one more at either end; they add up to 1 << kWeightBits exactly.
struct BoxFilter {
  std::uint32_t radius;
  std::uint32_t inner;
  std::uint32_t outer;
};

/// The box filter of which kPasses have the Gaussian's variance. All in whole numbers: a rounding that differs between
/// machines would be another picture.
BoxFilter box_filter(std::uint32_t sigma_hundredths) {
  const std::int64_t variance = std::int64_t{sigma_hundredths} * sigma_hundredths;
  constexpr std::int64_t kBoxes = kPasses * 10'000;
  std::int64_t radius = 0;
  while ((radius + 1) * (radius + 2) * kBoxes <= 3 * variance) ++radius;
  const std::int64_t samples = 2 * radius + 1;
  // The share of a sample at either end: a / b.
  const std::int64_t a = samples * (3 * variance - radius * (radius + 1) * kBoxes);
  const std::int64_t b = 6 * (kBoxes * (radius + 1) * (radius + 1) - variance);
  const std::int64_t one = std::int64_t{1} << kWeightBits;
  // Even, because what is left over has to be shared by two ends alike: a mirrored picture is blurred to the mirrored result.
  std::int64_t inner = (one * b / (samples * b + 2 * a) + 1) / 2 * 2;
  while (samples * inner > one) inner -= 2;
  return {static_cast<std::uint32_t>(radius), static_cast<std::uint32_t>(inner), static_cast<std::uint32_t>((one - samples * inner) / 2)};
}

/// A Gaussian's own weights, from the middle to one side; all of them, on both sides, add up to 1 << kWeightBits exactly.
std::vector<std::uint32_t> short_weights(std::uint32_t sigma_hundredths) {
  const double sigma = sigma_hundredths / 100.0;
  const auto reach = static_cast<std::size_t>(std::ceil(4 * sigma));
  std::vector<double> exact(reach + 1);
  double sum = 0;
  for (std::size_t k = 0; k <= reach; ++k) {
    exact[k] = std::exp(-static_cast<double>(k * k) / (2 * sigma * sigma));
    sum += k == 0 ? exact[k] : 2 * exact[k];
  }
  std::vector<std::uint32_t> weights(reach + 1);
  std::uint32_t sides = 0;
  for (std::size_t k = 1; k <= reach; ++k) {
    weights[k] = static_cast<std::uint32_t>(std::lround(exact[k] / sum * (1U << kWeightBits)));
    sides += 2 * weights[k];
  }
  weights[0] = (1U << kWeightBits) - sides;
  return weights;
}

/// Lines of kLine samples, which go on beyond their ends as in a mirror. A symmetric filter of a mirrored stack gives a
/// mirrored one again: so several passes add up at the edges as they do everywhere else, which they would not if the last
/// line were repeated.
struct Stack {
  const std::uint16_t* lines;
  std::size_t count;
  [[nodiscard]] const std::uint16_t* at(std::int64_t i) const {
    const auto side = static_cast<std::int64_t>(count);
    if (i < 0) i = -1 - i;
    if (i >= side) {
      i %= 2 * side;
      if (i >= side) i = 2 * side - 1 - i;
    }
    return lines + static_cast<std::size_t>(i) * kLine;
  }
};

using Sums = std::array<std::uint32_t, kLine>;

void weigh(const Stack& in, std::uint16_t* out, const std::vector<std::uint32_t>& weights) {
  for (std::size_t i = 0; i < in.count; ++i) {
    const auto middle = static_cast<std::int64_t>(i);
    const std::uint16_t* line = in.at(middle);
    Sums sums;
    for (std::size_t x = 0; x < kLine; ++x) sums[x] = line[x] * weights[0] + (1U << (kWeightBits - 1));
    for (std::size_t k = 1; k < weights.size(); ++k) {
      const std::uint16_t* before = in.at(middle - static_cast<std::int64_t>(k));
      const std::uint16_t* after = in.at(middle + static_cast<std::int64_t>(k));
      const std::uint32_t weight = weights[k];
      for (std::size_t x = 0; x < kLine; ++x) sums[x] += (std::uint32_t{before[x]} + after[x]) * weight;
    }
    std::uint16_t* to = out + i * kLine;
    for (std::size_t x = 0; x < kLine; ++x) to[x] = static_cast<std::uint16_t>(sums[x] >> kWeightBits);
  }
}

/// A line of the box's result, and its sums one line further. What is read may be one and the same line, what is written
/// is none of them: compilers do not see that by themselves.
void slide(std::uint32_t* __restrict sums, const std::uint16_t* __restrict before, const std::uint16_t* __restrict after,
           const std::uint16_t* __restrict leaves, std::uint16_t* __restrict to, std::uint32_t inner, std::uint32_t outer) {
  for (std::size_t x = 0; x < kLine; ++x) {
    // At most kFull << 16 and a half: 32 bits hold it.
    const std::uint32_t sum = sums[x] * inner + (std::uint32_t{before[x]} + after[x]) * outer;
    to[x] = static_cast<std::uint16_t>((sum + (1U << (kWeightBits - 1))) >> kWeightBits);
    sums[x] += std::uint32_t{after[x]} - leaves[x];
  }
}

void box_pass(const Stack& in, std::uint16_t* out, const BoxFilter& filter) {
  const std::int64_t radius = filter.radius;
  Sums sums{};
  for (std::int64_t i = -radius; i <= radius; ++i) {
    const std::uint16_t* add = in.at(i);
    for (std::size_t x = 0; x < kLine; ++x) sums[x] += add[x];
  }
  for (std::size_t i = 0; i < in.count; ++i) {
    const auto middle = static_cast<std::int64_t>(i);
    const std::uint16_t* before = in.at(middle - radius - 1);
    const std::uint16_t* after = in.at(middle + radius + 1);
    const std::uint16_t* leaves = in.at(middle - radius);
    slide(sums.data(), before, after, leaves, out + i * kLine, filter.inner, filter.outer);
  }
}

/// Samples of several channels, interleaved, of a picture.
struct Samples {
  Size size;
  std::size_t channels = 1;
  std::vector<std::uint16_t> values;
};

class Blur {
 public:
  explicit Blur(std::uint32_t sigma_hundredths) {
    if (sigma_hundredths < kShortSigma) {
      weights_ = short_weights(sigma_hundredths);
    } else {
      box_ = box_filter(sigma_hundredths);
    }
  }

  void down(Samples& samples) {
    const std::size_t stride = samples.size.width * samples.channels;
    room_for(samples.size.height);
    for (std::size_t left = 0; left < stride; left += kLine) {
      // What is left of a line behind a picture's last column is blurred along, whatever it is.
      const std::size_t bytes = std::min(kLine, stride - left) * sizeof(std::uint16_t);
      for (std::size_t y = 0; y < samples.size.height; ++y) {
        std::memcpy(lines_.data() + y * kLine, samples.values.data() + y * stride + left, bytes);
      }
      passes(samples.size.height);
      for (std::size_t y = 0; y < samples.size.height; ++y) {
        std::memcpy(samples.values.data() + y * stride + left, lines_.data() + y * kLine, bytes);
      }
    }
  }

  /// As down, on as many rows as make up a line when they are laid on their side.
  void across(Samples& samples) {
    const std::size_t parts = samples.channels;
    const std::size_t stride = samples.size.width * parts;
    const std::size_t height = samples.size.height;
    room_for(samples.size.width);
    for (std::size_t top = 0; top < height; top += kLine / parts) {
      const std::size_t rows = std::min(kLine / parts, height - top);
      for (std::size_t r = 0; r < rows; ++r) {
        const std::uint16_t* from = samples.values.data() + (top + r) * stride;
        std::uint16_t* to = lines_.data() + r * parts;
        for (std::size_t x = 0; x < samples.size.width; ++x) {
          for (std::size_t c = 0; c < parts; ++c) to[x * kLine + c] = from[x * parts + c];
        }
      }
      passes(samples.size.width);
      for (std::size_t r = 0; r < rows; ++r) {
        const std::uint16_t* from = lines_.data() + r * parts;
        std::uint16_t* to = samples.values.data() + (top + r) * stride;
        for (std::size_t x = 0; x < samples.size.width; ++x) {
          for (std::size_t c = 0; c < parts; ++c) to[x * parts + c] = from[x * kLine + c];
        }
      }
    }
  }

 private:
  void room_for(std::size_t lines) {
    lines_.resize(lines * kLine);
    other_.resize(lines * kLine);
  }
  void passes(std::size_t count) {
    if (!weights_.empty()) {
      weigh({lines_.data(), count}, other_.data(), weights_);
      lines_.swap(other_);
      return;
    }
    for (std::int64_t i = 0; i < kPasses; ++i) {
      box_pass({lines_.data(), count}, other_.data(), box_);
      lines_.swap(other_);
    }
  }

  std::vector<std::uint32_t> weights_;  ///< Of a short Gaussian; else empty.
  BoxFilter box_{};
  std::vector<std::uint16_t> lines_;
  std::vector<std::uint16_t> other_;
};

void gaussian(Samples& samples, std::uint32_t sigma_hundredths) {
  Blur blur(sigma_hundredths);
  blur.down(samples);
  blur.across(samples);
}

/// BT.601, as JPEG has it, in 256ths.
template <class Code>
unsigned brightness(const Code* pixel) {
  return (77U * pixel[0] + 150U * pixel[1] + 29U * pixel[2] + 128U) >> 8U;
}

// Colours that count by their alpha, and back: of 8 bits the product itself is a sample, which nothing has to be rounded for.
std::uint16_t weighted(std::uint8_t code, unsigned alpha) { return static_cast<std::uint16_t>(code * alpha); }
std::uint16_t weighted(std::uint16_t code, unsigned alpha) { return static_cast<std::uint16_t>((code * alpha + kFull / 2) / kFull); }
std::uint16_t opacity(std::uint8_t alpha) { return static_cast<std::uint16_t>(alpha * 255U); }
std::uint16_t opacity(std::uint16_t alpha) { return alpha; }
/// What a code value of alpha weighs among samples of `opacity`.
template <class Code>
constexpr std::uint32_t kOpacity = sizeof(Code) == 1 ? 255 : 1;

template <class Code>
Code limited(int value) {
  return static_cast<Code>(std::clamp(value, 0, static_cast<int>(kWhite<Code>)));
}

template <class Code>
Raster<Code> with_alpha(const Raster<Code>& picture) {
  Raster<Code> out(picture.size, Layout::rgba);
  const std::size_t parts = channels(picture.layout);
  const Code* in = picture.data.data();
  for (std::size_t at = 0; at < out.data.size(); at += 4, in += parts) {
    for (std::size_t c = 0; c < 3; ++c) out.data[at + c] = in[parts == 1 ? 0 : c];
    out.data[at + 3] = parts == 4 ? in[3] : std::numeric_limits<Code>::max();
  }
  return out;
}

template <class Code>
Raster<Code> pad(Raster<Code> picture, const Transform& transform) {
  const Canvas canvas = canvas_of(picture.size, transform);
  if (canvas.size == picture.size) return picture;
  const bool opaque = transform.background.has_value() || transform.format == Format::jpeg;
  const Colour ground = transform.background.value_or(Colour{});
  const auto code = [](unsigned value) { return static_cast<Code>(value * (kWhite<Code> / 255)); };
  std::array<Code, 4> fill{code(ground.red), code(ground.green), code(ground.blue), code(255)};
  if (!opaque) {
    picture = with_alpha(picture);
    fill = {0, 0, 0, 0};
  } else {
    picture = flatten(std::move(picture), ground);
    const bool grey = ground.red == ground.green && ground.green == ground.blue;
    if (picture.layout == Layout::grey && !grey) picture = grey_to_rgb(std::move(picture));
  }
  Raster<Code> out(canvas.size, picture.layout);
  const std::size_t parts = channels(out.layout);
  for (std::size_t at = 0; at < out.data.size(); at += parts) std::copy_n(fill.begin(), parts, out.data.data() + at);
  for (std::uint32_t y = 0; y < picture.size.height; ++y) {
    const auto row = picture.row(y);
    std::copy(row.begin(), row.end(), out.row(canvas.top + y).begin() + static_cast<std::ptrdiff_t>(canvas.left * parts));
  }
  return out;
}

template <class Code>
Raster<Code> blurred(Raster<Code> picture, std::uint32_t sigma_hundredths) {
  const std::size_t parts = channels(picture.layout);
  Samples samples{picture.size, parts, std::vector<std::uint16_t>(picture.data.size())};
  std::uint16_t* to = samples.values.data();
  if (picture.layout != Layout::rgba) {
    constexpr std::uint32_t kUnit = kCode<Code>;
    for (std::size_t i = 0; i < picture.data.size(); ++i) to[i] = static_cast<std::uint16_t>(picture.data[i] * kUnit);
    gaussian(samples, sigma_hundredths);
    for (std::size_t i = 0; i < picture.data.size(); ++i) picture.data[i] = static_cast<Code>((to[i] + kUnit / 2) / kUnit);
    return picture;
  }
  for (std::size_t i = 0; i < picture.data.size(); i += 4) {
    const Code alpha = picture.data[i + 3];
    for (std::size_t c = 0; c < 3; ++c) to[i + c] = weighted(picture.data[i + c], alpha);
    to[i + 3] = opacity(alpha);
  }
  gaussian(samples, sigma_hundredths);
  constexpr std::uint32_t kMost = kWhite<Code>;
  for (std::size_t i = 0; i < picture.data.size(); i += 4) {
    const std::uint32_t alpha = to[i + 3];
    picture.data[i + 3] = static_cast<Code>((alpha + kOpacity<Code> / 2) / kOpacity<Code>);
    for (std::size_t c = 0; c < 3; ++c) {
      // A sample times white, and half of the alpha: 32 bits hold it.
      const std::uint32_t straight = alpha == 0 ? 0 : std::min((to[i + c] * kMost + alpha / 2) / alpha, kMost);
      picture.data[i + c] = picture.data[i + 3] == 0 ? Code{0} : static_cast<Code>(straight);
    }
  }
  return picture;
}

template <class Code>
Raster<Code> sharpened(Raster<Code> picture, std::uint32_t amount_hundredths, std::uint32_t sigma_hundredths) {
  const std::size_t parts = channels(picture.layout);
  const bool alpha = picture.layout == Layout::rgba;
  const std::size_t pixels = picture.size.pixels();
  const auto brightness_at = [&](std::size_t i) {
    return static_cast<Code>(parts == 1 ? picture.data[i] : brightness(picture.data.data() + i * parts));
  };
  Samples samples{picture.size, alpha ? std::size_t{2} : std::size_t{1}, std::vector<std::uint16_t>(pixels * (alpha ? 2 : 1))};
  std::uint16_t* values = samples.values.data();
  for (std::size_t i = 0; i < pixels; ++i) {
    if (alpha) {
      const Code share = picture.data[i * 4 + 3];
      values[2 * i] = weighted(brightness_at(i), share);
      values[2 * i + 1] = opacity(share);
    } else {
      values[i] = static_cast<std::uint16_t>(brightness_at(i) * kCode<Code>);
    }
  }
  gaussian(samples, sigma_hundredths);
  const std::size_t colours = std::min<std::size_t>(parts, 3);
  constexpr int kMost = kMaxSharpening * static_cast<int>(kWhite<Code> / 255);
  for (std::size_t i = 0; i < pixels; ++i) {
    if (alpha && (picture.data[i * 4 + 3] == 0 || values[2 * i + 1] == 0)) continue;
    const std::int64_t blurred = alpha ? static_cast<std::int64_t>(std::uint64_t{values[2 * i]} * kFull / values[2 * i + 1]) : values[i];
    const std::int64_t more = (static_cast<std::int64_t>(brightness_at(i) * kCode<Code>) - blurred) * amount_hundredths;
    constexpr std::int64_t kUnit = std::int64_t{kCode<Code>} * 100;
    const auto change = static_cast<int>((more + (more < 0 ? -kUnit / 2 : kUnit / 2)) / kUnit);
    const int bounded = std::clamp(change, -kMost, kMost);
    Code* pixel = picture.data.data() + i * parts;
    for (std::size_t c = 0; c < colours; ++c) pixel[c] = limited<Code>(pixel[c] + bounded);
  }
  return picture;
}

template <class Code>
Raster<Code> edited(Raster<Code> picture, const Transform& transform) {
  if (transform.sharpen_hundredths != 0) {
    picture = sharpened(std::move(picture), transform.sharpen_hundredths, transform.sharpen_sigma_hundredths);
  }
  if (transform.blur_hundredths != 0) picture = blurred(std::move(picture), transform.blur_hundredths);
  if (transform.fit == Fit::pad) picture = pad(std::move(picture), transform);
  return picture;
}

}  // namespace

Image blur(Image picture, std::uint32_t sigma_hundredths) { return blurred(std::move(picture), sigma_hundredths); }
DeepImage blur(DeepImage picture, std::uint32_t sigma_hundredths) { return blurred(std::move(picture), sigma_hundredths); }

Image sharpen(Image picture, std::uint32_t amount_hundredths, std::uint32_t sigma_hundredths) {
  return sharpened(std::move(picture), amount_hundredths, sigma_hundredths);
}
DeepImage sharpen(DeepImage picture, std::uint32_t amount_hundredths, std::uint32_t sigma_hundredths) {
  return sharpened(std::move(picture), amount_hundredths, sigma_hundredths);
}

bool has_edits(const Transform& transform) noexcept {
  return transform.sharpen_hundredths != 0 || transform.blur_hundredths != 0 ||
         (transform.fit == Fit::pad && transform.width != 0 && transform.height != 0);
}

Image edit(Image picture, const Transform& transform) { return edited(std::move(picture), transform); }
DeepImage edit(DeepImage picture, const Transform& transform) { return edited(std::move(picture), transform); }

}  // namespace media::image
