// Ten bits out: what comes of sources of more than 8 bits, up to the file.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <initializer_list>
#include <memory>
#include <set>
#include <thread>

#include "catch.hpp"
#include "deep_samples.hpp"
#include "image/colour.hpp"
#include "image/edit.hpp"
#include "image/orient.hpp"
#include "image_samples.hpp"
#include "support.hpp"

#if MEDIA_TEST_AVIF
#include <avif/avif.h>
#endif
#if MEDIA_TEST_HEIC
#include <libheif/heif.h>
#endif

using namespace media;
using namespace media::image;

namespace {

/// A picture of 16 bits from a function of x and y (0 to 1) and the channel, which gives 0 to 1.
template <class Value>
DeepImage deep(Size size, Layout layout, const Value& value) {
  DeepImage image(size, layout);
  const std::uint32_t parts = channels(layout);
  for (std::uint32_t y = 0; y < size.height; ++y) {
    for (std::uint32_t x = 0; x < size.width; ++x) {
      for (std::uint32_t c = 0; c < parts; ++c) {
        const double share = value((x + 0.5) / size.width, (y + 0.5) / size.height, c);
        image.row(y)[std::size_t{x} * parts + c] = static_cast<std::uint16_t>(std::lround(std::clamp(share, 0.0, 1.0) * 65535));
      }
    }
  }
  return image;
}

std::vector<std::byte> png_of(const DeepImage& image, std::span<const std::byte> profile = {}) {
  const int type = image.layout == Layout::grey  ? SPNG_COLOR_TYPE_GRAYSCALE
                   : image.layout == Layout::rgb ? SPNG_COLOR_TYPE_TRUECOLOR
                                                 : SPNG_COLOR_TYPE_TRUECOLOR_ALPHA;
  return test::deep_png(image.size.width, image.size.height, type, false, image.data, profile);
}

int greatest_difference(const DeepImage& a, const DeepImage& b) {
  REQUIRE(a.size == b.size);
  REQUIRE(a.layout == b.layout);
  int most = 0;
  for (std::size_t i = 0; i < a.data.size(); ++i) most = std::max(most, std::abs(int{a.data[i]} - int{b.data[i]}));
  return most;
}

}  // namespace

TEST_CASE("image: editing at 16 bits does what it does at 8, and leaves no steps") {
  const DeepImage source = deep(
      {90, 60}, Layout::rgb, [](double x, double y, std::uint32_t c) { return (x > 0.4 && x < 0.6 ? 0.7 : 0.1 + 0.2 * x) + 0.05 * y * c; });
  const DeepImage clear = deep({90, 60}, Layout::rgba, [](double x, double y, std::uint32_t c) {
    return c == 3 ? y : x > 0.5 ? 0.8 : 0.2 + 0.1 * c;
  });
  const Image flat = narrowed(source);
  const auto alike = [](const Image& made, const DeepImage& exact) {
    const Image down = narrowed(exact);
    REQUIRE(made.size == down.size);
    REQUIRE(made.layout == down.layout);
    int most = 0;
    for (std::size_t i = 0; i < made.data.size(); ++i) most = std::max(most, std::abs(int{made.data[i]} - int{down.data[i]}));
    return most <= 2;
  };
  for (const char* text : {"blur=0.7", "blur=6", "sharpen=1.5:2", "sharpen=0.8:3", "w=120,h=100,fit=pad,bg=336699", "w=90,h=100,fit=pad",
                           "blur=3,sharpen=1,w=100,h=100,fit=pad,bg=ffffff"}) {
    INFO(text);
    const Transform transform = *parse_transform(text);
    CHECK(alike(edit(flat, transform), edit(source, transform)));
    CHECK(alike(edit(narrowed(clear), transform), edit(clear, transform)));
  }
  // A plain picture stays plain, at the value that it has.
  const DeepImage plain = deep({40, 40}, Layout::rgb, [](double, double, std::uint32_t c) { return 0.2003 + 0.1 * c; });
  CHECK(blur(plain, 250).data == plain.data);
  CHECK(blur(plain, 70).data == plain.data);
  CHECK(sharpen(plain, 300, 100).data == plain.data);
  // Over a background, and turned.
  const DeepImage over = flatten(clear, Colour{255, 128, 0});
  CHECK(over.layout == Layout::rgb);
  for (std::size_t p = 0; p < clear.size.pixels(); ++p) {
    const double alpha = clear.data[p * 4 + 3] / 65535.0;
    const std::array<double, 3> under{65535, 128 * 257, 0};
    for (std::size_t c = 0; c < 3; ++c)
      REQUIRE(std::abs(over.data[p * 3 + c] - (clear.data[p * 4 + c] * alpha + under[c] * (1 - alpha))) <= 0.6);
  }
  for (std::uint8_t orientation = 1; orientation <= 8; ++orientation) {
    CHECK(narrowed(orient(DeepImage(source), orientation)).data == orient(flat, orientation).data);
  }
}

TEST_CASE("image: 16-bit colours come to sRGB within a quarter of a 10-bit step of the exact ones") {
  const std::array<float, 8> p3{0.680F, 0.320F, 0.265F, 0.690F, 0.150F, 0.060F, 0.3127F, 0.3290F};
  const auto profile = profile_from_primaries(p3);
  REQUIRE_FALSE(profile.empty());
  // What is within sRGB in P3: not too colourful.
  const DeepImage source = deep({64, 48}, Layout::rgb, [](double x, double y, std::uint32_t c) {
    return 0.1 + 0.7 * x + (c == 0 ? 0.1 : c == 1 ? 0.05 : 0) * y;
  });
  const DeepImage made = to_srgb(source, profile);
  const auto light = [](double code) { return code <= 0.04045 ? code / 12.92 : std::pow((code + 0.055) / 1.055, 2.4); };
  const auto code = [](double value) { return value <= 0.0031308 ? value * 12.92 : 1.055 * std::pow(value, 1 / 2.4) - 0.055; };
  // From Display P3 to BT.709 primaries, both of D65.
  constexpr double kMatrix[3][3] = {{1.2249402, -0.2249402, 0}, {-0.0420570, 1.0420570, 0}, {-0.0196376, -0.0786361, 1.0982736}};
  double most = 0;
  for (std::size_t p = 0; p < source.size.pixels(); ++p) {
    std::array<double, 3> in{};
    for (std::size_t c = 0; c < 3; ++c) in[c] = light(source.data[p * 3 + c] / 65535.0);
    for (std::size_t c = 0; c < 3; ++c) {
      const double exact = code(std::clamp(kMatrix[c][0] * in[0] + kMatrix[c][1] * in[1] + kMatrix[c][2] * in[2], 0.0, 1.0)) * 65535;
      most = std::max(most, std::abs(made.data[p * 3 + c] - exact));
    }
  }
  INFO("off by " << most);
  CHECK(most <= 16);
  CHECK(greatest_difference(made, source) > 257);
  // No profile, and one that is sRGB by another name, change nothing.
  CHECK(to_srgb(source, {}).data == source.data);
  const std::array<float, 8> bt709{0.640F, 0.330F, 0.300F, 0.600F, 0.150F, 0.060F, 0.3127F, 0.3290F};
  CHECK(to_srgb(source, profile_from_primaries(bt709)).data == source.data);
  // Alpha goes along.
  DeepImage clear = deep({8, 8}, Layout::rgba, [](double x, double, std::uint32_t) { return x; });
  const DeepImage converted = to_srgb(clear, profile);
  for (std::size_t i = 3; i < clear.data.size(); i += 4) CHECK(converted.data[i] == clear.data[i]);
}

TEST_CASE("image: planes of ten bits are the nearest ones, whatever the size, and grey has no colour") {
  for (const Size size : {Size{1, 1}, Size{2, 2}, Size{7, 5}, Size{64, 33}}) {
    const DeepImage source = deep(size, Layout::rgba, [](double x, double y, std::uint32_t c) {
      return c == 0 ? x : c == 1 ? y : c == 2 ? 1 - x * y : x;
    });
    for (const unsigned bits : {10U, 12U}) {
      const DeepPlanes planes = to_planes(source, bits);
      const double most = (1U << bits) - 1;
      const Size half = chroma_size(size, Chroma::half);
      REQUIRE(planes.data[1].size() == half.pixels());
      const auto part = [&](std::uint32_t x, std::uint32_t y, std::size_t c) {
        return source.row(std::min(y, size.height - 1))[std::size_t{std::min(x, size.width - 1)} * 4 + c] / 65535.0;
      };
      const auto luma = [&](std::uint32_t x, std::uint32_t y) {
        return 0.299 * part(x, y, 0) + 0.587 * part(x, y, 1) + 0.114 * part(x, y, 2);
      };
      for (std::uint32_t y = 0; y < size.height; ++y) {
        for (std::uint32_t x = 0; x < size.width; ++x) {
          REQUIRE(std::abs(planes.data[0][std::size_t{y} * size.width + x] - luma(x, y) * most) <= 0.51);
          REQUIRE(std::abs(planes.data[3][std::size_t{y} * size.width + x] - part(x, y, 3) * most) <= 0.51);
        }
      }
      for (std::uint32_t y = 0; y < half.height; ++y) {
        for (std::uint32_t x = 0; x < half.width; ++x) {
          double blue = 0;
          double red = 0;
          for (const std::uint32_t down : {0U, 1U}) {
            for (const std::uint32_t right : {0U, 1U}) {
              blue += (part(2 * x + right, 2 * y + down, 2) - luma(2 * x + right, 2 * y + down)) / 1.772 / 4;
              red += (part(2 * x + right, 2 * y + down, 0) - luma(2 * x + right, 2 * y + down)) / 1.402 / 4;
            }
          }
          const double middle = (most + 1) / 2;
          REQUIRE(std::abs(planes.data[1][std::size_t{y} * half.width + x] - std::min(blue * most + middle, most)) <= 0.51);
          REQUIRE(std::abs(planes.data[2][std::size_t{y} * half.width + x] - std::min(red * most + middle, most)) <= 0.51);
        }
      }
    }
  }
  const DeepPlanes grey = to_planes(grey_to_rgb(deep({33, 21}, Layout::grey, [](double x, double, std::uint32_t) { return x; })), 10);
  CHECK(grey.data[3].empty());
  for (const std::size_t plane : {1U, 2U}) {
    CHECK(std::all_of(grey.data[plane].begin(), grey.data[plane].end(), [](std::uint16_t value) { return value == 512; }));
  }
}

#if MEDIA_TEST_AVIF
namespace {

/// What a decoder finds in an AVIF.
struct Coded {
  std::uint32_t depth = 0;
  Size size;
  std::vector<std::uint16_t> luma;
  std::array<int, 3> nclx{};  ///< Primaries, transfer, matrix.
  bool full_range = false;
  bool has_alpha = false;
  std::size_t profile_bytes = 0;
};

Coded coded(std::span<const std::byte> bytes) {
  const std::unique_ptr<avifDecoder, decltype(&avifDecoderDestroy)> decoder(avifDecoderCreate(), avifDecoderDestroy);
  REQUIRE(avifDecoderSetIOMemory(decoder.get(), reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()) == AVIF_RESULT_OK);
  REQUIRE(avifDecoderParse(decoder.get()) == AVIF_RESULT_OK);
  REQUIRE(avifDecoderNextImage(decoder.get()) == AVIF_RESULT_OK);
  const avifImage& image = *decoder->image;
  Coded out;
  out.depth = image.depth;
  out.size = {image.width, image.height};
  out.nclx = {image.colorPrimaries, image.transferCharacteristics, image.matrixCoefficients};
  out.full_range = image.yuvRange == AVIF_RANGE_FULL;
  out.has_alpha = image.alphaPlane != nullptr;
  out.profile_bytes = image.icc.size;
  for (std::uint32_t y = 0; y < image.height; ++y) {
    const std::uint8_t* row = image.yuvPlanes[0] + std::size_t{y} * image.yuvRowBytes[0];
    for (std::uint32_t x = 0; x < image.width; ++x)
      out.luma.push_back(image.depth > 8 ? reinterpret_cast<const std::uint16_t*>(row)[x] : row[x]);
  }
  return out;
}

Result<std::vector<std::byte>> derived(std::span<const std::byte> source, const std::string& transform, const DeriveOptions& options = {}) {
  MEDIA_TRY_ASSIGN(auto made, test::derive(source, {transform}, options));
  return std::move(made.outputs.at(0).bytes);
}

std::size_t levels(const Coded& picture) { return std::set<std::uint16_t>(picture.luma.begin(), picture.luma.end()).size(); }

/// Black to white, without a step that 8 bits could show.
DeepImage gradient(Size size) {
  return deep(size, Layout::rgb, [](double x, double, std::uint32_t) { return x; });
}

}  // namespace

TEST_CASE("image: a smooth 16-bit gradient keeps more than 256 levels in ten bits, and is near the exact one") {
  if (!can_decode(Format::avif)) return;
  const auto source = png_of(gradient({1024, 64}));
  const Coded ten = coded(derived(source, "depth=10,q=100").value());
  CHECK(ten.depth == 10);
  CHECK(levels(ten) > 900);
  int most = 0;
  for (std::uint32_t y = 0; y < 64; ++y) {
    for (std::uint32_t x = 0; x < 1024; ++x)
      most = std::max(most, static_cast<int>(std::lround(std::abs(ten.luma[y * 1024 + x] - (x + 0.5) / 1024 * 1023))));
  }
  CHECK(most <= 2);
  const Coded eight = coded(derived(source, "q=100").value());
  CHECK(eight.depth == 8);
  CHECK(levels(eight) <= 256);
  // At the usual quality, too, and scaled down in light.
  const Coded usual = coded(derived(source, "depth=10,w=512").value());
  CHECK(usual.depth == 10);
  CHECK(usual.size == Size{512, 32});
  CHECK(levels(usual) > 256);
  for (std::uint32_t x = 8; x < 504; ++x) CHECK(std::abs(usual.luma[16 * 512 + x] - (x + 0.5) / 512 * 1023) <= 12);
}

TEST_CASE("image: an 8-bit source has more than 256 levels in ten bits once it is scaled down") {
  if (!can_decode(Format::avif)) return;
  Image source({2048, 32}, Layout::rgb);
  for (std::uint32_t y = 0; y < 32; ++y) {
    for (std::uint32_t x = 0; x < 2048; ++x) {
      // Two neighbours in turn, so that there is something between the values to be found.
      const auto value = static_cast<std::uint8_t>(std::min(255.0, x / 2048.0 * 255 + ((x + y) % 2 == 0 ? 0.5 : 0)));
      for (std::size_t c = 0; c < 3; ++c) source.row(y)[std::size_t{x} * 3 + c] = value;
    }
  }
  for (const Format format : {Format::png, Format::jpeg}) {
    const auto bytes = test::encode(source, format, 100);
    const Coded ten = coded(derived(bytes, "depth=10,q=100,w=1024").value());
    CHECK(ten.depth == 10);
    CHECK(levels(ten) > 400);
    CHECK(levels(coded(derived(bytes, "q=100,w=1024").value())) <= 256);
    for (std::uint32_t x = 8; x < 1016; ++x) CHECK(std::abs(ten.luma[8 * 1024 + x] - (x * 2 + 1) / 2048.0 * 1023) <= 8);
  }
}

TEST_CASE("image: a ten-bit AVIF says what it is in, and reads back as what went in") {
  if (!can_decode(Format::avif)) return;
  // So smooth that half of the colour is enough, and within sRGB also where it is read as Display P3.
  const DeepImage scene = deep({384, 256}, Layout::rgb, [](double x, double y, std::uint32_t c) {
    return c == 0 ? 0.3 + 0.4 * x : c == 1 ? 0.35 + 0.3 * y : 0.4 + 0.2 * std::sin(3 * x) * std::cos(2 * y);
  });
  const auto bytes = derived(png_of(scene), "depth=10,q=100").value();
  const Coded found = coded(bytes);
  CHECK(found.nclx == std::array<int, 3>{AVIF_COLOR_PRIMARIES_BT709, AVIF_TRANSFER_CHARACTERISTICS_SRGB, AVIF_MATRIX_COEFFICIENTS_BT601});
  CHECK(found.full_range);
  CHECK_FALSE(found.has_alpha);
  CHECK(found.profile_bytes == 0);
  const auto back = test::decode_deep(bytes, Format::avif);
  REQUIRE(back.has_value());
  // Four steps of ten bits: two of luma, and colour that was halved.
  CHECK(greatest_difference(*back, scene) <= 4 * 64 + 32);
  // And once more through: ten bits in, ten bits out.
  const auto again = test::decode_deep(derived(bytes, "depth=10,q=100").value(), Format::avif);
  REQUIRE(again.has_value());
  CHECK(greatest_difference(*again, *back) <= 4 * 64);
  CHECK(test::decode(bytes, Format::avif)->layout == Layout::rgb);

  const DeepImage clear =
      deep({64, 64}, Layout::rgba, [](double x, double y, std::uint32_t c) { return c == 3 ? 0.1 + 0.8 * y : 0.3 + 0.4 * x; });
  const auto with_alpha = derived(png_of(clear), "depth=10,q=100").value();
  CHECK(coded(with_alpha).has_alpha);
  const auto seen = test::decode_deep(with_alpha, Format::avif);
  REQUIRE(seen.has_value());
  REQUIRE(seen->layout == Layout::rgba);
  for (std::size_t i = 3; i < clear.data.size(); i += 4) REQUIRE(std::abs(seen->data[i] - clear.data[i]) <= 3 * 64);
  CHECK_FALSE(coded(derived(png_of(clear), "depth=10,bg=ff0000").value()).has_alpha);

  const std::array<float, 8> p3{0.680F, 0.320F, 0.265F, 0.690F, 0.150F, 0.060F, 0.3127F, 0.3290F};
  const auto profile = profile_from_primaries(p3);
  const auto wide = png_of(scene, profile);
  const auto kept = derived(wide, "depth=10,q=100,icc=keep").value();
  CHECK(coded(kept).profile_bytes == profile.size());
  CHECK(coded(kept).nclx[0] == AVIF_COLOR_PRIMARIES_UNSPECIFIED);
  CHECK(coded(kept).nclx[1] == AVIF_TRANSFER_CHARACTERISTICS_UNSPECIFIED);
  CHECK(greatest_difference(*test::decode_deep(kept, Format::avif), scene) <= 4 * 64 + 32);
  const auto in_srgb = derived(wide, "depth=10,q=100").value();
  CHECK(coded(in_srgb).profile_bytes == 0);
  CHECK(greatest_difference(*test::decode_deep(in_srgb, Format::avif), to_srgb(scene, profile)) <= 5 * 64);
}

namespace {

/// A lossless 10-bit AVIF of grey, of full range, that says these things of its colours.
std::vector<std::byte> grey_avif(Size size, int transfer, int primaries, const std::function<double(std::uint32_t)>& share) {
  const std::unique_ptr<avifImage, decltype(&avifImageDestroy)> image(
      avifImageCreate(size.width, size.height, 10, AVIF_PIXEL_FORMAT_YUV420), avifImageDestroy);
  image->yuvRange = AVIF_RANGE_FULL;
  image->colorPrimaries = static_cast<avifColorPrimaries>(primaries);
  image->transferCharacteristics = static_cast<avifTransferCharacteristics>(transfer);
  image->matrixCoefficients = AVIF_MATRIX_COEFFICIENTS_BT2020_NCL;
  static_cast<void>(avifImageAllocatePlanes(image.get(), AVIF_PLANES_YUV));
  for (std::uint32_t plane = 0; plane < 3; ++plane) {
    const Size part = plane == 0 ? size : chroma_size(size, Chroma::half);
    for (std::uint32_t y = 0; y < part.height; ++y) {
      auto* row = reinterpret_cast<std::uint16_t*>(image->yuvPlanes[plane] + std::size_t{y} * image->yuvRowBytes[plane]);
      for (std::uint32_t x = 0; x < part.width; ++x)
        row[x] = plane == 0 ? static_cast<std::uint16_t>(std::lround(share(x) * 1023)) : std::uint16_t{512};
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
  const auto* bytes = reinterpret_cast<const std::byte*>(out.data);
  std::vector<std::byte> made(bytes, bytes + out.size);
  avifRWDataFree(&out);
  return made;
}

}  // namespace

TEST_CASE("image: an AVIF of high dynamic range is brought to sRGB, at eight bits and at ten, and says so") {
  if (!can_decode(Format::avif)) return;
  constexpr int kPq = AVIF_TRANSFER_CHARACTERISTICS_SMPTE2084;
  constexpr int kHlg = AVIF_TRANSFER_CHARACTERISTICS_HLG;
  constexpr int kWide = AVIF_COLOR_PRIMARIES_BT2020;
  const auto shown = [](double share, int transfer, int primaries) {
    const auto source = grey_avif({16, 16}, transfer, primaries, [&](std::uint32_t) { return share; });
    const auto pixels = test::derived_pixels(source, "format=png");
    REQUIRE(pixels.has_value());
    REQUIRE(std::abs(pixels->data[0] - pixels->data[1]) <= 1);
    REQUIRE(std::abs(pixels->data[0] - pixels->data[2]) <= 1);
    const auto ten = derived(source, "depth=10,q=100").value();
    CHECK(coded(ten).nclx ==
          std::array<int, 3>{AVIF_COLOR_PRIMARIES_BT709, AVIF_TRANSFER_CHARACTERISTICS_SRGB, AVIF_MATRIX_COEFFICIENTS_BT601});
    CHECK(std::abs(coded(ten).luma[0] * 255.0 / 1023 - pixels->data[0]) <= 1.5);
    CHECK(coded(derived(source, "q=100,icc=keep").value()).nclx[1] == AVIF_TRANSFER_CHARACTERISTICS_SRGB);
    return int{pixels->data[0]};
  };
  // PQ of 203, 100 and 1000 cd/m2, HLG of its reference white and of its peak.
  for (const int primaries :
       {kWide, int{AVIF_COLOR_PRIMARIES_SMPTE432}, int{AVIF_COLOR_PRIMARIES_BT709}, int{AVIF_COLOR_PRIMARIES_UNSPECIFIED}}) {
    const int white = shown(0.5806, kPq, primaries);
    const int dim = shown(0.5081, kPq, primaries);
    CHECK(white > 205);
    CHECK(white < 245);
    CHECK(dim > 170);
    CHECK(dim < white - 10);
    CHECK(shown(0.7518, kPq, primaries) >= 253);
    CHECK(shown(0, kPq, primaries) == 0);
    CHECK(std::abs(shown(0.75, kHlg, primaries) - white) <= 4);
    CHECK(shown(1, kHlg, primaries) >= 253);
  }
  const auto ramp = grey_avif({1024, 16}, kPq, kWide, [](std::uint32_t x) { return x / 1023.0 * 0.75; });
  const Coded ten = coded(derived(ramp, "depth=10,q=100").value());
  CHECK(levels(ten) > 350);
  CHECK(levels(coded(derived(ramp, "q=100").value())) <= 256);
  for (std::size_t x = 9; x < 1000; ++x) CHECK(ten.luma[x] + 3 >= ten.luma[x - 1]);
}

#if MEDIA_TEST_HEIC
namespace {

/// A lossless HEIC of 10 bits: RGB, `share` for each channel; empty where this libheif has no encoder.
std::vector<std::byte> heic(Size size, int transfer, const std::function<double(std::uint32_t x, std::uint32_t c)>& share) {
  heif_context* const context = heif_context_alloc();
  const std::unique_ptr<heif_context, decltype(&heif_context_free)> owned(context, heif_context_free);
  heif_encoder* found = nullptr;
  if (heif_context_get_encoder_for_format(context, heif_compression_HEVC, &found).code != heif_error_Ok) return {};
  const std::unique_ptr<heif_encoder, decltype(&heif_encoder_release)> encoder(found, heif_encoder_release);
  heif_encoder_set_lossless(found, 1);
  heif_encoder_set_parameter_string(found, "chroma", "444");
  heif_image* made = nullptr;
  const int width = static_cast<int>(size.width);
  const int height = static_cast<int>(size.height);
  REQUIRE(heif_image_create(width, height, heif_colorspace_RGB, heif_chroma_interleaved_RRGGBB_LE, &made).code == heif_error_Ok);
  const std::unique_ptr<heif_image, decltype(&heif_image_release)> image(made, heif_image_release);
  REQUIRE(heif_image_add_plane(made, heif_channel_interleaved, width, height, 10).code == heif_error_Ok);
  int stride = 0;
  std::uint8_t* plane = heif_image_get_plane(made, heif_channel_interleaved, &stride);
  for (std::uint32_t y = 0; y < size.height; ++y) {
    for (std::uint32_t i = 0; i < size.width * 3; ++i) {
      const auto value = static_cast<std::uint16_t>(std::lround(share(i / 3, i % 3) * 1023));
      std::uint8_t* to = plane + static_cast<std::ptrdiff_t>(y) * stride + std::size_t{i} * 2;
      to[0] = static_cast<std::uint8_t>(value);
      to[1] = static_cast<std::uint8_t>(value >> 8U);
    }
  }
  const std::unique_ptr<heif_color_profile_nclx, decltype(&heif_nclx_color_profile_free)> colours(heif_nclx_color_profile_alloc(),
                                                                                                  heif_nclx_color_profile_free);
  colours->full_range_flag = 1;
  colours->matrix_coefficients = heif_matrix_coefficients_RGB_GBR;
  colours->color_primaries = transfer == 0 ? heif_color_primaries_ITU_R_BT_709_5 : heif_color_primaries_ITU_R_BT_2020_2_and_2100_0;
  colours->transfer_characteristics =
      transfer == 0 ? heif_transfer_characteristic_IEC_61966_2_1 : static_cast<heif_transfer_characteristics>(transfer);
  heif_image_set_nclx_color_profile(made, colours.get());
  const std::unique_ptr<heif_encoding_options, decltype(&heif_encoding_options_free)> options(heif_encoding_options_alloc(),
                                                                                              heif_encoding_options_free);
  options->output_nclx_profile = colours.get();
  options->macOS_compatibility_workaround_no_nclx_profile = 0;
  heif_image_handle* handle = nullptr;
  REQUIRE(heif_context_encode_image(context, made, found, options.get(), &handle).code == heif_error_Ok);
  heif_image_handle_release(handle);
  std::vector<std::byte> out;
  heif_writer writer{};
  writer.writer_api_version = 1;
  writer.write = [](heif_context*, const void* data, std::size_t bytes, void* user) {
    const auto* from = static_cast<const std::byte*>(data);
    static_cast<std::vector<std::byte>*>(user)->assign(from, from + bytes);
    return heif_error{heif_error_Ok, heif_suberror_Unspecified, ""};
  };
  REQUIRE(heif_context_write(context, &writer, &out).code == heif_error_Ok);
  return out;
}

}  // namespace

TEST_CASE("image: a 10-bit HEIC keeps its bits, and one of high dynamic range comes to sRGB") {
  if (!can_decode(Format::heic)) return;
  const auto ramp = heic({512, 64}, 0, [](std::uint32_t x, std::uint32_t c) { return 0.1 + x / 511.0 * (0.6 + 0.1 * c); });
  if (ramp.empty()) return;
  const auto wide = test::decode_deep(ramp, Format::heic);
  REQUIRE(wide.has_value());
  const auto narrow = test::decode(ramp, Format::heic);
  REQUIRE(narrow.has_value());
  for (std::uint32_t x = 0; x < 512; ++x) {
    for (std::uint32_t c = 0; c < 3; ++c) {
      const double exact = 0.1 + x / 511.0 * (0.6 + 0.1 * c);
      CHECK(std::abs(wide->row(20)[std::size_t{x} * 3 + c] / 65535.0 - exact) <= 1.6 / 1023);
      CHECK(std::abs(narrow->row(20)[std::size_t{x} * 3 + c] / 255.0 - exact) <= 1.6 / 255);
    }
  }
  if (can_decode(Format::avif)) CHECK(levels(coded(derived(ramp, "depth=10,q=100").value())) > 400);
  const auto grey = [](double share, int transfer) {
    const auto source = heic({64, 64}, transfer, [&](std::uint32_t, std::uint32_t) { return share; });
    const auto eight = test::decode(source, Format::heic);
    const auto deep = test::decode_deep(source, Format::heic);
    REQUIRE(eight.has_value());
    REQUIRE(deep.has_value());
    CHECK(std::abs(eight->data[0] - narrowed(deep->data[0])) <= 1);
    return int{eight->data[1]};
  };
  const int white = grey(0.5806, heif_transfer_characteristic_ITU_R_BT_2100_0_PQ);
  CHECK(white > 205);
  CHECK(white < 245);
  CHECK(std::abs(grey(0.75, heif_transfer_characteristic_ITU_R_BT_2100_0_HLG) - white) <= 4);
}
#endif

TEST_CASE("image: at ten bits a picture is cut, turned, scaled and edited as at eight") {
  if (!can_decode(Format::avif)) return;
  const Image scene = test::scene({160, 120});
  DeepImage wide(scene.size, scene.layout);
  std::transform(scene.data.begin(), scene.data.end(), wide.data.begin(), widened);
  const auto deep_source = png_of(wide);
  const auto source = test::encode(scene, Format::png, 0);
  std::vector<std::string> transforms{"w=80",
                                      "w=60,h=60,fit=cover,gravity=east",
                                      "w=50,h=40,fit=none,gravity=0.2:0.9",
                                      "w=70,h=30,fit=fill",
                                      "w=200,enlarge=1",
                                      "blur=2,w=100",
                                      "sharpen=1,w=100",
                                      "w=100,h=100,fit=pad,bg=204060",
                                      "w=90,rotate=90,flip=h",
                                      "w=64,h=64,fit=cover,gravity=smart"};
  for (const char* turn : {"rotate=90", "rotate=180", "rotate=270", "flip=h", "flip=v", "rotate=90,flip=h", "rotate=270,flip=h"})
    transforms.emplace_back(turn);
  for (const std::string& transform : transforms) {
    INFO(transform);
    const auto eight = test::derive(source, {transform + ",format=png"});
    REQUIRE(eight.has_value());
    const auto ten = test::decode(derived(deep_source, transform + ",depth=10,q=100").value(), Format::avif);
    REQUIRE(ten.has_value());
    CHECK(test::psnr(*ten, *test::decode(eight->outputs.at(0).bytes, Format::png)) >= 34);
  }
  // Upright by the file's own word: what is stored lying comes out as what is stored upright does.
  const auto jpeg = test::encode(scene, Format::jpeg, 95);
  for (std::uint8_t orientation = 1; orientation <= 8; ++orientation) {
    const auto turned = test::with_jpeg_exif(jpeg, test::exif(orientation));
    const auto ten = test::decode(derived(turned, "depth=10,q=100").value(), Format::avif);
    REQUIRE(ten.has_value());
    CHECK(test::psnr(*ten, orient(*test::decode(jpeg, Format::jpeg), orientation)) >= 34);
  }
}

TEST_CASE("image: the bytes of a ten-bit picture depend neither on what else is made nor on threads") {
  if (!can_decode(Format::avif)) return;
  const DeepImage scene =
      deep({150, 100}, Layout::rgb, [](double x, double y, std::uint32_t c) { return 0.5 + 0.4 * std::sin(7 * x + 5 * y + c); });
  const auto jpeg = test::encode(narrowed(scene), Format::jpeg, 90);
  for (const auto& source : {png_of(scene), jpeg}) {
    const std::vector<std::string> all{"w=80,depth=10", "w=80", "w=40,depth=10", "w=80,format=jpeg", "w=80,depth=10,icc=keep"};
    const auto together = test::derive(source, all);
    REQUIRE(together.has_value());
    for (std::size_t i = 0; i < all.size(); ++i) CHECK(together->outputs[i].bytes == derived(source, all[i]).value());
    // Facts are those of the 8-bit picture.
    const auto alone = test::derive(source, {"w=80,depth=10"});
    const auto usual = test::derive(source, {"w=80"});
    CHECK(alone->placeholder == usual->placeholder);
    CHECK(alone->appearance.thumbhash == usual->appearance.thumbhash);
    CHECK(alone->outputs[0].width == 80);
    for (const std::size_t count : {1U, 2U, 8U}) {
      std::vector<std::vector<std::byte>> made(count);
      std::vector<std::thread> threads;
      for (std::size_t i = 0; i < count; ++i) {
        threads.emplace_back([&, i] {
          auto bytes = derived(source, "w=80,depth=10");
          if (bytes) made[i] = std::move(*bytes);
        });
      }
      for (std::thread& thread : threads) thread.join();
      for (const auto& bytes : made) CHECK(bytes == together->outputs[0].bytes);
    }
  }
}

TEST_CASE("image: a score and a limit of bytes hold for ten bits, too") {
  if (!can_decode(Format::avif)) return;
  const DeepImage scene =
      deep({200, 150}, Layout::rgb, [](double x, double y, std::uint32_t c) { return 0.5 + 0.3 * std::sin(40 * x * y + c) + 0.1 * x; });
  const auto source = png_of(scene);
  const auto scored = test::derive(source, {"depth=10,score=95"});
  REQUIRE(scored.has_value());
  CHECK(scored->outputs[0].score >= 95);
  CHECK(coded(scored->outputs[0].bytes).depth == 10);
  const auto large = derived(source, "depth=10,q=90").value();
  const auto small = test::derive(source, {"depth=10,q=90,max_bytes=" + std::to_string(large.size() / 2)});
  REQUIRE(small.has_value());
  CHECK(small->outputs[0].bytes.size() <= large.size() / 2);
  CHECK(small->outputs[0].quality < 90);
}

TEST_CASE("image: ten bits are counted in the budget as what they take") {
  if (!can_decode(Format::avif)) return;
  const auto source = png_of(gradient({600, 400}));
  DeriveOptions options;
  options.budget.max_memory_bytes = 600 * 400 * 60;
  CHECK(derived(source, "format=avif", options).has_value());
  const auto refused = derived(source, "depth=10", options);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Errc::too_large);
  options.budget.max_memory_bytes = 600 * 400 * 90;
  CHECK(derived(source, "depth=10", options).has_value());
  options.budget.max_pixels = 600 * 400 - 1;
  CHECK(derived(source, "depth=10", options).error().code == Errc::too_large);
  DeriveOptions late;
  late.budget.deadline = std::chrono::milliseconds(-1);
  CHECK(derived(source, "depth=10", late).error().code == Errc::too_large);
  // A source that ends too early is noticed at 16 bits as well.
  CHECK(derived(std::span(source).first(source.size() / 2), "depth=10").error().code == Errc::corrupt);
  // A member that nobody can have asked for in words.
  Transform odd;
  odd.depth = 12;
  CHECK(image::derive(MemoryReader(source), std::array{odd}, {}).error().code == Errc::invalid_argument);
}
#endif
