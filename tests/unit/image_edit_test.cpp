#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <random>

#include "catch.hpp"
#include "image/borders.hpp"
#include "image/edit.hpp"
#include "image/orient.hpp"
#include "image/saliency.hpp"
#include "image_samples.hpp"
#include "support.hpp"

using namespace media;
using namespace media::image;

namespace {

/// Noise over large steps: edges of every height, and nothing for a blur to find easy.
Image rough(Size size, Layout layout, unsigned seed = 1) {
  std::mt19937 random(seed);
  Image image(size, layout);
  const std::size_t parts = channels(layout);
  for (std::uint32_t y = 0; y < size.height; ++y) {
    for (std::uint32_t x = 0; x < size.width; ++x) {
      for (std::size_t c = 0; c < parts; ++c) {
        const unsigned step = (x / 9 + y / 7 + static_cast<unsigned>(c)) % 3 * 100;
        image.row(y)[x * parts + c] = static_cast<std::uint8_t>(std::min(255U, step + static_cast<unsigned>(random() % 56)));
      }
    }
  }
  return image;
}

/// The place in a row of `side` that is mirrored at its ends over and over.
int mirrored(int i, int side) {
  i = ((i % (2 * side)) + 2 * side) % (2 * side);
  return i < side ? i : 2 * side - 1 - i;
}

/// The Gaussian, summed up directly: colours weighted by alpha.
std::vector<double> direct_blur(const Image& image, double sigma) {
  const std::size_t parts = channels(image.layout);
  const int reach = static_cast<int>(std::ceil(4 * sigma));
  std::vector<double> weights;
  double sum = 0;
  for (int k = -reach; k <= reach; ++k) sum += weights.emplace_back(std::exp(-k * k / (2 * sigma * sigma)));
  const auto width = static_cast<int>(image.size.width);
  const auto height = static_cast<int>(image.size.height);
  std::vector<double> plain(image.data.size());
  for (std::size_t i = 0; i < plain.size(); ++i) {
    const double alpha = parts == 4 && i % 4 != 3 ? image.data[i / 4 * 4 + 3] / 255.0 : 1;
    plain[i] = image.data[i] * alpha;
  }
  std::vector<double> across(plain.size());
  std::vector<double> out(plain.size());
  const auto index = [&](int x, int y, std::size_t c) {
    return (static_cast<std::size_t>(mirrored(y, height)) * image.size.width + static_cast<std::size_t>(mirrored(x, width))) * parts + c;
  };
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (std::size_t c = 0; c < parts; ++c) {
        for (int k = -reach; k <= reach; ++k)
          across[index(x, y, c)] += plain[index(x + k, y, c)] * weights[static_cast<std::size_t>(k + reach)] / sum;
      }
    }
  }
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (std::size_t c = 0; c < parts; ++c) {
        for (int k = -reach; k <= reach; ++k)
          out[index(x, y, c)] += across[index(x, y + k, c)] * weights[static_cast<std::size_t>(k + reach)] / sum;
      }
    }
  }
  if (parts == 4) {
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (i % 4 != 3) out[i] = out[i / 4 * 4 + 3] > 0 ? out[i] * 255 / out[i / 4 * 4 + 3] : 0;
    }
  }
  return out;
}

Image plain(Size size, Layout layout, std::array<int, 4> colour) {
  Image image(size, layout);
  const std::size_t parts = channels(layout);
  for (std::size_t i = 0; i < image.data.size(); ++i) image.data[i] = static_cast<std::uint8_t>(colour[i % parts]);
  return image;
}

/// `inner` laid onto a plain picture of this size.
Image framed(const Image& inner, Size size, std::uint32_t left, std::uint32_t top, std::array<int, 4> colour) {
  Image out = plain(size, inner.layout, colour);
  const std::size_t parts = channels(inner.layout);
  for (std::uint32_t y = 0; y < inner.size.height; ++y)
    std::copy(inner.row(y).begin(), inner.row(y).end(), out.row(top + y).begin() + static_cast<std::ptrdiff_t>(left * parts));
  return out;
}

Box inner_of(const Image& image, std::uint8_t threshold) {
  Borders borders(image.size, image.layout);
  for (std::uint32_t y = 0; y < image.size.height; ++y) borders.push_row(image.row(y));
  return borders.inner(threshold);
}

std::vector<std::uint8_t> pixel(const Image& image, std::uint32_t x, std::uint32_t y) {
  const auto at = image.row(y).subspan(std::size_t{x} * channels(image.layout), channels(image.layout));
  return {at.begin(), at.end()};
}

}  // namespace

TEST_CASE("image: a blur is the Gaussian, within 3.2 code values, whatever its sigma") {
  for (const Layout layout : {Layout::grey, Layout::rgb}) {
    const Image image = rough({83, 61}, layout);
    for (const std::uint32_t sigma : {30U, 50U, 80U, 100U, 170U, 250U, 400U, 900U, 2500U, 10'000U}) {
      INFO("sigma " << sigma / 100.0);
      const Image blurred = blur(image, sigma);
      const std::vector<double> expected = direct_blur(image, sigma / 100.0);
      double worst = 0;
      for (std::size_t i = 0; i < expected.size(); ++i) worst = std::max(worst, std::abs(blurred.data[i] - expected[i]));
      CHECK(worst <= (sigma < 200 ? 1 : 3.2));
    }
  }
}

TEST_CASE("image: a black and white edge blurs as an error function does, within a hundredth") {
  Image edge({400, 3}, Layout::grey);
  for (std::uint32_t y = 0; y < 3; ++y) {
    for (std::uint32_t x = 200; x < 400; ++x) edge.row(y)[x] = 255;
  }
  for (const std::uint32_t sigma : {100U, 333U, 1000U, 3000U}) {
    INFO("sigma " << sigma / 100.0);
    const Image blurred = blur(edge, sigma);
    double worst = 0;
    for (std::uint32_t x = 0; x < 400; ++x) {
      const double exact = 255 * 0.5 * (1 + std::erf((x + 0.5 - 200) / (sigma / 100.0 * std::sqrt(2.0))));
      worst = std::max(worst, std::abs(blurred.row(1)[x] - exact));
    }
    CHECK(worst <= 2.3);
    CHECK(std::is_sorted(blurred.row(1).begin(), blurred.row(1).end()));
  }
}

TEST_CASE("image: a blur leaves plain pictures as they are, and brightness where it was") {
  for (const Layout layout : {Layout::grey, Layout::rgb, Layout::rgba}) {
    const Image image = plain({40, 30}, layout, {200, 3, 77, 131});
    for (const std::uint32_t sigma : {30U, 777U, 10'000U}) CHECK(blur(image, sigma).data == image.data);
  }
  const Image single = blur(plain({1, 1}, Layout::rgb, {9, 8, 7, 0}), 10'000);
  CHECK(single.data == std::vector<std::uint8_t>{9, 8, 7});
  Image spot = plain({101, 101}, Layout::grey, {0, 0, 0, 0});
  spot.row(50)[50] = 255;
  for (std::uint32_t y = 48; y < 53; ++y) std::fill_n(spot.row(y).begin() + 48, 5, std::uint8_t{255});
  std::int64_t sum = 0;
  for (const std::uint8_t value : blur(spot, 400).data) sum += value;
  CHECK(std::abs(static_cast<double>(sum) - 25 * 255) < 25 * 255 * 0.08);
}

TEST_CASE("image: a blur, like a sharpening, knows no direction") {
  for (const Layout layout : {Layout::grey, Layout::rgb, Layout::rgba}) {
    const Image image = rough({37, 53}, layout, 5);
    for (std::uint8_t turn = 2; turn <= 8; ++turn) {
      INFO("turned by " << int{turn});
      // Columns go before rows, so a quarter turn may round otherwise.
      const auto differs = [](const Image& a, const Image& b) {
        int worst = 0;
        for (std::size_t i = 0; i < a.data.size(); ++i) worst = std::max(worst, std::abs(a.data[i] - b.data[i]));
        return worst;
      };
      CHECK(differs(blur(orient(image, turn), 230), orient(blur(image, 230), turn)) <= (turn >= 5 ? 1 : 0));
      CHECK(differs(sharpen(orient(image, turn), 150, 120), orient(sharpen(image, 150, 120), turn)) <= (turn >= 5 ? 1 : 0));
    }
  }
}

TEST_CASE("image: what hides behind transparent pixels is not blurred into sight") {
  // Opaque green beside transparent red.
  Image image = plain({60, 20}, Layout::rgba, {0, 200, 0, 255});
  for (std::uint32_t y = 0; y < 20; ++y) {
    for (std::uint32_t x = 30; x < 60; ++x) {
      const std::array<std::uint8_t, 4> hidden{255, 0, 0, 0};
      std::copy(hidden.begin(), hidden.end(), image.row(y).begin() + x * 4);
    }
  }
  for (const std::uint32_t sigma : {100U, 500U}) {
    const Image blurred = blur(image, sigma);
    for (std::uint32_t x = 0; x < 60; ++x) {
      const auto seen = pixel(blurred, x, 10);
      INFO("x " << x << " alpha " << int{seen[3]});
      CHECK(seen[0] == 0);
      // Of what is hardly there, the colour is known less well.
      if (seen[3] > 0) CHECK(std::abs(int{seen[1]} - 200) <= (seen[3] < 16 ? 4 : 1));
    }
    CHECK(pixel(blurred, 0, 10)[3] > 250);
    CHECK(pixel(blurred, 59, 10)[3] < 5);
    CHECK(std::abs(int{pixel(blurred, 29, 10)[3]} + int{pixel(blurred, 30, 10)[3]} - 255) <= 2);
  }
  // The green stays as it is where it is sharpened: nothing that is seen differs.
  const Image sharp = sharpen(image, 500, 300);
  for (std::uint32_t x = 0; x < 30; ++x) CHECK(pixel(sharp, x, 10) == std::vector<std::uint8_t>{0, 200, 0, 255});
  // And against the definition, with every alpha there is.
  const Image mixed = rough({50, 40}, Layout::rgba, 9);
  const Image blurred = blur(mixed, 300);
  const std::vector<double> expected = direct_blur(mixed, 3);
  double worst = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    // As far as it is seen.
    const double opacity = i % 4 == 3 ? 1 : expected[i / 4 * 4 + 3] / 255;
    worst = std::max(worst, std::abs(blurred.data[i] - expected[i]) * opacity);
  }
  CHECK(worst <= 3.2);
}

TEST_CASE("image: sharpening raises contrast at edges, within its bound, and nowhere else") {
  Image image = plain({80, 40}, Layout::rgb, {100, 100, 100, 0});
  for (std::uint32_t y = 0; y < 40; ++y) std::fill(image.row(y).begin() + 40 * 3, image.row(y).end(), std::uint8_t{150});
  const Image sharp = sharpen(image, 100, 200);
  CHECK(pixel(sharp, 5, 20) == pixel(image, 5, 20));
  CHECK(pixel(sharp, 75, 20) == pixel(image, 75, 20));
  CHECK(sharp.row(20)[39 * 3] < 100 - 10);
  CHECK(sharp.row(20)[40 * 3] > 150 + 10);
  for (const Layout layout : {Layout::grey, Layout::rgb, Layout::rgba}) {
    const Image before = rough({60, 60}, layout, 3);
    for (const std::uint32_t amount : {1U, 100U, 500U}) {
      const Image after = sharpen(before, amount, 1000);
      int worst = 0;
      for (std::size_t i = 0; i < before.data.size(); ++i) {
        worst = std::max(worst, std::abs(before.data[i] - after.data[i]));
        if (layout == Layout::rgba && i % 4 == 3) REQUIRE(before.data[i] == after.data[i]);
      }
      CHECK(worst <= kMaxSharpening);
      if (amount == 1) CHECK(worst <= 2);
      if (amount == 500) CHECK(worst == kMaxSharpening);
    }
  }
}

TEST_CASE("image: a picture is padded where its gravity puts it, in the colour asked for") {
  const Image image = plain({20, 10}, Layout::rgb, {10, 20, 30, 0});
  const auto padded = [&](const char* text) { return edit(image, *parse_transform(text)); };
  const Image centred = padded("w=40,h=30,fit=pad,format=png,bg=ff0000");
  REQUIRE(centred.size == Size{40, 30});
  CHECK(centred.layout == Layout::rgb);
  CHECK(pixel(centred, 9, 15) == std::vector<std::uint8_t>{255, 0, 0});
  CHECK(pixel(centred, 10, 10) == std::vector<std::uint8_t>{10, 20, 30});
  CHECK(pixel(centred, 29, 19) == std::vector<std::uint8_t>{10, 20, 30});
  CHECK(pixel(centred, 30, 19) == std::vector<std::uint8_t>{255, 0, 0});
  const Image corner = padded("w=40,h=30,fit=pad,gravity=southeast,format=png,bg=ff0000");
  CHECK(pixel(corner, 39, 29) == std::vector<std::uint8_t>{10, 20, 30});
  CHECK(pixel(corner, 19, 29) == std::vector<std::uint8_t>{255, 0, 0});
  const Image clear = padded("w=40,h=30,fit=pad,format=webp");
  REQUIRE(clear.layout == Layout::rgba);
  CHECK(pixel(clear, 0, 0) == std::vector<std::uint8_t>{0, 0, 0, 0});
  CHECK(pixel(clear, 20, 15) == std::vector<std::uint8_t>{10, 20, 30, 255});
  const Image white = padded("w=40,h=30,fit=pad,format=jpeg");
  CHECK(white.layout == Layout::rgb);
  CHECK(pixel(white, 0, 0) == std::vector<std::uint8_t>{255, 255, 255});

  const Image grey = plain({4, 4}, Layout::grey, {7, 0, 0, 0});
  CHECK(edit(grey, *parse_transform("w=8,h=4,fit=pad,format=png,bg=808080")).layout == Layout::grey);
  const Image coloured = edit(grey, *parse_transform("w=8,h=4,fit=pad,format=png,bg=0000ff"));
  CHECK(pixel(coloured, 0, 0) == std::vector<std::uint8_t>{0, 0, 255});
  CHECK(pixel(coloured, 3, 0) == std::vector<std::uint8_t>{7, 7, 7});
  const Image half = plain({4, 4}, Layout::rgba, {255, 255, 255, 0});
  CHECK(pixel(edit(half, *parse_transform("w=8,h=4,fit=pad,format=png,bg=0000ff")), 4, 0) == std::vector<std::uint8_t>{0, 0, 255});
}

TEST_CASE("image: a plain border is found to the pixel, in every layout and under every turn") {
  for (const Layout layout : {Layout::grey, Layout::rgb, Layout::rgba, Layout::cmyk}) {
    const Image image = framed(rough({50, 31}, layout), {83, 77}, 13, 30, {200, 10, 90, 255});
    const Box expected{13, 30, {50, 31}};
    CHECK(inner_of(image, 10) == expected);
    if (layout == Layout::cmyk) continue;
    for (std::uint8_t turn = 1; turn <= 8; ++turn) {
      const Image turned = orient(image, turn);
      const Box box = inner_of(turned, 10);
      INFO("turned by " << int{turn});
      CHECK(box.size == upright(expected.size, turn));
      // The part that is left is the same part: cut out of the turned picture, and turned after it was cut out.
      const Image inner = orient(rough({50, 31}, layout), turn);
      CHECK(pixel(turned, box.left, box.top) == pixel(inner, 0, 0));
    }
  }
}

TEST_CASE("image: a border may be uneven within the threshold, on some sides only, or of another colour on each side") {
  std::mt19937 random(3);
  Image image = framed(rough({40, 40}, Layout::rgb), {60, 60}, 10, 10, {128, 128, 128, 0});
  const auto speckle = [&](unsigned by) {
    Image out = image;
    for (std::uint32_t y = 0; y < 60; ++y) {
      for (std::uint32_t x = 0; x < 60; ++x) {
        if (x >= 10 && x < 50 && y >= 10 && y < 50) continue;
        for (std::size_t c = 0; c < 3; ++c) out.row(y)[x * 3 + c] = static_cast<std::uint8_t>(128 + random() % (by + 1));
      }
    }
    return out;
  };
  CHECK(inner_of(speckle(8), 8) == Box{10, 10, {40, 40}});
  CHECK(inner_of(speckle(30), 8) == Box{0, 0, {60, 60}});
  CHECK(inner_of(framed(rough({60, 40}, Layout::rgb), {60, 60}, 0, 20, {0, 0, 0, 0}), 4) == Box{0, 20, {60, 40}});
  Image bars = framed(rough({30, 60}, Layout::rgb), {60, 60}, 10, 0, {0, 0, 0, 0});
  for (std::uint32_t y = 0; y < 60; ++y) std::fill(bars.row(y).begin() + 40 * 3, bars.row(y).end(), std::uint8_t{255});
  CHECK(inner_of(bars, 4) == Box{10, 0, {30, 60}});
}

TEST_CASE("image: nothing is trimmed from a picture without a border, or of one colour, or of two halves") {
  CHECK(inner_of(rough({40, 30}, Layout::rgb), 5) == Box{0, 0, {40, 30}});
  CHECK(inner_of(plain({40, 30}, Layout::rgb, {5, 6, 7, 0}), 1) == Box{0, 0, {40, 30}});
  CHECK(inner_of(plain({1, 1}, Layout::grey, {5, 0, 0, 0}), 100) == Box{0, 0, {1, 1}});
  Image halves = plain({40, 30}, Layout::grey, {0, 0, 0, 0});
  for (std::uint32_t y = 15; y < 30; ++y) std::fill(halves.row(y).begin(), halves.row(y).end(), std::uint8_t{255});
  CHECK(inner_of(halves, 10) == Box{0, 0, {40, 30}});
}

TEST_CASE("image: a transparent border is one, whatever its colours are") {
  Image image(Size{40, 40}, Layout::rgba);
  std::mt19937 random(8);
  for (std::uint8_t& value : image.data) value = static_cast<std::uint8_t>(random());
  for (std::size_t i = 3; i < image.data.size(); i += 4) image.data[i] = 0;
  for (std::uint32_t y = 12; y < 20; ++y) {
    for (std::uint32_t x = 5; x < 30; ++x) image.row(y)[x * 4 + 3] = 255;
  }
  CHECK(inner_of(image, 3) == Box{5, 12, {25, 8}});
}

TEST_CASE("image: the point of interest is where something is, and the centre where nothing is") {
  CHECK(salient_point(plain({160, 90}, Layout::rgb, {90, 120, 60, 0}), 0.5, 1) == Gravity{});
  CHECK(salient_point(plain({1, 1}, Layout::rgb, {1, 2, 3, 0}), 1, 1) == Gravity{});
  struct Subject {
    std::uint32_t x;
    std::uint32_t y;
  };
  for (const Subject subject : {Subject{20, 45}, Subject{80, 45}, Subject{140, 45}, Subject{60, 20}, Subject{110, 70}}) {
    for (const Layout layout : {Layout::grey, Layout::rgb}) {
      Image image = plain({160, 90}, layout, {120, 130, 140, 0});
      const Image thing = rough({18, 18}, layout, 4);
      image = framed(thing, {160, 90}, subject.x - 9, subject.y - 9, {120, 130, 140, 0});
      const Gravity across = salient_point(image, 0.5, 1);
      INFO("subject at " << subject.x << " " << subject.y << ", found at " << across.x << " " << across.y);
      CHECK_FALSE(across.smart);
      CHECK(across.y == 500);
      // The window is 80 wide: the subject is all in it.
      CHECK(std::abs(across.x * 160 / 1000.0 - subject.x) <= 40 - 9);
      const Gravity both = salient_point(image, 0.4, 0.5);
      CHECK(std::abs(both.x * 160 / 1000.0 - subject.x) <= 32 - 9);
      CHECK(std::abs(both.y * 90 / 1000.0 - subject.y) <= 22.5 - 9);
    }
  }
}

TEST_CASE("image: skin draws the eye more than a wall of its brightness, and what is transparent does not") {
  Image image = plain({160, 80}, Layout::rgb, {128, 128, 128, 0});
  for (std::uint32_t y = 30; y < 50; ++y) {
    for (std::uint32_t x = 20; x < 40; ++x) {
      const std::array<std::uint8_t, 3> grey{170, 170, 170};
      const std::array<std::uint8_t, 3> face{224, 164, 126};
      std::copy(grey.begin(), grey.end(), image.row(y).begin() + x * 3);
      std::copy(face.begin(), face.end(), image.row(y).begin() + (x + 100) * 3);
    }
  }
  CHECK(salient_point(image, 0.4, 1).x > 600);
  Image hidden(image.size, Layout::rgba);
  for (std::size_t i = 0; i < image.size.pixels(); ++i) {
    for (std::size_t c = 0; c < 3; ++c) hidden.data[i * 4 + c] = image.data[i * 3 + c];
    hidden.data[i * 4 + 3] = i % 160 < 80 ? 255 : 0;
  }
  CHECK(salient_point(hidden, 0.4, 1).x < 400);
}
