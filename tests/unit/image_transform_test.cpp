#include <random>

#include "catch.hpp"
#include "image/plan.hpp"
#include "media/processor.hpp"
#include "media/transform.hpp"

using namespace media;
using image::Geometry;
using image::plan;
using image::Size;

namespace {

Transform of(const char* text) { return parse_transform(text).value(); }

std::string spelled(const char* text) { return to_string(of(text)); }

}  // namespace

TEST_CASE("image: a transform has one spelling, whatever the order of its keys") {
  CHECK(spelled("frames=all,bg=FFffFF,enlarge=1,q=33,format=webp,fit=cover,h=240,w=320") ==
        "w=320,h=240,fit=cover,format=webp,q=33,enlarge=1,bg=ffffff,frames=all");
  CHECK(to_string(Transform{}) == "format=avif");
}

TEST_CASE("image: transforms that mean the same spell the same") {
  CHECK(spelled("w=320,format=jpeg,q=80") == "w=320,format=jpeg");
  CHECK(spelled("w=320,format=jpg") == "w=320,format=jpeg");
  CHECK(spelled("w=320,fit=cover") == "w=320,format=avif");
  CHECK(spelled("h=320,fit=fill") == "h=320,format=avif");
  CHECK(spelled("w=320,h=320,fit=contain") == spelled("w=320,h=320,fit=inside"));
  CHECK(spelled("format=png,q=10") == "format=png");
  CHECK(spelled("format=webp,enlarge=1") == "format=webp");
  CHECK(spelled("w=9,format=webp,enlarge=0") == "w=9,format=webp");
  CHECK(spelled("format=jpeg,bg=#ffffff") == "format=jpeg");
  CHECK(spelled("format=webp,frames=first") == "format=webp");
  CHECK(spelled("format=gif,q=10,frames=all") == "format=gif,frames=all");
  CHECK(spelled("format=jpeg,frames=all") == "format=jpeg");
  CHECK(spelled("format=png,frames=all") == "format=png");
  CHECK(spelled("format=webp,bg=ffffff") == "format=webp,bg=ffffff");
}

TEST_CASE("image: what a transform spells reads back as the same, for any transform") {
  std::mt19937 random(7);
  const auto any = [&](std::uint32_t below) { return static_cast<std::uint32_t>(random() % below); };
  constexpr Format kFormats[] = {Format::jpeg, Format::png, Format::webp, Format::avif, Format::gif};
  for (int i = 0; i < 5000; ++i) {
    Transform transform;
    transform.width = any(3) == 0 ? 0 : 1 + any(16384);
    transform.height = any(3) == 0 ? 0 : 1 + any(16384);
    transform.fit = static_cast<Fit>(any(4));
    transform.format = kFormats[any(5)];
    transform.quality = static_cast<std::uint8_t>(any(101));
    transform.enlarge = any(2) == 0;
    if (any(2) == 0) transform.background = Colour{static_cast<std::uint8_t>(any(256)), static_cast<std::uint8_t>(any(256)), 255};
    transform.frames = any(2) == 0 ? Frames::first : Frames::all;
    const std::string text = to_string(transform);
    INFO(text);
    const auto read = parse_transform(text);
    REQUIRE(read.has_value());
    CHECK(to_string(*read) == text);
    // And it still means the same.
    CHECK(plan({4000, 3000}, *read) == plan({4000, 3000}, transform));
  }
}

TEST_CASE("image: a transform that cannot be read names the key and what it accepts") {
  const auto message = [](const char* text) {
    const auto outcome = parse_transform(text);
    REQUIRE_FALSE(outcome.has_value());
    CHECK(outcome.error().code == Errc::invalid_argument);
    return outcome.error().message;
  };
  CHECK_THAT(message("w=0"), ContainsSubstring("w takes a whole number of pixels from 1 to 16384"));
  CHECK_THAT(message("w=16385"), ContainsSubstring("16384"));
  CHECK_THAT(message("h=-5"), ContainsSubstring("h takes"));
  CHECK_THAT(message("h=10px"), ContainsSubstring("10px"));
  CHECK_THAT(message("h= 10"), ContainsSubstring("h takes"));
  CHECK_THAT(message("w=99999999999999999999"), ContainsSubstring("w takes"));
  CHECK_THAT(message("fit=stretch"), ContainsSubstring("contain, cover, fill or inside"));
  CHECK_THAT(message("format=tiff"), ContainsSubstring("jpeg, png, webp, avif or gif"));
  CHECK_THAT(message("frames=2"), ContainsSubstring("all or first"));
  CHECK_THAT(message("q=0"), ContainsSubstring("1 to 100"));
  CHECK_THAT(message("q=101"), ContainsSubstring("1 to 100"));
  CHECK_THAT(message("enlarge=yes"), ContainsSubstring("1 or 0"));
  CHECK_THAT(message("bg=fff"), ContainsSubstring("rrggbb"));
  CHECK_THAT(message("bg=gggggg"), ContainsSubstring("rrggbb"));
  CHECK_THAT(message("blur=3"), ContainsSubstring("no key \"blur\""));
  CHECK_THAT(message("w"), ContainsSubstring("key=value"));
  CHECK_THAT(message("w=1,"), ContainsSubstring("key=value"));
  CHECK_THAT(message(""), ContainsSubstring("empty"));
  CHECK_THAT(message("w=1,w=2"), ContainsSubstring("twice"));
}

TEST_CASE("image: presets are three sizes in three formats") {
  const auto presets = default_presets();
  REQUIRE(presets.size() == 3);
  CHECK(presets[0].name == "thumb");
  CHECK(to_string(presets[0].transform) == "w=320,h=320,format=avif");
  CHECK(presets[1].name == "medium");
  CHECK(presets[1].transform.width == 800);
  CHECK(presets[2].name == "large");
  CHECK(presets[2].transform.height == 1600);
  for (const Preset& preset : presets) CHECK(preset.formats == std::vector<Format>{Format::avif, Format::webp, Format::jpeg});
}

TEST_CASE("image: proportions are kept inside the box") {
  CHECK(plan({4000, 3000}, of("w=320,h=320")) == Geometry{{320, 240}, 1, 1});
  CHECK(plan({3000, 4000}, of("w=320,h=320,fit=contain")) == Geometry{{240, 320}, 1, 1});
  CHECK(plan({4000, 3000}, of("w=800")) == Geometry{{800, 600}, 1, 1});
  CHECK(plan({4000, 3000}, of("h=600")) == Geometry{{800, 600}, 1, 1});
  CHECK(plan({4000, 3000}, of("format=png")) == Geometry{{4000, 3000}, 1, 1});
  CHECK(plan({10000, 1}, of("w=100")) == Geometry{{100, 1}, 1, 1});
  CHECK(plan({1, 10000}, of("w=100,h=100")) == Geometry{{1, 100}, 1, 1});
}

TEST_CASE("image: a box is covered from the centre or filled by stretching") {
  const Geometry covered = plan({4000, 3000}, of("w=300,h=300,fit=cover"));
  CHECK(covered.size == Size{300, 300});
  CHECK(covered.keep_width == Approx(0.75));
  CHECK(covered.keep_height == Approx(1));
  CHECK(covered.whole_size() == Size{400, 300});
  CHECK_FALSE(covered.whole());
  CHECK(plan({4000, 3000}, of("w=300,h=300,fit=fill")) == Geometry{{300, 300}, 1, 1});
}

TEST_CASE("image: nothing is enlarged unless asked") {
  CHECK(plan({100, 80}, of("w=500")) == Geometry{{100, 80}, 1, 1});
  CHECK(plan({100, 80}, of("w=500,enlarge=1")) == Geometry{{500, 400}, 1, 1});
  CHECK(plan({100, 80}, of("w=500,h=500")).size == Size{100, 80});
  CHECK(plan({100, 80}, of("w=500,h=500,fit=cover")).size == Size{80, 80});
  CHECK(plan({100, 80}, of("w=500,h=500,fit=cover,enlarge=1")).size == Size{500, 500});
  CHECK(plan({100, 80}, of("w=200,h=40,fit=fill")).size == Size{100, 20});
  CHECK(plan({100, 80}, of("w=200,h=40,fit=fill,enlarge=1")).size == Size{200, 40});
}

TEST_CASE("image: any plan keeps within its box, has pixels, and never more than the source unless asked") {
  std::mt19937 random(11);
  const auto any = [&](std::uint32_t below) { return static_cast<std::uint32_t>(random() % below); };
  for (int i = 0; i < 20000; ++i) {
    const Size picture{1 + any(i % 2 == 0 ? 50 : 9000), 1 + any(i % 3 == 0 ? 50 : 9000)};
    Transform transform;
    transform.width = any(4) == 0 ? 0 : 1 + any(16384);
    transform.height = any(4) == 0 ? 0 : 1 + any(16384);
    transform.fit = static_cast<Fit>(any(4));
    transform.enlarge = any(4) == 0;
    const Geometry geometry = plan(picture, transform);
    INFO(picture.width << "x" << picture.height << " " << to_string(transform) << " gives " << geometry.size.width << "x"
                       << geometry.size.height);
    REQUIRE(geometry.size.width >= 1);
    REQUIRE(geometry.size.height >= 1);
    REQUIRE((geometry.keep_width > 0 && geometry.keep_width <= 1));
    REQUIRE((geometry.keep_height > 0 && geometry.keep_height <= 1));
    if (transform.width != 0) REQUIRE(geometry.size.width <= transform.width);
    if (transform.height != 0) REQUIRE(geometry.size.height <= transform.height);
    if (!transform.enlarge) {
      REQUIRE(geometry.size.width <= picture.width);
      REQUIRE(geometry.size.height <= picture.height);
    }
  }
}

TEST_CASE("image: an encoder is named with its version, and only where there is one") {
  for (const Format format : {Format::jpeg, Format::png, Format::webp}) {
    const auto version = encoder_version(format);
    REQUIRE(version.has_value());
    CHECK(version->find_first_of("0123456789") != std::string::npos);
  }
  CHECK(encoder_version(Format::gif)->starts_with("giflib-"));
  CHECK(encoder_version(Format::bmp).error().code == Errc::unsupported);
  CHECK(encoder_version(Format::mp4).error().code == Errc::unsupported);
  CHECK(can_decode(Format::gif));
  CHECK_FALSE(can_decode(Format::svg));
}

TEST_CASE("transform: what is kept of an upright picture is found again in the picture as it is coded") {
  // The top left corner of an upright 4 x 3, and where each orientation has it (image/orient.cpp turns the other way round).
  const Geometry corner{{40, 30}, 0.25, 0.5, 0, 0};
  const Geometry turned{{30, 40}, 0.5, 0.25, 0, 0};
  const auto at = [](Geometry geometry, double x, double y) {
    geometry.at_x = x;
    geometry.at_y = y;
    return geometry;
  };
  CHECK(corner.coded(1) == corner);
  CHECK(corner.coded(2) == at(corner, 1, 0));
  CHECK(corner.coded(3) == at(corner, 1, 1));
  CHECK(corner.coded(4) == at(corner, 0, 1));
  CHECK(corner.coded(5) == turned);
  CHECK(corner.coded(6) == at(turned, 0, 1));
  CHECK(corner.coded(7) == at(turned, 1, 1));
  CHECK(corner.coded(8) == at(turned, 1, 0));
}
