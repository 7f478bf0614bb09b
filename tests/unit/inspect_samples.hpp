// Small whole files of each format, made of bytes here: what tests damage, cut and judge.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "media/media_info.hpp"

namespace samples {

/// Numbers as bytes.
std::string be(std::uint64_t value, int count);
std::string le(std::uint64_t value, int count);

std::string png_chunk(const std::string& type, const std::string& body);
std::string png(std::uint32_t width, std::uint32_t height, const std::string& chunks_before_data = {}, std::uint8_t colour = 2);
std::string apng(std::uint32_t stated_frames, std::uint32_t frames);

/// An EXIF block with one tag.
std::string exif(std::uint8_t orientation, bool big_endian);
std::string jpeg_segment(std::uint8_t marker, const std::string& body);
std::string jpeg(std::uint16_t width, std::uint16_t height, const std::string& segments = {});

std::string riff_chunk(const std::string& type, const std::string& body);
std::string webp(const std::string& chunks);
std::string webp_lossy(std::uint16_t width, std::uint16_t height);
std::string webp_lossless(std::uint16_t width, std::uint16_t height, bool alpha);
std::string webp_extended(std::uint32_t width, std::uint32_t height, std::uint8_t flags, const std::string& chunks);
std::string webp_animated(int frames);
/// The chunk "VP8 " of a picture.
std::string vp8(std::uint16_t width, std::uint16_t height);
std::string webp_frame(std::uint32_t x, std::uint32_t y, std::uint16_t width, std::uint16_t height);

std::string gif(int frames, bool transparent = false);

std::string bmp(std::int32_t width, std::int32_t height);
std::string tiff(std::uint32_t width, std::uint32_t height, bool big_endian, bool big_file);
std::string ogg_theora(std::uint32_t width, std::uint32_t height);

std::string box(const std::string& type, const std::string& body);
std::string full_box(const std::string& type, std::uint8_t version, std::uint32_t flags, const std::string& body);

/// What may be wrong or special in a picture of items.
struct Items {
  std::string brand = "avif";
  std::string coding = "av01";
  std::string configuration = "av1C";
  std::uint32_t width = 64;
  std::uint32_t height = 48;
  std::string properties;   ///< Further boxes in `ipco`, all of them the picture's.
  int more_properties = 0;  ///< How many those are.
  bool alpha = false;
  std::string handler = "pict";
  bool primary = true;
  std::uint32_t data_shift = 0;  ///< Added to where the picture's data is said to be.
  std::uint8_t bad_index = 0;    ///< A property that the picture names in addition.
};
std::string items(const Items& options = {});

/// What may be wrong or special in a movie.
struct Film {
  std::string brand = "isom";
  std::string handler = "vide";
  std::uint16_t width = 320;
  std::uint16_t height = 240;
  /// The track's matrix a b c d.
  int a = 1, b = 0, c = 0, d = 1;
  std::uint32_t samples = 3;
  bool fragmented = false;
  bool wide_boxes = false;  ///< 64-bit box lengths and chunk offsets, version 1 headers.
  bool movie_last = false;
  bool with_fragments = true;
  std::uint32_t first_run = 1;
};
std::string film(const Film& options = {});

std::string element(std::uint32_t id, const std::string& body);
struct Matroska {
  std::string type = "webm";
  std::uint64_t width = 640;
  std::uint64_t height = 360;
  bool video = true;
  bool live = false;  ///< Segment and cluster of unknown size.
  bool cluster = true;
  bool alpha = false;
};
std::string matroska(const Matroska& options = {});

/// One good file of each kind.
struct Sample {
  std::string name;
  std::string content;
  media::Format format;
  std::uint32_t width;
  std::uint32_t height;
  std::uint32_t frames;
  bool alpha;
};
std::vector<Sample> all();

}  // namespace samples
