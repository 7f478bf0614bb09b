/// The planes of a JPEG as they are stored, at full, half, quarter or eighth size.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "image/jpeg_reader.hpp"
#include "image/jpeg_scan.hpp"
#include "image/planes.hpp"

namespace media::image {

/// At full size libjpeg makes the samples. At a reduced size they are made here of the blocks' lowest frequencies (jpeg_idct.hpp), and
/// those come from libjpeg or, where the control allows it, from `JpegScan`; both give the same.
///
/// Thread-safety: none; it holds the state of one picture.
class JpegPlanes final : public PlaneDecoder {
 public:
  /// True of a picture in Y'CbCr of which each plane of colour has one block to an MCU. `codec` has read its header.
  static bool fits(const jpeg_decompress_struct& codec) noexcept;

  explicit JpegPlanes(JpegReader& reader) : reader_(reader) {}

  [[nodiscard]] std::uint32_t scale_for(Size wanted) const override;
  [[nodiscard]] std::uint32_t pass_of(std::uint32_t scale) const override { return scale == DCTSIZE ? 1 : 0; }
  Result<std::vector<std::array<PlaneGrid, 3>>> start_planes(std::span<const std::uint32_t> scales) override;
  Result<std::span<const PlaneRows>> read_rows() override;

 private:
  /// A scale is the side of a block's samples, of eight.
  struct Scale {
    std::uint32_t side = DCTSIZE;
    std::array<PlaneGrid, 3> grids;
    std::array<std::vector<std::uint8_t>, 3> samples;      ///< One row of MCUs.
    std::array<std::array<std::uint16_t, 16>, 3> steps{};  ///< Of the quantisers, as the coefficients lie.
  };

  Scale make_scale(std::uint32_t side) const;
  void take_steps(std::size_t component, const JQUANT_TBL& table);
  Result<void> start_raw();
  Result<void> start_libjpeg();
  [[nodiscard]] bool start_scan();
  Result<void> read_raw();
  Result<void> read_coefficients();
  Result<void> copy_coefficients();
  void make_samples(Scale& scale);
  [[nodiscard]] PlaneRows take_rows(const Scale& scale) const;

  JpegReader& reader_;
  std::uint32_t side_ = DCTSIZE;  ///< The greatest of the scales: that of the coefficients.
  std::uint32_t columns_ = 0;
  std::uint32_t mcu_row_ = 0;
  std::array<std::uint32_t, 3> across_{};  ///< Blocks to an MCU, from left to right.
  std::array<std::uint32_t, 3> down_{};
  std::vector<Scale> scales_;
  std::vector<PlaneRows> rows_;
  std::unique_ptr<JpegScan> scan_;     ///< Null: libjpeg reads the coefficients.
  jvirt_barray_ptr* whole_ = nullptr;  ///< Libjpeg's coefficients, once they are read.
  JpegCoefficients coefficients_;
  std::vector<std::int16_t> lowest_;  ///< Of one component, for a scale that needs fewer.
};

}  // namespace media::image
