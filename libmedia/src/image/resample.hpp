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
struct Filter {
  struct Window {
    std::uint32_t first = 0;
    std::uint32_t count = 0;  ///< Without padding.
    std::size_t weights = 0;  ///< Where its weights begin; padded with a zero to an even number.
  };
  std::vector<Window> windows;
  std::vector<std::int16_t> weights;
  std::uint32_t longest = 0;
};

/// Lanczos-3 over the stretch [begin, begin + length) of `input` samples, of which sample j covers [j, j + 1): so the
/// centres of the two grids meet and nothing moves by half a pixel. Beyond the edges there is nothing: the weights of what
/// is there are scaled up to one. They add up to kWeightOne exactly, so that a plain colour stays what it is.
Filter make_filter(std::uint32_t input, double begin, double length, std::uint32_t output);

/// Takes the rows of a picture from top to bottom and makes the picture of another size.
///
/// Shrinking is done in light (sRGB decoded), enlarging in code values, where the ringing of Lanczos is seen less; CMYK
/// always in code values. Colours are multiplied by alpha meanwhile, so that what hides behind transparent pixels
/// does not bleed out of them. Only a window of rows is kept: a few times six rows of the source for each row of the result.
///
/// Thread-safety: none; it holds the state of one picture.
class Resampler {
 public:
  /// What of one side is used, in samples of the source.
  struct Part {
    double begin = 0;
    double length = 0;
  };

  /// `geometry.keep_*` and `geometry.at_*` say which part is used.
  Resampler(Size source, Layout layout, const Geometry& geometry);
  /// `in_light`: the samples are sRGB code values, and are added up as light.
  Resampler(Size source, Layout layout, Part x, Part y, Size result, bool in_light);

  /// Memory that a resampler of this kind allocates, its result included.
  static std::uint64_t working_bytes(Size source, Layout layout, const Geometry& geometry);

  void push_row(std::span<const std::uint8_t> row);
  /// True when no further row can change the result.
  [[nodiscard]] bool done() const noexcept { return made_ == out_.size.height; }
  /// After `done`.
  Image take() { return std::move(out_); }

 private:
  void convert(std::span<const std::uint8_t> row, std::int16_t* to) const;
  void flush_block();
  void finish_row(std::uint32_t lane, std::span<std::uint8_t> row) const;

  Layout layout_;
  std::uint32_t channels_;
  bool copy_;  ///< Same size and whole: rows go straight through.
  bool in_light_;
  Filter across_;
  Filter down_;
  std::uint32_t left_ = 0;  ///< First column that any window uses.
  std::uint32_t columns_ = 0;
  std::size_t line_ = 0;  ///< Samples from row to row in `ring_` and `block_`.
  std::vector<std::int16_t> ring_;
  std::uint32_t ring_rows_ = 0;
  std::vector<std::int16_t> block_;   ///< Rows of the right height, source width.
  std::vector<std::int16_t> turned_;  ///< The block with its columns as rows.
  std::vector<std::int16_t> narrow_;  ///< The same with the final number of columns.
  std::vector<const std::int16_t*> taps_;
  std::uint32_t seen_ = 0;     ///< Rows pushed.
  std::uint32_t planned_ = 0;  ///< Output rows in or before the block.
  std::uint32_t made_ = 0;     ///< Output rows finished.
  Image out_;
};

/// The whole of a picture in memory to another size.
Image resample(const Image& image, const Geometry& geometry);

/// The same as Resampler for planes, each by itself: brightness in light when it is shrunk (what is grey comes out exactly as it does
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
