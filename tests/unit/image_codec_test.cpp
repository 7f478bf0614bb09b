// Every encoder against every decoder, and what damaged, cut and lying files come to.
#include <algorithm>
#include <chrono>

#include "catch.hpp"
#include "image_samples.hpp"
#include "support.hpp"

using namespace media;
using namespace media::image;

namespace {

struct Lossiness {
  Format format;
  int quality;
  double least_psnr;  ///< Of a smooth picture at this quality, a few dB below what the encoders give today.
};
constexpr Lossiness kMatrix[] = {{Format::jpeg, 90, 36}, {Format::jpeg, 50, 31}, {Format::webp, 90, 36}, {Format::webp, 50, 32},
                                 {Format::png, 0, 1000}, {Format::avif, 80, 36}, {Format::avif, 50, 32}};

std::vector<std::byte> bmp(Size size) {
  const Image image = test::scene(size);
  const std::uint32_t line = (size.width * 3 + 3) / 4 * 4;
  std::vector<std::byte> out;
  const auto number = [&](std::uint32_t value, int width) {
    for (int i = 0; i < width; ++i) out.push_back(static_cast<std::byte>(value >> (8 * i)));
  };
  test::append(out, "BM");
  number(54 + line * size.height, 4), number(0, 4), number(54, 4);
  number(40, 4), number(size.width, 4), number(size.height, 4), number(1, 2), number(24, 2), number(0, 4);
  number(line * size.height, 4), number(2835, 4), number(2835, 4), number(0, 4), number(0, 4);
  for (std::uint32_t y = size.height; y-- > 0;) {
    const auto row = image.row(y);
    for (std::uint32_t x = 0; x < size.width; ++x) {
      for (std::size_t c = 3; c-- > 0;) out.push_back(static_cast<std::byte>(row[std::size_t{x} * 3 + c]));
    }
    for (std::uint32_t i = size.width * 3; i < line; ++i) out.push_back(std::byte{0});
  }
  return out;
}

/// Two colours, black and white in halves, LZW with a clear code before every pixel so that codes stay 3 bits wide; two frames.
std::vector<std::byte> gif(std::uint32_t side) {
  std::vector<std::byte> out;
  const auto number = [&](std::uint32_t value, int width) {
    for (int i = 0; i < width; ++i) out.push_back(static_cast<std::byte>(value >> (8 * i)));
  };
  test::append(out, "GIF89a");
  number(side, 2), number(side, 2), number(0x80, 1), number(0, 1), number(0, 1);
  number(0x000000, 3), number(0xFFFFFF, 3);
  for (int frame = 0; frame < 2; ++frame) {
    number(0x2C, 1), number(0, 2), number(0, 2), number(side, 2), number(side, 2), number(0, 1);
    number(2, 1);
    std::vector<std::byte> codes;
    std::uint32_t held = 0;
    int bits = 0;
    const auto code = [&](std::uint32_t value) {
      held |= value << bits;
      for (bits += 3; bits >= 8; bits -= 8, held >>= 8U) codes.push_back(static_cast<std::byte>(held));
    };
    for (std::uint32_t i = 0; i < side * side; ++i) {
      code(4);
      code(i % side < side / 2 ? 0 : 1);
    }
    code(5);
    codes.push_back(static_cast<std::byte>(held));
    for (std::size_t at = 0; at < codes.size(); at += 255) {
      const std::size_t count = std::min<std::size_t>(255, codes.size() - at);
      number(static_cast<std::uint32_t>(count), 1);
      out.insert(out.end(), codes.begin() + static_cast<std::ptrdiff_t>(at), codes.begin() + static_cast<std::ptrdiff_t>(at + count));
    }
    number(0, 1);
  }
  number(0x3B, 1);
  return out;
}

void put_big_endian(std::vector<std::byte>& bytes, std::size_t at, std::uint32_t value, std::size_t width) {
  for (std::size_t i = 0; i < width; ++i) bytes.at(at + i) = static_cast<std::byte>(value >> (8 * (width - 1 - i)));
}

/// The checksum of PNG chunks (ISO 3309).
std::uint32_t crc(std::span<const std::byte> bytes) {
  std::uint32_t value = 0xFFFFFFFF;
  for (const std::byte byte : bytes) {
    value ^= static_cast<std::uint32_t>(byte);
    for (int i = 0; i < 8; ++i) value = (value & 1U) != 0 ? value >> 1U ^ 0xEDB88320U : value >> 1U;
  }
  return ~value;
}

std::vector<std::byte> png_that_says(std::uint32_t width, std::uint32_t height) {
  auto bytes = test::encode(test::scene({8, 8}), Format::png, 0);
  put_big_endian(bytes, 16, width, 4);
  put_big_endian(bytes, 20, height, 4);
  put_big_endian(bytes, 29, crc(std::span(bytes).subspan(12, 17)), 4);
  return bytes;
}

std::vector<std::byte> jpeg_that_says(std::uint32_t width, std::uint32_t height) {
  auto bytes = test::encode(test::scene({64, 64}), Format::jpeg, 80);
  for (std::size_t i = 2; i + 9 < bytes.size(); ++i) {
    if (bytes[i] == std::byte{0xFF} && bytes[i + 1] == std::byte{0xC0}) {
      put_big_endian(bytes, i + 5, height, 2);
      put_big_endian(bytes, i + 7, width, 2);
      return bytes;
    }
  }
  return {};
}

}  // namespace

TEST_CASE("image: what an encoder writes, a decoder reads back, within what its quality allows") {
  for (const Lossiness& row : kMatrix) {
    if (!encoder_version(row.format)) continue;
    for (const Size size : {Size{160, 120}, Size{161, 121}, Size{1, 1}, Size{3, 200}}) {
      for (const Layout layout : {Layout::grey, Layout::rgb, Layout::rgba}) {
        if (layout == Layout::rgba && row.format == Format::jpeg) continue;
        INFO(to_string(row.format) << " q" << row.quality << ", " << size.width << "x" << size.height << ", layout "
                                   << static_cast<int>(layout));
        const Image source = test::scene(size, layout);
        const auto decoded = test::decode(test::encode(source, row.format, row.quality), row.format);
        REQUIRE(decoded.has_value());
        // Thin pictures are mostly edge, which 4:2:0 blurs.
        const double slack = size.width < 10 && row.format != Format::png ? 9 : 0;
        CHECK(test::psnr(grey_to_rgb(*decoded), grey_to_rgb(source)) >= row.least_psnr - slack);
      }
    }
  }
}

TEST_CASE("image: the same pixels encode to the same bytes") {
  const Image source = test::scene({300, 200});
  for (const Format format : {Format::jpeg, Format::png, Format::webp, Format::avif}) {
    if (!encoder_version(format)) continue;
    CHECK(test::encode(source, format, 60) == test::encode(source, format, 60));
  }
}

TEST_CASE("image: more quality means more bytes") {
  const Image source = test::scene({300, 200});
  for (const Format format : {Format::jpeg, Format::webp, Format::avif}) {
    if (!encoder_version(format)) continue;
    const std::size_t low = test::encode(source, format, 10).size();
    const std::size_t middle = test::encode(source, format, 60).size();
    const std::size_t high = test::encode(source, format, 98).size();
    CHECK(low < middle);
    CHECK(middle < high);
  }
}

TEST_CASE("image: BMP is read upright, and one that is cut is corrupt") {
  const auto bytes = bmp({61, 40});
  const auto decoded = test::decode(bytes, Format::bmp);
  REQUIRE(decoded.has_value());
  CHECK(decoded->data == test::scene({61, 40}).data);
  const auto cut = test::derive(std::span(bytes).first(bytes.size() - 400), {"w=10,format=png"});
  REQUIRE_FALSE(cut.has_value());
  CHECK(cut.error().code == Errc::corrupt);
}

TEST_CASE("image: of a GIF the first frame is taken and all are counted") {
  const auto derived = test::derive(gif(20), {"format=png"});
  REQUIRE(derived.has_value());
  CHECK(derived->source.format == Format::gif);
  CHECK(derived->source.frames == 2);
  CHECK_FALSE(derived->source.has_alpha);
  const auto pixels = test::decode(derived->outputs.at(0).bytes, Format::png);
  REQUIRE(pixels.has_value());
  CHECK(pixels->row(10)[0] == 0);
  CHECK(pixels->row(10)[19 * 3] == 255);
}

TEST_CASE("image: a JPEG is decoded to a smaller size only as far as its use allows") {
  const auto bytes = test::encode(test::scene({800, 600}), Format::jpeg, 90);
  const DeriveOptions options;
  const Control control(options);
  const MemoryReader reader{std::span<const std::byte>(bytes)};
  for (const std::uint32_t wanted : {10U, 60U, 150U, 300U, 500U, 800U}) {
    auto decoder = find_codec(Format::jpeg)->open(reader, control);
    REQUIRE(decoder.has_value());
    const auto rows = (*decoder)->start({wanted, wanted * 3 / 4});
    REQUIRE(rows.has_value());
    CHECK(rows->size.width >= wanted);
    CHECK(rows->size.width <= std::max(wanted * 4, 100U));
  }
}

TEST_CASE("image: a file that is cut anywhere is refused, or was whole enough, and never more than that") {
  for (const Format format : {Format::jpeg, Format::png, Format::webp, Format::avif, Format::gif, Format::bmp}) {
    if (!can_decode(format)) continue;
    const auto bytes = format == Format::gif   ? gif(30)
                       : format == Format::bmp ? bmp({50, 40})
                                               : test::encode(test::scene({90, 70}), format, 70);
    REQUIRE(test::derive(bytes, {"w=20,format=png"}).has_value());
    int decoded = 0;
    for (std::size_t length = 0; length < bytes.size(); length += 1 + length / 97) {
      const auto outcome = test::derive(std::span(bytes).first(length), {"w=20,format=png"});
      INFO(to_string(format) << " cut at " << length << " of " << bytes.size());
      if (outcome) {
        ++decoded;
        // Only trailers may lack, or, of a GIF, its later frames.
        CHECK((format == Format::gif ? length * 2 + 30 > bytes.size() : length + 24 > bytes.size()));
      } else {
        CHECK((outcome.error().code == Errc::corrupt || outcome.error().code == Errc::unsupported));
        CHECK_FALSE(outcome.error().message.empty());
      }
    }
    CHECK(decoded < (format == Format::gif ? 100 : 10));
  }
}

TEST_CASE("image: damaged bytes never do worse than an error") {
  for (const Format format : {Format::jpeg, Format::png, Format::webp, Format::avif, Format::gif, Format::bmp}) {
    if (!can_decode(format)) continue;
    const auto sound = format == Format::gif   ? gif(30)
                       : format == Format::bmp ? bmp({50, 40})
                                               : test::encode(test::scene({60, 44}), format, 70);
    const auto random = test::noise(4096, 99);
    for (std::size_t round = 0; round < 150; ++round) {
      auto bytes = sound;
      for (std::size_t i = 0; i < 4; ++i) {
        const auto at =
            (static_cast<std::size_t>(random[round * 8 + i]) << 8U | static_cast<std::size_t>(random[round * 8 + 4 + i])) % bytes.size();
        bytes[at] ^= random[(round * 13 + i) % random.size()];
      }
      DeriveOptions options;
      options.budget.max_pixels = 1'000'000;
      const auto outcome = test::derive(bytes, {"w=20,format=jpeg"}, options);
      if (!outcome) CHECK(outcome.error().code != Errc::internal);
    }
  }
}

TEST_CASE("image: a header that promises too many pixels is refused before they are allocated") {
  for (const auto& bytes :
       {png_that_says(30000, 30000), jpeg_that_says(30000, 30000), png_that_says(0x7FFFFFFF, 1), jpeg_that_says(65500, 65500)}) {
    REQUIRE_FALSE(bytes.empty());
    const auto outcome = test::derive(bytes, {"w=320,format=jpeg"});
    REQUIRE_FALSE(outcome.has_value());
    CHECK(outcome.error().code == Errc::too_large);
  }
  // The pixel budget alone would let this one through.
  DeriveOptions options;
  options.budget.max_memory_bytes = 16ULL << 20U;
  options.budget.max_pixels = 1'000'000'000;
  const auto outcome = test::derive(png_that_says(6000, 6000), {"format=png"}, options);
  REQUIRE_FALSE(outcome.has_value());
  CHECK(outcome.error().code == Errc::too_large);
  CHECK_THAT(outcome.error().message, ContainsSubstring("memory"));
}

TEST_CASE("image: what is no picture is unsupported") {
  for (const std::vector<std::byte>& bytes :
       {std::vector<std::byte>{}, test::bytes("<svg xmlns='http://www.w3.org/2000/svg'/>"), test::bytes("MZ"), test::noise(1000)}) {
    const auto outcome = test::derive(bytes, {});
    REQUIRE_FALSE(outcome.has_value());
    CHECK(outcome.error().code == Errc::unsupported);
  }
}

TEST_CASE("image: a JPEG of nothing but segments is refused, and soon") {
  std::vector<std::byte> bytes{std::byte{0xFF}, std::byte{0xD8}};
  for (int i = 0; i < 200'000; ++i) {
    for (const unsigned value : {0xFFU, 0xE2U, 0U, 2U}) bytes.push_back(static_cast<std::byte>(value));
  }
  const auto begun = std::chrono::steady_clock::now();
  const auto derived = test::derive(bytes, {"w=10,format=png"});
  REQUIRE_FALSE(derived.has_value());
  CHECK(derived.error().code == Errc::too_large);
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(5));
}

TEST_CASE("image: a JPEG of more scans than anybody writes is refused, and soon") {
  // Grey, each block its mean alone; every further scan says in a few bytes that there is nothing more.
  const auto progressive = [](unsigned side, std::size_t scans) {
    const unsigned blocks = (side / 8) * (side / 8);
    std::vector<unsigned> values = {0xFF, 0xD8, 0xFF, 0xDB, 0, 67, 0};
    const auto append = [&values](std::initializer_list<unsigned> more) { values.insert(values.end(), more); };
    values.insert(values.end(), 64, 1);
    for (const auto& [table, symbol] :
         {std::pair{0U, 0U}, std::pair{0x10U, 0xE0U}}) {  // of one symbol each: no difference; a run of blocks
      append({0xFF, 0xC4, 0, 20, table, 1});
      values.insert(values.end(), 15, 0);
      append({symbol});
    }
    append({0xFF, 0xC2, 0, 11, 8, side >> 8U, side & 0xFFU, side >> 8U, side & 0xFFU, 1, 1, 0x11, 0});
    append({0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 0, 0});
    values.insert(values.end(), blocks / 8, 0);
    for (std::size_t i = 1; i < scans; ++i) {
      append({0xFF, 0xDA, 0, 8, 1, 1, 0, 1, 63, 0});
      values.insert(values.end(), std::size_t{2} * (blocks / 16384 + 1), 0);
    }
    append({0xFF, 0xD9});
    std::vector<std::byte> bytes;
    for (const unsigned value : values) bytes.push_back(static_cast<std::byte>(value));
    return bytes;
  };
  CHECK(test::derive(progressive(64, 200), {"w=10,format=png"}).has_value());
  const auto begun = std::chrono::steady_clock::now();
  for (const auto& [side, scans] : {std::pair<unsigned, std::size_t>{64, 201}, {6000, 9000}}) {
    for (const char* const transform : {"w=10,format=png", "format=jpeg,w=1500"}) {
      const auto derived = test::derive(progressive(side, scans), {transform});
      REQUIRE_FALSE(derived.has_value());
      CHECK(derived.error().code == Errc::too_large);
      CHECK_THAT(derived.error().message, ContainsSubstring("scans"));
    }
  }
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(20));
}

TEST_CASE("image: a transform out of range is refused before the source is touched") {
  Transform loud;
  loud.quality = 200;
  const auto derived = derive(MemoryReader(std::span<const std::byte>()), std::span<const Transform>(&loud, 1), DeriveOptions());
  REQUIRE_FALSE(derived.has_value());
  CHECK(derived.error().code == Errc::invalid_argument);
}
