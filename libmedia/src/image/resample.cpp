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

Resampler::Part part(double side, double keep, double at) { return {side * (1 - keep) * at, side * keep}; }

bool passes_through(std::uint32_t source, const Resampler::Part& part, std::uint32_t result) {
  return source == result && part.begin == 0 && part.length == source;
}

/// Window of rows of one output row, at most.
std::uint64_t rows_held(std::uint32_t source_rows, double length, std::uint32_t result_rows) {
  const double scale = std::max(1.0, length / result_rows);
  return static_cast<std::uint64_t>(std::min<double>(2 * kLobes * scale + 2, source_rows));
}

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
    : Resampler(source, layout, part(source.width, geometry.keep_width, geometry.at_x),
                part(source.height, geometry.keep_height, geometry.at_y), geometry.size,
                layout != Layout::cmyk && source.width * geometry.keep_width >= geometry.size.width &&
                    source.height * geometry.keep_height >= geometry.size.height) {}

Resampler::Resampler(Size source, Layout layout, Part x, Part y, Size result, bool in_light)
    : layout_(layout),
      channels_(channels(layout)),
      copy_(passes_through(source.width, x, result.width) && passes_through(source.height, y, result.height)),
      in_light_(in_light),
      out_(result, layout) {
  if (copy_) return;
  across_ = make_filter(source.width, x.begin, x.length, result.width);
  down_ = make_filter(source.height, y.begin, y.length, result.height);
  left_ = across_.windows.front().first;
  for (Filter::Window& window : across_.windows) window.first -= left_;
  columns_ = across_.windows.back().first + across_.windows.back().count;
  line_ = padded(std::size_t{columns_} * channels_);
  ring_rows_ = down_.longest;
  ring_.resize(line_ * ring_rows_);
  block_.resize(line_ * kBlockRows);
  turned_.resize(padded(std::size_t{columns_} * channels_ * kBlockRows));
  narrow_.resize(padded(std::size_t{result.width} * channels_ * kBlockRows));
  taps_.resize(std::max(across_.longest, down_.longest) + 1);
}

std::uint64_t Resampler::working_bytes(Size source, Layout layout, const Geometry& geometry) {
  const std::uint64_t rows = rows_held(source.height, source.height * geometry.keep_height, geometry.size.height) + 2ULL * kBlockRows;
  const std::uint64_t samples = (rows * source.width + std::uint64_t{geometry.size.width} * kBlockRows) * channels(layout);
  return image_bytes(geometry.size, layout) + samples * sizeof(std::int16_t) + (std::uint64_t{source.width} + source.height) * 16;
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

PlaneResampler::PlaneResampler(const std::array<PlaneGrid, 3>& source, const Geometry& geometry, Chroma chroma, Reversed reversed)
    : chroma_(chroma) {
  planes_.reserve(source.size());
  for (std::size_t plane = 0; plane < source.size(); ++plane) {
    const PlaneGrid& grid = source[plane];
    Resampler::Part x = part(grid.across, geometry.keep_width, geometry.at_x);
    Resampler::Part y = part(grid.down, geometry.keep_height, geometry.at_y);
    x.begin += grid.left;
    y.begin += grid.top;
    Size result = geometry.size;
    bool in_light = plane == 0 && x.length >= result.width && y.length >= result.height;
    if (plane > 0 && chroma == Chroma::half) {
      // A sample of colour is of two pixels. The last one may go on beyond the picture, or the first one where the side is
      // reversed afterwards.
      result = chroma_size(geometry.size, chroma);
      const auto pairs = [](Resampler::Part& side, std::uint32_t pixels, std::uint32_t samples, bool from_the_end) {
        const double pixel = side.length / pixels;
        side.length = 2 * pixel * samples;
        if (from_the_end) side.begin -= pixel * (2.0 * samples - pixels);
      };
      pairs(x, geometry.size.width, result.width, reversed.x);
      pairs(y, geometry.size.height, result.height, reversed.y);
    }
    planes_.emplace_back(grid.size, Layout::grey, x, y, result, in_light);
  }
}

std::uint64_t PlaneResampler::working_bytes(const std::array<PlaneGrid, 3>& source, const Geometry& geometry, Chroma chroma) {
  std::uint64_t bytes = 0;
  for (std::size_t plane = 0; plane < source.size(); ++plane) {
    Geometry part = geometry;
    if (plane > 0) part.size = chroma_size(geometry.size, chroma);
    bytes += Resampler::working_bytes(source[plane].size, Layout::grey, part);
  }
  return bytes;
}

Planes PlaneResampler::take() {
  Planes out;
  out.chroma = chroma_;
  for (std::size_t plane = 0; plane < planes_.size(); ++plane) {
    Image image = planes_[plane].take();
    if (plane == 0) out.size = image.size;
    out.data[plane] = std::move(image.data);
  }
  return out;
}

Planes resample(const Planes& planes, const Geometry& geometry, Chroma chroma) {
  std::array<PlaneGrid, 3> grids;
  for (std::size_t plane = 0; plane < grids.size(); ++plane) {
    const double share = plane > 0 && planes.chroma == Chroma::half ? 0.5 : 1;
    grids[plane] = {planes.plane_size(plane), planes.size.width * share, planes.size.height * share};
  }
  PlaneResampler resampler(grids, geometry, chroma);
  for (std::size_t plane = 0; plane < grids.size(); ++plane) {
    const Size size = grids[plane].size;
    for (std::uint32_t y = 0; y < size.height; ++y) resampler.push_row(plane, {planes.row(plane, y), size.width});
  }
  return resampler.take();
}

}  // namespace media::image
