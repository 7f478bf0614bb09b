// TIFF in, by libtiff: the first picture of the file, a band of strips or tiles at a time.
#include <tiffio.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <new>
#include <optional>
#include <string>

#include "image/format.hpp"

namespace media::image {
namespace {

/// Those that are met in photos and scans. The others (LERC, JBIG, old JPEG, ZSTD, LZMA, WebP and so on) would each be one more door.
constexpr std::array<std::uint16_t, 8> kCompressions{COMPRESSION_NONE,          COMPRESSION_LZW,      COMPRESSION_PACKBITS,
                                                     COMPRESSION_ADOBE_DEFLATE, COMPRESSION_DEFLATE,  COMPRESSION_JPEG,
                                                     COMPRESSION_CCITTFAX3,     COMPRESSION_CCITTFAX4};
constexpr std::uint32_t kMaxSide = 1U << 20U;
constexpr std::uint16_t kMaxSamples = 8;
constexpr std::uint64_t kLeastMemory = std::uint64_t{16} << 20U;

struct CloseTiff {
  void operator()(TIFF* file) const { TIFFClose(file); }
};
struct FreeOptions {
  void operator()(TIFFOpenOptions* options) const { TIFFOpenOptionsFree(options); }
};

/// The source as libtiff reads it, and what it complained of first.
struct Stream {
  const ByteReader& reader;
  std::uint64_t position = 0;
  std::optional<Error> error{};
  std::string complaint{};
};

tmsize_t pull(thandle_t user, void* into, tmsize_t count) {
  auto& stream = *static_cast<Stream*>(user);
  std::span<std::byte> wanted(static_cast<std::byte*>(into), static_cast<std::size_t>(std::max<tmsize_t>(count, 0)));
  std::size_t done = 0;
  try {
    while (done < wanted.size() && !stream.error) {
      auto got = stream.reader.read_at(stream.position, wanted.subspan(done));
      if (!got) {
        stream.error = std::move(got).error();
      } else if (*got == 0) {
        break;
      } else {
        done += *got;
        stream.position += *got;
      }
    }
  } catch (const std::bad_alloc&) {  // Nothing may be thrown through libtiff.
    return -1;
  }
  return static_cast<tmsize_t>(done);
}

tmsize_t push_nothing(thandle_t, void*, tmsize_t) { return -1; }

toff_t seek(thandle_t user, toff_t offset, int from) {
  auto& stream = *static_cast<Stream*>(user);
  if (from == SEEK_CUR) offset += stream.position;
  if (from == SEEK_END) offset += stream.reader.size();
  stream.position = offset;
  return offset;
}

int close_nothing(thandle_t) { return 0; }
toff_t size_of(thandle_t user) { return static_cast<Stream*>(user)->reader.size(); }

int complain(TIFF*, void* user, const char*, const char* format, va_list arguments) {
  auto& stream = *static_cast<Stream*>(user);
  if (!stream.complaint.empty()) return 1;
  std::array<char, 160> text{};
  std::vsnprintf(text.data(), text.size(), format, arguments);
  try {
    stream.complaint = text.data();
  } catch (const std::bad_alloc&) {  // It is said without words, then.
  }
  return 1;
}

int keep_quiet(TIFF*, void*, const char*, const char*, va_list) { return 1; }

/// The nearest code value to a share of `most`, which has at most 16 bits.
template <class Code>
Code code_of(std::uint32_t value, std::uint32_t most) {
  return static_cast<Code>((value * kWhite<Code> + most / 2) / most);
}

class TiffDecoder final : public Decoder, private DeepDecoder {
 public:
  TiffDecoder(const ByteReader& source, const Control& control) : stream_{source}, control_(control) {}

  Result<void> open() {
    const std::unique_ptr<TIFFOpenOptions, FreeOptions> options(TIFFOpenOptionsAlloc());
    if (!options) return Error{Errc::too_large, "TIFF: no memory for the decoder"};
    TIFFOpenOptionsSetErrorHandlerExtR(options.get(), complain, &stream_);
    TIFFOpenOptionsSetWarningHandlerExtR(options.get(), keep_quiet, nullptr);
    // What the pixels take is checked by `start`, whose refusal says more than libtiff's; this is for its own tables and buffers.
    const auto most = std::clamp<std::uint64_t>(control_.budget().max_memory_bytes, kLeastMemory, std::numeric_limits<std::int32_t>::max());
    TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), static_cast<tmsize_t>(most));
    file_.reset(TIFFClientOpenExt("", "rm", &stream_, pull, push_nothing, seek, close_nothing, size_of, nullptr, nullptr, options.get()));
    if (!file_) return damaged("its first directory cannot be read");
    MEDIA_TRY(read_header());
    header_.info.format = Format::tiff;
    header_.info.width = size_.width;
    header_.info.height = size_.height;
    header_.info.has_alpha = layout_ == Layout::rgba;
    header_.picture = size_;
    std::uint16_t orientation = 1;
    TIFFGetFieldDefaulted(file_.get(), TIFFTAG_ORIENTATION, &orientation);
    if (orientation >= 1 && orientation <= 8) header_.info.orientation = static_cast<std::uint8_t>(orientation);
    std::uint32_t length = 0;
    void* profile = nullptr;
    if (TIFFGetField(file_.get(), TIFFTAG_ICCPROFILE, &length, &profile) != 0 && profile != nullptr) {
      const auto* bytes = static_cast<const std::byte*>(profile);
      header_.profile.assign(bytes, bytes + length);
    }
    return {};
  }

  Result<Rows> start(Size) override {
    // The strip or row of tiles that is being read, and one tile.
    MEDIA_TRY(control_.check_memory(band_bytes_ * planes_ + tile_bytes_, "the TIFF"));
    band_.resize(static_cast<std::size_t>(band_bytes_ * planes_));
    tile_.resize(static_cast<std::size_t>(tile_bytes_));
    return Rows{size_, layout_};
  }

  Result<void> read_row(std::span<std::uint8_t> row) override { return next_row(row); }

  DeepDecoder* deep() noexcept override { return bits_ > 8 ? this : nullptr; }

 private:
  Result<Rows> start_deep() override { return start(size_); }
  Result<void> read_deep_row(std::span<std::uint16_t> row) override { return next_row(row); }

  template <class Code>
  Result<void> next_row(std::span<Code> row) {
    const std::uint32_t y = next_++;
    if (y % band_rows_ == 0) {
      MEDIA_TRY(control_.check());
      for (std::uint16_t plane = 0; plane < planes_; ++plane) MEDIA_TRY(read_band(y, plane));
    }
    convert(y % band_rows_, row);
    return {};
  }

  [[nodiscard]] Error damaged(std::string_view how) const {
    if (stream_.error) return *stream_.error;
    return {Errc::corrupt, "TIFF: " + (stream_.complaint.empty() ? std::string(how) : stream_.complaint)};
  }
  static Error lacking(std::string_view what) { return {Errc::unsupported, "TIFF: " + std::string(what) + " is not read here"}; }

  Result<void> read_header() {
    TIFF* const file = file_.get();
    if (TIFFGetField(file, TIFFTAG_IMAGEWIDTH, &size_.width) == 0 || TIFFGetField(file, TIFFTAG_IMAGELENGTH, &size_.height) == 0 ||
        size_.width == 0 || size_.height == 0) {
      return Error{Errc::corrupt, "TIFF: a picture without a size"};
    }
    MEDIA_TRY(control_.check_pixels(size_, "the TIFF"));
    if (size_.width > kMaxSide || size_.height > kMaxSide) return Error{Errc::too_large, "the TIFF has a side of more than 1048576 pixels"};
    std::uint16_t compression = COMPRESSION_NONE;
    TIFFGetFieldDefaulted(file, TIFFTAG_COMPRESSION, &compression);
    if (std::find(kCompressions.begin(), kCompressions.end(), compression) == kCompressions.end() ||
        TIFFIsCODECConfigured(compression) == 0) {
      return lacking("compression " + std::to_string(compression));
    }
    TIFFGetFieldDefaulted(file, TIFFTAG_BITSPERSAMPLE, &bits_);
    TIFFGetFieldDefaulted(file, TIFFTAG_SAMPLESPERPIXEL, &samples_);
    std::uint16_t kind = SAMPLEFORMAT_UINT;
    TIFFGetFieldDefaulted(file, TIFFTAG_SAMPLEFORMAT, &kind);
    if (kind != SAMPLEFORMAT_UINT && kind != SAMPLEFORMAT_VOID) return lacking("samples that are no whole numbers from 0 on");
    if (bits_ != 1 && bits_ != 2 && bits_ != 4 && bits_ != 8 && bits_ != 16) return lacking(std::to_string(bits_) + " bits a sample");
    if (samples_ == 0 || samples_ > kMaxSamples) return lacking(std::to_string(samples_) + " samples a pixel");
    MEDIA_TRY(read_colours(compression));
    return plan_bands();
  }

  Result<void> read_colours(std::uint16_t compression) {
    TIFF* const file = file_.get();
    if (TIFFGetField(file, TIFFTAG_PHOTOMETRIC, &photometric_) == 0) {
      // Scanners leave it out; so few samples can mean little else.
      photometric_ = samples_ >= 3 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK;
    }
    switch (photometric_) {
      case PHOTOMETRIC_MINISWHITE:
      case PHOTOMETRIC_MINISBLACK:
        colours_ = 1;
        layout_ = Layout::grey;
        break;
      case PHOTOMETRIC_YCBCR:
        // libtiff turns it into RGB only while it decodes JPEG.
        if (compression != COMPRESSION_JPEG) return lacking("YCbCr without JPEG");
        if (TIFFSetField(file, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB) == 0) return lacking("this kind of YCbCr");
        [[fallthrough]];
      case PHOTOMETRIC_RGB:
        if (bits_ < 8) return lacking("RGB of fewer than 8 bits");
        colours_ = 3;
        layout_ = Layout::rgb;
        break;
      case PHOTOMETRIC_PALETTE: {
        if (bits_ > 8) return lacking("a palette of more than 256 colours");
        if (TIFFGetField(file, TIFFTAG_COLORMAP, palette_.data(), palette_.data() + 1, palette_.data() + 2) == 0) {
          return Error{Errc::corrupt, "TIFF: a palette picture without its palette"};
        }
        colours_ = 1;
        layout_ = Layout::rgb;
        // Old writers put bytes where there should be 16 bits.
        const std::size_t count = std::size_t{1} << bits_;
        palette_most_ = 255;
        for (const std::uint16_t* part : palette_) {
          if (std::any_of(part, part + count, [](std::uint16_t value) { return value > 255; })) palette_most_ = 65535;
        }
        break;
      }
      case PHOTOMETRIC_SEPARATED: {
        std::uint16_t inks = INKSET_CMYK;
        TIFFGetFieldDefaulted(file, TIFFTAG_INKSET, &inks);
        if (inks != INKSET_CMYK || samples_ < 4) return lacking("ink other than CMYK");
        if (bits_ < 8) return lacking("CMYK of fewer than 8 bits");
        colours_ = 4;
        layout_ = Layout::cmyk;
        break;
      }
      default:
        return lacking("photometric interpretation " + std::to_string(photometric_));
    }
    if (samples_ < colours_) return Error{Errc::corrupt, "TIFF: fewer samples than colours"};
    read_alpha();
    return {};
  }

  void read_alpha() {
    std::uint16_t count = 0;
    const std::uint16_t* kinds = nullptr;
    TIFFGetFieldDefaulted(file_.get(), TIFFTAG_EXTRASAMPLES, &count, &kinds);
    if (layout_ == Layout::cmyk || kinds == nullptr || count == 0 || samples_ <= colours_) return;
    if (kinds[0] != EXTRASAMPLE_ASSOCALPHA && kinds[0] != EXTRASAMPLE_UNASSALPHA) return;
    multiplied_ = kinds[0] == EXTRASAMPLE_ASSOCALPHA;
    layout_ = Layout::rgba;
  }

  Result<void> plan_bands() {
    TIFF* const file = file_.get();
    std::uint16_t arrangement = PLANARCONFIG_CONTIG;
    TIFFGetFieldDefaulted(file, TIFFTAG_PLANARCONFIG, &arrangement);
    planes_ = arrangement == PLANARCONFIG_SEPARATE ? samples_ : std::uint16_t{1};
    pixel_samples_ = planes_ > 1 ? 1 : samples_;
    line_bytes_ = (std::uint64_t{size_.width} * pixel_samples_ * bits_ + 7) / 8;
    tiled_ = TIFFIsTiled(file) != 0;
    if (tiled_) {
      if (TIFFGetField(file, TIFFTAG_TILEWIDTH, &tile_.width) == 0 || TIFFGetField(file, TIFFTAG_TILELENGTH, &tile_.height) == 0 ||
          tile_.width == 0 || tile_.height == 0 || tile_.width > kMaxSide || tile_.height > kMaxSide) {
        return Error{Errc::corrupt, "TIFF: tiles without a size"};
      }
      tile_.line = std::uint64_t{tile_.width} * pixel_samples_ * bits_ / 8;
      if (std::uint64_t{tile_.width} * pixel_samples_ * bits_ % 8 != 0) return lacking("a tile that ends inside a byte");
      band_rows_ = tile_.height;
      tile_bytes_ = tile_.line * tile_.height;
      if (static_cast<std::uint64_t>(std::max<tmsize_t>(TIFFTileSize(file), 0)) != tile_bytes_) return lacking("this kind of tile");
    } else {
      TIFFGetFieldDefaulted(file, TIFFTAG_ROWSPERSTRIP, &band_rows_);
      band_rows_ = std::clamp(band_rows_, 1U, size_.height);
      if (static_cast<std::uint64_t>(std::max<tmsize_t>(TIFFScanlineSize(file), 0)) != line_bytes_) return lacking("this kind of strip");
    }
    band_bytes_ = line_bytes_ * std::min(band_rows_, size_.height);
    return {};
  }

  Result<void> read_band(std::uint32_t y, std::uint16_t plane) {
    TIFF* const file = file_.get();
    std::uint8_t* const band = band_.data() + band_bytes_ * plane;
    const std::uint32_t rows = std::min(band_rows_, size_.height - y);
    if (!tiled_) {
      const auto wanted = static_cast<tmsize_t>(line_bytes_ * rows);
      const tmsize_t got = TIFFReadEncodedStrip(file, TIFFComputeStrip(file, y, plane), band, wanted);
      if (got < wanted) return damaged("the file ends before the picture does");
      return {};
    }
    for (std::uint32_t x = 0; x < size_.width; x += tile_.width) {
      MEDIA_TRY(control_.check());
      const auto wanted = static_cast<tmsize_t>(tile_bytes_);
      if (TIFFReadEncodedTile(file, TIFFComputeTile(file, x, y, 0, plane), tile_.data.data(), wanted) < wanted) {
        return damaged("the file ends before the picture does");
      }
      const std::uint64_t at = x / tile_.width * tile_.line;
      const auto count = static_cast<std::size_t>(std::min(tile_.line, line_bytes_ - at));
      for (std::uint32_t i = 0; i < std::min(rows, tile_.height); ++i) {
        std::memcpy(band + line_bytes_ * i + at, tile_.data.data() + tile_.line * i, count);
      }
    }
    return {};
  }

  /// A sample as it is in the file. libtiff has put 16 bits into the order of this machine.
  [[nodiscard]] std::uint32_t sample(std::uint32_t row, std::uint32_t x, std::uint16_t which) const {
    const std::uint8_t* line = band_.data() + (planes_ > 1 ? band_bytes_ * which : 0) + line_bytes_ * row;
    const std::size_t at = std::size_t{x} * pixel_samples_ + (planes_ > 1 ? 0 : which);
    if (bits_ == 8) return line[at];
    if (bits_ == 16) {
      std::uint16_t value = 0;
      std::memcpy(&value, line + at * 2, sizeof value);
      return value;
    }
    const std::size_t bit = at * bits_;
    return line[bit / 8] >> (8 - bits_ - bit % 8) & ((1U << bits_) - 1);
  }

  template <class Code>
  void convert(std::uint32_t row, std::span<Code> to) const {
    const std::uint32_t most = (1U << bits_) - 1;
    const std::uint32_t step = channels(layout_);
    for (std::uint32_t x = 0; x < size_.width; ++x) {
      Code* pixel = to.data() + std::size_t{x} * step;
      if (photometric_ == PHOTOMETRIC_PALETTE) {
        const std::uint32_t index = sample(row, x, 0);
        for (std::size_t c = 0; c < 3; ++c) pixel[c] = code_of<Code>(palette_[c][index], palette_most_);
      } else {
        for (std::uint16_t c = 0; c < colours_; ++c) {
          const std::uint32_t value = sample(row, x, c);
          pixel[c] = code_of<Code>(photometric_ == PHOTOMETRIC_MINISWHITE ? most - value : value, most);
        }
        if (colours_ == 1 && step == 4) pixel[1] = pixel[2] = pixel[0];
      }
      if (step == 4 && layout_ == Layout::rgba) {
        const std::uint32_t alpha = sample(row, x, colours_);
        pixel[3] = code_of<Code>(alpha, most);
        if (multiplied_) divide(row, x, alpha, pixel);
      }
    }
  }

  /// Straight colours of those that are multiplied by alpha; at the depth of the file, so that little is lost.
  template <class Code>
  void divide(std::uint32_t row, std::uint32_t x, std::uint32_t alpha, Code* pixel) const {
    if (alpha == 0 || photometric_ == PHOTOMETRIC_PALETTE) return;
    for (std::uint16_t c = 0; c < 3; ++c) {
      const std::uint32_t value = sample(row, x, colours_ == 1 ? std::uint16_t{0} : c);
      // White is 0 there, of which nothing can be multiplied away.
      if (photometric_ == PHOTOMETRIC_MINISWHITE) return;
      pixel[c] = code_of<Code>(std::min(value, alpha), alpha);
    }
  }

  struct Tile {
    std::uint32_t width = 0;
    std::uint32_t height = 0;
    std::uint64_t line = 0;  ///< Bytes from row to row.
    std::vector<std::uint8_t> data;
    void resize(std::size_t bytes) { data.resize(bytes); }
  };

  Stream stream_;
  const Control& control_;
  std::unique_ptr<TIFF, CloseTiff> file_;  // After the Stream, which it reads from.
  Size size_;
  Layout layout_ = Layout::rgb;
  std::uint16_t bits_ = 1;
  std::uint16_t samples_ = 1;
  std::uint16_t photometric_ = PHOTOMETRIC_MINISBLACK;
  std::uint16_t colours_ = 1;  ///< Samples that are colours, not alpha.
  bool multiplied_ = false;    ///< Colours are multiplied by alpha.
  std::array<std::uint16_t*, 3> palette_{};
  std::uint32_t palette_most_ = 65535;
  std::uint16_t planes_ = 1;         ///< More than one where the samples of a pixel lie apart.
  std::uint16_t pixel_samples_ = 1;  ///< Of one plane.
  bool tiled_ = false;
  Tile tile_;
  std::uint64_t tile_bytes_ = 0;
  std::uint64_t line_bytes_ = 0;
  std::uint32_t band_rows_ = 1;
  std::uint64_t band_bytes_ = 0;  ///< Of one plane.
  std::vector<std::uint8_t> band_;
  std::uint32_t next_ = 0;
};

bool sniffs(std::span<const std::byte> head) {
  return has_bytes(head, 0, std::string_view("II*\0", 4)) || has_bytes(head, 0, std::string_view("MM\0*", 4)) ||
         has_bytes(head, 0, std::string_view("II+\0", 4)) || has_bytes(head, 0, std::string_view("MM\0+", 4));
}

Result<std::unique_ptr<Decoder>> open(const ByteReader& source, const Control& control) {
  auto decoder = std::make_unique<TiffDecoder>(source, control);
  MEDIA_TRY(decoder->open());
  return std::unique_ptr<Decoder>(std::move(decoder));
}

}  // namespace

const Codec kTiff{Format::tiff, sniffs, open, nullptr, nullptr, nullptr};

}  // namespace media::image
