/// One JPEG file opened by libjpeg-turbo. The only place with its setjmp: every call of it that may fail is a function here.
#pragma once

#include <csetjmp>
#include <cstdio>
//
#include <jpeglib.h>

#include <array>
#include <cstdint>
#include <vector>

#include "image/control.hpp"
#include "image/input.hpp"
#include "media/io.hpp"
#include "media/result.hpp"

namespace media::image {

/// libjpeg's state and what its callbacks need. It outlives every jump: nothing in it is destroyed by one.
///
/// Thread-safety: none; it holds the state of one picture.
class JpegReader {
 public:
  JpegReader(const ByteReader& source, const Control& control);
  ~JpegReader() { jpeg_destroy_decompress(&codec_); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  [[nodiscard]] jpeg_decompress_struct& codec() noexcept { return codec_; }
  [[nodiscard]] const jpeg_decompress_struct& codec() const noexcept { return codec_; }
  [[nodiscard]] const ByteReader& source() const noexcept { return source_; }
  [[nodiscard]] const Control& control() const noexcept { return control_; }
  /// Where in the file the next byte for libjpeg lies.
  [[nodiscard]] std::uint64_t position() const noexcept { return input_.position() - manager_.bytes_in_buffer; }
  /// The file ended before its EOI marker.
  [[nodiscard]] bool ended() const noexcept { return ended_; }
  /// The file ended before the picture did, as far as it has been decoded.
  [[nodiscard]] bool truncated() const noexcept { return ended_ && data_lacks_; }
  /// What it is called then.
  static Error truncation() { return {Errc::corrupt, "JPEG: the file ends before the picture does"}; }

  // Errors of all: `corrupt`, `unsupported`, `too_large`, `cancelled`, and the reader's own.
  Result<void> read_header();
  /// Empty where there is none.
  Result<std::vector<std::byte>> read_profile();
  Result<void> start();
  Result<void> read_line(std::uint8_t* row);
  /// The next row of MCUs of a picture that was started with `raw_data_out`.
  Result<void> read_raw(JSAMPIMAGE rows, JDIMENSION count);
  /// Reads the whole picture as coefficients.
  Result<jvirt_barray_ptr*> read_coefficients();
  /// Rows of blocks of one component.
  Result<JBLOCKARRAY> coefficient_rows(jvirt_barray_ptr array, JDIMENSION first, JDIMENSION count);
  /// Memory of the whole picture as coefficients.
  [[nodiscard]] std::uint64_t coefficient_bytes() const noexcept;

 private:
  enum class Stop : std::uint8_t { none, codec, input, interrupted, header_too_long, too_many_scans };

  static JpegReader& of(j_common_ptr codec) { return *static_cast<JpegReader*>(codec->client_data); }
  static JpegReader& of(j_decompress_ptr codec) { return *static_cast<JpegReader*>(codec->client_data); }
  [[noreturn]] void give_up(Stop why);
  [[noreturn]] static void on_error(j_common_ptr codec);
  static void on_message(j_common_ptr codec, int level);
  static void on_progress(j_common_ptr codec);
  static boolean fill_buffer(j_decompress_ptr codec);
  static void skip_bytes(j_decompress_ptr codec, long count);  // NOLINT(google-runtime-int): libjpeg's type.
  [[nodiscard]] Error failure() const;

  const ByteReader& source_;
  const Control& control_;
  jpeg_decompress_struct codec_{};
  jpeg_error_mgr errors_{};
  jpeg_source_mgr manager_{};
  jpeg_progress_mgr progress_{};
  std::jmp_buf jump_{};
  std::array<char, JMSG_LENGTH_MAX> message_{};
  int error_code_ = 0;
  Stop stop_ = Stop::none;
  bool in_header_ = true;
  bool ended_ = false;
  std::uint32_t markers_ = 0;
  bool data_lacks_ = false;  ///< A scan ended before its last block.
  Input input_;
};

}  // namespace media::image
