#include "image/jpeg_reader.hpp"

#include <cstdlib>
//
#include <jerror.h>

#include <string>

namespace media::image {
namespace {

/// Everything before the first scan is held back by no other limit: profiles and EXIF of real cameras stay far below.
constexpr std::uint64_t kMaxHeaderBytes = 64ULL << 20U;
/// A profile takes at most 255, and some cameras write a few dozen others. Libjpeg's time grows with the square of those that it keeps.
constexpr std::uint32_t kMaxMarkers = 2000;
/// Each costs a pass over the whole picture, and may itself be a few bytes: thousands of them would keep a worker busy until its deadline.
/// A script of cjpeg's has at most 100.
constexpr int kMaxScans = 200;

void nothing(j_decompress_ptr) {}

}  // namespace

JpegReader::JpegReader(const ByteReader& source, const Control& control) : source_(source), control_(control), input_(source) {
  codec_.err = jpeg_std_error(&errors_);
  errors_.error_exit = on_error;
  errors_.emit_message = on_message;
  codec_.client_data = this;
  progress_.progress_monitor = on_progress;
  manager_.init_source = nothing;
  manager_.fill_input_buffer = fill_buffer;
  manager_.skip_input_data = skip_bytes;
  manager_.resync_to_restart = jpeg_resync_to_restart;
  manager_.term_source = nothing;
}

void JpegReader::give_up(Stop why) {
  stop_ = why;
  std::longjmp(jump_, 1);
}

void JpegReader::on_error(j_common_ptr codec) {
  JpegReader& reader = of(codec);
  reader.error_code_ = codec->err->msg_code;
  codec->err->format_message(codec, reader.message_.data());
  reader.give_up(Stop::codec);
}

void JpegReader::on_message(j_common_ptr codec, int level) {
  // Warnings are what viewers forgive; one of them says that picture data is not there.
  JpegReader& reader = of(codec);
  if (level < 0 && codec->err->msg_code == JWRN_HIT_MARKER) reader.data_lacks_ = true;
  // Said of each marker segment that is kept or skipped.
  if (level > 0 && codec->err->msg_code == JTRC_MISC_MARKER && ++reader.markers_ > kMaxMarkers) reader.give_up(Stop::header_too_long);
}

void JpegReader::on_progress(j_common_ptr codec) {
  JpegReader& reader = of(codec);
  if (reader.codec_.input_scan_number > kMaxScans) reader.give_up(Stop::too_many_scans);
  if (reader.control_.must_stop()) reader.give_up(Stop::interrupted);
}

boolean JpegReader::fill_buffer(j_decompress_ptr codec) {
  static constexpr std::array<JOCTET, 2> kEndOfImage{0xFF, JPEG_EOI};
  JpegReader& reader = of(codec);
  if (reader.in_header_ && reader.input_.position() > kMaxHeaderBytes) reader.give_up(Stop::header_too_long);
  if (reader.control_.must_stop()) reader.give_up(Stop::interrupted);
  const auto more = reader.input_.next();
  if (more.empty()) {
    if (reader.input_.error()) reader.give_up(Stop::input);
    reader.ended_ = true;
    reader.manager_.next_input_byte = kEndOfImage.data();
    reader.manager_.bytes_in_buffer = kEndOfImage.size();
    return TRUE;
  }
  reader.manager_.next_input_byte = reinterpret_cast<const JOCTET*>(more.data());
  reader.manager_.bytes_in_buffer = more.size();
  return TRUE;
}

void JpegReader::skip_bytes(j_decompress_ptr codec, long count) {  // NOLINT(google-runtime-int): libjpeg's type.
  JpegReader& reader = of(codec);
  if (count <= 0) return;
  const auto wanted = static_cast<std::size_t>(count);
  if (wanted <= reader.manager_.bytes_in_buffer) {
    reader.manager_.next_input_byte += wanted;
    reader.manager_.bytes_in_buffer -= wanted;
    return;
  }
  reader.input_.skip(wanted - reader.manager_.bytes_in_buffer);
  reader.manager_.bytes_in_buffer = 0;
}

// The functions that may be jumped out of. None of them has an object with a destructor before the jump, which would pass it by.

Result<void> JpegReader::read_header() {
  if (setjmp(jump_) != 0) return failure();
  jpeg_create_decompress(&codec_);
  codec_.src = &manager_;
  codec_.progress = &progress_;
  jpeg_save_markers(&codec_, JPEG_APP0 + 1, 0xFFFF);
  jpeg_save_markers(&codec_, JPEG_APP0 + 2, 0xFFFF);
  jpeg_read_header(&codec_, TRUE);
  // What comes between later scans is of no use.
  jpeg_save_markers(&codec_, JPEG_APP0 + 1, 0);
  jpeg_save_markers(&codec_, JPEG_APP0 + 2, 0);
  in_header_ = false;
  return {};
}

Result<std::vector<std::byte>> JpegReader::read_profile() {
  JOCTET* profile = nullptr;
  unsigned size = 0;
  if (setjmp(jump_) != 0) return failure();
  jpeg_read_icc_profile(&codec_, &profile, &size);
  std::vector<std::byte> out;
  if (profile != nullptr) {
    const auto* bytes = reinterpret_cast<const std::byte*>(profile);
    out.assign(bytes, bytes + size);
  }
  std::free(profile);  // NOLINT(cppcoreguidelines-no-malloc): libjpeg gives it so.
  return out;
}

Result<void> JpegReader::start() {
  if (setjmp(jump_) != 0) return failure();
  jpeg_start_decompress(&codec_);
  return {};
}

Result<void> JpegReader::read_line(std::uint8_t* row) {
  if (setjmp(jump_) != 0) return failure();
  jpeg_read_scanlines(&codec_, &row, 1);
  return {};
}

Result<void> JpegReader::read_raw(JSAMPIMAGE rows, JDIMENSION count) {
  if (setjmp(jump_) != 0) return failure();
  jpeg_read_raw_data(&codec_, rows, count);
  return {};
}

Result<jvirt_barray_ptr*> JpegReader::read_coefficients() {
  if (setjmp(jump_) != 0) return failure();
  return jpeg_read_coefficients(&codec_);
}

Result<JBLOCKARRAY> JpegReader::coefficient_rows(jvirt_barray_ptr array, JDIMENSION first, JDIMENSION count) {
  if (setjmp(jump_) != 0) return failure();
  return codec_.mem->access_virt_barray(reinterpret_cast<j_common_ptr>(&codec_), array, first, count, FALSE);
}

std::uint64_t JpegReader::coefficient_bytes() const noexcept {
  std::uint64_t bytes = 0;
  for (int i = 0; i < codec_.num_components; ++i) {
    const jpeg_component_info& part = codec_.comp_info[i];
    bytes += std::uint64_t{part.width_in_blocks} * part.height_in_blocks * DCTSIZE2 * sizeof(JCOEF);
  }
  return bytes;
}

Error JpegReader::failure() const {
  switch (stop_) {
    case Stop::input:
      return *input_.error();
    case Stop::interrupted:
      if (auto outcome = control_.check(); !outcome) return std::move(outcome).error();
      return {Errc::cancelled, "JPEG: stopped"};
    case Stop::header_too_long:
      return {Errc::too_large, "JPEG: more than 64 MiB or 2000 segments beside the picture"};
    case Stop::too_many_scans:
      return {Errc::too_large, "JPEG: more than 200 scans"};
    case Stop::none:
    case Stop::codec:
      break;
  }
  const std::string text = "JPEG: " + std::string(message_.data());
  switch (error_code_) {
    case JERR_OUT_OF_MEMORY:
    case JERR_NO_BACKING_STORE:
      return {Errc::too_large, text};
    case JERR_BAD_PRECISION:
    case JERR_SOF_UNSUPPORTED:
    case JERR_ARITH_NOTIMPL:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_CCIR601_NOTIMPL:
    case JERR_NOT_COMPILED:
      return {Errc::unsupported, text};
    default:
      return {Errc::corrupt, text};
  }
}

}  // namespace media::image
