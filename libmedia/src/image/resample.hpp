/// Changing the size of pictures, row by row.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "image/orient.hpp"
#include "image/pixels.hpp"
#include "image/plan.hpp"
#include "image/planes.hpp"
#include "media/result.hpp"

namespace media::image {

/// Weights of a resampling in one direction: output i is the sum over k < count of weight[k] x input[first + k].
template <class Weight>
struct Weights {
  struct Window {
    std::uint32_t first = 0;
    std::uint32_t count = 0;  ///< Without padding.
    std::size_t weights = 0;  ///< Where its weights begin; padded with a zero to an even number.
  };
  std::vector<Window> windows;
  std::vector<Weight> weights;
  std::uint32_t longest = 0;
};
using Filter = Weights<std::int16_t>;
using DeepFilter = Weights<std::int32_t>;

/// Lanczos-3 over the stretch [begin, begin + length) of `input` samples, of which sample j covers [j, j + 1): so the
/// centres of the two grids meet and nothing moves by half a pixel. Beyond the edges there is nothing: the weights of what
/// is there are scaled up to one. They add up to kWeightOne exactly, so that a plain colour stays what it is.
Filter make_filter(std::uint32_t input, double begin, double length, std::uint32_t output);
/// The same, adding up to kDeepWeightOne.
DeepFilter make_deep_filter(std::uint32_t input, double begin, double length, std::uint32_t output);

/// In what numbers pictures of 8 bits are resampled: what one vector instruction multiplies and adds.
struct Brisk {
  using Code = std::uint8_t;
  using Sample = std::int16_t;
  using Weight = std::int16_t;
};
/// Those of 16 bits: rounding twice to 20 bits costs a tenth of a step of a 10-bit picture, where it costs most.
struct Exact {
  using Code = std::uint16_t;
  using Sample = std::int32_t;
  using Weight = std::int32_t;
};

/// What of one side is used, in samples of the source.
struct Stretch {
  double begin = 0;
  double length = 0;
};

/// Takes the rows of a picture from top to bottom and makes the picture of another size.
///
/// Shrinking is done in light (sRGB decoded), enlarging in code values, where the ringing of Lanczos is seen less; CMYK
/// always in code values. Colours are multiplied by alpha meanwhile, so that what hides behind transparent pixels
/// does not bleed out of them. Only a window of rows is kept: a few times six rows of the source for each row of the result.
///
/// Thread-safety: none; it holds the state of one picture.
template <class Numbers>
class RowResampler {
 public:
  using Code = typename Numbers::Code;

  /// `geometry.keep_*` and `geometry.at_*` say which part is used.
  RowResampler(Size source, Layout layout, const Geometry& geometry);
  /// `in_light`: the samples are sRGB code values, and are added up as light.
  RowResampler(Size source, Layout layout, Stretch x, Stretch y, Size result, bool in_light);

  /// Memory that a resampler of this kind allocates, its result included.
  static std::uint64_t working_bytes(Size source, Layout layout, const Geometry& geometry);

  void push_row(std::span<const Code> row);
  /// True when no further row can change the result.
  [[nodiscard]] bool done() const noexcept { return made_ == out_.size.height; }
  /// After `done`.
  Raster<Code> take() { return std::move(out_); }

 private:
  using Sample = typename Numbers::Sample;
  using Weight = typename Numbers::Weight;

  void convert(std::span<const Code> row, Sample* to) const;
  void flush_block();
  void finish_row(std::uint32_t lane, std::span<Code> row) const;

  Layout layout_;
  std::uint32_t channels_;
  bool copy_;  ///< Same size and whole: rows go straight through.
  bool in_light_;
  Weights<Weight> across_;
  Weights<Weight> down_;
  std::uint32_t left_ = 0;  ///< First column that any window uses.
  std::uint32_t columns_ = 0;
  std::size_t line_ = 0;  ///< Samples from row to row in `ring_` and `block_`.
  std::vector<Sample> ring_;
  std::uint32_t ring_rows_ = 0;
  std::vector<Sample> block_;   ///< Rows of the right height, source width.
  std::vector<Sample> turned_;  ///< The block with its columns as rows.
  std::vector<Sample> narrow_;  ///< The same with the final number of columns.
  std::vector<const Sample*> taps_;
  std::uint32_t seen_ = 0;     ///< Rows pushed.
  std::uint32_t planned_ = 0;  ///< Output rows in or before the block.
  std::uint32_t made_ = 0;     ///< Output rows finished.
  Raster<Code> out_;
};
using Resampler = RowResampler<Brisk>;
using DeepResampler = RowResampler<Exact>;

/// The whole of a picture in memory to another size.
Image resample(const Image& image, const Geometry& geometry);

/// The same as RowResampler for planes, each by itself: brightness in light when it is shrunk (what is grey comes out exactly as it does
/// in RGB; of saturated colours the share that is in Cb and Cr is averaged in code values), colour in code values.
///
/// Thread-safety: none; it holds the state of one picture.
class PlaneResampler {
 public:
  /// `reversed`: which sides the caller is going to turn round afterwards; only planes with half of the colour have to know.
  PlaneResampler(const std::array<PlaneGrid, 3>& source, const Geometry& geometry, Chroma chroma, Reversed reversed = {});

  /// Memory that a resampler of this kind allocates, its result included.
  static std::uint64_t working_bytes(const std::array<PlaneGrid, 3>& source, const Geometry& geometry, Chroma chroma);

  void push_row(std::size_t plane, std::span<const std::uint8_t> row) { planes_[plane].push_row(row); }
  /// After the last row of each plane.
  Planes take();

 private:
  Chroma chroma_;
  std::vector<Resampler> planes_;
};

Planes resample(const Planes& planes, const Geometry& geometry, Chroma chroma);

}  // namespace media::image
