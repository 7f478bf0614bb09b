/// The planes of a JPEG as they are stored, at full, half, quarter or eighth size.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
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

  Result<std::array<PlaneGrid, 3>> start_planes(Size wanted) override;
  Result<PlaneRows> read_rows() override;

 private:
  Result<void> start_raw();
  Result<void> start_libjpeg();
  [[nodiscard]] bool start_scan();
  Result<PlaneRows> read_raw();
  Result<void> read_coefficients();
  Result<void> copy_coefficients();
  void make_samples();
  PlaneRows take_rows(std::uint32_t rows_of_mcu);

  JpegReader& reader_;
  std::uint32_t side_ = 8;  ///< Of a block's samples.
  std::uint32_t columns_ = 0;
  std::uint32_t mcu_row_ = 0;
  std::array<PlaneGrid, 3> grids_;
  std::array<std::uint32_t, 3> across_{};  ///< Blocks to an MCU, from left to right.
  std::array<std::uint32_t, 3> down_{};
  std::array<std::array<std::uint16_t, 16>, 3> steps_{};  ///< Of the quantisers, as the coefficients lie.
  std::unique_ptr<JpegScan> scan_;                        ///< Null: libjpeg reads the coefficients.
  jvirt_barray_ptr* whole_ = nullptr;                     ///< Libjpeg's coefficients, once they are read.
  JpegCoefficients coefficients_;
  std::array<std::vector<std::uint8_t>, 3> samples_;  ///< One row of MCUs.
};

}  // namespace media::image
