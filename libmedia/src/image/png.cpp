// PNG in and out, by libspng.
#include <spng.h>

#include <cstring>
#include <string>

#include "image/exif.hpp"
#include "image/format.hpp"
#include "image/input.hpp"
#include "image/settings.hpp"

namespace media::image {
namespace {

/// One chunk that is kept (a profile, EXIF, text); all of them together.
constexpr std::size_t kMaxChunkBytes = std::size_t{16} << 20U;
constexpr std::size_t kMaxKeptBytes = std::size_t{32} << 20U;
constexpr std::uint32_t kRowsBetweenChecks = 64;

struct FreeContext {
  void operator()(spng_ctx* context) const { spng_ctx_free(context); }
};
using Context = std::unique_ptr<spng_ctx, FreeContext>;

int pull(spng_ctx*, void* user, void* into, std::size_t length) {
  auto& input = *static_cast<Input*>(user);
  if (input.read({static_cast<std::byte*>(into), length}) == length) return 0;
  return input.error() ? SPNG_IO_ERROR : SPNG_IO_EOF;
}

std::uint16_t as(std::uint16_t code, std::uint16_t /*type*/) { return code; }
/// To the nearest: libspng would cut the lower bits off.
std::uint8_t as(std::uint16_t code, std::uint8_t /*type*/) { return narrowed(code); }

/// RGBA of 16 bits in the channels and the depth that are wanted.
template <class Code>
void rearrange(std::span<const std::uint16_t> rgba, Layout layout, std::span<Code> to) {
  const std::uint32_t step = channels(layout);
  Code* pixel = to.data();
  for (std::size_t at = 0; at < rgba.size(); at += 4, pixel += step) {
    for (std::size_t c = 0; c < step; ++c) pixel[c] = as(rgba[at + c], Code{});
  }
}

class PngDecoder final : public Decoder, private DeepDecoder {
 public:
  PngDecoder(const ByteReader& source, const Control& control) : input_(source), control_(control), context_(spng_ctx_new(0)) {}

  Result<void> open() {
    if (!context_) return Error{Errc::too_large, "PNG: no memory for the decoder"};
    spng_set_chunk_limits(context_.get(), kMaxChunkBytes, kMaxKeptBytes);
    // An ancillary chunk with a wrong checksum is dropped; a critical one ends it.
    spng_set_crc_action(context_.get(), SPNG_CRC_ERROR, SPNG_CRC_DISCARD);
    MEDIA_TRY(outcome(spng_set_png_stream(context_.get(), pull, &input_)));
    spng_ihdr header{};
    MEDIA_TRY(outcome(spng_get_ihdr(context_.get(), &header)));
    deep_ = header.bit_depth == 16;
    interlaced_ = header.interlace_method != SPNG_INTERLACE_NONE;
    header_.info.format = Format::png;
    header_.info.width = header.width;
    header_.info.height = header.height;
    header_.picture = {header.width, header.height};
    MEDIA_TRY(control_.check_pixels(header_.picture, "the PNG"));

    spng_trns transparency{};
    header_.info.has_alpha = header.color_type == SPNG_COLOR_TYPE_GRAYSCALE_ALPHA || header.color_type == SPNG_COLOR_TYPE_TRUECOLOR_ALPHA ||
                             spng_get_trns(context_.get(), &transparency) == 0;
    spng_iccp profile{};
    const bool grey = header.color_type == SPNG_COLOR_TYPE_GRAYSCALE || header.color_type == SPNG_COLOR_TYPE_GRAYSCALE_ALPHA;
    // A grey profile would not fit the RGB that grey is read as; the curves of such profiles are near enough to sRGB's.
    if (!grey && spng_get_iccp(context_.get(), &profile) == 0) {
      const auto* bytes = reinterpret_cast<const std::byte*>(profile.profile);
      header_.profile.assign(bytes, bytes + profile.profile_len);
    }
    spng_exif exif{};
    if (spng_get_exif(context_.get(), &exif) == 0) {
      const std::span<const std::byte> block(reinterpret_cast<const std::byte*>(exif.data), exif.length);
      header_.info.orientation = exif_orientation(block);
      header_.credit = exif_credit(block);
    }
    // What was asked for may be absent, but a file that is damaged up to here has no pixels to give.
    spng_chrm primaries{};
    const int last = spng_get_chrm(context_.get(), &primaries);
    if (last != 0 && last != SPNG_ECHUNKAVAIL) return outcome(last);
    return {};
  }

  Result<Rows> start(Size) override {
    const Layout layout = header_.info.has_alpha ? Layout::rgba : Layout::rgb;
    const int format = deep_ ? SPNG_FMT_RGBA16 : header_.info.has_alpha ? SPNG_FMT_RGBA8 : SPNG_FMT_RGB8;
    layout_ = layout;
    const int flags = SPNG_DECODE_TRNS;
    if (!interlaced_) {
      if (deep_) deep_rows_.resize(std::size_t{header_.picture.width} * 4);
      MEDIA_TRY(outcome(spng_decode_image(context_.get(), nullptr, 0, format, flags | SPNG_DECODE_PROGRESSIVE)));
      return Rows{header_.picture, layout};
    }
    // Seven passes over the whole picture: it has to be held.
    MEDIA_TRY(control_.check_memory(deep_ ? header_.picture.pixels() * 8 : image_bytes(header_.picture, layout), "the interlaced PNG"));
    if (deep_) {
      deep_rows_.resize(header_.picture.pixels() * 4);
    } else {
      whole_ = Image(header_.picture, layout);
    }
    MEDIA_TRY(outcome(spng_decode_image(context_.get(), nullptr, 0, format, flags | SPNG_DECODE_PROGRESSIVE)));
    std::uint32_t rows = 0;
    while (true) {
      if (rows++ % kRowsBetweenChecks == 0) MEDIA_TRY(control_.check());
      spng_row_info row{};
      const int informed = spng_get_row_info(context_.get(), &row);
      if (informed == SPNG_EOI) break;
      MEDIA_TRY(outcome(informed));
      const int decoded = deep_ ? spng_decode_row(context_.get(), deep_row(row.row_num).data(), deep_row(row.row_num).size_bytes())
                                : spng_decode_row(context_.get(), whole_.row(row.row_num).data(), whole_.stride());
      if (decoded == SPNG_EOI) break;
      MEDIA_TRY(outcome(decoded));
    }
    return Rows{header_.picture, layout};
  }

  Result<void> read_row(std::span<std::uint8_t> row) override {
    if (deep_) return next_deep_row(row);
    const std::uint32_t y = next_++;
    if (!interlaced_) return decode_row(y, row.data(), row.size());
    std::memcpy(row.data(), whole_.row(y).data(), row.size());
    return {};
  }

  DeepDecoder* deep() noexcept override { return deep_ ? this : nullptr; }

 private:
  Result<Rows> start_deep() override { return start(header_.picture); }
  Result<void> read_deep_row(std::span<std::uint16_t> row) override { return next_deep_row(row); }

  template <class Code>
  Result<void> next_deep_row(std::span<Code> row) {
    const std::uint32_t y = next_++;
    const std::span<std::uint16_t> deep = deep_row(interlaced_ ? y : 0);
    if (!interlaced_) MEDIA_TRY(decode_row(y, deep.data(), deep.size_bytes()));
    rearrange(std::span<const std::uint16_t>(deep), layout_, row);
    return {};
  }

  Result<void> decode_row(std::uint32_t y, void* into, std::size_t bytes) {
    const int decoded = spng_decode_row(context_.get(), into, bytes);
    if (decoded != 0 && !(decoded == SPNG_EOI && y + 1 == header_.picture.height)) return outcome(decoded);
    return {};
  }

  [[nodiscard]] std::span<std::uint16_t> deep_row(std::uint32_t y) {
    const std::size_t line = std::size_t{header_.picture.width} * 4;
    return std::span(deep_rows_).subspan(y * line, line);
  }

  [[nodiscard]] Result<void> outcome(int code) const {
    if (code == 0) return {};
    if (input_.error()) return *input_.error();
    const std::string text = "PNG: " + std::string(spng_strerror(code));
    switch (code) {
      case SPNG_IO_EOF:
        return Error{Errc::corrupt, "PNG: the file ends before the picture does"};
      case SPNG_EMEM:
      case SPNG_EOVERFLOW:
      case SPNG_ECHUNK_LIMITS:
        return Error{Errc::too_large, text};
      default:
        return Error{Errc::corrupt, text};
    }
  }

  Input input_;
  const Control& control_;
  Context context_;
  bool interlaced_ = false;
  Layout layout_ = Layout::rgb;
  bool deep_ = false;                     ///< 16 bits a sample.
  Image whole_;                           ///< Where it is interlaced, and not deep.
  std::vector<std::uint16_t> deep_rows_;  ///< RGBA: one row, or all of them where it is interlaced.
  std::uint32_t next_ = 0;
};

bool sniffs(std::span<const std::byte> head) { return has_bytes(head, 0, "\x89PNG\r\n\x1A\n"); }

Result<std::unique_ptr<Decoder>> open(const ByteReader& source, const Control& control) {
  auto decoder = std::make_unique<PngDecoder>(source, control);
  MEDIA_TRY(decoder->open());
  return std::unique_ptr<Decoder>(std::move(decoder));
}

Error encode_failure(int code) { return {Errc::internal, "encode PNG: " + std::string(spng_strerror(code))}; }

Result<void> add_metadata(spng_ctx* context, const Encoding& encoding) {
  // libspng copies both; its structs only lack a const.
  if (!encoding.profile.empty()) {
    spng_iccp chunk{};
    std::strcpy(chunk.profile_name, "ICC profile");
    chunk.profile_len = encoding.profile.size();
    chunk.profile = reinterpret_cast<char*>(const_cast<std::byte*>(encoding.profile.data()));
    if (const int code = spng_set_iccp(context, &chunk); code != 0) return encode_failure(code);
  }
  if (!encoding.exif.empty()) {
    spng_exif chunk{};
    chunk.length = encoding.exif.size();
    chunk.data = reinterpret_cast<char*>(const_cast<std::byte*>(encoding.exif.data()));
    if (const int code = spng_set_exif(context, &chunk); code != 0) return encode_failure(code);
  }
  return {};
}

Result<std::vector<std::byte>> encode(const Image& image, const Encoding& encoding, const Control& control) {
  const Context context(spng_ctx_new(SPNG_CTX_ENCODER));
  if (!context) return Error{Errc::internal, "encode PNG: no encoder"};
  spng_set_option(context.get(), SPNG_ENCODE_TO_BUFFER, 1);
  spng_set_option(context.get(), SPNG_IMG_COMPRESSION_LEVEL, png_settings::kCompressionLevel);
  spng_ihdr header{};
  header.width = image.size.width;
  header.height = image.size.height;
  header.bit_depth = 8;
  header.color_type = static_cast<std::uint8_t>(image.layout == Layout::grey  ? SPNG_COLOR_TYPE_GRAYSCALE
                                                : image.layout == Layout::rgb ? SPNG_COLOR_TYPE_TRUECOLOR
                                                                              : SPNG_COLOR_TYPE_TRUECOLOR_ALPHA);
  if (const int code = spng_set_ihdr(context.get(), &header); code != 0) return encode_failure(code);
  MEDIA_TRY(add_metadata(context.get(), encoding));
  if (const int code = spng_encode_image(context.get(), nullptr, 0, SPNG_FMT_PNG, SPNG_ENCODE_PROGRESSIVE | SPNG_ENCODE_FINALIZE);
      code != 0) {
    return encode_failure(code);
  }
  for (std::uint32_t y = 0; y < image.size.height; ++y) {
    if (y % kRowsBetweenChecks == 0) MEDIA_TRY(control.check());
    const int code = spng_encode_row(context.get(), image.row(y).data(), image.stride());
    if (code != 0 && !(code == SPNG_EOI && y + 1 == image.size.height)) return encode_failure(code);
  }
  std::size_t size = 0;
  int code = 0;
  const std::unique_ptr<void, decltype(&std::free)> buffer(spng_get_png_buffer(context.get(), &size, &code), std::free);
  if (!buffer) return encode_failure(code);
  const auto* bytes = static_cast<const std::byte*>(buffer.get());
  return std::vector<std::byte>(bytes, bytes + size);
}

std::string version() {
  return "spng-" + std::string(spng_version_string()) + "/z" + std::to_string(png_settings::kCompressionLevel) + "/" +
         std::to_string(png_settings::kRevision);
}

}  // namespace

const Codec kPng{Format::png, sniffs, open, encode, nullptr, version};

}  // namespace media::image
