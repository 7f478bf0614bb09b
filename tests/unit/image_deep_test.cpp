// Pictures of more than 8 bits a sample, TIFF in all its arrangements, and SVG, of which no picture is ever made.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <initializer_list>
#include <memory>

#include "catch.hpp"
#include "deep_samples.hpp"
#include "image/colour.hpp"
#include "image/orient.hpp"
#include "image_samples.hpp"
#include "support.hpp"

#if MEDIA_TEST_AVIF
#include <avif/avif.h>
#endif
#if MEDIA_TEST_TIFF
#include <tiffio.h>
#endif

using namespace media;
using namespace media::image;

namespace {

/// The nearest 8-bit value of one out of `most` steps.
std::uint8_t nearest(std::uint32_t value, std::uint32_t most) { return static_cast<std::uint8_t>(std::lround(value * 255.0 / most)); }

/// Every sample is another 16-bit value; samples that come from one colour count up.
std::vector<std::uint16_t> ramp(std::size_t count) {
  std::vector<std::uint16_t> out(count);
  for (std::size_t i = 0; i < count; ++i) out[i] = static_cast<std::uint16_t>(i * 65535 / (count - 1));
  return out;
}

}  // namespace

TEST_CASE("image: 16-bit PNGs come to the nearest 8 bits, or as they are, interlaced or not, with alpha or without") {
  constexpr std::uint32_t kWidth = 61;
  constexpr std::uint32_t kHeight = 45;
  struct Kind {
    int colour_type;
    std::size_t samples;
  };
  for (const Kind kind : {Kind{SPNG_COLOR_TYPE_GRAYSCALE, 1}, Kind{SPNG_COLOR_TYPE_TRUECOLOR, 3}, Kind{SPNG_COLOR_TYPE_GRAYSCALE_ALPHA, 2},
                          Kind{SPNG_COLOR_TYPE_TRUECOLOR_ALPHA, 4}}) {
    const auto samples = ramp(kWidth * kHeight * kind.samples);
    for (const bool interlaced : {false, true}) {
      INFO("colour type " << kind.colour_type << (interlaced ? ", interlaced" : ""));
      if (interlaced && kind.samples != 4) continue;  // libspng writes what it is told; one kind shows the passes.
      const auto decoded = test::decode(test::deep_png(kWidth, kHeight, kind.colour_type, interlaced, samples), Format::png);
      REQUIRE(decoded.has_value());
      const bool alpha = kind.samples % 2 == 0;
      REQUIRE(decoded->layout == (alpha ? Layout::rgba : Layout::rgb));
      const std::size_t step = alpha ? 4 : 3;
      const std::size_t colours = kind.samples - (alpha ? 1 : 0);
      for (std::size_t p = 0; p < std::size_t{kWidth} * kHeight; ++p) {
        for (std::size_t c = 0; c < 3; ++c) {
          REQUIRE(int{decoded->data[p * step + c]} == int{nearest(samples[p * kind.samples + (colours == 1 ? 0 : c)], 65535)});
        }
        if (alpha) REQUIRE(int{decoded->data[p * step + 3]} == int{nearest(samples[p * kind.samples + colours], 65535)});
      }
      const auto deep = test::decode_deep(test::deep_png(kWidth, kHeight, kind.colour_type, interlaced, samples), Format::png);
      REQUIRE(deep.has_value());
      REQUIRE(deep->layout == decoded->layout);
      for (std::size_t p = 0; p < std::size_t{kWidth} * kHeight; ++p) {
        for (std::size_t c = 0; c < step; ++c) {
          const std::size_t from = c == 3 ? colours : colours == 1 ? 0 : c;
          REQUIRE(deep->data[p * step + c] == samples[p * kind.samples + from]);
        }
      }
    }
  }
}

TEST_CASE("image: a 16-bit PNG of wide colours comes to sRGB as its 8-bit twin does") {
  // Display P3, as the profile maker of the AVIF decoder has it.
  const std::array<float, 8> p3{0.680F, 0.320F, 0.265F, 0.690F, 0.150F, 0.060F, 0.3127F, 0.3290F};
  const auto profile = profile_from_primaries(p3);
  REQUIRE_FALSE(profile.empty());
  const Image scene = test::scene({40, 30});
  std::vector<std::uint16_t> samples(scene.data.size());
  for (std::size_t i = 0; i < samples.size(); ++i)
    samples[i] = static_cast<std::uint16_t>(scene.data[i] * 257 + (i % 2 == 0 ? 100 : -100) * (scene.data[i] % 255 != 0));
  const auto made = test::derived_pixels(test::deep_png(40, 30, SPNG_COLOR_TYPE_TRUECOLOR, false, samples, profile), "format=png");
  REQUIRE(made.has_value());
  CHECK(made->data == to_srgb(scene, profile).data);
  CHECK(made->data != scene.data);
}

#if MEDIA_TEST_AVIF
TEST_CASE("image: AVIF of 10 and 12 bits comes to the nearest 8, or to 16") {
  if (!can_decode(Format::avif)) return;
  for (const std::uint32_t depth : {10U, 12U}) {
    for (const bool identity : {true, false}) {
      INFO(depth << " bits" << (identity ? ", RGB" : ", grey in 4:2:0"));
      const std::uint32_t most = (1U << depth) - 1;
      const std::uint32_t width = 64;
      const std::uint32_t height = (most + 1) / 64;
      const auto format = identity ? AVIF_PIXEL_FORMAT_YUV444 : AVIF_PIXEL_FORMAT_YUV420;
      const std::unique_ptr<avifImage, decltype(&avifImageDestroy)> image(avifImageCreate(width, height, depth, format), avifImageDestroy);
      image->yuvRange = AVIF_RANGE_FULL;
      image->colorPrimaries = AVIF_COLOR_PRIMARIES_BT709;
      image->transferCharacteristics = AVIF_TRANSFER_CHARACTERISTICS_SRGB;
      image->matrixCoefficients = identity ? AVIF_MATRIX_COEFFICIENTS_IDENTITY : AVIF_MATRIX_COEFFICIENTS_BT601;
      static_cast<void>(avifImageAllocatePlanes(image.get(), AVIF_PLANES_YUV));
      // Planes are G, B, R there: each another walk through all values.
      const auto value = [&](std::uint32_t plane, std::uint32_t x, std::uint32_t y) {
        const std::uint32_t at = y * width + x;
        return identity ? (at * (plane + 1) + plane * 37) % (most + 1) : plane == 0 ? at : (most + 1) / 2;
      };
      for (std::uint32_t plane = 0; plane < 3; ++plane) {
        const std::uint32_t half = !identity && plane > 0 ? 2 : 1;
        for (std::uint32_t y = 0; y < height / half; ++y) {
          auto* row = reinterpret_cast<std::uint16_t*>(image->yuvPlanes[plane] + std::size_t{y} * image->yuvRowBytes[plane]);
          for (std::uint32_t x = 0; x < width / half; ++x) row[x] = static_cast<std::uint16_t>(value(plane, x, y));
        }
      }
      const std::unique_ptr<avifEncoder, decltype(&avifEncoderDestroy)> encoder(avifEncoderCreate(), avifEncoderDestroy);
      encoder->speed = 8;
      encoder->minQuantizer = encoder->maxQuantizer = AVIF_QUANTIZER_LOSSLESS;
#if AVIF_VERSION >= 1000000
      encoder->quality = AVIF_QUALITY_LOSSLESS;
#endif
      avifRWData out = AVIF_DATA_EMPTY;
      REQUIRE(avifEncoderWrite(encoder.get(), image.get(), &out) == AVIF_RESULT_OK);
      const std::vector<std::byte> bytes(reinterpret_cast<const std::byte*>(out.data),
                                         reinterpret_cast<const std::byte*>(out.data) + out.size);
      avifRWDataFree(&out);
      const auto decoded = test::decode(bytes, Format::avif);
      REQUIRE(decoded.has_value());
      REQUIRE(decoded->size == Size{width, height});
      for (std::uint32_t y = 0; y < height; ++y) {
        for (std::uint32_t x = 0; x < width; ++x) {
          const std::uint8_t* pixel = decoded->row(y).data() + std::size_t{x} * 3;
          constexpr std::array<std::uint32_t, 3> kPlane{2, 0, 1};
          for (std::size_t c = 0; c < 3; ++c) REQUIRE(int{pixel[c]} == int{nearest(value(identity ? kPlane[c] : 0, x, y), most)});
        }
      }
      const auto deep = test::decode_deep(bytes, Format::avif);
      REQUIRE(deep.has_value());
      for (std::uint32_t y = 0; y < height; ++y) {
        for (std::uint32_t x = 0; x < width; ++x) {
          constexpr std::array<std::uint32_t, 3> kPlane{2, 0, 1};
          for (std::size_t c = 0; c < 3; ++c) {
            const double exact = value(identity ? kPlane[c] : 0, x, y) * 65535.0 / most;
            REQUIRE(std::abs(deep->row(y)[std::size_t{x} * 3 + c] - exact) <= 1);
          }
        }
      }
    }
  }
}
#endif

TEST_CASE("image: no picture is ever made of SVG") {
  CHECK_FALSE(can_decode(Format::svg));
  CHECK(find_codec(Format::svg) == nullptr);
  const std::string drawing =
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"10\" height=\"10\"><rect width=\"10\" height=\"10\"/></svg>";
  for (const std::string& text :
       {drawing, "\xEF\xBB\xBF" + drawing, "<?xml version=\"1.0\"?>\n" + drawing, "<!-- a photo -->" + drawing,
        "<!DOCTYPE svg PUBLIC \"-//W3C//DTD SVG 1.1//EN\" \"http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd\">" + drawing,
        "\n\n  " + drawing, std::string("\x1F\x8B\x08\0\0\0\0\0", 8) + drawing}) {
    const auto bytes = test::bytes(text);
    for (const Codec& codec : codecs()) CHECK_FALSE(codec.sniffs(std::span(bytes).first(std::min(bytes.size(), kSniffBytes))));
    const auto derived = test::derive(bytes, {"w=10,format=png"});
    REQUIRE_FALSE(derived.has_value());
    CHECK(derived.error().code == Errc::unsupported);
    CHECK(image::probe(MemoryReader(bytes), {}).error().code == Errc::unsupported);
  }
  CHECK(parse_transform("format=svg").error().code == Errc::invalid_argument);
}

#if MEDIA_TEST_TIFF
namespace {

struct TiffShape {
  std::uint16_t compression = COMPRESSION_NONE;
  bool tiled = false;
  bool apart = false;
  std::uint16_t bits = 8;
  std::uint16_t photometric = PHOTOMETRIC_RGB;
  std::uint16_t samples = 3;
  std::vector<std::uint16_t> extra{};
  std::uint16_t orientation = 1;
  std::uint32_t strip_rows = 7;
  bool floating = false;
  bool big_endian = false;
  std::array<std::vector<std::uint16_t>, 3> palette{};
};

/// `sample(x, y, c)` is written as it is.
template <class Sample>
std::vector<std::byte> tiff_file(Size size, const TiffShape& shape, const Sample& sample) {
  const test::TempFolder folder;
  const auto path = (folder / "x.tif").string();
  const std::unique_ptr<TIFF, decltype(&TIFFClose)> file(TIFFOpen(path.c_str(), shape.big_endian ? "wb" : "wl"), TIFFClose);
  REQUIRE(file);
  TIFF* out = file.get();
  TIFFSetField(out, TIFFTAG_IMAGEWIDTH, size.width);
  TIFFSetField(out, TIFFTAG_IMAGELENGTH, size.height);
  TIFFSetField(out, TIFFTAG_BITSPERSAMPLE, shape.bits);
  TIFFSetField(out, TIFFTAG_SAMPLESPERPIXEL, shape.samples);
  TIFFSetField(out, TIFFTAG_PHOTOMETRIC, shape.photometric);
  TIFFSetField(out, TIFFTAG_COMPRESSION, shape.compression);
  TIFFSetField(out, TIFFTAG_PLANARCONFIG, shape.apart ? PLANARCONFIG_SEPARATE : PLANARCONFIG_CONTIG);
  TIFFSetField(out, TIFFTAG_ORIENTATION, shape.orientation);
  if (shape.floating) TIFFSetField(out, TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_IEEEFP);
  if (!shape.extra.empty()) TIFFSetField(out, TIFFTAG_EXTRASAMPLES, static_cast<int>(shape.extra.size()), shape.extra.data());
  if (shape.photometric == PHOTOMETRIC_PALETTE) {
    TIFFSetField(out, TIFFTAG_COLORMAP, shape.palette[0].data(), shape.palette[1].data(), shape.palette[2].data());
  }
  if (shape.photometric == PHOTOMETRIC_YCBCR) TIFFSetField(out, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
  const std::uint32_t block_width = shape.tiled ? 32 : size.width;
  const std::uint32_t block_rows = shape.tiled ? 16 : shape.strip_rows;
  if (shape.tiled) {
    TIFFSetField(out, TIFFTAG_TILEWIDTH, block_width);
    TIFFSetField(out, TIFFTAG_TILELENGTH, block_rows);
  } else {
    TIFFSetField(out, TIFFTAG_ROWSPERSTRIP, block_rows);
  }
  const std::uint16_t planes = shape.apart ? shape.samples : 1;
  const std::uint16_t each = shape.apart ? 1 : shape.samples;
  for (std::uint16_t plane = 0; plane < planes; ++plane) {
    for (std::uint32_t top = 0; top < size.height; top += block_rows) {
      for (std::uint32_t left = 0; left < size.width; left += block_width) {
        const std::uint32_t rows = shape.tiled ? block_rows : std::min(block_rows, size.height - top);
        const std::size_t line = (std::size_t{block_width} * each * shape.bits + 7) / 8;
        std::vector<std::uint8_t> block(line * rows);
        for (std::uint32_t y = 0; y < rows; ++y) {
          for (std::uint32_t x = 0; x < block_width; ++x) {
            if (left + x >= size.width || top + y >= size.height) continue;
            for (std::uint16_t c = 0; c < each; ++c) {
              const std::uint32_t value = sample(left + x, top + y, static_cast<std::uint16_t>(shape.apart ? plane : c));
              const std::size_t at = std::size_t{x} * each + c;
              if (shape.bits == 16) {
                const auto narrow = static_cast<std::uint16_t>(value);
                std::memcpy(block.data() + line * y + at * 2, &narrow, 2);
              } else {
                const std::size_t bit = at * shape.bits;
                block[line * y + bit / 8] = static_cast<std::uint8_t>(block[line * y + bit / 8] | value << (8 - shape.bits - bit % 8));
              }
            }
          }
        }
        const auto bytes = static_cast<tmsize_t>(block.size());
        const auto written = shape.tiled ? TIFFWriteEncodedTile(out, TIFFComputeTile(out, left, top, 0, plane), block.data(), bytes)
                                         : TIFFWriteEncodedStrip(out, TIFFComputeStrip(out, top, plane), block.data(), bytes);
        REQUIRE(written >= 0);
      }
    }
  }
  REQUIRE(TIFFWriteDirectory(out) != 0);
  TIFFFlush(out);
  return test::read_file(path);
}

auto samples_of(const Image& image) {
  return [&image](std::uint32_t x, std::uint32_t y, std::uint16_t c) {
    return std::uint32_t{image.data[(std::size_t{y} * image.size.width + x) * channels(image.layout) + c]};
  };
}

}  // namespace

TEST_CASE("image: TIFF is read in strips and tiles, together and apart, in each lossless compression, exactly") {
  if (!can_decode(Format::tiff)) return;
  struct Kind {
    Layout layout;
    std::uint16_t photometric;
    std::vector<std::uint16_t> extra;
  };
  const std::vector<Kind> kinds{{Layout::grey, PHOTOMETRIC_MINISBLACK, {}},
                                {Layout::rgb, PHOTOMETRIC_RGB, {}},
                                {Layout::rgba, PHOTOMETRIC_RGB, {EXTRASAMPLE_UNASSALPHA}},
                                {Layout::cmyk, PHOTOMETRIC_SEPARATED, {}}};
  for (const Kind& kind : kinds) {
    const Image scene = test::scene({75, 41}, kind.layout);
    for (const std::uint16_t compression :
         std::initializer_list<std::uint16_t>{COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_PACKBITS, COMPRESSION_ADOBE_DEFLATE}) {
      for (const bool tiled : {false, true}) {
        for (const bool apart : {false, true}) {
          INFO("layout " << static_cast<int>(kind.layout) << ", compression " << compression << (tiled ? ", tiles" : ", strips")
                         << (apart ? ", apart" : ""));
          TiffShape shape;
          shape.compression = compression;
          shape.tiled = tiled;
          shape.apart = apart;
          shape.photometric = kind.photometric;
          shape.samples = static_cast<std::uint16_t>(channels(kind.layout));
          shape.extra = kind.extra;
          shape.big_endian = tiled != apart;
          const auto decoded = test::decode(tiff_file(scene.size, shape, samples_of(scene)), Format::tiff);
          REQUIRE(decoded.has_value());
          CHECK(decoded->layout == kind.layout);
          CHECK(decoded->data == scene.data);
        }
      }
    }
  }
}

TEST_CASE("image: TIFF of 16 bits comes to the nearest 8, or as it is, in both byte orders") {
  if (!can_decode(Format::tiff)) return;
  for (const bool big_endian : {false, true}) {
    TiffShape shape;
    shape.bits = 16;
    shape.big_endian = big_endian;
    const auto value = [](std::uint32_t x, std::uint32_t y, std::uint16_t c) { return (y * 300 + x * 3 + c) * 37 % 65536; };
    const auto decoded = test::decode(tiff_file({100, 90}, shape, value), Format::tiff);
    REQUIRE(decoded.has_value());
    for (std::uint32_t y = 0; y < 90; ++y) {
      for (std::uint32_t x = 0; x < 100; ++x) {
        for (std::uint16_t c = 0; c < 3; ++c) REQUIRE(int{decoded->row(y)[std::size_t{x} * 3 + c]} == int{nearest(value(x, y, c), 65535)});
      }
    }
    const auto deep = test::decode_deep(tiff_file({100, 90}, shape, value), Format::tiff);
    REQUIRE(deep.has_value());
    for (std::uint32_t y = 0; y < 90; ++y) {
      for (std::uint32_t x = 0; x < 100; ++x) {
        for (std::uint16_t c = 0; c < 3; ++c) REQUIRE(deep->row(y)[std::size_t{x} * 3 + c] == value(x, y, c));
      }
    }
  }
}

TEST_CASE("image: TIFF of few bits, of palettes, of white as 0, of multiplied alpha, and in JPEG") {
  if (!can_decode(Format::tiff)) return;
  const Size size{50, 33};
  const auto steps = [](std::uint32_t most) {
    return [most](std::uint32_t x, std::uint32_t y, std::uint16_t) { return (x + 3 * y) % (most + 1); };
  };
  for (const std::uint16_t bits : std::initializer_list<std::uint16_t>{1, 2, 4, 8}) {
    const std::uint32_t most = (1U << bits) - 1;
    for (const std::uint16_t photometric : std::initializer_list<std::uint16_t>{PHOTOMETRIC_MINISBLACK, PHOTOMETRIC_MINISWHITE}) {
      INFO(bits << " bits, photometric " << photometric);
      TiffShape shape;
      shape.bits = bits;
      shape.samples = 1;
      shape.photometric = photometric;
      if (bits == 1) shape.compression = COMPRESSION_CCITTFAX4;
      const auto decoded = test::decode(tiff_file(size, shape, steps(most)), Format::tiff);
      REQUIRE(decoded.has_value());
      REQUIRE(decoded->layout == Layout::grey);
      for (std::uint32_t x = 0; x < size.width; ++x) {
        const std::uint32_t value = (x + 15) % (most + 1);
        CHECK(int{decoded->row(5)[x]} == int{nearest(photometric == PHOTOMETRIC_MINISWHITE ? most - value : value, most)});
      }
    }
  }
  for (const bool old : {false, true}) {
    TiffShape shape;
    shape.bits = 4;
    shape.samples = 1;
    shape.photometric = PHOTOMETRIC_PALETTE;
    for (std::size_t c = 0; c < 3; ++c) {
      for (std::size_t i = 0; i < 16; ++i) shape.palette[c].push_back(static_cast<std::uint16_t>((i * 16 + c) * (old ? 1 : 257)));
    }
    const auto decoded = test::decode(tiff_file(size, shape, steps(15)), Format::tiff);
    REQUIRE(decoded.has_value());
    REQUIRE(decoded->layout == Layout::rgb);
    for (std::uint32_t x = 0; x < size.width; ++x) {
      for (std::size_t c = 0; c < 3; ++c) CHECK(std::size_t{decoded->row(5)[x * 3 + c]} == (x + 15) % 16 * 16 + c);
    }
  }
  {
    TiffShape shape;
    shape.samples = 4;
    shape.extra = {EXTRASAMPLE_ASSOCALPHA};
    const auto multiplied = [](std::uint32_t x, std::uint32_t, std::uint16_t c) { return c == 3 ? x * 5 : x * 5 * (c + 1) / 4; };
    const auto decoded = test::decode(tiff_file(size, shape, multiplied), Format::tiff);
    REQUIRE(decoded.has_value());
    REQUIRE(decoded->layout == Layout::rgba);
    CHECK(int{decoded->row(0)[3]} == 0);
    for (std::uint32_t x = 1; x < size.width; ++x) {
      for (std::uint16_t c = 0; c < 3; ++c) CHECK(int{decoded->row(0)[x * 4 + c]} == int{nearest(x * 5 * (c + 1U) / 4, x * 5)});
    }
  }
  for (const std::uint16_t photometric : std::initializer_list<std::uint16_t>{PHOTOMETRIC_RGB, PHOTOMETRIC_YCBCR}) {
    const Image scene = test::scene({96, 64});
    TiffShape shape;
    shape.compression = COMPRESSION_JPEG;
    shape.photometric = photometric;
    shape.strip_rows = 16;
    const auto decoded = test::decode(tiff_file(scene.size, shape, samples_of(scene)), Format::tiff);
    REQUIRE(decoded.has_value());
    CHECK(test::psnr(*decoded, scene) >= 30);
  }
}

TEST_CASE("image: a TIFF is turned upright, and becomes pictures like any other source") {
  if (!can_decode(Format::tiff)) return;
  const Image scene = test::scene({60, 40});
  TiffShape shape;
  for (std::uint16_t orientation = 1; orientation <= 8; ++orientation) {
    shape.orientation = orientation;
    const auto derived = test::derive(tiff_file(scene.size, shape, samples_of(scene)), {"format=png"});
    REQUIRE(derived.has_value());
    CHECK(derived->source.format == Format::tiff);
    CHECK(derived->source.orientation == orientation);
    CHECK(test::decode(derived->outputs.at(0).bytes, Format::png)->data == orient(scene, static_cast<std::uint8_t>(orientation)).data);
  }
}

TEST_CASE("image: TIFFs that are cut, lie, are too big or of rare kinds are refused by the right name") {
  if (!can_decode(Format::tiff)) return;
  const Image scene = test::scene({60, 40});
  const auto refusal = [](std::span<const std::byte> bytes, const DeriveOptions& options = {}) {
    const auto derived = test::derive(bytes, {"w=20,format=png"}, options);
    REQUIRE_FALSE(derived.has_value());
    INFO(derived.error().message);
    return derived.error().code;
  };
  for (const std::uint16_t compression : std::initializer_list<std::uint16_t>{COMPRESSION_NONE, COMPRESSION_LZW}) {
    TiffShape shape;
    shape.compression = compression;
    const auto bytes = tiff_file(scene.size, shape, samples_of(scene));
    REQUIRE(test::derive(bytes, {"w=20,format=png"}).has_value());
    // The directory stands at the end: without it there is nothing.
    for (std::size_t length = 8; length < bytes.size(); length += 1 + bytes.size() / 60) {
      const Errc code = refusal(std::span(bytes).first(length));
      CHECK((code == Errc::corrupt || code == Errc::unsupported));
    }
    DeriveOptions options;
    options.budget.max_pixels = 2399;
    CHECK(refusal(bytes, options) == Errc::too_large);
    DeriveOptions tight;
    tight.budget.max_memory_bytes = 1000;
    CHECK(refusal(bytes, tight) == Errc::too_large);
    DeriveOptions late;
    late.budget.deadline = std::chrono::milliseconds(-1);
    CHECK(refusal(bytes, late) == Errc::too_large);
  }
  TiffShape floating;
  floating.bits = 16;
  floating.floating = true;
  CHECK(refusal(tiff_file(scene.size, floating, samples_of(scene))) == Errc::unsupported);
  TiffShape lab;
  lab.photometric = PHOTOMETRIC_CIELAB;
  CHECK(refusal(tiff_file(scene.size, lab, samples_of(scene))) == Errc::unsupported);
  TiffShape rare;
  rare.compression = COMPRESSION_LZMA;
  if (TIFFIsCODECConfigured(rare.compression) != 0) CHECK(refusal(tiff_file(scene.size, rare, samples_of(scene))) == Errc::unsupported);
}

TEST_CASE("image: a damaged TIFF is refused or shown, and nothing else") {
  if (!can_decode(Format::tiff)) return;
  const Image scene = test::scene({60, 40});
  std::uint32_t state = 1;
  const auto random = [&] { return state = state * 1664525U + 1013904223U, state >> 8U; };
  for (const std::uint16_t compression :
       std::initializer_list<std::uint16_t>{COMPRESSION_LZW, COMPRESSION_ADOBE_DEFLATE, COMPRESSION_JPEG, COMPRESSION_PACKBITS}) {
    TiffShape shape;
    shape.compression = compression;
    shape.tiled = compression == COMPRESSION_JPEG;
    const auto bytes = tiff_file(scene.size, shape, samples_of(scene));
    for (int i = 0; i < 150; ++i) {
      auto damaged = bytes;
      // Half of the hits go into the directory, which stands at the end.
      for (int hits = 0; hits < 3; ++hits) {
        const std::size_t at =
            i % 2 == 0 ? random() % damaged.size() : damaged.size() - 1 - random() % std::min<std::size_t>(200, damaged.size());
        damaged[at] = static_cast<std::byte>(random());
      }
      const auto derived = test::derive(damaged, {"w=20,format=png"});
      if (!derived) {
        INFO(derived.error().message);
        CHECK(derived.error().code != Errc::internal);
      }
    }
  }
}
#endif
