// JPEG out, by libjpeg-turbo: baseline, 4:2:0, Huffman tables made for the picture.
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
//
#include <jpeglib.h>

#include <array>

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

// May be jumped out of: no object with a destructor in here.
bool compress(State& state, const Image& image, const Encoding& encoding, std::span<const std::byte> exif, const Control& control) {
  if (setjmp(state.jump) != 0) return false;
  jpeg_create_compress(&state.codec);
  jpeg_mem_dest(&state.codec, &state.out, &state.size);
  state.codec.image_width = image.size.width;
  state.codec.image_height = image.size.height;
  state.codec.input_components = static_cast<int>(channels(image.layout));
  state.codec.in_color_space = image.layout == Layout::grey ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&state.codec);
  jpeg_set_quality(&state.codec, encoding.quality, TRUE);
  state.codec.optimize_coding = TRUE;
  jpeg_start_compress(&state.codec, TRUE);
  if (!exif.empty()) {
    jpeg_write_marker(&state.codec, JPEG_APP0 + 1, reinterpret_cast<const JOCTET*>(exif.data()), static_cast<unsigned>(exif.size()));
  }
  if (!encoding.profile.empty()) {
    jpeg_write_icc_profile(&state.codec, reinterpret_cast<const JOCTET*>(encoding.profile.data()),
                           static_cast<unsigned>(encoding.profile.size()));
  }
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

}  // namespace

Result<std::vector<std::byte>> encode_jpeg(const Image& image, const Encoding& encoding, const Control& control) {
  if (image.size.width > JPEG_MAX_DIMENSION || image.size.height > JPEG_MAX_DIMENSION) {
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
  if (!compress(state, image, encoding, exif, control)) {
    if (state.stopped) MEDIA_TRY(control.check());
    return Error{Errc::internal, "encode JPEG: " + std::string(state.message.data())};
  }
  const auto* bytes = reinterpret_cast<const std::byte*>(state.out);
  return std::vector<std::byte>(bytes, bytes + state.size);
}

std::string jpeg_version() {
  return "libjpeg-turbo-" MEDIA_TEXT(LIBJPEG_TURBO_VERSION) "/420/o/" + std::to_string(jpeg_settings::kRevision);
}

}  // namespace media::image
