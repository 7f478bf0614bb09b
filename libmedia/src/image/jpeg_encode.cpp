// JPEG out, by libjpeg-turbo: baseline, 4:2:0, Huffman tables made for the picture.
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
//
#include <jpeglib.h>

#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <vector>

#include "image/jpeg.hpp"
#include "image/settings.hpp"

#define MEDIA_TEXT_OF(x) #x
#define MEDIA_TEXT(x) MEDIA_TEXT_OF(x)

namespace media::image {
namespace {

constexpr std::uint32_t kRowsBetweenChecks = 64;

struct State {
  jpeg_compress_struct codec{};
  jpeg_error_mgr errors{};
  std::jmp_buf jump{};
  std::array<char, JMSG_LENGTH_MAX> message{};
  unsigned char* out = nullptr;
  unsigned long size = 0;  // NOLINT(google-runtime-int): libjpeg's type.
  bool stopped = false;

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    // Libjpeg moves to larger buffers, and says where to only now; without this a picture that was given up leaves `out` pointing to one
    // that it has freed.
    if (out != nullptr && codec.dest != nullptr) codec.dest->term_destination(&codec);
    jpeg_destroy_compress(&codec);
    std::free(out);  // NOLINT(cppcoreguidelines-no-malloc): libjpeg allocates so.
  }
};

[[noreturn]] void on_error(j_common_ptr codec) {
  State& state = *static_cast<State*>(codec->client_data);
  codec->err->format_message(codec, state.message.data());
  std::longjmp(state.jump, 1);
}

void on_message(j_common_ptr, int) {}

/// Everything up to the first row; within a setjmp of the caller's.
void begin(State& state, Size size, int components, J_COLOR_SPACE space, const Encoding& encoding) {
  jpeg_create_compress(&state.codec);
  jpeg_mem_dest(&state.codec, &state.out, &state.size);
  state.codec.image_width = size.width;
  state.codec.image_height = size.height;
  state.codec.input_components = components;
  state.codec.in_color_space = space;
  jpeg_set_defaults(&state.codec);
  jpeg_set_quality(&state.codec, encoding.quality, TRUE);
  state.codec.optimize_coding = TRUE;
}

/// What goes before the first row; `exif` begins with "Exif" and two zeros, or is empty.
void start(State& state, const Encoding& encoding, std::span<const std::byte> exif) {
  jpeg_start_compress(&state.codec, TRUE);
  if (!exif.empty()) {
    jpeg_write_marker(&state.codec, JPEG_APP0 + 1, reinterpret_cast<const JOCTET*>(exif.data()), static_cast<unsigned>(exif.size()));
  }
  if (!encoding.profile.empty()) {
    jpeg_write_icc_profile(&state.codec, reinterpret_cast<const JOCTET*>(encoding.profile.data()),
                           static_cast<unsigned>(encoding.profile.size()));
  }
}

// May be jumped out of: no object with a destructor in here.
bool compress(State& state, const Image& image, const Encoding& encoding, std::span<const std::byte> exif, const Control& control) {
  if (setjmp(state.jump) != 0) return false;
  begin(state, image.size, static_cast<int>(channels(image.layout)), image.layout == Layout::grey ? JCS_GRAYSCALE : JCS_RGB, encoding);
  start(state, encoding, exif);
  while (state.codec.next_scanline < state.codec.image_height) {
    if (state.codec.next_scanline % kRowsBetweenChecks == 0 && control.must_stop()) {
      state.stopped = true;
      return false;
    }
    // libjpeg never writes to its input, its type only says so.
    auto* row = const_cast<JSAMPLE*>(image.data.data() + state.codec.next_scanline * image.stride());
    jpeg_write_scanlines(&state.codec, &row, 1);
  }
  jpeg_finish_compress(&state.codec);
  return true;
}

/// One row of MCUs of a 4:2:0 picture, filled up to whole blocks with its last column and row.
struct McuRow {
  static constexpr std::uint32_t kSide = 2 * DCTSIZE;

  explicit McuRow(const Planes& picture) : planes(picture) {
    for (std::size_t c = 0; c < samples.size(); ++c) {
      const std::uint32_t factor = c == 0 ? 2 : 1;
      stride[c] = std::size_t{(picture.size.width + kSide - 1) / kSide} * DCTSIZE * factor;
      samples[c].resize(stride[c] * DCTSIZE * factor);
      for (std::size_t y = 0; y < std::size_t{DCTSIZE} * factor; ++y) rows[c][y] = samples[c].data() + y * stride[c];
      arrays[c] = rows[c].data();
    }
  }

  /// From row `top` of the picture on.
  void fill(std::uint32_t top) {
    for (std::size_t c = 0; c < samples.size(); ++c) {
      const std::uint32_t factor = c == 0 ? 2 : 1;
      const Size size = planes.plane_size(c);
      for (std::uint32_t y = 0; y < DCTSIZE * factor; ++y) {
        const std::uint8_t* from = planes.row(c, std::min(top / (3 - factor) + y, size.height - 1));
        std::uint8_t* to = rows[c][y];
        std::copy_n(from, size.width, to);
        std::fill(to + size.width, to + stride[c], from[size.width - 1]);
      }
    }
  }

  const Planes& planes;
  std::array<std::vector<std::uint8_t>, 3> samples;
  std::array<std::size_t, 3> stride{};
  std::array<std::array<JSAMPROW, kSide>, 3> rows{};
  std::array<JSAMPARRAY, 3> arrays{};
};

// May be jumped out of: no object with a destructor in here.
bool compress_planes(State& state, McuRow& row, const Encoding& encoding, std::span<const std::byte> exif, const Control& control) {
  if (setjmp(state.jump) != 0) return false;
  begin(state, row.planes.size, 3, JCS_YCbCr, encoding);
  state.codec.raw_data_in = TRUE;
  start(state, encoding, exif);
  while (state.codec.next_scanline < state.codec.image_height) {
    if (state.codec.next_scanline % kRowsBetweenChecks == 0 && control.must_stop()) {
      state.stopped = true;
      return false;
    }
    row.fill(state.codec.next_scanline);
    jpeg_write_raw_data(&state.codec, row.arrays.data(), McuRow::kSide);
  }
  jpeg_finish_compress(&state.codec);
  return true;
}

template <class Compress>
Result<std::vector<std::byte>> encode(Size size, const Encoding& encoding, const Control& control, const Compress& compress_into) {
  if (size.width > JPEG_MAX_DIMENSION || size.height > JPEG_MAX_DIMENSION) {
    return Error{Errc::too_large, "a JPEG has at most 65500 pixels a side"};
  }
  std::vector<std::byte> exif;
  if (!encoding.exif.empty()) {
    for (const char c : std::string_view("Exif\0\0", 6)) exif.push_back(static_cast<std::byte>(c));
    exif.insert(exif.end(), encoding.exif.begin(), encoding.exif.end());
  }
  State state;
  state.codec.err = jpeg_std_error(&state.errors);
  state.errors.error_exit = on_error;
  state.errors.emit_message = on_message;
  state.codec.client_data = &state;
  if (!compress_into(state, exif)) {
    if (state.stopped) MEDIA_TRY(control.check());
    return Error{Errc::internal, "encode JPEG: " + std::string(state.message.data())};
  }
  const auto* bytes = reinterpret_cast<const std::byte*>(state.out);
  return std::vector<std::byte>(bytes, bytes + state.size);
}

}  // namespace

Result<std::vector<std::byte>> encode_jpeg(const Image& image, const Encoding& encoding, const Control& control) {
  return encode(image.size, encoding, control,
                [&](State& state, std::span<const std::byte> exif) { return compress(state, image, encoding, exif, control); });
}

Result<std::vector<std::byte>> encode_jpeg_planes(const Planes& planes, const Encoding& encoding, const Control& control) {
  McuRow row(planes);
  return encode(planes.size, encoding, control,
                [&](State& state, std::span<const std::byte> exif) { return compress_planes(state, row, encoding, exif, control); });
}

std::string jpeg_version() {
  return "libjpeg-turbo-" MEDIA_TEXT(LIBJPEG_TURBO_VERSION) "/420/o/" + std::to_string(jpeg_settings::kRevision);
}

}  // namespace media::image
