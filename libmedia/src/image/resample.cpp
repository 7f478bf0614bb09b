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

/// What belongs to the numbers: white, the filter, the sum, and the way from code values to samples and back.
template <class Numbers>
struct Arithmetic;

template <>
struct Arithmetic<Brisk> {
  using Wide = std::int32_t;  ///< Holds the product of two samples.
  static constexpr Wide kFull = kFullLight;

  explicit Arithmetic(bool in_light) : to(in_light ? to_light() : to_even()), from(in_light ? from_light() : from_even()) {}
  [[nodiscard]] std::int16_t sample(std::uint8_t code) const { return to[code]; }
  [[nodiscard]] std::uint8_t code(std::int32_t sample) const { return from[static_cast<std::size_t>(sample)]; }
  static Filter filter(std::uint32_t input, const Stretch& part, std::uint32_t output) {
    return make_filter(input, part.begin, part.length, output);
  }
  static void weigh(const std::int16_t* const* rows, const std::int16_t* weights, std::size_t count, std::size_t length,
                    std::int16_t* out) {
    weigh_rows(rows, weights, count, length, out);
  }

  const ToSamples& to;
  const FromSamples& from;
};

template <>
struct Arithmetic<Exact> {
  using Wide = std::int64_t;
  static constexpr Wide kFull = kFullDeepLight;
  static constexpr std::int32_t kEven = kFullDeepLight / 65535;

  explicit Arithmetic(bool in_light) : to(in_light ? &deep_to_light() : nullptr), from(in_light ? &deep_from_light() : nullptr) {}
  [[nodiscard]] std::int32_t sample(std::uint16_t code) const { return to != nullptr ? (*to)[code] : code * kEven; }
  [[nodiscard]] std::uint16_t code(std::int64_t sample) const {
    return from != nullptr ? from->code(static_cast<std::int32_t>(sample)) : static_cast<std::uint16_t>((sample + kEven / 2) / kEven);
  }
  static DeepFilter filter(std::uint32_t input, const Stretch& part, std::uint32_t output) {
    return make_deep_filter(input, part.begin, part.length, output);
  }
  static void weigh(const std::int32_t* const* rows, const std::int32_t* weights, std::size_t count, std::size_t length,
                    std::int32_t* out) {
    weigh_rows(rows, weights, count, length, kFullDeepLight, out);
  }

  const DeepToLight* to;
  const DeepFromLight* from;
};

/// What opaque is while pictures with alpha are resampled. Lanczos overshoots at edges by a tenth in each direction; alpha
/// and the colours multiplied by it must do so alike, or dividing them again changes the colour there.
template <class Numbers>
constexpr typename Arithmetic<Numbers>::Wide kOpaque = Arithmetic<Numbers>::kFull * 4 / 5;

double lanczos(double x) {
  if (std::abs(x) < 1e-9) return 1;
  if (std::abs(x) >= kLobes) return 0;
  const double angle = std::numbers::pi * x;
  return kLobes * std::sin(angle) * std::sin(angle / kLobes) / (angle * angle);
}

std::size_t padded(std::size_t samples) { return (samples + kWeighOverrun - 1) / kWeighOverrun * kWeighOverrun + kWeighOverrun; }

Stretch part(double side, double keep, double at) { return {side * (1 - keep) * at, side * keep}; }

bool passes_through(std::uint32_t source, const Stretch& part, std::uint32_t result) {
  return source == result && part.begin == 0 && part.length == source;
}

/// Window of rows of one output row, at most.
std::uint64_t rows_held(std::uint32_t source_rows, double length, std::uint32_t result_rows) {
  const double scale = std::max(1.0, length / result_rows);
  return static_cast<std::uint64_t>(std::min<double>(2 * kLobes * scale + 2, source_rows));
}

/// Weights that add up to `one`.
template <class Weight>
Weights<Weight> lanczos_weights(std::uint32_t input, double begin, double length, std::uint32_t output, int one) {
  Weights<Weight> filter;
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

    typename Weights<Weight>::Window window;
    window.first = static_cast<std::uint32_t>(first);
    window.count = static_cast<std::uint32_t>(exact.size());
    window.weights = filter.weights.size();
    // The error of each rounding goes into the next weight: with thousands of small weights (a strong reduction) rounding
    // each alone would add up to a wrong brightness.
    double running = 0;
    int given = 0;
    for (const double weight : exact) {
      running += weight / sum * one;
      const int upto = static_cast<int>(std::lround(running));
      filter.weights.push_back(static_cast<Weight>(upto - given));
      given = upto;
    }
    if (window.count % 2 != 0) filter.weights.push_back(0);
    filter.longest = std::max(filter.longest, window.count);
    filter.windows.push_back(window);
  }
  return filter;
}

}  // namespace

Filter make_filter(std::uint32_t input, double begin, double length, std::uint32_t output) {
  return lanczos_weights<std::int16_t>(input, begin, length, output, kWeightOne);
}

DeepFilter make_deep_filter(std::uint32_t input, double begin, double length, std::uint32_t output) {
  return lanczos_weights<std::int32_t>(input, begin, length, output, kDeepWeightOne);
}

template <class Numbers>
RowResampler<Numbers>::RowResampler(Size source, Layout layout, const Geometry& geometry)
    : RowResampler(source, layout, part(source.width, geometry.keep_width, geometry.at_x),
                   part(source.height, geometry.keep_height, geometry.at_y), geometry.size,
                   layout != Layout::cmyk && source.width * geometry.keep_width >= geometry.size.width &&
                       source.height * geometry.keep_height >= geometry.size.height) {}

template <class Numbers>
RowResampler<Numbers>::RowResampler(Size source, Layout layout, Stretch x, Stretch y, Size result, bool in_light)
    : layout_(layout),
      channels_(channels(layout)),
      copy_(passes_through(source.width, x, result.width) && passes_through(source.height, y, result.height)),
      in_light_(in_light),
      out_(result, layout) {
  if (copy_) return;
  across_ = Arithmetic<Numbers>::filter(source.width, x, result.width);
  down_ = Arithmetic<Numbers>::filter(source.height, y, result.height);
  left_ = across_.windows.front().first;
  for (auto& window : across_.windows) window.first -= left_;
  columns_ = across_.windows.back().first + across_.windows.back().count;
  line_ = padded(std::size_t{columns_} * channels_);
  ring_rows_ = down_.longest;
  ring_.resize(line_ * ring_rows_);
  block_.resize(line_ * kBlockRows);
  turned_.resize(padded(std::size_t{columns_} * channels_ * kBlockRows));
  narrow_.resize(padded(std::size_t{result.width} * channels_ * kBlockRows));
  taps_.resize(std::max(across_.longest, down_.longest) + 1);
}

template <class Numbers>
std::uint64_t RowResampler<Numbers>::working_bytes(Size source, Layout layout, const Geometry& geometry) {
  const std::uint64_t rows = rows_held(source.height, source.height * geometry.keep_height, geometry.size.height) + 2ULL * kBlockRows;
  const std::uint64_t samples = (rows * source.width + std::uint64_t{geometry.size.width} * kBlockRows) * channels(layout);
  const std::uint64_t weights = (std::uint64_t{source.width} + source.height) * 8 * sizeof(Weight);
  return image_bytes(geometry.size, layout) * sizeof(Code) + samples * sizeof(Sample) + weights;
}

template <class Numbers>
void RowResampler<Numbers>::convert(std::span<const Code> row, Sample* to) const {
  using Wide = typename Arithmetic<Numbers>::Wide;
  constexpr Wide kFull = Arithmetic<Numbers>::kFull;
  const Arithmetic<Numbers> numbers(in_light_);
  const Code* in = row.data() + std::size_t{left_} * channels_;
  const std::size_t samples = std::size_t{columns_} * channels_;
  if (layout_ != Layout::rgba) {
    for (std::size_t i = 0; i < samples; ++i) to[i] = numbers.sample(in[i]);
    return;
  }
  for (std::size_t i = 0; i < samples; i += 4) {
    const Wide alpha = in[i + 3] * kOpaque<Numbers> / Wide{kWhite<Code>};
    for (std::size_t c = 0; c < 3; ++c) to[i + c] = static_cast<Sample>((numbers.sample(in[i + c]) * alpha + kFull / 2) / kFull);
    to[i + 3] = static_cast<Sample>(alpha);
  }
}

template <class Numbers>
void RowResampler<Numbers>::push_row(std::span<const Code> row) {
  const std::uint32_t y = seen_++;
  if (done()) return;
  if (copy_) {
    std::copy(row.begin(), row.end(), out_.row(y).begin());
    ++made_;
    return;
  }
  if (planned_ < out_.size.height && y >= down_.windows[planned_].first) convert(row, ring_.data() + line_ * (y % ring_rows_));
  while (planned_ < out_.size.height) {
    const auto& window = down_.windows[planned_];
    if (window.first + window.count > seen_) break;
    for (std::uint32_t k = 0; k < window.count; ++k) taps_[k] = ring_.data() + line_ * ((window.first + k) % ring_rows_);
    taps_[window.count] = taps_[window.count - 1];
    Arithmetic<Numbers>::weigh(taps_.data(), down_.weights.data() + window.weights, window.count + window.count % 2,
                               std::size_t{columns_} * channels_, block_.data() + line_ * (planned_ - made_));
    ++planned_;
    if (planned_ - made_ == kBlockRows) flush_block();
  }
  if (planned_ == out_.size.height && planned_ != made_) flush_block();
}

template <class Numbers>
void RowResampler<Numbers>::flush_block() {
  // The horizontal pass is the vertical one on the turned block: column x of 16 rows is then a row of 16 samples a channel.
  const std::size_t samples = std::size_t{columns_} * channels_;
  for (std::size_t i = 0; i < samples; ++i) {
    Sample* to = turned_.data() + i * kBlockRows;
    const Sample* from = block_.data() + i;
    for (std::uint32_t lane = 0; lane < kBlockRows; ++lane) to[lane] = from[lane * line_];
  }
  const std::size_t column = std::size_t{channels_} * kBlockRows;
  for (std::uint32_t x = 0; x < out_.size.width; ++x) {
    const auto& window = across_.windows[x];
    for (std::uint32_t k = 0; k < window.count; ++k) taps_[k] = turned_.data() + column * (window.first + k);
    taps_[window.count] = taps_[window.count - 1];
    // May run over into the next column, which is written after this one.
    Arithmetic<Numbers>::weigh(taps_.data(), across_.weights.data() + window.weights, window.count + window.count % 2, column,
                               narrow_.data() + column * x);
  }
  for (std::uint32_t lane = 0; made_ < planned_; ++lane, ++made_) finish_row(lane, out_.row(made_));
}

template <class Numbers>
void RowResampler<Numbers>::finish_row(std::uint32_t lane, std::span<Code> row) const {
  using Wide = typename Arithmetic<Numbers>::Wide;
  constexpr Wide kFull = Arithmetic<Numbers>::kFull;
  constexpr Wide kMost = kWhite<Code>;
  const Arithmetic<Numbers> numbers(in_light_);
  const Sample* in = narrow_.data() + lane;
  if (layout_ != Layout::rgba) {
    for (Code& value : row) {
      value = numbers.code(*in);
      in += kBlockRows;
    }
    return;
  }
  for (std::size_t i = 0; i < row.size(); i += 4, in += std::size_t{4} * kBlockRows) {
    const Wide alpha = in[std::size_t{3} * kBlockRows];
    row[i + 3] = static_cast<Code>(std::min((alpha * kMost + kOpaque<Numbers> / 2) / kOpaque<Numbers>, kMost));
    for (std::size_t c = 0; c < 3; ++c) {
      const Wide straight = alpha == 0 ? 0 : std::min((in[c * kBlockRows] * kFull + alpha / 2) / alpha, kFull);
      row[i + c] = row[i + 3] == 0 ? Code{0} : numbers.code(straight);
    }
  }
}

template class RowResampler<Brisk>;
template class RowResampler<Exact>;

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
    Stretch x = part(grid.across, geometry.keep_width, geometry.at_x);
    Stretch y = part(grid.down, geometry.keep_height, geometry.at_y);
    x.begin += grid.left;
    y.begin += grid.top;
    Size result = geometry.size;
    bool in_light = plane == 0 && x.length >= result.width && y.length >= result.height;
    if (plane > 0 && chroma == Chroma::half) {
      // A sample of colour is of two pixels. The last one may go on beyond the picture, or the first one where the side is
      // reversed afterwards.
      result = chroma_size(geometry.size, chroma);
      const auto pairs = [](Stretch& side, std::uint32_t pixels, std::uint32_t samples, bool from_the_end) {
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
