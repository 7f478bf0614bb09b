#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "catch.hpp"
#include "image/score.hpp"
#include "image_samples.hpp"

using namespace media;
using namespace media::image;

namespace {

Image noisy(const Image& image, int amount, unsigned seed) {
  Image out = image;
  std::mt19937 random(seed);
  for (std::uint8_t& value : out.data) {
    value =
        static_cast<std::uint8_t>(std::clamp(value + static_cast<int>(random() % static_cast<unsigned>(2 * amount + 1)) - amount, 0, 255));
  }
  return out;
}

std::vector<std::byte> photo() { return test::encode(noisy(test::scene({600, 400}), 25, 4), Format::jpeg, 95); }

Result<Encoded> make(const std::string& transform, const DeriveOptions& options = {}) {
  MEDIA_TRY_ASSIGN(auto derived, test::derive(photo(), {transform}, options));
  return derived.outputs.front();
}

}  // namespace

TEST_CASE("score: equal pictures are alike in full, and the more is changed the less they are") {
  for (const Layout layout : {Layout::grey, Layout::rgb, Layout::rgba}) {
    for (const Size size : {Size{5, 9}, Size{64, 48}, Size{101, 37}}) {
      const Image image = test::scene(size, layout);
      CHECK(likeness(image, image) == Approx(100));
      double last = 100;
      for (const int amount : {4, 12, 40}) {
        const double now = likeness(image, noisy(image, amount, 1));
        CHECK(now < last);
        last = now;
      }
    }
  }
  CHECK(likeness(test::scene({8, 8}), test::scene({8, 9})) == 0);
}

TEST_CASE("score: it agrees with the definition, worked out for one window by hand") {
  Image a({8, 8}, Layout::grey);
  Image b({8, 8}, Layout::grey);
  for (std::size_t i = 0; i < 64; ++i) {
    a.data[i] = static_cast<std::uint8_t>(i % 2 == 0 ? 100 : 140);
    b.data[i] = static_cast<std::uint8_t>(i % 2 == 0 ? 110 : 130);
  }
  // Means 120 and 120; variances 400 and 100, covariance 200; no colour, so Cb and Cr are equal.
  const double c2 = 0.03 * 255 * 0.03 * 255;
  CHECK(likeness(a, b) == Approx(100 * (0.8 * (2 * 200 + c2) / (400 + 100 + c2) + 0.2)));
}

TEST_CASE("score: what hides behind transparent pixels does not count, what shows through does") {
  Image a({32, 32}, Layout::rgba);
  Image b({32, 32}, Layout::rgba);
  for (std::size_t i = 0; i < a.data.size(); i += 4) b.data[i] = 200;
  CHECK(likeness(a, b) == Approx(100));
  // White, once opaque and once not there, is the same over white alone.
  std::fill(a.data.begin(), a.data.end(), std::uint8_t{255});
  std::fill(b.data.begin(), b.data.end(), std::uint8_t{255});
  for (std::size_t i = 3; i < b.data.size(); i += 4) b.data[i] = 0;
  CHECK(likeness(a, b) < 50);
}

TEST_CASE("score: the smallest file that reaches it is made, in every format") {
  for (const std::string format : {"jpeg", "webp", "avif"}) {
    std::size_t last = 0;
    for (const int wanted : {80, 90, 95}) {
      const auto made = make("w=300,format=" + format + ",score=" + std::to_string(wanted));
      REQUIRE(made);
      INFO(format << " " << wanted << " took quality " << int{made->quality} << " and reached " << made->score);
      CHECK(made->score >= wanted);
      CHECK(made->bytes.size() > last);
      last = made->bytes.size();
      // The score is told of the bytes that are given, and one step less would not have done.
      const auto same = make("w=300,format=" + format + ",q=" + std::to_string(made->quality));
      REQUIRE(same);
      CHECK(same->bytes == made->bytes);
      REQUIRE(made->quality > 1);
      const auto plain = test::derived_pixels(photo(), "w=300,format=png");
      const auto less = test::derived_pixels(photo(), "w=300,format=" + format + ",q=" + std::to_string(made->quality - 1));
      REQUIRE(plain);
      REQUIRE(less);
      CHECK(likeness(*plain, *less) < wanted + 0.5);
    }
  }
}

TEST_CASE("score: a limit of bytes is kept, by as little quality as it takes") {
  for (const std::string format : {"jpeg", "webp", "avif"}) {
    const auto free = make("w=300,format=" + format);
    REQUIRE(free);
    const std::size_t limit = free->bytes.size() * 2 / 3;
    const auto made = make("w=300,format=" + format + ",max_bytes=" + std::to_string(limit));
    REQUIRE(made);
    CHECK(made->bytes.size() <= limit);
    CHECK(made->quality < free->quality);
    const auto better = make("w=300,format=" + format + ",q=" + std::to_string(made->quality + 1));
    REQUIRE(better);
    CHECK(better->bytes.size() > limit);
    // Where there is room enough nothing changes.
    const auto roomy = make("w=300,format=" + format + ",max_bytes=" + std::to_string(free->bytes.size()));
    REQUIRE(roomy);
    CHECK(roomy->bytes == free->bytes);
    // Bytes go before the score.
    const auto both = make("w=300,format=" + format + ",score=99.5,max_bytes=" + std::to_string(limit));
    REQUIRE(both);
    CHECK(both->bytes.size() <= limit);
    CHECK(both->score < 99.5);
    CHECK(both->score > 0);

    const auto never = make("w=300,format=" + format + ",max_bytes=50");
    REQUIRE(!never);
    CHECK(never.error().code == Errc::too_large);
    CHECK(never.error().message.find("more than 50") != std::string::npos);
  }
  const auto png = make("w=300,format=png,max_bytes=50");
  REQUIRE(!png);
  CHECK(png.error().code == Errc::too_large);
}

TEST_CASE("score: when the time for the search is over, the best so far is taken") {
  DeriveOptions options;
  options.search_time = std::chrono::milliseconds(0);
  const auto hurried = make("w=300,format=webp,score=99", options);
  REQUIRE(hurried);
  CHECK(hurried->quality == 50);
  CHECK(hurried->score > 0);
  const auto calm = make("w=300,format=webp,score=99");
  REQUIRE(calm);
  CHECK(calm->score > hurried->score);
}

TEST_CASE("score: transforms spell it one way, and refuse what is no score") {
  CHECK(to_string(*parse_transform("score=96.5,format=webp")) == "format=webp,score=96.5");
  CHECK(to_string(*parse_transform("score=96,q=3,format=webp")) == "format=webp,score=96");
  CHECK(to_string(*parse_transform("max_bytes=20000,q=70,format=webp")) == "format=webp,q=70,max_bytes=20000");
  CHECK(to_string(*parse_transform("score=90,format=png")) == "format=png");
  for (const std::string bad : {"score=0", "score=100", "score=-1", "score=", "score=1e2", "score=96.55", "score=.5", "score=nan",
                                "max_bytes=0", "max_bytes=1e9", "max_bytes=99999999999", "max_bytes=-5"}) {
    INFO(bad);
    const auto refused = parse_transform(bad);
    REQUIRE(!refused);
    CHECK(refused.error().code == Errc::invalid_argument);
  }
}
