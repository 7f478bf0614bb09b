// What is written beside the pixels, on request: who made the picture, and in which colours it is.
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>

#include "catch.hpp"
#include "image/colour.hpp"
#include "image/exif.hpp"
#include "image_samples.hpp"
#include "support.hpp"

using namespace media;
using namespace media::image;

namespace {

constexpr std::array<const char*, 4> kFormats{"jpeg", "png", "webp", "avif"};

bool can_write(const char* format) { return encoder_version(format_from_name(format)).has_value(); }

std::vector<std::byte> display_p3() { return profile_from_primaries({0.680F, 0.320F, 0.265F, 0.690F, 0.150F, 0.060F, 0.3127F, 0.3290F}); }

struct Entry {
  std::uint32_t tag;
  std::uint32_t type;
  std::string value;
};

/// A TIFF block with these texts in its first directory, and a GPS position.
std::vector<std::byte> block_of(const std::vector<Entry>& texts, bool big_endian = true) {
  std::vector<std::byte> out;
  const auto number = [&](std::uint32_t value, int width) {
    for (int i = 0; i < width; ++i) out.push_back(static_cast<std::byte>(value >> (8 * (big_endian ? width - 1 - i : i))));
  };
  test::append(out, big_endian ? "MM" : "II");
  number(42, 2), number(8, 4), number(static_cast<std::uint32_t>(texts.size() + 1), 2);
  auto offset = static_cast<std::uint32_t>(8 + 2 + 12 * (texts.size() + 1) + 4);
  for (const Entry& text : texts) {
    number(text.tag, 2), number(text.type, 2), number(static_cast<std::uint32_t>(text.value.size()), 4);
    if (text.value.size() <= 4) {
      test::append(out, text.value + std::string(4 - text.value.size(), '\0'));
      continue;
    }
    number(offset, 4);
    offset += static_cast<std::uint32_t>(text.value.size());
  }
  number(0x8825, 2), number(4, 2), number(1, 4), number(offset, 4);
  number(0, 4);
  for (const Entry& text : texts) {
    if (text.value.size() > 4) test::append(out, text.value);
  }
  number(1, 2), number(1, 2), number(2, 2), number(2, 4);
  test::append(out, std::string_view("N\0\0\0", 4));
  number(0, 4);
  test::append(out, "GPS-SECRET");
  return out;
}

Entry copyright(std::string value) { return {0x8298, 2, std::move(value) + std::string(1, '\0')}; }
Entry artist(std::string value) { return {0x013B, 2, std::move(value) + std::string(1, '\0')}; }

Credit credit_of(std::span<const std::byte> bytes, Format format) {
  const DeriveOptions options;
  const Control control(options);
  const MemoryReader reader(bytes);
  return find_codec(format)->open(reader, control).value()->header().credit;
}

/// As the file has it, after decoding has begun (AVIF knows only then).
std::vector<std::byte> profile_of(std::span<const std::byte> bytes, Format format) {
  const DeriveOptions options;
  const Control control(options);
  const MemoryReader reader(bytes);
  const auto decoder = find_codec(format)->open(reader, control).value();
  REQUIRE(decoder->start(decoder->header().picture).has_value());
  return decoder->header().profile;
}

Image plain(Size size, std::array<std::uint8_t, 3> colour) {
  Image image(size, Layout::rgb);
  for (std::size_t i = 0; i < image.data.size(); ++i) image.data[i] = colour[i % 3];
  return image;
}

}  // namespace

TEST_CASE("image: copyright and creator are read from EXIF, in both byte orders") {
  for (const bool big_endian : {true, false}) {
    CHECK(exif_credit(block_of({artist("Ada L."), copyright("2026 Ada")}, big_endian)) == Credit{"2026 Ada", "Ada L."});
    CHECK(exif_credit(block_of({artist("Al")}, big_endian)) == Credit{"", "Al"});  // Short enough to stand in the entry itself.
    CHECK(exif_credit(block_of({}, big_endian)).empty());
  }
  const Credit both = exif_credit(block_of({copyright(std::string("Photographer\0Editor", 19))}));
  CHECK(both.copyright == "Photographer; Editor");
  CHECK(exif_credit(block_of({copyright(std::string(" \0Editor", 8))})).copyright == "Editor");
  CHECK(exif_credit(block_of({{0x013B, 129, std::string("Zo\xC3\xAB\0", 5)}})).creator == "Zo\xC3\xAB");
  CHECK(exif_credit(block_of({{0x013B, 7, "binary"}})).empty());
}

TEST_CASE("image: a credit is clean text of bounded length, whatever the block holds") {
  CHECK(exif_credit(block_of({copyright("\xA9 2026 J\xFCrgen")})).copyright == "\xC2\xA9 2026 J\xC3\xBCrgen");
  CHECK(exif_credit(block_of({copyright("\xC2\xA9 J\xC3\xBCrgen")})).copyright == "\xC2\xA9 J\xC3\xBCrgen");
  CHECK(exif_credit(block_of({artist("  A\r\n\tB\x1B[31m\x7F  ")})).creator == "A B [31m");
  CHECK(exif_credit(block_of({artist("A\xC2\x85\xC2\x9B"
                                     "B")}))
            .creator == "A B");
  CHECK(exif_credit(block_of({artist("\n\n  ")})).empty());
  const std::string longest = exif_credit(block_of({artist(std::string(100'000, 'x'))})).creator;
  CHECK(longest == std::string(kMaxCreditBytes, 'x'));
  std::string umlauts;
  for (int i = 0; i < 300; ++i) umlauts += "\xC3\xBC";
  CHECK(exif_credit(block_of({artist("x" + umlauts)})).creator == "x" + umlauts.substr(0, kMaxCreditBytes - 2));
  std::string many;
  for (int i = 0; i < 500; ++i) many += std::string("ab\0", 3);
  CHECK(exif_credit(block_of({copyright(many)})).copyright.size() <= kMaxCreditBytes);
}

TEST_CASE("image: a broken block has no credit, or a clean one, wherever it is broken") {
  const auto block = block_of({artist("Somebody"), copyright("Somebody else")});
  for (std::size_t length = 0; length < block.size(); ++length) {
    const Credit credit = exif_credit(std::span(block).first(length));
    CHECK(std::string("Somebody").starts_with(credit.creator));
    CHECK(std::string("Somebody else").starts_with(credit.copyright));
  }
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    auto random = test::noise(64, seed);
    random[0] = random[1] = std::byte{'I'};
    CHECK(exif_credit(random).copyright.size() <= kMaxCreditBytes);
  }
}

TEST_CASE("image: what is written of a credit reads back the same, and says nothing else") {
  for (const Credit& credit :
       {Credit{"\xC2\xA9 2026", ""}, Credit{"", "A"}, Credit{"abc", "def"}, Credit{std::string(256, 'c'), std::string(256, 'a')}}) {
    const auto block = credit_block(credit);
    CHECK(exif_credit(block) == credit);
    CHECK(exif_orientation(block) == 1);
    CHECK(block.size() <= 8 + 2 + 24 + 4 + 2 * (kMaxCreditBytes + 5));
  }
  CHECK(credit_block({}).empty());
}

TEST_CASE("image: copyright and creator go into every format on request, and the position into none") {
  const auto block = block_of({artist("Zo\xC3\xAB M\xC3\xBCller"), copyright("\xC2\xA9 2026 Zo\xC3\xAB")});
  const Credit expected{"\xC2\xA9 2026 Zo\xC3\xAB", "Zo\xC3\xAB M\xC3\xBCller"};
  auto source = test::with_jpeg_exif(test::encode(test::scene({200, 150}), Format::jpeg, 90), block);
  source = test::with_jpeg_segment(source, 0xFE, test::bytes("COMMENT-SECRET"));
  for (const char* name : kFormats) {
    if (!can_write(name)) continue;
    INFO(name);
    const Format format = format_from_name(name);
    const auto derived = test::derive(source, {"w=100,meta=copyright,format=" + std::string(name), "w=100,format=" + std::string(name)});
    REQUIRE(derived.has_value());
    CHECK(credit_of(derived->outputs[0].bytes, format) == expected);
    CHECK(credit_of(derived->outputs[1].bytes, format).empty());
    for (const Encoded& output : derived->outputs) CHECK_FALSE(test::contains(output.bytes, "SECRET"));
    // The picture is the same one.
    CHECK(test::decode(derived->outputs[0].bytes, format)->data == test::decode(derived->outputs[1].bytes, format)->data);
    // And is a source with a credit itself, from whatever format.
    const auto again = test::derive(derived->outputs[0].bytes, {"w=50,meta=copyright,format=png"});
    REQUIRE(again.has_value());
    CHECK(credit_of(again->outputs[0].bytes, Format::png) == expected);
  }
}

TEST_CASE("image: a source without a credit gets none") {
  const auto source = test::with_jpeg_exif(test::encode(test::scene({60, 50}), Format::jpeg, 90), test::exif(6));
  for (const char* name : kFormats) {
    if (!can_write(name)) continue;
    const auto derived = test::derive(source, {"meta=copyright,format=" + std::string(name), "format=" + std::string(name)});
    REQUIRE(derived.has_value());
    CHECK(derived->outputs[0].bytes == derived->outputs[1].bytes);
  }
}

TEST_CASE("image: exiftool finds the credit and nothing that could be a position") {
  if (std::system("exiftool -ver >/dev/null 2>&1") != 0) return;  // NOLINT(concurrency-mt-unsafe)
  const auto source = test::with_jpeg_exif(test::encode(test::scene({200, 150}), Format::jpeg, 90),
                                           block_of({artist("Zo\xC3\xAB"), copyright("All rights: Zo\xC3\xAB")}));
  const test::TempFolder folder;
  for (const char* name : kFormats) {
    if (!can_write(name)) continue;
    INFO(name);
    const auto derived = test::derive(source, {"w=100,icc=keep,meta=copyright,format=" + std::string(name)});
    REQUIRE(derived.has_value());
    const auto path = folder / (std::string("x.") + name);
    test::write_file(path, derived->outputs[0].bytes);
    const std::string command =
        "exiftool -a -G1 -charset exif=utf8 -Artist -Copyright -GPS:all -XMP:all -EXIF:all '" + path.string() + "' 2>&1";
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
    REQUIRE(pipe);
    std::string text;
    std::array<char, 256> buffer{};
    while (std::fgets(buffer.data(), buffer.size(), pipe.get()) != nullptr) text += buffer.data();
    INFO(text);
    CHECK(text.find("Zo\xC3\xAB") != std::string::npos);
    CHECK(text.find("All rights: Zo\xC3\xAB") != std::string::npos);
    CHECK(text.find("GPS") == std::string::npos);
    CHECK(text.find("Warning") == std::string::npos);
  }
}

TEST_CASE("image: a profile is kept on request, with the pixels in its colours, in every format") {
  const auto profile = display_p3();
  const auto source = test::with_jpeg_profile(test::encode(plain({64, 64}, {200, 100, 50}), Format::jpeg, 100), profile);
  for (const char* name : kFormats) {
    if (!can_write(name)) continue;
    INFO(name);
    const Format format = format_from_name(name);
    const auto derived = test::derive(source, {"w=32,q=95,format=" + std::string(name), "w=32,q=95,icc=keep,format=" + std::string(name),
                                               "w=32,icc=keep,meta=copyright,q=95,format=" + std::string(name)});
    REQUIRE(derived.has_value());
    CHECK(derived->placeholder.starts_with("#d"));  // In sRGB, as ever: 215, 93, 31.
    CHECK(profile_of(derived->outputs[0].bytes, format).empty());
    CHECK(profile_of(derived->outputs[1].bytes, format) == profile);
    CHECK(profile_of(derived->outputs[2].bytes, format) == profile);
    const auto converted = test::decode(derived->outputs[0].bytes, format);
    const auto kept = test::decode(derived->outputs[1].bytes, format);
    const auto near = [](const Image& image, std::array<int, 3> colour) {
      for (std::size_t c = 0; c < 3; ++c) CHECK(std::abs(int{image.data[c]} - colour[c]) <= 5);
    };
    near(*converted, {215, 93, 31});
    near(*kept, {200, 100, 50});
    // Shown by whoever follows the profile, they are one colour.
    near(to_srgb(*kept, profile), {215, 93, 31});
  }
}

TEST_CASE("image: a profile that cannot be kept is not, and the picture is converted as ever") {
  const Image picture = plain({64, 64}, {200, 100, 50});
  const auto same_as_ever = [](std::span<const std::byte> source) {
    for (const char* name : {"jpeg", "png", "webp"}) {
      const auto derived = test::derive(source, {"format=" + std::string(name) + ",icc=keep", "format=" + std::string(name)});
      REQUIRE(derived.has_value());
      CHECK(derived->outputs[0].bytes == derived->outputs[1].bytes);
    }
  };
  same_as_ever(test::encode(picture, Format::jpeg, 95));
  same_as_ever(test::with_jpeg_profile(test::encode(picture, Format::jpeg, 95), test::noise(500)));
  auto cut = display_p3();
  cut.resize(cut.size() / 2);
  same_as_ever(test::with_jpeg_profile(test::encode(picture, Format::jpeg, 95), cut));
  same_as_ever(test::with_jpeg_profile(test::encode(test::scene({60, 40}, Layout::grey), Format::jpeg, 95), display_p3()));
}

TEST_CASE("image: outputs with and without a profile come in the order they were asked for, in any mixture") {
  const auto source = test::with_jpeg_profile(test::encode(plain({64, 64}, {200, 100, 50}), Format::jpeg, 100), display_p3());
  std::vector<double> shares;
  DeriveOptions options;
  options.progress = [&](double share) { shares.push_back(share); };
  const auto derived =
      test::derive(source, {"w=10,icc=keep,format=png", "w=20,format=png", "w=30,icc=keep,format=png", "w=40,format=png"}, options);
  REQUIRE(derived.has_value());
  REQUIRE(derived->outputs.size() == 4);
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(derived->outputs[i].width == 10 * (i + 1));
    CHECK(profile_of(derived->outputs[i].bytes, Format::png).empty() == (i % 2 == 1));
  }
  CHECK(std::is_sorted(shares.begin(), shares.end()));
  CHECK(shares.back() == 1);
}

TEST_CASE("image: a background that is given in sRGB is that colour in the profile that is kept") {
  const auto source = test::with_jpeg_profile(test::encode(plain({64, 32}, {200, 100, 50}), Format::jpeg, 100), display_p3());
  const auto pixels = test::derived_pixels(source, "w=64,h=64,fit=pad,bg=d75d1f,icc=keep,format=png");
  REQUIRE(pixels.has_value());
  // The colour of the picture itself, said in sRGB: no seam.
  for (std::size_t c = 0; c < 3; ++c) CHECK(std::abs(int{pixels->row(0)[c]} - int{pixels->row(32)[c]}) <= 3);
}

TEST_CASE("image: a JPEG that is given up after its profile leaves no memory in disorder") {
  const Image picture = plain({64, 64}, {200, 100, 50});
  const std::vector<std::byte> profile(60'000);
  DeriveOptions options;
  options.budget.deadline = std::chrono::milliseconds(0);
  const Control control(options);
  Encoding encoding(80);
  encoding.profile = profile;
  for (int i = 0; i < 20; ++i) {
    const auto made = find_codec(Format::jpeg)->encode(picture, encoding, control);
    REQUIRE_FALSE(made.has_value());
    CHECK(made.error().code == Errc::too_large);
  }
}
