#include "image/resample.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "image/tone.hpp"
#include "image/weigh.hpp"

namespace media::image {
namespace {

/// Output rows that go through the horizontal pass together: one vector of 16-bit lanes on AVX2.
constexpr std::uint32_t kBlockRows = 16;
constexpr double kLobes = 3;
/// What opaque is while pictures with alpha are resampled. Lanczos overshoots at edges by a tenth in each direction; alpha
/// and the colours multiplied by it must do so alike, or dividing them again changes the colour there.
constexpr int kOpaque = kFullLight * 4 / 5;

double lanczos(double x) {
  if (std::abs(x) < 1e-9) return 1;
  if (std::abs(x) >= kLobes) return 0;
  const double angle = std::numbers::pi * x;
  return kLobes * std::sin(angle) * std::sin(angle / kLobes) / (angle * angle);
}

std::size_t padded(std::size_t samples) { return (samples + kWeighOverrun - 1) / kWeighOverrun * kWeighOverrun + kWeighOverrun; }

struct Part {
  double begin;
  double length;
};
Part part(std::uint32_t side, double keep, double at) { return {side * (1 - keep) * at, side * keep}; }

bool passes_through(Size source, const Geometry& geometry) { return geometry.whole() && geometry.size == source; }

}  // namespace

Filter make_filter(std::uint32_t input, double begin, double length, std::uint32_t output) {
  Filter filter;
  filter.windows.reserve(output);
  const double scale = length / output;
  const double stretch = std::max(scale, 1.0);
  std::vector<double> exact;
  for (std::uint32_t i = 0; i < output; ++i) {
    const double centre = begin + (i + 0.5) * scale;
    const auto low = static_cast<std::int64_t>(std::floor(centre - kLobes * stretch));
    const auto high = static_cast<std::int64_t>(std::ceil(centre + kLobes * stretch));
    std::int64_t first = std::clamp<std::int64_t>(low, 0, std::int64_t{input} - 1);
    std::int64_t last = std::clamp<std::int64_t>(high, first + 1, input);
    const auto weight_at = [&](std::int64_t j) { return lanczos((static_cast<double>(j) + 0.5 - centre) / stretch); };
    while (first + 1 < last && weight_at(first) == 0) ++first;
    while (first + 1 < last && weight_at(last - 1) == 0) --last;
    exact.clear();
    double sum = 0;
    for (std::int64_t j = first; j < last; ++j) {
      exact.push_back(weight_at(j));
      sum += exact.back();
    }

    Filter::Window window;
    window.first = static_cast<std::uint32_t>(first);
    window.count = static_cast<std::uint32_t>(exact.size());
    window.weights = filter.weights.size();
    // The error of each rounding goes into the next weight: with thousands of small weights (a strong reduction) rounding
    // each alone would add up to a wrong brightness.
    double running = 0;
    int given = 0;
    for (const double weight : exact) {
      running += weight / sum * kWeightOne;
      const int upto = static_cast<int>(std::lround(running));
      filter.weights.push_back(static_cast<std::int16_t>(upto - given));
      given = upto;
    }
    if (window.count % 2 != 0) filter.weights.push_back(0);
    filter.longest = std::max(filter.longest, window.count);
    filter.windows.push_back(window);
  }
  return filter;
}

Resampler::Resampler(Size source, Layout layout, const Geometry& geometry)
    : layout_(layout),
      channels_(channels(layout)),
      copy_(passes_through(source, geometry)),
      in_light_(layout != Layout::cmyk && source.width * geometry.keep_width >= geometry.size.width &&
                source.height * geometry.keep_height >= geometry.size.height),
      out_(geometry.size, layout) {
  if (copy_) return;
  const Part x = part(source.width, geometry.keep_width, geometry.at_x);
  const Part y = part(source.height, geometry.keep_height, geometry.at_y);
  across_ = make_filter(source.width, x.begin, x.length, geometry.size.width);
  down_ = make_filter(source.height, y.begin, y.length, geometry.size.height);
  left_ = across_.windows.front().first;
  for (Filter::Window& window : across_.windows) window.first -= left_;
  columns_ = across_.windows.back().first + across_.windows.back().count;
  line_ = padded(std::size_t{columns_} * channels_);
  ring_rows_ = down_.longest;
  ring_.resize(line_ * ring_rows_);
  block_.resize(line_ * kBlockRows);
  turned_.resize(padded(std::size_t{columns_} * channels_ * kBlockRows));
  narrow_.resize(padded(std::size_t{geometry.size.width} * channels_ * kBlockRows));
  taps_.resize(std::max(across_.longest, down_.longest) + 1);
}

std::uint64_t Resampler::working_bytes(Size source, Layout layout, const Geometry& geometry) {
  const std::uint64_t result = image_bytes(geometry.size, layout);
  if (passes_through(source, geometry)) return result;
  const double scale = std::max(1.0, source.height * geometry.keep_height / geometry.size.height);
  const auto rows = static_cast<std::uint64_t>(std::min<double>(2 * kLobes * scale + 2, source.height)) + 2ULL * kBlockRows;
  const std::uint64_t samples = (rows * source.width + std::uint64_t{geometry.size.width} * kBlockRows) * channels(layout);
  return result + samples * sizeof(std::int16_t) + (std::uint64_t{source.width} + source.height) * 16;
}

void Resampler::convert(std::span<const std::uint8_t> row, std::int16_t* to) const {
  const ToSamples& table = in_light_ ? to_light() : to_even();
  const std::uint8_t* in = row.data() + std::size_t{left_} * channels_;
  const std::size_t samples = std::size_t{columns_} * channels_;
  if (layout_ != Layout::rgba) {
    for (std::size_t i = 0; i < samples; ++i) to[i] = table[in[i]];
    return;
  }
  for (std::size_t i = 0; i < samples; i += 4) {
    const int alpha = in[i + 3] * kOpaque / 255;
    for (std::size_t c = 0; c < 3; ++c) to[i + c] = static_cast<std::int16_t>((table[in[i + c]] * alpha + kFullLight / 2) / kFullLight);
    to[i + 3] = static_cast<std::int16_t>(alpha);
  }
}

void Resampler::push_row(std::span<const std::uint8_t> row) {
  const std::uint32_t y = seen_++;
  if (done()) return;
  if (copy_) {
    std::copy(row.begin(), row.end(), out_.row(y).begin());
    ++made_;
    return;
  }
  if (planned_ < out_.size.height && y >= down_.windows[planned_].first) convert(row, ring_.data() + line_ * (y % ring_rows_));
  while (planned_ < out_.size.height) {
    const Filter::Window& window = down_.windows[planned_];
    if (window.first + window.count > seen_) break;
    for (std::uint32_t k = 0; k < window.count; ++k) taps_[k] = ring_.data() + line_ * ((window.first + k) % ring_rows_);
    taps_[window.count] = taps_[window.count - 1];
    weigh_rows(taps_.data(), down_.weights.data() + window.weights, window.count + window.count % 2, std::size_t{columns_} * channels_,
               block_.data() + line_ * (planned_ - made_));
    ++planned_;
    if (planned_ - made_ == kBlockRows) flush_block();
  }
  if (planned_ == out_.size.height && planned_ != made_) flush_block();
}

void Resampler::flush_block() {
  // The horizontal pass is the vertical one on the turned block: column x of 16 rows is then a row of 16 samples a channel.
  const std::size_t samples = std::size_t{columns_} * channels_;
  for (std::size_t i = 0; i < samples; ++i) {
    std::int16_t* to = turned_.data() + i * kBlockRows;
    const std::int16_t* from = block_.data() + i;
    for (std::uint32_t lane = 0; lane < kBlockRows; ++lane) to[lane] = from[lane * line_];
  }
  const std::size_t column = std::size_t{channels_} * kBlockRows;
  for (std::uint32_t x = 0; x < out_.size.width; ++x) {
    const Filter::Window& window = across_.windows[x];
    for (std::uint32_t k = 0; k < window.count; ++k) taps_[k] = turned_.data() + column * (window.first + k);
    taps_[window.count] = taps_[window.count - 1];
    // May run over into the next column, which is written after this one.
    weigh_rows(taps_.data(), across_.weights.data() + window.weights, window.count + window.count % 2, column, narrow_.data() + column * x);
  }
  for (std::uint32_t lane = 0; made_ < planned_; ++lane, ++made_) finish_row(lane, out_.row(made_));
}

void Resampler::finish_row(std::uint32_t lane, std::span<std::uint8_t> row) const {
  const FromSamples& table = in_light_ ? from_light() : from_even();
  const std::int16_t* in = narrow_.data() + lane;
  if (layout_ != Layout::rgba) {
    for (std::uint8_t& value : row) {
      value = table[static_cast<std::size_t>(*in)];
      in += kBlockRows;
    }
    return;
  }
  for (std::size_t i = 0; i < row.size(); i += 4, in += std::size_t{4} * kBlockRows) {
    const int alpha = in[std::size_t{3} * kBlockRows];
    row[i + 3] = static_cast<std::uint8_t>(std::min((alpha * 255 + kOpaque / 2) / kOpaque, 255));
    for (std::size_t c = 0; c < 3; ++c) {
      const int straight = alpha == 0 ? 0 : std::min((in[c * kBlockRows] * kFullLight + alpha / 2) / alpha, kFullLight);
      row[i + c] = row[i + 3] == 0 ? std::uint8_t{0} : table[static_cast<std::size_t>(straight)];
    }
  }
}

Image resample(const Image& image, const Geometry& geometry) {
  Resampler resampler(image.size, image.layout, geometry);
  for (std::uint32_t y = 0; y < image.size.height && !resampler.done(); ++y) resampler.push_row(image.row(y));
  return resampler.take();
}

}  // namespace media::image
