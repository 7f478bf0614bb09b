#include <lcms2.h>

#include <array>
#include <cstdlib>

#include "catch.hpp"
#include "image/colour.hpp"
#include "image/exif.hpp"
#include "image/orient.hpp"
#include "image/tone.hpp"
#include "image_samples.hpp"
#include "support.hpp"

using namespace media::image;
using media::Colour;

namespace {

/// Display P3: what phones tag their photos with.
std::vector<std::byte> display_p3() { return profile_from_primaries({0.680F, 0.320F, 0.265F, 0.690F, 0.150F, 0.060F, 0.3127F, 0.3290F}); }
std::vector<std::byte> srgb_profile() { return profile_from_primaries({0.640F, 0.330F, 0.300F, 0.600F, 0.150F, 0.060F, 0.3127F, 0.3290F}); }

Image pixel(Layout layout, std::initializer_list<int> values) {
  Image image({1, 1}, layout);
  std::size_t i = 0;
  for (const int value : values) image.data.at(i++) = static_cast<std::uint8_t>(value);
  return image;
}

/// Where a pixel of the upright picture lies in the coded one, from the wording of CIPA DC-008 (0th row is the top, …).
Size coded_place(Size coded, std::uint8_t orientation, std::uint32_t x, std::uint32_t y) {
  const std::uint32_t right = coded.width - 1;
  const std::uint32_t bottom = coded.height - 1;
  switch (orientation) {
    case 2:
      return {right - x, y};
    case 3:
      return {right - x, bottom - y};
    case 4:
      return {x, bottom - y};
    case 5:
      return {y, x};
    case 6:
      return {y, bottom - x};
    case 7:
      return {right - y, bottom - x};
    case 8:
      return {right - y, x};
    default:
      return {x, y};
  }
}

}  // namespace

TEST_CASE("image: all eight orientations are turned upright, in every layout") {
  for (const Layout layout : {Layout::grey, Layout::rgb, Layout::rgba}) {
    const Image coded = test::scene({70, 41}, layout);
    const std::uint32_t parts = channels(layout);
    for (std::uint8_t orientation = 1; orientation <= 8; ++orientation) {
      const Image out = orient(coded, orientation);
      REQUIRE(out.size == upright(coded.size, orientation));
      bool same = true;
      for (std::uint32_t y = 0; y < out.size.height; ++y) {
        for (std::uint32_t x = 0; x < out.size.width; ++x) {
          const Size from = coded_place(coded.size, orientation, x, y);
          for (std::uint32_t c = 0; c < parts; ++c) {
            same = same && out.row(y)[std::size_t{x} * parts + c] == coded.row(from.height)[std::size_t{from.width} * parts + c];
          }
        }
      }
      INFO("orientation " << int{orientation});
      CHECK(same);
    }
    CHECK(orient(coded, 0).data == coded.data);
    CHECK(orient(coded, 9).data == coded.data);
  }
}

TEST_CASE("image: EXIF orientation is read in both byte orders, with and without its prefix") {
  for (std::uint8_t orientation = 1; orientation <= 8; ++orientation) {
    for (const bool big_endian : {true, false}) {
      const auto block = test::exif(orientation, big_endian);
      CHECK(exif_orientation(block) == orientation);
      std::vector<std::byte> prefixed;
      test::append(prefixed, std::string_view("Exif\0\0", 6));
      prefixed.insert(prefixed.end(), block.begin(), block.end());
      CHECK(exif_orientation(prefixed) == orientation);
    }
  }
}

TEST_CASE("image: broken EXIF means upright, wherever it is broken") {
  const auto block = test::exif(6);
  for (std::size_t length = 0; length < 20; ++length) CHECK(exif_orientation(std::span(block).first(length)) == 1);
  for (std::size_t length = 20; length < block.size(); ++length) {
    const auto orientation = exif_orientation(std::span(block).first(length));
    CHECK((orientation == 1 || orientation == 6));
  }
  CHECK(exif_orientation(test::exif(0)) == 1);
  CHECK(exif_orientation(test::exif(9)) == 1);
  auto far = block;
  far[4] = far[5] = far[6] = far[7] = std::byte{0xFF};  // The first directory lies beyond the end.
  CHECK(exif_orientation(far) == 1);
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    auto random = test::noise(64, seed);
    random[0] = random[1] = std::byte{'I'};
    const auto orientation = exif_orientation(random);
    CHECK((orientation >= 1 && orientation <= 8));
  }
}

TEST_CASE("image: code values come back from light unchanged") {
  for (std::size_t i = 0; i < 256; ++i) {
    CHECK(from_light()[static_cast<std::size_t>(to_light()[i])] == i);
    CHECK(from_even()[static_cast<std::size_t>(to_even()[i])] == i);
  }
}

TEST_CASE("image: Display P3 becomes sRGB") {
  const auto profile = display_p3();
  REQUIRE_FALSE(profile.empty());
  // From the matrices of CSS Color 4: display-p3 (200, 100, 50) is rgb(214.9, 92.6, 31.0).
  const Image out = to_srgb(pixel(Layout::rgb, {200, 100, 50}), profile);
  CHECK(std::abs(int{out.data[0]} - 215) <= 2);
  CHECK(std::abs(int{out.data[1]} - 93) <= 1);
  CHECK(std::abs(int{out.data[2]} - 31) <= 2);
  const Image grey = to_srgb(pixel(Layout::rgb, {90, 90, 90}), profile);
  for (const std::uint8_t value : grey.data) CHECK(std::abs(int{value} - 90) <= 1);
  const Image seen = to_srgb(pixel(Layout::rgba, {200, 100, 50, 123}), profile);
  CHECK(seen.data[3] == 123);
  CHECK(std::abs(int{seen.data[0]} - 215) <= 2);
}

TEST_CASE("image: sRGB under another name, a broken profile and one of another kind change nothing") {
  const Image source = test::scene({20, 20});
  CHECK(to_srgb(source, srgb_profile()).data == source.data);
  CHECK(to_srgb(source, {}).data == source.data);
  CHECK(to_srgb(source, test::noise(500)).data == source.data);
  auto cut = display_p3();
  cut.resize(cut.size() / 2);
  CHECK(to_srgb(source, cut).data == source.data);
  const Image grey = test::scene({20, 20}, Layout::grey);
  CHECK(to_srgb(grey, display_p3()).data == grey.data);
}

TEST_CASE("image: ink without a profile is mixed") {
  const auto mixed = [](int c, int m, int y, int k) {
    const Image out = to_srgb(pixel(Layout::cmyk, {c, m, y, k}), {});
    REQUIRE(out.layout == Layout::rgb);
    return std::array<int, 3>{out.data[0], out.data[1], out.data[2]};
  };
  CHECK(mixed(0, 0, 0, 0) == std::array<int, 3>{255, 255, 255});
  CHECK(mixed(0, 0, 0, 255) == std::array<int, 3>{0, 0, 0});
  CHECK(mixed(255, 0, 0, 0) == std::array<int, 3>{0, 255, 255});
  CHECK(mixed(0, 255, 255, 0) == std::array<int, 3>{255, 0, 0});
}

TEST_CASE("image: alpha is laid over a background") {
  CHECK(flatten(pixel(Layout::rgba, {10, 20, 30, 255}), Colour{}).data == std::vector<std::uint8_t>{10, 20, 30});
  CHECK(flatten(pixel(Layout::rgba, {10, 20, 30, 0}), Colour{1, 2, 3}).data == std::vector<std::uint8_t>{1, 2, 3});
  CHECK(flatten(pixel(Layout::rgba, {0, 0, 0, 128}), Colour{}).data == std::vector<std::uint8_t>{127, 127, 127});
  CHECK(flatten(pixel(Layout::rgb, {1, 2, 3}), Colour{}).layout == Layout::rgb);
}

TEST_CASE("image: the average colour is of what is seen") {
  CHECK(average_colour(pixel(Layout::rgb, {18, 52, 86})) == "#123456");
  CHECK(average_colour(pixel(Layout::grey, {128})) == "#808080");
  CHECK(average_colour(pixel(Layout::rgba, {9, 9, 9, 0})) == "#ffffff");
  Image half({2, 1}, Layout::rgba);
  half.data = {255, 0, 0, 255, 0, 255, 0, 0};
  CHECK(average_colour(half) == "#ff0000");
  Image pattern({2, 1}, Layout::grey);
  pattern.data = {0, 255};
  CHECK(average_colour(pattern) == "#bcbcbc");
}
