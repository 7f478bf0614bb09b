#include <hwy/targets.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <initializer_list>
#include <numbers>
#include <random>

#include "catch.hpp"
#include "image/resample.hpp"
#include "image/weigh.hpp"
#include "image_samples.hpp"

using namespace media::image;
using test::psnr;
using test::scene;

namespace {

Image plain(Size size, Layout layout, std::uint8_t value) {
  Image image(size, layout);
  std::fill(image.data.begin(), image.data.end(), value);
  return image;
}

Image mirrored(const Image& image) {
  Image out(image.size, image.layout);
  const std::uint32_t parts = channels(image.layout);
  for (std::uint32_t y = 0; y < image.size.height; ++y) {
    for (std::uint32_t x = 0; x < image.size.width; ++x) {
      for (std::uint32_t c = 0; c < parts; ++c) {
        out.row(y)[std::size_t{x} * parts + c] = image.row(y)[std::size_t{image.size.width - 1 - x} * parts + c];
      }
    }
  }
  return out;
}

Image upside_down(const Image& image) {
  Image out(image.size, image.layout);
  for (std::uint32_t y = 0; y < image.size.height; ++y) {
    const auto from = image.row(image.size.height - 1 - y);
    std::copy(from.begin(), from.end(), out.row(y).begin());
  }
  return out;
}

/// Runs something on every set of instructions that this processor has and this build knows.
template <class Body>
void on_every_target(const Body& body) {
  for (std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    INFO("target " << hwy::TargetName(target));
    body();
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

int greatest_difference(const Image& a, const Image& b) {
  REQUIRE(a.data.size() == b.data.size());
  int most = 0;
  for (std::size_t i = 0; i < a.data.size(); ++i) most = std::max(most, std::abs(int{a.data[i]} - int{b.data[i]}));
  return most;
}

Geometry to(std::uint32_t width, std::uint32_t height) { return {{width, height}, 1, 1}; }

}  // namespace

TEST_CASE("image: weights of every filter add up to one and stay inside the source") {
  struct Case {
    std::uint32_t input;
    double begin;
    double length;
    std::uint32_t output;
  };
  for (const Case& one : {Case{4000, 0, 4000, 320}, Case{7, 0, 7, 3}, Case{1, 0, 1, 1}, Case{1, 0, 1, 50}, Case{3, 0, 3, 1000},
                          Case{16384, 0, 16384, 1}, Case{100, 12.5, 75, 30}, Case{100, 49.9, 0.2, 10}, Case{5, 0, 5, 4}}) {
    const Filter filter = make_filter(one.input, one.begin, one.length, one.output);
    REQUIRE(filter.windows.size() == one.output);
    std::uint32_t last_first = 0;
    for (const Filter::Window& window : filter.windows) {
      int sum = 0;
      for (std::uint32_t k = 0; k < window.count; ++k) sum += filter.weights[window.weights + k];
      CHECK(sum == kWeightOne);
      CHECK(window.count >= 1);
      CHECK(window.count <= filter.longest);
      CHECK(window.first + window.count <= one.input);
      CHECK(window.first >= last_first);
      last_first = window.first;
    }
  }
}

TEST_CASE("image: a plain picture stays plain at any size") {
  for (const Layout layout : {Layout::grey, Layout::rgb, Layout::cmyk, Layout::rgba}) {
    for (const int value : {0, 1, 2, 77, 128, 254, 255}) {
      for (const Geometry& geometry : {to(31, 17), to(1, 1), to(200, 150), to(64, 3), Geometry{{10, 10}, 0.5, 0.75}}) {
        Image source = plain({97, 61}, layout, static_cast<std::uint8_t>(value));
        if (layout == Layout::rgba) {
          for (std::size_t i = 3; i < source.data.size(); i += 4) source.data[i] = 255;
        }
        const Image out = resample(source, geometry);
        REQUIRE(out.size == geometry.size);
        const bool even = layout != Layout::rgba ? std::all_of(out.data.begin(), out.data.end(), [&](int v) { return v == value; })
                                                 : out.data[0] == value && out.data[3] == 255;
        INFO("value " << value << " layout " << static_cast<int>(layout));
        CHECK(even);
      }
    }
  }
}

TEST_CASE("image: the same size is the same picture") {
  for (const Layout layout : {Layout::grey, Layout::rgb, Layout::rgba, Layout::cmyk}) {
    const Image source = scene({61, 43}, layout);
    CHECK(resample(source, to(61, 43)).data == source.data);
  }
}

TEST_CASE("image: resampling does not know left from right, nor top from bottom") {
  for (const Geometry& geometry : {to(100, 75), to(33, 20), to(301, 411), Geometry{{40, 40}, 0.6, 0.8}}) {
    const Image source = scene({203, 151});
    CHECK(greatest_difference(mirrored(resample(source, geometry)), resample(mirrored(source), geometry)) <= 1);
    CHECK(greatest_difference(upside_down(resample(source, geometry)), resample(upside_down(source), geometry)) <= 1);
  }
}

TEST_CASE("image: nothing moves, not even by half a pixel") {
  // Light that grows evenly: every output pixel must show the light of the place that it covers.
  const std::uint32_t width = 256;
  Image source({width, 8}, Layout::cmyk);  // Code values are resampled as they are.
  for (std::uint32_t y = 0; y < 8; ++y) {
    for (std::uint32_t x = 0; x < width; ++x) {
      for (std::uint32_t c = 0; c < 4; ++c) source.row(y)[std::size_t{x} * 4 + c] = static_cast<std::uint8_t>(x);
    }
  }
  for (const std::uint32_t small : {128U, 100U, 64U, 37U}) {
    const Image out = resample(source, to(small, 8));
    const double scale = static_cast<double>(width) / small;
    const auto margin = static_cast<std::uint32_t>(4);
    for (std::uint32_t x = margin; x + margin < small; ++x) {
      const double expected = (x + 0.5) * scale - 0.5;
      CHECK(std::abs(out.row(4)[std::size_t{x} * 4] - expected) <= 1.0);
    }
  }
  const Image big = resample(source, to(1024, 8));
  for (std::uint32_t x = 16; x + 16 < 1024; ++x) CHECK(std::abs(big.row(4)[std::size_t{x} * 4] - ((x + 0.5) / 4 - 0.5)) <= 1.0);
}

TEST_CASE("image: shrinking keeps the light of a fine pattern") {
  Image source({64, 64}, Layout::grey);
  for (std::uint32_t y = 0; y < 64; ++y) {
    for (std::uint32_t x = 0; x < 64; ++x) source.row(y)[x] = (x + y) % 2 == 0 ? 255 : 0;
  }
  const Image out = resample(source, to(16, 16));
  // Half of the light is 188 in sRGB, not 128.
  for (const std::uint8_t value : out.data) CHECK(std::abs(int{value} - 188) <= 2);
}

TEST_CASE("image: colours behind transparent pixels do not bleed out") {
  Image source({40, 40}, Layout::rgba);
  for (std::uint32_t y = 0; y < 40; ++y) {
    for (std::uint32_t x = 0; x < 40; ++x) {
      std::uint8_t* pixel = source.row(y).data() + std::size_t{x} * 4;
      const bool shown = x < 20;
      pixel[0] = shown ? 200 : 0;
      pixel[1] = shown ? 40 : 255;  // Green lies hidden.
      pixel[2] = 40;
      pixel[3] = shown ? 255 : 0;
    }
  }
  for (const Geometry& geometry : {to(13, 13), to(77, 77)}) {
    const Image out = resample(source, geometry);
    for (std::size_t i = 0; i < out.data.size(); i += 4) {
      if (out.data[i + 3] < 8) continue;  // Too little is seen to tell the colour.
      CHECK(std::abs(int{out.data[i]} - 200) <= 6);
      CHECK(std::abs(int{out.data[i + 1]} - 40) <= 12);
    }
  }
}

TEST_CASE("image: rows can be fed to a part of the picture, and the rest is left out") {
  const Image source = scene({120, 90});
  const Geometry centre{{60, 45}, 0.5, 0.5};
  const Image out = resample(source, centre);
  Image expected({60, 45}, Layout::rgb);
  for (std::uint32_t y = 0; y < 45; ++y) {
    for (std::size_t x = 0; x < 180; ++x) expected.row(y)[x] = source.row(y + 22)[x + 90];
  }
  // Half a row lies between the two grids (90 x 0.25 = 22.5).
  CHECK(psnr(out, expected) > 30);
}

TEST_CASE("image: a picture made from a larger one is much like the one made at once") {
  const Image source = scene({800, 600});
  CHECK(psnr(resample(resample(source, to(400, 300)), to(100, 75)), resample(source, to(100, 75))) > 38);
}

TEST_CASE("image: the weighted sum of rows is right for any number of columns, and held within its bounds") {
  std::mt19937 random(3);
  for (const std::size_t length : {1U, 7U, 16U, 48U, 100U, 333U}) {
    for (const std::size_t count : {2U, 4U, 10U}) {
      std::vector<std::vector<std::int16_t>> rows(count, std::vector<std::int16_t>(length + kWeighOverrun));
      std::vector<const std::int16_t*> pointers;
      std::vector<std::int16_t> weights(count);
      for (std::size_t k = 0; k < count; ++k) {
        for (auto& value : rows[k]) value = static_cast<std::int16_t>(random() % 32768);
        pointers.push_back(rows[k].data());
        weights[k] = static_cast<std::int16_t>(static_cast<int>(random() % 16000) - 5000);
      }
      std::vector<std::int16_t> out(length + kWeighOverrun);
      weigh_rows(pointers.data(), weights.data(), count, length, out.data());
      for (std::size_t i = 0; i < length; ++i) {
        std::int64_t sum = kWeightOne / 2;
        for (std::size_t k = 0; k < count; ++k) sum += std::int64_t{rows[k][i]} * weights[k];
        REQUIRE(out[i] == std::clamp<std::int64_t>(sum >> 14, 0, 32767));
      }
    }
  }
}

TEST_CASE("image: the weighted sum of deep rows is right on every set of instructions, and held within its bounds") {
  std::mt19937 random(4);
  constexpr std::int32_t kMost = 1'048'560;
  for (const std::size_t length : {1U, 3U, 7U, 16U, 48U, 100U, 333U}) {
    for (const std::size_t count : {1U, 2U, 5U, 10U, 40U}) {
      std::vector<std::vector<std::int32_t>> rows(count, std::vector<std::int32_t>(length + kWeighOverrun));
      std::vector<const std::int32_t*> pointers;
      std::vector<std::int32_t> weights(count);
      for (std::size_t k = 0; k < count; ++k) {
        // The greatest there are among them.
        for (auto& value : rows[k]) value = random() % 8 == 0 ? kMost : static_cast<std::int32_t>(random() % (kMost + 1));
        pointers.push_back(rows[k].data());
        weights[k] = static_cast<std::int32_t>(random() % (2U * kDeepWeightOne / count * 3)) - kDeepWeightOne / static_cast<int>(count);
      }
      on_every_target([&] {
        std::vector<std::int32_t> out(length + kWeighOverrun);
        weigh_rows(pointers.data(), weights.data(), count, length, kMost, out.data());
        for (std::size_t i = 0; i < length; ++i) {
          std::int64_t sum = kDeepWeightOne / 2;
          for (std::size_t k = 0; k < count; ++k) sum += std::int64_t{rows[k][i]} * weights[k];
          REQUIRE(out[i] == std::clamp<std::int64_t>(sum >> 24, 0, kMost));
        }
      });
    }
  }
}

namespace {

/// Lanczos-3 in doubles, along both sides, of one channel; in light, where it is shrunk.
std::vector<double> exactly(const DeepImage& image, std::uint32_t channel, Size size) {
  const bool in_light = size.width <= image.size.width && size.height <= image.size.height;
  const auto light_of = [&](double code) {
    if (!in_light) return code;
    return code <= 0.04045 ? code / 12.92 : std::pow((code + 0.055) / 1.055, 2.4);
  };
  const auto code_of = [&](double light) {
    if (!in_light) return light;
    return light <= 0.0031308 ? light * 12.92 : 1.055 * std::pow(light, 1 / 2.4) - 0.055;
  };
  const auto along = [](const auto& in, std::uint32_t from, std::uint32_t to, std::uint32_t at) {
    const double scale = static_cast<double>(from) / to;
    const double stretch = std::max(scale, 1.0);
    const double centre = (at + 0.5) * scale;
    double sum = 0;
    double weights = 0;
    for (std::uint32_t j = 0; j < from; ++j) {
      const double x = (j + 0.5 - centre) / stretch;
      if (std::abs(x) >= 3) continue;
      const double angle = std::numbers::pi * x;
      const double weight = std::abs(x) < 1e-9 ? 1 : 3 * std::sin(angle) * std::sin(angle / 3) / (angle * angle);
      weights += weight;
      sum += weight * in(j);
    }
    return std::clamp(sum / weights, 0.0, 1.0);
  };
  std::vector<double> tall(std::size_t{image.size.width} * size.height);
  for (std::uint32_t x = 0; x < image.size.width; ++x) {
    const auto column = [&](std::uint32_t y) {
      return light_of(image.row(y)[std::size_t{x} * channels(image.layout) + channel] / 65535.0);
    };
    for (std::uint32_t y = 0; y < size.height; ++y)
      tall[std::size_t{y} * image.size.width + x] = along(column, image.size.height, size.height, y);
  }
  std::vector<double> out(size.pixels());
  for (std::uint32_t y = 0; y < size.height; ++y) {
    const auto row = [&](std::uint32_t x) { return tall[std::size_t{y} * image.size.width + x]; };
    for (std::uint32_t x = 0; x < size.width; ++x)
      out[std::size_t{y} * size.width + x] = code_of(along(row, image.size.width, size.width, x)) * 65535;
  }
  return out;
}

DeepImage deep_scene(Size size, Layout layout) {
  DeepImage image(size, layout);
  const std::uint32_t parts = channels(layout);
  std::mt19937 random(9);
  for (std::uint32_t y = 0; y < size.height; ++y) {
    for (std::uint32_t x = 0; x < size.width; ++x) {
      for (std::uint32_t c = 0; c < parts; ++c) {
        // A slope, a hard edge and noise: dark places, too, where light is finest.
        const bool edge = x > size.width / 3 && y > size.height / 2;
        const double value =
            0.02 + 0.5 * x / size.width * (c + 1) / parts + (edge ? 0.4 : 0) + 0.02 * static_cast<double>(random() % 1000) / 1000;
        image.row(y)[std::size_t{x} * parts + c] = static_cast<std::uint16_t>(std::lround(value * 65535));
      }
    }
  }
  return image;
}

DeepImage resample_deep(const DeepImage& image, const Geometry& geometry) {
  DeepResampler resampler(image.size, image.layout, geometry);
  for (std::uint32_t y = 0; y < image.size.height && !resampler.done(); ++y) resampler.push_row(image.row(y));
  return resampler.take();
}

}  // namespace

TEST_CASE("image: 16-bit pictures of any size are within a sixteenth of a 10-bit step of the exact ones, on every set of instructions") {
  for (const Layout layout : {Layout::grey, Layout::rgb}) {
    const DeepImage source = deep_scene({97, 71}, layout);
    for (const Size size : {Size{31, 17}, Size{96, 70}, Size{5, 3}, Size{150, 100}}) {
      INFO(size.width << " x " << size.height << ", layout " << static_cast<int>(layout));
      const DeepImage made = resample_deep(source, {size, 1, 1});
      double most = 0;
      for (std::uint32_t c = 0; c < channels(layout); ++c) {
        const std::vector<double> exact = exactly(source, c, size);
        for (std::size_t i = 0; i < exact.size(); ++i) most = std::max(most, std::abs(made.data[i * channels(layout) + c] - exact[i]));
      }
      INFO("off by " << most);
      CHECK(most <= 4);
      on_every_target([&] { CHECK(resample_deep(source, {size, 1, 1}).data == made.data); });
    }
  }
}

TEST_CASE("image: a plain 16-bit picture stays plain within a code value, and alpha goes along") {
  for (const std::uint16_t value : std::initializer_list<std::uint16_t>{0, 1, 2, 77, 3000, 32768, 65534, 65535}) {
    for (const Layout layout : {Layout::grey, Layout::rgb, Layout::cmyk, Layout::rgba}) {
      DeepImage source({61, 43}, layout);
      std::fill(source.data.begin(), source.data.end(), value);
      if (layout == Layout::rgba) {
        for (std::size_t i = 3; i < source.data.size(); i += 4) source.data[i] = 65535;
      }
      for (const Geometry& geometry : {to(31, 17), to(1, 1), to(100, 90), to(61, 43)}) {
        INFO("value " << value << " layout " << static_cast<int>(layout));
        const DeepImage out = resample_deep(source, geometry);
        int most = 0;
        for (std::size_t i = 0; i < out.data.size(); ++i) {
          const int expected = layout == Layout::rgba && i % 4 == 3 ? 65535 : value;
          most = std::max(most, std::abs(out.data[i] - expected));
        }
        CHECK(most <= 2);
      }
    }
  }
  // What hides behind transparent pixels does not come out.
  DeepImage source({40, 40}, Layout::rgba);
  for (std::size_t i = 0; i < source.data.size(); i += 4) {
    const bool shown = i / 4 % 40 < 20;
    source.data[i] = shown ? 50'000 : 0;
    source.data[i + 1] = shown ? 10'000 : 65'535;
    source.data[i + 2] = 10'000;
    source.data[i + 3] = shown ? 65'535 : 0;
  }
  const DeepImage out = resample_deep(source, to(13, 13));
  for (std::size_t i = 0; i < out.data.size(); i += 4) {
    if (out.data[i + 3] < 8 * 257) continue;
    CHECK(std::abs(out.data[i] - 50'000) <= 6 * 257);
    CHECK(std::abs(out.data[i + 1] - 10'000) <= 12 * 257);
  }
}
