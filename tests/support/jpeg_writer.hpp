// JPEGs of every kind that libjpeg writes, for tests of what reads them.
#pragma once

#include <cstdio>
#include <cstdlib>
//
#include <jpeglib.h>

#include <cstddef>
#include <vector>

#include "image/pixels.hpp"

namespace test {

struct JpegKind {
  int across = 2;  ///< Samples of brightness to one of colour, from left to right.
  int down = 2;
  int quality = 85;
  unsigned restart_interval = 0;  ///< In MCUs.
  bool optimised = false;
  bool progressive = false;
};

/// `image` is RGB. Errors of libjpeg end the program.
inline std::vector<std::byte> write_jpeg(const media::image::Image& image, const JpegKind& kind) {
  jpeg_compress_struct codec{};
  jpeg_error_mgr errors{};
  codec.err = jpeg_std_error(&errors);
  jpeg_create_compress(&codec);
  unsigned char* out = nullptr;
  unsigned long size = 0;  // NOLINT(google-runtime-int): libjpeg's type.
  jpeg_mem_dest(&codec, &out, &size);
  codec.image_width = image.size.width;
  codec.image_height = image.size.height;
  codec.input_components = 3;
  codec.in_color_space = JCS_RGB;
  jpeg_set_defaults(&codec);
  jpeg_set_quality(&codec, kind.quality, TRUE);
  codec.comp_info[0].h_samp_factor = kind.across;
  codec.comp_info[0].v_samp_factor = kind.down;
  codec.restart_interval = kind.restart_interval;
  codec.optimize_coding = kind.optimised ? TRUE : FALSE;
  if (kind.progressive) jpeg_simple_progression(&codec);
  jpeg_start_compress(&codec, TRUE);
  while (codec.next_scanline < codec.image_height) {
    auto* row = const_cast<JSAMPLE*>(image.row(codec.next_scanline).data());
    jpeg_write_scanlines(&codec, &row, 1);
  }
  jpeg_finish_compress(&codec);
  const auto* bytes = reinterpret_cast<const std::byte*>(out);
  std::vector<std::byte> result(bytes, bytes + size);
  jpeg_destroy_compress(&codec);
  std::free(out);  // NOLINT(cppcoreguidelines-no-malloc): libjpeg allocates so.
  return result;
}

}  // namespace test
