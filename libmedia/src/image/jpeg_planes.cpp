#include "image/jpeg_planes.hpp"

#include <algorithm>
#include <optional>

#include "image/jpeg.hpp"
#include "image/jpeg_idct.hpp"

namespace media::image {
namespace {

std::optional<HuffmanTable> table_of(const JHUFF_TBL* table) {
  if (table == nullptr) return std::nullopt;
  HuffmanTable out;
  std::copy(std::begin(table->bits), std::end(table->bits), out.counts.begin());
  std::copy(std::begin(table->huffval), std::end(table->huffval), out.symbols.begin());
  return out;
}

std::uint32_t ceil_of(std::uint64_t dividend, std::uint64_t divisor) {
  return static_cast<std::uint32_t>((dividend + divisor - 1) / divisor);
}

}  // namespace

bool JpegPlanes::fits(const jpeg_decompress_struct& codec) noexcept {
  if (codec.jpeg_color_space != JCS_YCbCr || codec.num_components != 3) return false;
  const jpeg_component_info* parts = codec.comp_info;
  const auto small = [](int factor) { return factor == 1 || factor == 2; };
  return small(parts[0].h_samp_factor) && small(parts[0].v_samp_factor) && parts[1].h_samp_factor == 1 && parts[1].v_samp_factor == 1 &&
         parts[2].h_samp_factor == 1 && parts[2].v_samp_factor == 1;
}

std::uint32_t JpegPlanes::scale_for(Size wanted) const {
  const jpeg_decompress_struct& codec = reader_.codec();
  return static_cast<std::uint32_t>(jpeg_scale({codec.image_width, codec.image_height}, wanted));
}

JpegPlanes::Scale JpegPlanes::make_scale(std::uint32_t side) const {
  const jpeg_decompress_struct& codec = reader_.codec();
  Scale scale;
  scale.side = side;
  for (std::size_t c = 0; c < scale.grids.size(); ++c) {
    const std::uint64_t width = std::uint64_t{codec.image_width} * across_[c] * side;
    const std::uint64_t height = std::uint64_t{codec.image_height} * down_[c] * side;
    const std::uint64_t whole_x = std::uint64_t{across_[0]} * DCTSIZE;
    const std::uint64_t whole_y = std::uint64_t{down_[0]} * DCTSIZE;
    scale.grids[c] = {{ceil_of(width, whole_x), ceil_of(height, whole_y)},
                      static_cast<double>(width) / static_cast<double>(whole_x),
                      static_cast<double>(height) / static_cast<double>(whole_y)};
    scale.samples[c].resize(std::size_t{columns_} * across_[c] * down_[c] * side * side);
  }
  return scale;
}

void JpegPlanes::take_steps(std::size_t component, const JQUANT_TBL& table) {
  for (Scale& scale : scales_) {
    for (std::size_t y = 0; y < scale.side; ++y) {
      std::copy_n(table.quantval + y * DCTSIZE, scale.side, scale.steps[component].begin() + y * scale.side);
    }
  }
}

Result<std::vector<std::array<PlaneGrid, 3>>> JpegPlanes::start_planes(std::span<const std::uint32_t> scales) {
  const jpeg_decompress_struct& codec = reader_.codec();
  for (std::size_t c = 0; c < across_.size(); ++c) {
    across_[c] = static_cast<std::uint32_t>(codec.comp_info[c].h_samp_factor);
    down_[c] = static_cast<std::uint32_t>(codec.comp_info[c].v_samp_factor);
  }
  columns_ = ceil_of(codec.image_width, std::uint64_t{across_[0]} * DCTSIZE);
  side_ = *std::max_element(scales.begin(), scales.end());
  std::vector<std::array<PlaneGrid, 3>> grids;
  for (const std::uint32_t side : scales) {
    scales_.push_back(make_scale(side));
    grids.push_back(scales_.back().grids);
  }
  if (side_ == DCTSIZE) {
    MEDIA_TRY(start_raw());
  } else if (!start_scan()) {
    MEDIA_TRY(start_libjpeg());
  }
  return grids;
}

Result<void> JpegPlanes::start_raw() {
  jpeg_decompress_struct& codec = reader_.codec();
  codec.raw_data_out = TRUE;
  codec.out_color_space = JCS_YCbCr;
  const bool held = jpeg_has_multiple_scans(&codec) != FALSE;
  if (held) MEDIA_TRY(reader_.control().check_memory(reader_.coefficient_bytes(), "the JPEG"));
  MEDIA_TRY(reader_.start());
  // With several scans all of the file has been read by now; its end tells whether scans are missing.
  if (held && reader_.ended()) return JpegReader::truncation();
  return {};
}

bool JpegPlanes::start_scan() {
  const jpeg_decompress_struct& codec = reader_.codec();
  if (!reader_.control().own_decoders() || codec.progressive_mode != FALSE || codec.arith_code != FALSE || codec.data_precision != 8)
    return false;
  if (codec.comps_in_scan != 3) return false;
  JpegScanLayout layout;
  layout.columns = columns_;
  layout.rows = ceil_of(codec.image_height, std::uint64_t{down_[0]} * DCTSIZE);
  layout.restart_interval = codec.restart_interval;
  for (std::size_t c = 0; c < layout.components.size(); ++c) {
    // The scan's own order of components has to be that of the frame.
    const jpeg_component_info& part = *codec.cur_comp_info[c];
    if (part.component_index != static_cast<int>(c)) return false;
    if (part.dc_tbl_no < 0 || part.dc_tbl_no >= NUM_HUFF_TBLS || part.ac_tbl_no < 0 || part.ac_tbl_no >= NUM_HUFF_TBLS) return false;
    const auto dc = table_of(codec.dc_huff_tbl_ptrs[part.dc_tbl_no]);
    const auto ac = table_of(codec.ac_huff_tbl_ptrs[part.ac_tbl_no]);
    if (!dc || !ac || part.quant_tbl_no < 0 || part.quant_tbl_no >= NUM_QUANT_TBLS) return false;
    const JQUANT_TBL* steps = codec.quant_tbl_ptrs[part.quant_tbl_no];
    if (steps == nullptr) return false;
    take_steps(c, *steps);
    layout.components[c] = {across_[c], down_[c], *dc, *ac};
  }
  scan_ = JpegScan::open(layout, side_, reader_.source(), reader_.position());
  return scan_ != nullptr;
}

Result<void> JpegPlanes::start_libjpeg() {
  MEDIA_TRY(reader_.control().check_memory(reader_.coefficient_bytes(), "the JPEG"));
  MEDIA_TRY_ASSIGN(whole_, reader_.read_coefficients());
  const jpeg_decompress_struct& codec = reader_.codec();
  if (whole_ == nullptr || (reader_.ended() && jpeg_has_multiple_scans(&reader_.codec()) != FALSE) || reader_.truncated()) {
    return JpegReader::truncation();
  }
  for (std::size_t c = 0; c < across_.size(); ++c) {
    // The table as it was when the component's first scan began: a later DQT may have put another one in its place.
    const JQUANT_TBL* steps = codec.comp_info[c].quant_table;
    if (steps == nullptr) return Error{Errc::corrupt, "JPEG: a component has no quantisation table"};
    take_steps(c, *steps);
  }
  return {};
}

Result<std::span<const PlaneRows>> JpegPlanes::read_rows() {
  if (side_ == DCTSIZE) {
    MEDIA_TRY(read_raw());
  } else {
    MEDIA_TRY(read_coefficients());
    for (Scale& scale : scales_) make_samples(scale);
  }
  rows_.clear();
  for (const Scale& scale : scales_) rows_.push_back(take_rows(scale));
  ++mcu_row_;
  return std::span<const PlaneRows>(rows_);
}

Result<void> JpegPlanes::read_raw() {
  Scale& scale = scales_.front();
  std::array<std::array<JSAMPROW, 2 * DCTSIZE>, 3> rows{};
  std::array<JSAMPARRAY, 3> planes{};
  for (std::size_t c = 0; c < planes.size(); ++c) {
    const std::size_t stride = std::size_t{columns_} * across_[c] * DCTSIZE;
    for (std::size_t y = 0; y < std::size_t{down_[c]} * DCTSIZE; ++y) rows[c][y] = scale.samples[c].data() + y * stride;
    planes[c] = rows[c].data();
  }
  MEDIA_TRY(reader_.read_raw(planes.data(), down_[0] * DCTSIZE));
  if (reader_.truncated()) return JpegReader::truncation();
  for (std::size_t i = 1; i < scales_.size(); ++i) scales_[i].samples = scale.samples;
  return {};
}

Result<void> JpegPlanes::read_coefficients() {
  if (scan_) {
    if (scan_->read_row(coefficients_)) return {};
    // Something is not plainly right. Libjpeg reads all of it again, and knows better or says what it is; the rows so far stand.
    scan_.reset();
    MEDIA_TRY(start_libjpeg());
  }
  return copy_coefficients();
}

Result<void> JpegPlanes::copy_coefficients() {
  for (std::size_t c = 0; c < coefficients_.size(); ++c) {
    const std::size_t block = std::size_t{side_} * side_;
    const std::size_t blocks = std::size_t{columns_} * across_[c];
    coefficients_[c].assign(blocks * down_[c] * block, 0);
    MEDIA_TRY_ASSIGN(const JBLOCKROW* const rows, reader_.coefficient_rows(whole_[c], mcu_row_ * down_[c], down_[c]));
    const std::size_t there = std::min<std::size_t>(blocks, reader_.codec().comp_info[c].width_in_blocks);
    std::int16_t* to = coefficients_[c].data();
    for (std::uint32_t y = 0; y < down_[c]; ++y) {
      for (std::size_t x = 0; x < there; ++x) {
        const JCOEF* from = rows[y][x];
        std::int16_t* out = to + (y * blocks + x) * block;
        for (std::uint32_t v = 0; v < side_; ++v) std::copy_n(from + std::size_t{v} * DCTSIZE, side_, out + std::size_t{v} * side_);
      }
    }
  }
  return {};
}

void JpegPlanes::make_samples(Scale& scale) {
  const std::size_t side = scale.side;
  for (std::size_t c = 0; c < scale.samples.size(); ++c) {
    const std::size_t blocks = std::size_t{columns_} * across_[c];
    const std::int16_t* from = coefficients_[c].data();
    if (side < side_) {
      lowest_.resize(blocks * down_[c] * side * side);
      std::int16_t* to = lowest_.data();
      for (std::size_t block = 0; block < blocks * down_[c]; ++block, from += std::size_t{side_} * side_) {
        for (std::size_t y = 0; y < side; ++y, to += side) std::copy_n(from + y * side_, side, to);
      }
      from = lowest_.data();
    }
    const std::size_t stride = blocks * side;
    for (std::size_t y = 0; y < down_[c]; ++y) {
      inverse_dct(scale.side, from + y * blocks * side * side, blocks, scale.steps[c].data(), scale.samples[c].data() + y * side * stride,
                  stride);
    }
  }
}

PlaneRows JpegPlanes::take_rows(const Scale& scale) const {
  PlaneRows rows;
  for (std::size_t c = 0; c < rows.planes.size(); ++c) {
    const std::uint32_t each = down_[c] * scale.side;
    rows.planes[c] = {scale.samples[c].data(), std::size_t{columns_} * across_[c] * scale.side,
                      std::min(each, scale.grids[c].size.height - mcu_row_ * each)};
  }
  return rows;
}

}  // namespace media::image
