// JPEG in, by libjpeg-turbo. Rows come one by one, at a scale that the inverse DCT gives for nothing.
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
//
#include <jpeglib.h>
//
#include <jerror.h>

#include <algorithm>
#include <array>
#include <string>

#include "image/exif.hpp"
#include "image/format.hpp"
#include "image/input.hpp"
#include "image/jpeg.hpp"

namespace media::image {
namespace {

/// Everything before the first scan is held back by no other limit: profiles and EXIF of real cameras stay far below.
constexpr std::uint64_t kMaxHeaderBytes = 64ULL << 20U;

enum class Stop : std::uint8_t { none, codec, input, interrupted, header_too_long };

/// What libjpeg's callbacks need. It outlives every jump: nothing here is destroyed by one.
struct State {
  State(const ByteReader& reader, const Control& process) : input(reader), control(process) {}

  jpeg_decompress_struct codec{};
  jpeg_error_mgr errors{};
  jpeg_source_mgr source{};
  jpeg_progress_mgr progress{};
  std::jmp_buf jump{};
  std::array<char, JMSG_LENGTH_MAX> message{};
  int error_code = 0;
  Stop stop = Stop::none;
  bool in_header = true;
  bool ended = false;       ///< The file ended before its EOI marker.
  bool data_lacks = false;  ///< A scan ended before its last block.
  Input input;
  const Control& control;
};

State& state_of(j_common_ptr codec) { return *static_cast<State*>(codec->client_data); }
State& state_of(j_decompress_ptr codec) { return *static_cast<State*>(codec->client_data); }

[[noreturn]] void give_up(State& state, Stop why) {
  state.stop = why;
  std::longjmp(state.jump, 1);
}

[[noreturn]] void on_error(j_common_ptr codec) {
  State& state = state_of(codec);
  state.error_code = codec->err->msg_code;
  codec->err->format_message(codec, state.message.data());
  give_up(state, Stop::codec);
}

void on_message(j_common_ptr codec, int level) {
  // Warnings are what viewers forgive; one of them says that picture data is not there.
  if (level < 0 && codec->err->msg_code == JWRN_HIT_MARKER) state_of(codec).data_lacks = true;
}

void on_progress(j_common_ptr codec) {
  State& state = state_of(codec);
  if (state.control.must_stop()) give_up(state, Stop::interrupted);
}

boolean fill_buffer(j_decompress_ptr codec) {
  static constexpr std::array<JOCTET, 2> kEndOfImage{0xFF, JPEG_EOI};
  State& state = state_of(codec);
  if (state.in_header && state.input.position() > kMaxHeaderBytes) give_up(state, Stop::header_too_long);
  const auto more = state.input.next();
  if (more.empty()) {
    if (state.input.error()) give_up(state, Stop::input);
    state.ended = true;
    state.source.next_input_byte = kEndOfImage.data();
    state.source.bytes_in_buffer = kEndOfImage.size();
    return TRUE;
  }
  state.source.next_input_byte = reinterpret_cast<const JOCTET*>(more.data());
  state.source.bytes_in_buffer = more.size();
  return TRUE;
}

void skip_bytes(j_decompress_ptr codec, long count) {
  State& state = state_of(codec);
  if (count <= 0) return;
  const auto wanted = static_cast<std::size_t>(count);
  if (wanted <= state.source.bytes_in_buffer) {
    state.source.next_input_byte += wanted;
    state.source.bytes_in_buffer -= wanted;
    return;
  }
  state.input.skip(wanted - state.source.bytes_in_buffer);
  state.source.bytes_in_buffer = 0;
}

void nothing(j_decompress_ptr) {}

// The functions that may be jumped out of. None of them has an object with a destructor, as the jump would pass it by.

bool read_header(State& state) {
  if (setjmp(state.jump) != 0) return false;
  jpeg_create_decompress(&state.codec);
  state.codec.src = &state.source;
  state.codec.progress = &state.progress;
  jpeg_save_markers(&state.codec, JPEG_APP0 + 1, 0xFFFF);
  jpeg_save_markers(&state.codec, JPEG_APP0 + 2, 0xFFFF);
  jpeg_read_header(&state.codec, TRUE);
  state.in_header = false;
  return true;
}

bool start_decoding(State& state) {
  if (setjmp(state.jump) != 0) return false;
  jpeg_start_decompress(&state.codec);
  return true;
}

bool read_line(State& state, JSAMPLE* row) {
  if (setjmp(state.jump) != 0) return false;
  jpeg_read_scanlines(&state.codec, &row, 1);
  return true;
}

bool read_profile(State& state, JOCTET** bytes, unsigned* size) {
  if (setjmp(state.jump) != 0) return false;
  return jpeg_read_icc_profile(&state.codec, bytes, size) == TRUE;
}

Error failure(const State& state) {
  switch (state.stop) {
    case Stop::input:
      return *state.input.error();
    case Stop::interrupted:
      if (auto outcome = state.control.check(); !outcome) return std::move(outcome).error();
      return {Errc::cancelled, "JPEG: stopped"};
    case Stop::header_too_long:
      return {Errc::too_large, "JPEG: more than 64 MiB before the picture"};
    case Stop::none:
    case Stop::codec:
      break;
  }
  const std::string text = "JPEG: " + std::string(state.message.data());
  switch (state.error_code) {
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

class JpegDecoder final : public Decoder {
 public:
  JpegDecoder(const ByteReader& source, const Control& control) : state_(source, control) {
    State& state = state_;
    state.codec.err = jpeg_std_error(&state.errors);
    state.errors.error_exit = on_error;
    state.errors.emit_message = on_message;
    state.codec.client_data = &state;
    state.progress.progress_monitor = on_progress;
    state.source.init_source = nothing;
    state.source.fill_input_buffer = fill_buffer;
    state.source.skip_input_data = skip_bytes;
    state.source.resync_to_restart = jpeg_resync_to_restart;
    state.source.term_source = nothing;
  }
  ~JpegDecoder() override { jpeg_destroy_decompress(&state_.codec); }

  Result<void> open() {
    if (!read_header(state_)) return failure(state_);
    const jpeg_decompress_struct& codec = state_.codec;
    switch (codec.jpeg_color_space) {
      case JCS_GRAYSCALE:
        layout_ = Layout::grey;
        break;
      case JCS_RGB:
      case JCS_YCbCr:
        layout_ = Layout::rgb;
        break;
      case JCS_CMYK:
      case JCS_YCCK:
        layout_ = Layout::cmyk;
        break;
      default:
        return Error{Errc::unsupported, "JPEG: " + std::to_string(codec.num_components) + " components of unknown meaning"};
    }
    header_.info.format = Format::jpeg;
    header_.info.width = codec.image_width;
    header_.info.height = codec.image_height;
    header_.picture = {codec.image_width, codec.image_height};
    read_exif();
    JOCTET* profile = nullptr;
    unsigned size = 0;
    if (read_profile(state_, &profile, &size) && profile != nullptr) {
      const auto* bytes = reinterpret_cast<const std::byte*>(profile);
      header_.profile.assign(bytes, bytes + size);
    }
    std::free(profile);  // NOLINT(cppcoreguidelines-no-malloc): libjpeg gives it so.
    return state_.control.check_pixels(header_.picture, "the JPEG");
  }

  Result<Rows> start(Size wanted) override {
    jpeg_decompress_struct& codec = state_.codec;
    codec.scale_num = static_cast<unsigned>(jpeg_scale(header_.picture, wanted));
    codec.scale_denom = 8;
    codec.out_color_space = layout_ == Layout::grey ? JCS_GRAYSCALE : (layout_ == Layout::rgb ? JCS_RGB : JCS_CMYK);
    MEDIA_TRY(state_.control.check_memory(held_bytes(), "the JPEG"));
    if (!start_decoding(state_)) return failure(state_);
    // With several scans all of the file has been read by now; its end tells whether scans are missing.
    if (state_.ended && jpeg_has_multiple_scans(&codec) != FALSE) return truncated();
    rows_left_ = codec.output_height;
    return Rows{{codec.output_width, codec.output_height}, layout_};
  }

  Result<void> read_row(std::span<std::uint8_t> row) override {
    if (!read_line(state_, row.data())) return failure(state_);
    --rows_left_;
    if (state_.ended && state_.data_lacks) return truncated();
    // Adobe writes how much paper shows, not how much ink there is.
    if (layout_ == Layout::cmyk && state_.codec.saw_Adobe_marker != FALSE) {
      for (std::uint8_t& value : row) value = static_cast<std::uint8_t>(255 - value);
    }
    return {};
  }

 private:
  static Error truncated() { return {Errc::corrupt, "JPEG: the file ends before the picture does"}; }

  void read_exif() {
    for (const jpeg_marker_struct* marker = state_.codec.marker_list; marker != nullptr; marker = marker->next) {
      const std::span<const std::byte> data(reinterpret_cast<const std::byte*>(marker->data), marker->data_length);
      if (marker->marker == JPEG_APP0 + 1 && has_bytes(data, 0, std::string_view("Exif\0\0", 6))) {
        header_.info.orientation = exif_orientation(data);
        header_.credit = exif_credit(data);
        return;
      }
    }
  }

  /// A picture of several scans is held whole, as coefficients of 16 bits, before its first row.
  std::uint64_t held_bytes() {
    std::uint64_t bytes = 0;
    if (jpeg_has_multiple_scans(&state_.codec) == FALSE) return bytes;
    for (int i = 0; i < state_.codec.num_components; ++i) {
      const jpeg_component_info& part = state_.codec.comp_info[i];
      bytes += std::uint64_t{part.width_in_blocks} * part.height_in_blocks * DCTSIZE2 * sizeof(JCOEF);
    }
    return bytes;
  }

  State state_;
  Layout layout_ = Layout::rgb;
  std::uint32_t rows_left_ = 0;
};

bool sniffs(std::span<const std::byte> head) { return has_bytes(head, 0, "\xFF\xD8\xFF"); }

Result<std::unique_ptr<Decoder>> open(const ByteReader& source, const Control& control) {
  auto decoder = std::make_unique<JpegDecoder>(source, control);
  MEDIA_TRY(decoder->open());
  return std::unique_ptr<Decoder>(std::move(decoder));
}

}  // namespace

int jpeg_scale(Size picture, Size wanted) noexcept {
  // Only these scales have SIMD code in libjpeg-turbo; 3, 5, 6 and 7 eighths cost more than the next of these.
  for (const unsigned eighths : {1U, 2U, 4U}) {
    const double reserve = eighths == 4 ? kJpegReserveAtHalf : kJpegReserve;
    const auto enough = [&](std::uint32_t side, std::uint32_t target) {
      return (std::uint64_t{side} * eighths + 7) / 8 >= static_cast<std::uint64_t>(reserve * target);
    };
    if (enough(picture.width, wanted.width) && enough(picture.height, wanted.height)) return static_cast<int>(eighths);
  }
  return 8;
}

const Codec kJpeg{Format::jpeg, sniffs, open, encode_jpeg, jpeg_version};

}  // namespace media::image
