// How a picture looks: ThumbHash, dominant colour and perceptual hash.
#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "catch.hpp"
#include "image/describe.hpp"
#include "image/orient.hpp"
#include "image/resample.hpp"
#include "image_samples.hpp"
#include "pictures.hpp"
#include "support.hpp"

using namespace media;
using namespace media::image;

namespace {

std::string hex(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte byte : bytes) {
    text += "0123456789abcdef"[std::to_integer<unsigned>(byte >> 4U)];
    text += "0123456789abcdef"[std::to_integer<unsigned>(byte & std::byte{15})];
  }
  return text;
}

/// A bar over two gradients, in whole numbers, so that it is the same everywhere.
Image bar(Size size, bool alpha) {
  Image image(size, Layout::rgba);
  for (std::uint32_t y = 0; y < size.height; ++y) {
    for (std::uint32_t x = 0; x < size.width; ++x) {
      std::uint8_t* const pixel = image.row(y).data() + std::size_t{x} * 4;
      const bool on_bar = x * 4 > size.width && x * 5 < size.width * 2 && y * 10 > size.height && y * 10 < size.height * 6;
      pixel[0] = static_cast<std::uint8_t>(on_bar ? 230 : x * 255 / size.width);
      pixel[1] = static_cast<std::uint8_t>(on_bar ? 204 : y * 255 / size.height);
      pixel[2] = static_cast<std::uint8_t>((x + 2 * y) * 97 / (size.width + size.height) + 30);
      pixel[3] = static_cast<std::uint8_t>(alpha ? (size.height - y) * 255 / size.height : 255);
    }
  }
  if (alpha) image.data[3] = 100;
  return image;
}

Image plain(Size size, std::uint8_t red, std::uint8_t green, std::uint8_t blue) {
  Image image(size, Layout::rgb);
  for (std::size_t i = 0; i < image.data.size(); i += 3) image.data[i] = red, image.data[i + 1] = green, image.data[i + 2] = blue;
  return image;
}

/// Ellipses of all sizes and colours before a gradient, with grain: another one for each seed, with about as much in it as a photo has.
Image view_of_something(Size size, std::uint32_t seed) {
  std::mt19937 random(seed);
  const auto below = [&](std::uint32_t limit) { return static_cast<int>(random() % limit); };
  struct Thing {
    double x, y, width, height;
    int colour[3];
  };
  std::vector<Thing> things(14);
  for (Thing& thing : things) {
    thing = {below(1000) / 1000.0,
             below(1000) / 1000.0,
             (60 + below(340)) / 1000.0,
             (60 + below(340)) / 1000.0,
             {below(256), below(256), below(256)}};
  }
  const int ground[3] = {below(200), below(200), below(200)};
  Image image(size, Layout::rgb);
  for (std::uint32_t y = 0; y < size.height; ++y) {
    for (std::uint32_t x = 0; x < size.width; ++x) {
      const double u = (x + 0.5) / size.width;
      const double v = (y + 0.5) / size.height;
      const int* colour = ground;
      for (const Thing& thing : things) {
        const double across = (u - thing.x) / thing.width;
        const double down = (v - thing.y) / thing.height;
        if (across * across + down * down < 0.25) colour = thing.colour;
      }
      for (std::size_t c = 0; c < 3; ++c) {
        const int value = colour[c] + static_cast<int>(40 * v) + below(9) - 4;
        image.row(y)[std::size_t{x} * 3 + c] = static_cast<std::uint8_t>(std::clamp(value, 0, 255));
      }
    }
  }
  return image;
}

Image changed(const Image& image, double gain, int offset) {
  Image out = image;
  for (std::uint8_t& value : out.data) value = static_cast<std::uint8_t>(std::clamp(std::lround(value * gain + offset), 0L, 255L));
  return out;
}

Image resized(const Image& image, std::uint32_t width, std::uint32_t height) { return resample(image, {{width, height}}); }

PerceptualHash hash_of(const Image& image) {
  const auto hash = describe(image, 1).perceptual_hash;
  REQUIRE(hash.has_value());
  return *hash;
}

Appearance appearance_of(std::span<const std::byte> source, const std::vector<std::string>& transforms = {}) {
  const auto derived = test::derive(source, transforms);
  REQUIRE(derived.has_value());
  return derived->appearance;
}

}  // namespace

TEST_CASE("image: a ThumbHash is the one that the format's reference implementation makes") {
  // Made of the same pixels by the npm package thumbhash 0.1.1.
  const std::map<std::tuple<std::uint32_t, std::uint32_t, bool>, std::string> references = {
      {{100, 75, false}, "1e090a159a6165988077877788688777409405f777"},
      {{75, 100, false}, "df080e1d1a7265807777876887777877509806f778"},
      {{64, 64, false}, "1e090e1f1a61759880778777886887788777076569707f07"},
      {{100, 3, false}, "19590e319a70759882876787767006f777"},
      {{3, 100, false}, "1fb80d311a32806598858776107e05f777"},
      {{7, 5, false}, "da180a1d9a6175998077877698688788408304f778"},
      {{100, 75, true}, "1a59860c8c38606351577258064315704d7b77f77777777807"},
      {{75, 100, true}, "da58860c0c38600375158765057455704d7b77f77777777807"},
      {{64, 64, true}, "da58860d0c3860635157715856305503d7b477777f77778777"},
      {{100, 3, true}, "96888a19903a7075527874767003e79577777f77778788"},
      {{3, 100, true}, "9a0886190c380150044857015b08c7b477887f87778777"},
      {{7, 5, true}, "9758860c8e39708460788369072416805e7a77f77777777807"},
  };
  for (const auto& [shape, expected] : references) {
    const auto& [width, height, alpha] = shape;
    INFO(width << " x " << height << (alpha ? " with alpha" : ""));
    const auto hash = describe(bar({width, height}, alpha), 1).thumbhash;
    // Waves that are nothing at all are written as 7 or 8 of 15, by the last bit of a sum.
    std::string got = hex(hash);
    for (std::size_t i = 10; i < std::min(got.size(), expected.size()); ++i) {
      if ((got[i] == '8' && expected[i] == '7') || (got[i] == '7' && expected[i] == '8')) got[i] = expected[i];
    }
    CHECK(got == expected);
    CHECK(is_thumbhash(hash));
  }
}

TEST_CASE("image: pictures of one pixel, of one colour and of nothing have a ThumbHash with the right average") {
  // In the reference the waves of a plain picture are rounding noise, which no decoder shows. Here they are zero.
  CHECK(hex(describe(plain({1, 1}, 0, 0, 30), 1).thumbhash).starts_with("0207063f00"));
  const auto white = describe(plain({300, 200}, 255, 255, 255), 1);
  CHECK(hex(white.thumbhash).starts_with("3f08"));  // brightness 63, both colours 32 of 63: none
  CHECK(is_thumbhash(white.thumbhash));
  const auto nothing = describe(Image({20, 30}, Layout::rgba), 1);
  CHECK(is_thumbhash(nothing.thumbhash));
  CHECK((nothing.thumbhash[5] & std::byte{15}) == std::byte{0});  // no opacity
  CHECK(nothing.dominant_colour == "#ffffff");
  CHECK_FALSE(nothing.perceptual_hash);
}

TEST_CASE("image: a large picture is described as a small copy of it is") {
  const Image large = view_of_something({1600, 1200}, 5);
  const auto whole = describe(large, 1);
  for (const std::uint32_t width : {800U, 320U, 100U}) {
    const auto small = describe(resized(large, width, width * 3 / 4), 1);
    CHECK(small.thumbhash.size() == whole.thumbhash.size());
    // The header: averages and strengths, of which rounding may move each by a step.
    CHECK(std::abs(std::to_integer<int>(small.thumbhash[0] & std::byte{63}) - std::to_integer<int>(whole.thumbhash[0] & std::byte{63})) <=
          1);
    std::size_t far = 0;
    for (std::size_t i = 5; i < whole.thumbhash.size(); ++i) {
      for (const unsigned shift : {0U, 4U}) {
        const auto nibble = [&](const Appearance& of) { return std::to_integer<int>(of.thumbhash[i] >> shift & std::byte{15}); };
        far += std::abs(nibble(small) - nibble(whole)) > 1 ? 1U : 0U;
      }
    }
    CHECK(far == 0);
  }
}

TEST_CASE("image: what is described is the upright picture") {
  const Image upright_picture = bar({90, 60}, true);
  const auto expected = describe(upright_picture, 1);
  for (std::uint8_t orientation = 2; orientation <= 8; ++orientation) {
    INFO(int{orientation});
    // The way back: a quarter turn the other way, and everything else once more.
    const std::uint8_t back = orientation == 6 ? 8 : orientation == 8 ? 6 : orientation;
    const Image coded = orient(upright_picture, back);
    CHECK(describe(coded, orientation) == expected);
    CHECK_FALSE(describe(coded, 1) == expected);
  }
  const Image photo = view_of_something({640, 480}, 3);
  const auto turned = test::with_jpeg_exif(test::encode(orient(photo, 8), Format::jpeg, 90), test::exif(6));
  const auto straight = test::encode(photo, Format::jpeg, 90);
  for (const std::vector<std::string>& transforms :
       {std::vector<std::string>{}, {"w=320,format=jpeg"}, {"w=320,format=jpeg", "w=100,format=webp"}}) {
    const auto from_turned = appearance_of(turned, transforms);
    const auto from_straight = appearance_of(straight, transforms);
    REQUIRE(from_turned.perceptual_hash.has_value());
    CHECK(distance(*from_turned.perceptual_hash, *from_straight.perceptual_hash) <= 3);
    CHECK((from_turned.thumbhash[4] & std::byte{0x80}) == std::byte{0x80});  // landscape
    CHECK(from_turned.dominant_colour.size() == 7);
  }
}

TEST_CASE("image: whatever part of a picture is asked for, all of it is described") {
  const auto source = test::encode(view_of_something({640, 480}, 3), Format::jpeg, 90);
  CHECK(appearance_of(source).known());
  CHECK(appearance_of(source, {"w=320,format=jpeg"}).known());
  CHECK(appearance_of(source, {"w=2000,enlarge=1,format=jpeg"}).known());
  CHECK(appearance_of(source, {"w=100,h=100,fit=cover,format=jpeg", "w=320,format=jpeg"}).known());
  CHECK(appearance_of(source, {"w=100,h=100,fit=cover,format=jpeg"}).known());
  CHECK(appearance_of(source, {"w=100,h=100,fit=fill,format=jpeg"}).known());
  CHECK(appearance_of(test::encode(view_of_something({1000, 3}, 3), Format::png, 0), {"w=320,format=png"}).known());
}

TEST_CASE("image: the dominant colour is that of the largest part, and no mixture") {
  // Three fifths blue, two fifths yellow, with grain: the average would be a grey that is nowhere.
  std::mt19937 random(1);
  Image picture({200, 150}, Layout::rgb);
  for (std::uint32_t y = 0; y < 150; ++y) {
    for (std::uint32_t x = 0; x < 200; ++x) {
      const int grain = static_cast<int>(random() % 11) - 5;
      const int colour[3] = {x < 120 ? 32 : 240, x < 120 ? 64 : 200, x < 120 ? 160 : 16};
      for (std::size_t c = 0; c < 3; ++c)
        picture.row(y)[std::size_t{x} * 3 + c] = static_cast<std::uint8_t>(std::clamp(colour[c] + grain, 0, 255));
    }
  }
  const std::string found = describe(picture, 1).dominant_colour;
  const auto channel = [&](std::size_t i) { return std::stoi(found.substr(1 + 2 * i, 2), nullptr, 16); };
  CHECK(std::abs(channel(0) - 32) <= 2);
  CHECK(std::abs(channel(1) - 64) <= 2);
  CHECK(std::abs(channel(2) - 160) <= 2);

  CHECK(describe(plain({30, 30}, 0x12, 0xAB, 0xFF), 1).dominant_colour == "#12abff");
  Image grey({10, 10}, Layout::grey);
  std::fill(grey.data.begin(), grey.data.end(), 0x77);
  CHECK(describe(grey, 1).dominant_colour == "#777777");

  // A red picture on a large transparent ground, which is black where nobody sees it.
  Image logo({100, 100}, Layout::rgba);
  for (std::uint32_t y = 40; y < 60; ++y) {
    for (std::uint32_t x = 40; x < 60; ++x) {
      std::uint8_t* const pixel = logo.row(y).data() + std::size_t{x} * 4;
      pixel[0] = 0xD0, pixel[1] = 0x10, pixel[2] = 0x20, pixel[3] = 255;
    }
  }
  CHECK(describe(logo, 1).dominant_colour == "#d01020");
}

TEST_CASE("image: a perceptual hash outlives compression, other sizes, other formats and a little light") {
  unsigned farthest = 0;
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    const Image original = view_of_something(seed % 2 == 0 ? Size{640, 480} : Size{400, 600}, seed);
    const PerceptualHash hash = hash_of(original);
    const std::uint32_t width = original.size.width;
    const std::uint32_t height = original.size.height;
    std::vector<Image> copies{resized(original, width / 2, height / 2),
                              resized(original, width / 5, height / 5),
                              resized(original, 64, 64 * height / width),
                              changed(original, 0.9, 0),
                              changed(original, 1.0, 15),
                              changed(original, 1.05, -8)};
    for (const auto& [format, quality] : {std::pair(Format::jpeg, 50), std::pair(Format::jpeg, 20), std::pair(Format::webp, 40)}) {
      copies.push_back(test::decode(test::encode(original, format, quality), format).value());
      copies.push_back(test::decode(test::encode(copies[0], format, quality), format).value());
    }
    for (const Image& copy : copies) farthest = std::max(farthest, distance(hash, hash_of(copy)));
  }
  INFO("the farthest copy is " << farthest << " bits away");
  CHECK(farthest <= 6);
}

TEST_CASE("image: pictures that have nothing to do with each other are far apart") {
  std::vector<PerceptualHash> hashes;
  for (std::uint32_t seed = 1; seed <= 60; ++seed) hashes.push_back(hash_of(view_of_something({200, 150}, seed)));
  unsigned nearest = 64;
  double sum = 0;
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      nearest = std::min(nearest, distance(hashes[i], hashes[j]));
      sum += distance(hashes[i], hashes[j]);
    }
  }
  INFO("the nearest two are " << nearest << " bits apart");
  CHECK(nearest > 12);
  const double mean = sum / (60 * 59 / 2.0);
  CHECK(mean > 28);
  CHECK(mean < 33);
  // Mirrored and turned ones are other pictures.
  const Image one = view_of_something({200, 150}, 1);
  for (std::uint8_t orientation = 2; orientation <= 8; ++orientation) CHECK(distance(hash_of(orient(one, orientation)), hash_of(one)) > 12);
}

TEST_CASE("image: what shows too little has no perceptual hash") {
  CHECK_FALSE(describe(plain({300, 200}, 10, 20, 30), 1).perceptual_hash);
  Image gradient({256, 100}, Layout::grey);
  for (std::size_t i = 0; i < gradient.data.size(); ++i) gradient.data[i] = static_cast<std::uint8_t>(i % 256);
  CHECK_FALSE(describe(gradient, 1).perceptual_hash);
  CHECK_FALSE(describe(test::decode(test::encode(resized(gradient, 500, 200), Format::jpeg, 50), Format::jpeg).value(), 1).perceptual_hash);
}

TEST_CASE("image: photos of the corpus keep their hash when they are made again, and none is taken for another one", "[corpus]") {
  const auto shared = test::shared_folder();
  if (!shared) return;
  std::map<std::string, PerceptualHash> hashes;
  for (const char* folder : {"cameras", "gps"}) {
    for (const auto& entry : std::filesystem::directory_iterator(*shared / "corpus/photos" / folder)) {
      const auto source = test::read_file(entry.path());
      const auto derived = test::derive(source, {"w=640,h=640,format=jpeg,q=50", "w=160,h=160,format=webp,q=40"});
      if (!derived || !derived->appearance.perceptual_hash) continue;
      INFO(entry.path().string());
      hashes.emplace(entry.path().filename().string(), *derived->appearance.perceptual_hash);
      for (const Encoded& output : derived->outputs) {
        const auto again = appearance_of(output.bytes).perceptual_hash;
        REQUIRE(again.has_value());
        CHECK(distance(*again, *derived->appearance.perceptual_hash) <= 6);
      }
      const auto alone = appearance_of(source).perceptual_hash;
      REQUIRE(alone.has_value());
      CHECK(distance(*alone, *derived->appearance.perceptual_hash) <= 6);
    }
  }
  CHECK(hashes.size() > 30);
  for (const auto& [name, hash] : hashes) {
    for (const auto& [other_name, other] : hashes) {
      if (other_name <= name || distance(hash, other) > 10) continue;
      INFO(name << " and " << other_name << " are " << distance(hash, other) << " bits apart");
      CHECK(false);
    }
  }
}

TEST_CASE("image: bytes that are no ThumbHash are told from it") {
  for (const bool alpha : {false, true}) {
    for (const Size size : {Size{100, 75}, Size{3, 100}, Size{50, 50}, Size{100, 1}}) {
      auto hash = describe(bar(size, alpha), 1).thumbhash;
      REQUIRE(is_thumbhash(hash));
      CHECK(hash.size() >= 17);
      CHECK(hash.size() <= 25);
      for (std::size_t length = 0; length < hash.size(); ++length) CHECK_FALSE(is_thumbhash(std::span(hash).first(length)));
      auto longer = hash;
      longer.push_back(std::byte{0});
      CHECK_FALSE(is_thumbhash(longer));
      auto other_kind = hash;
      other_kind[2] ^= std::byte{0x80};
      CHECK_FALSE(is_thumbhash(other_kind));
      auto no_waves = hash;
      no_waves[3] &= std::byte{0xF8};
      CHECK_FALSE(is_thumbhash(no_waves));
    }
  }
}

TEST_CASE("image: hashes are written as 16 digits and compared bit by bit") {
  CHECK(to_string(PerceptualHash{0}) == "0000000000000000");
  CHECK(to_string(PerceptualHash{0x0123456789abcdefULL}) == "0123456789abcdef");
  CHECK(distance(PerceptualHash{0}, PerceptualHash{~0ULL}) == 64);
  CHECK(distance(PerceptualHash{5}, PerceptualHash{6}) == 2);
}
