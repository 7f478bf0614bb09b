#include <random>

#include "catch.hpp"
#include "image/orient.hpp"
#include "image/plan.hpp"
#include "image/transform_limits.hpp"
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

TEST_CASE("image: every key has one place and one spelling") {
  CHECK(spelled(
            "meta=copyright,icc=keep,blur=2.50,sharpen=1.0:2,trim=10,flip=h,rotate=90,bg=102030,enlarge=1,q=7,format=webp,gravity=0.30:0.7,"
            "fit=cover,h=20,w=10") ==
        "w=10,h=20,fit=cover,gravity=0.3:0.7,format=webp,q=7,enlarge=1,bg=102030,rotate=90,flip=h,trim=10,sharpen=1:2,blur=2.5,icc=keep,"
        "meta=copyright");
}

TEST_CASE("image: dpr is multiplied into the box") {
  CHECK(spelled("w=160,dpr=2") == "w=320,format=avif");
  CHECK(spelled("dpr=2,w=160") == spelled("w=320"));
  CHECK(spelled("w=160,h=100,fit=cover,dpr=1.5") == "w=240,h=150,fit=cover,format=avif");
  CHECK(spelled("w=101,dpr=1.25") == "w=126,format=avif");
  CHECK(spelled("w=1,dpr=1.5") == "w=2,format=avif");
  CHECK(spelled("dpr=3") == "format=avif");
  CHECK(spelled("w=5,dpr=1") == "w=5,format=avif");
  CHECK(plan({4000, 3000}, of("w=160,dpr=2")) == plan({4000, 3000}, of("w=320")));
  CHECK(parse_transform("w=8192,dpr=2").has_value());
  // Whichever of the two comes last is the one that is too much.
  CHECK_THAT(parse_transform("w=8193,dpr=2").error().message, ContainsSubstring("dpr=2 makes more than 16384 pixels"));
  CHECK_THAT(parse_transform("dpr=4,h=4097").error().message, ContainsSubstring("h=4097 makes more than 16384 pixels"));
}

TEST_CASE("image: gravity is left out where nothing is cut or padded, and has names for nine points") {
  CHECK(spelled("w=9,h=9,fit=cover,gravity=center") == "w=9,h=9,fit=cover,format=avif");
  CHECK(spelled("w=9,h=9,fit=cover,gravity=0.5:0.5") == "w=9,h=9,fit=cover,format=avif");
  CHECK(spelled("w=9,h=9,fit=cover,gravity=0:1") == "w=9,h=9,fit=cover,gravity=southwest,format=avif");
  CHECK(spelled("w=9,h=9,fit=cover,gravity=1.000:0.5") == "w=9,h=9,fit=cover,gravity=east,format=avif");
  CHECK(spelled("w=9,h=9,fit=cover,gravity=0.05:0.123") == "w=9,h=9,fit=cover,gravity=0.05:0.123,format=avif");
  CHECK(spelled("w=9,h=9,fit=none,gravity=smart") == "w=9,h=9,fit=none,gravity=smart,format=avif");
  CHECK(spelled("w=9,h=9,fit=pad,gravity=north") == "w=9,h=9,fit=pad,gravity=north,format=avif");
  CHECK(spelled("w=9,h=9,fit=pad,gravity=smart") == "w=9,h=9,fit=pad,format=avif");
  for (const char* text :
       {"w=9,gravity=north", "w=9,h=9,gravity=north", "w=9,h=9,fit=fill,gravity=smart", "w=9,fit=cover,gravity=0.1:0.2"}) {
    CHECK(spelled(text).find("gravity") == std::string::npos);
  }
  for (const char* name : {"north", "northeast", "east", "southeast", "south", "southwest", "west", "northwest", "smart"}) {
    CHECK(spelled((std::string("w=9,h=9,fit=cover,gravity=") + name).c_str()) ==
          "w=9,h=9,fit=cover,gravity=" + std::string(name) + ",format=avif");
  }
}

TEST_CASE("image: the eight ways to turn a picture have one spelling each") {
  CHECK(spelled("rotate=0") == "format=avif");
  CHECK(spelled("rotate=180,flip=hv") == "format=avif");
  CHECK(spelled("flip=hv") == "format=avif,rotate=180");
  CHECK(spelled("rotate=180,flip=v") == "format=avif,flip=h");
  CHECK(spelled("rotate=180,flip=h") == "format=avif,flip=v");
  CHECK(spelled("rotate=90,flip=v") == "format=avif,rotate=270,flip=h");
  CHECK(spelled("rotate=270,flip=v") == "format=avif,rotate=90,flip=h");
  CHECK(spelled("rotate=90,flip=hv") == "format=avif,rotate=270");
  CHECK(spelled("rotate=270,flip=hv") == "format=avif,rotate=90");
}

TEST_CASE("image: edits spell their numbers in the shortest way, and their defaults not at all") {
  CHECK(spelled("blur=0.3") == "format=avif,blur=0.3");
  CHECK(spelled("blur=100.00") == "format=avif,blur=100");
  CHECK(spelled("blur=007") == "format=avif,blur=7");
  CHECK(spelled("sharpen=0.01") == "format=avif,sharpen=0.01");
  CHECK(spelled("sharpen=5:1") == "format=avif,sharpen=5");
  CHECK(spelled("sharpen=1.2:0.35") == "format=avif,sharpen=1.2:0.35");
  CHECK(spelled("icc=srgb,meta=none") == "format=avif");
  CHECK(spelled("w=9,h=9,fit=pad,format=jpeg,bg=ffffff") == "w=9,h=9,fit=pad,format=jpeg");
  CHECK(spelled("w=9,h=9,fit=none,enlarge=1") == "w=9,h=9,fit=none,format=avif");
  CHECK(spelled("w=9,fit=pad") == "w=9,format=avif");
  CHECK(spelled("w=9,fit=none") == "w=9,format=avif");
}

TEST_CASE("image: what a transform spells reads back as the same, for any transform") {
  std::mt19937 random(7);
  const auto any = [&](std::uint32_t below) { return static_cast<std::uint32_t>(random() % below); };
  constexpr Format kFormats[] = {Format::jpeg, Format::png, Format::webp, Format::avif, Format::gif};
  for (int i = 0; i < 5000; ++i) {
    Transform transform;
    transform.width = any(3) == 0 ? 0 : 1 + any(16384);
    transform.height = any(3) == 0 ? 0 : 1 + any(16384);
    transform.fit = static_cast<Fit>(any(6));
    transform.format = kFormats[any(5)];
    transform.quality = static_cast<std::uint8_t>(any(101));
    transform.enlarge = any(2) == 0;
    if (any(2) == 0) transform.background = Colour{static_cast<std::uint8_t>(any(256)), static_cast<std::uint8_t>(any(256)), 255};
    if (any(2) == 0) transform.gravity = {static_cast<std::uint16_t>(any(1001)), static_cast<std::uint16_t>(any(3) * 500), any(4) == 0};
    if (transform.width <= 4096 && transform.height <= 4096) transform.dpr_hundredths = static_cast<std::uint16_t>(100 + any(301));
    transform.rotate_degrees = static_cast<std::uint16_t>(any(4) * 90);
    transform.flip_horizontal = any(2) == 0;
    transform.flip_vertical = any(2) == 0;
    transform.trim = static_cast<std::uint8_t>(any(101));
    transform.sharpen_hundredths = static_cast<std::uint16_t>(any(501));
    transform.sharpen_sigma_hundredths = static_cast<std::uint16_t>(30 + any(971));
    if (any(2) == 0) transform.blur_hundredths = static_cast<std::uint16_t>(30 + any(9971));
    transform.keep_profile = any(2) == 0;
    transform.keep_copyright = any(2) == 0;
    transform.frames = any(2) == 0 ? Frames::first : Frames::all;
    transform.depth = any(2) == 0 ? 8 : 10;
    const std::string text = to_string(transform);
    INFO(text);
    const auto read = parse_transform(text);
    REQUIRE(read.has_value());
    CHECK(to_string(*read) == text);
    CHECK(*read == canonical(transform));
    CHECK(canonical(*read) == *read);
    CHECK(image::edits_are_in_range(*read));
    // And it still means the same.
    CHECK(plan({4000, 3000}, *read) == plan({4000, 3000}, transform));
    CHECK(image::turn_of(*read) == image::turn_of(transform));
    CHECK(image::canvas_of({10, 10}, *read).size == image::canvas_of({10, 10}, transform).size);
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
  CHECK_THAT(message("fit=stretch"), ContainsSubstring("contain, cover, fill, inside, none or pad"));
  CHECK_THAT(message("format=tiff"), ContainsSubstring("jpeg, png, webp, avif, gif, mp4 or webm"));
  CHECK_THAT(message("frames=2"), ContainsSubstring("first, all, clip or sheet"));
  CHECK_THAT(message("q=0"), ContainsSubstring("1 to 100"));
  CHECK_THAT(message("q=101"), ContainsSubstring("1 to 100"));
  CHECK_THAT(message("enlarge=yes"), ContainsSubstring("1 or 0"));
  CHECK_THAT(message("bg=fff"), ContainsSubstring("rrggbb"));
  CHECK_THAT(message("bg=gggggg"), ContainsSubstring("rrggbb"));
  CHECK_THAT(message("colour=3"), ContainsSubstring("no key \"colour\""));
  CHECK_THAT(message("colour=3"),
             ContainsSubstring("there are w, h, fit, gravity, dpr, format, depth, q, score, max_bytes, enlarge, bg, rotate, "
                               "flip, trim, sharpen, blur, icc, meta, frames, at and codecs"));
  CHECK_THAT(message("W=3"), ContainsSubstring("no key \"W\""));
  CHECK_THAT(message("w"), ContainsSubstring("key=value"));
  CHECK_THAT(message("w=1,"), ContainsSubstring("key=value"));
  CHECK_THAT(message(""), ContainsSubstring("empty"));
  CHECK_THAT(message("w=1,w=2"), ContainsSubstring("twice"));
}

TEST_CASE("image: every kind of nonsense is refused with what is accepted") {
  const struct {
    const char* key;
    const char* accepts;
    std::vector<const char*> nonsense;
  } keys[] = {
      {"gravity",
       "centre, north, northeast",
       {"", "up", "North", "0.5", "0.5:", ":0.5", "1.1:0", "0:1.001", "-0.1:0.5", "0.5:0.5:0.5", "0.1234:0.5", ".5:.5", "5e-1:0.5",
        "nan:nan", "0.5;0.5", "0.5: 0.5", "0,5:0,5", "smart:smart"}},
      {"dpr",
       "a number from 1 to 4",
       {"", "0", "0.99", "4.01", "5", "-2", "+2", "2x", "1e0", "1.005", "nan", "inf", "1000000000", "2.", ".9"}},
      {"rotate", "0, 90, 180 or 270", {"", "45", "-90", "360", "89", "91", "1e9", "1000000000", "90.0", "+90", "right", "nan"}},
      {"flip", "h, v or hv", {"", "0", "1", "vh", "hh", "x", "hvh", "H", "true"}},
      {"trim", "1 to 100", {"", "0", "101", "-1", "1.5", "1e9", "1000000000", "auto", "nan"}},
      {"sharpen",
       "AMOUNT or AMOUNT:SIGMA",
       {"", "0", "0.001", "5.01", "-1", "1e9", "1000000000", "1:", ":1", "1:0.29", "1:10.01", "1:1:1", "nan", "1:nan", "true"}},
      {"blur",
       "a sigma from 0.3 to 100",
       {"", "0", "0.29", "100.01", "-3", "+3", "1e9", "1000000000", "99999999999999999999", "3px", "nan", "inf", "0x10", "3.", ".5",
        "0.333", " 3", "3 "}},
      {"icc", "srgb or keep", {"", "1", "p3", "KEEP"}},
      {"meta", "none or copyright", {"", "all", "gps", "1"}},
      {"depth",
       "8 or 10 bits",
       {"", "0", "1", "9", "12", "16", "-8", "+10", "010", "10.0", "10bit", " 10", "1e1", "1000000000", "99999999999999999999", "nan",
        "deep"}},
      {"fit", "none or pad", {"", "0", "Cover", "scale-down"}},
      {"bg", "rrggbb", {"", "0", "-1", "fffffff", "0xffff", "+fffff", "white"}},
  };
  for (const auto& row : keys) {
    for (const char* value : row.nonsense) {
      INFO(row.key << "=" << value);
      Transform transform = of("w=5,h=5,blur=2,gravity=0.1:0.2");
      const Transform before = transform;
      const auto outcome = set_transform_key(transform, row.key, value);
      REQUIRE_FALSE(outcome.has_value());
      CHECK(outcome.error().code == Errc::invalid_argument);
      CHECK_THAT(outcome.error().message, ContainsSubstring(row.key + std::string(" takes")));
      CHECK_THAT(outcome.error().message, ContainsSubstring(row.accepts));
      CHECK(outcome.error().message.size() < 300);
      CHECK(transform == before);
    }
  }
  for (const char* text : {"blur=2,blur=3", "gravity=north,gravity=north", "rotate=90,w=1,rotate=0", "dpr=2,dpr=2", "depth=10,depth=10"}) {
    CHECK_THAT(parse_transform(text).error().message, ContainsSubstring("twice"));
  }
}

TEST_CASE("image: ten bits are of a still as AVIF alone, in whatever order that is said") {
  const auto spelled = [](const char* text) { return to_string(*parse_transform(text)); };
  CHECK(spelled("depth=10") == "format=avif,depth=10");
  CHECK(spelled("q=70,depth=10,w=9") == "w=9,format=avif,depth=10,q=70");
  CHECK(spelled("depth=10,format=avif") == "format=avif,depth=10");
  CHECK(spelled("depth=8") == "format=avif");
  CHECK(spelled("depth=8,format=png") == "format=png");
  CHECK(of("depth=10").depth == 10);
  for (const char* text :
       {"depth=10,format=webp", "format=webp,depth=10", "format=jpeg,depth=10", "depth=10,format=png", "depth=10,format=gif",
        "depth=10,format=mp4", "format=webm,depth=10", "depth=10,frames=all", "frames=clip,depth=10", "depth=10,frames=sheet"}) {
    INFO(text);
    const auto outcome = parse_transform(text);
    REQUIRE_FALSE(outcome.has_value());
    CHECK(outcome.error().code == Errc::invalid_argument);
    CHECK_THAT(outcome.error().message, ContainsSubstring("depth=10 takes format=avif and frames=first, not "));
  }
  CHECK_THAT(parse_transform("format=webp,depth=10").error().message, ContainsSubstring("not format=webp"));
  CHECK_THAT(parse_transform("depth=10,frames=all").error().message, ContainsSubstring("not frames=all"));
  // Whoever fills in a struct is told by `canonical` what counts, as of a PNG's quality.
  Transform transform;
  transform.depth = 10;
  transform.format = Format::webp;
  CHECK(canonical(transform).depth == 8);
  transform.format = Format::avif;
  CHECK(canonical(transform).depth == 10);
  transform.frames = Frames::all;
  CHECK(canonical(transform).depth == 8);
  transform.depth = 9;
  CHECK_FALSE(image::edits_are_in_range(transform));
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
    transform.fit = static_cast<Fit>(any(6));
    transform.enlarge = any(4) == 0;
    transform.gravity = {static_cast<std::uint16_t>(any(1001)), static_cast<std::uint16_t>(any(1001)), false};
    const Geometry geometry = plan(picture, transform);
    INFO(picture.width << "x" << picture.height << " " << to_string(transform) << " gives " << geometry.size.width << "x"
                       << geometry.size.height);
    REQUIRE(geometry.size.width >= 1);
    REQUIRE(geometry.size.height >= 1);
    REQUIRE((geometry.keep_width > 0 && geometry.keep_width <= 1));
    REQUIRE((geometry.keep_height > 0 && geometry.keep_height <= 1));
    REQUIRE((geometry.at_x >= 0 && geometry.at_x <= 1));
    REQUIRE((geometry.at_y >= 0 && geometry.at_y <= 1));
    if (transform.width != 0) REQUIRE(geometry.size.width <= transform.width);
    if (transform.height != 0) REQUIRE(geometry.size.height <= transform.height);
    if (!transform.enlarge) {
      REQUIRE(geometry.size.width <= picture.width);
      REQUIRE(geometry.size.height <= picture.height);
    }
  }
}

TEST_CASE("image: of a video only its size is said, and of one that keeps its codecs nothing") {
  const auto spelled = [](const std::string& text) { return to_string(*parse_transform(text)); };
  CHECK(spelled("w=640,dpr=2,format=mp4,q=30,fit=cover,h=10,gravity=north,blur=3,at=4,frames=clip,enlarge=1,bg=ff0000") ==
        "w=1280,h=20,format=mp4");
  CHECK(spelled("w=640,format=mp4,codecs=keep") == "format=mp4,codecs=keep");
  CHECK(spelled("format=webm,codecs=keep") == "format=webm");
  CHECK(spelled("format=mp4,codecs=web") == "format=mp4");
  CHECK(spelled("w=10,format=jpeg,codecs=keep") == "w=10,format=jpeg");
  CHECK(to_string(*parse_transform(spelled("format=mp4,codecs=keep"))) == "format=mp4,codecs=keep");
  CHECK(parse_transform("format=mp4,codecs=all").error().code == Errc::invalid_argument);
  CHECK(makes_video(*parse_transform("format=webm")));
  CHECK(encodes_video(*parse_transform("format=webm,codecs=keep")));
  CHECK_FALSE(encodes_video(*parse_transform("format=mp4,codecs=keep")));
  CHECK_FALSE(makes_video(*parse_transform("format=gif")));
}

TEST_CASE("image: an encoder is named with its version, and only where there is one") {
  for (const Format format : {Format::jpeg, Format::png, Format::webp}) {
    const auto version = encoder_version(format);
    REQUIRE(version.has_value());
    CHECK(version->find_first_of("0123456789") != std::string::npos);
  }
  CHECK(encoder_version(Format::gif)->starts_with("giflib-"));
  CHECK(encoder_version(Format::bmp).error().code == Errc::unsupported);
  CHECK(encoder_version(Format::mp4)->starts_with("h264-aac/"));
  CHECK(encoder_version(Format::webm)->starts_with("vp9-opus/"));
  CHECK(encoder_version(Format::mov).error().code == Errc::unsupported);
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

TEST_CASE("transform: a focus point comes to the middle of what is kept, as far as the picture reaches") {
  const auto kept_from = [](const char* text) {
    const Geometry geometry = plan({400, 300}, of(text));
    return std::pair(400 * (1 - geometry.keep_width) * geometry.at_x, 300 * (1 - geometry.keep_height) * geometry.at_y);
  };
  CHECK(kept_from("w=100,h=100,fit=cover,gravity=0.5:0.9").first == Approx(50));
  CHECK(kept_from("w=100,h=100,fit=cover,gravity=0.4:0").first == Approx(10));
  CHECK(kept_from("w=100,h=100,fit=cover,gravity=0.2:0").first == Approx(0).margin(1e-9));
  CHECK(kept_from("w=100,h=100,fit=cover,gravity=0.6:0").first == Approx(90));
  CHECK(kept_from("w=100,h=100,fit=cover,gravity=0.99:0").first == Approx(100));
  CHECK(kept_from("w=200,h=50,fit=cover,gravity=0:0.5").second == Approx(100));
  CHECK(kept_from("w=200,h=50,fit=cover,gravity=0:0.7").second == Approx(160));
}

TEST_CASE("transform: what is cut from a part of a picture is found in the whole of it") {
  using image::Box;
  const Geometry half{{50, 50}, 0.5, 1, 0.25, 0.5};
  CHECK(image::within({400, 300}, {0, 0, {400, 300}}, half) == half);
  const Geometry inner = image::within({400, 300}, {100, 50, {200, 200}}, half);
  CHECK(inner.size == Size{50, 50});
  CHECK(inner.keep_width == Approx(0.25));
  CHECK(inner.keep_height == Approx(200.0 / 300));
  CHECK(400 * (1 - inner.keep_width) * inner.at_x == Approx(100 + 25));
  CHECK(300 * (1 - inner.keep_height) * inner.at_y == Approx(50));
  const Geometry all = image::within({400, 300}, {0, 50, {400, 200}}, {{400, 200}});
  CHECK(all.keep_width == 1);
  CHECK(all.at_x == 0.5);
}

TEST_CASE("image: two turns after each other are one, whichever they are") {
  // A picture of no symmetry shows all eight apart.
  image::Image picture({2, 3}, image::Layout::grey);
  picture.data = {1, 2, 3, 4, 5, 6};
  for (std::uint8_t first = 1; first <= 8; ++first) {
    for (std::uint8_t second = 1; second <= 8; ++second) {
      INFO(int{first} << " then " << int{second});
      const image::Image expected = orient(orient(picture, first), second);
      const image::Image once = orient(picture, image::combined(first, second));
      CHECK(once.size == expected.size);
      CHECK(once.data == expected.data);
    }
  }
}
