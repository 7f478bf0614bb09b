// Transforms as a whole: which part of a source they show, which way up, and what is done to it.
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>

#include "catch.hpp"
#include "image/edit.hpp"
#include "image/orient.hpp"
#include "image/place.hpp"
#include "image/resample.hpp"
#include "image/saliency.hpp"
#include "image_samples.hpp"
#include "support.hpp"

using namespace media;
using namespace media::image;

namespace {

Image laid_down(const Image& upright_picture, std::uint8_t orientation) {
  const std::uint8_t inverse = orientation == 6 ? 8 : orientation == 8 ? 6 : orientation;
  return orient(upright_picture, inverse);
}

std::vector<std::byte> photo(const Image& upright_picture, std::uint8_t orientation) {
  return test::with_jpeg_exif(test::encode(laid_down(upright_picture, orientation), Format::jpeg, 97), test::exif(orientation));
}

/// Twelve fields of colours that no two have alike.
Image fields() {
  Image image({240, 160}, Layout::rgb);
  for (std::uint32_t y = 0; y < 160; ++y) {
    for (std::uint32_t x = 0; x < 240; ++x) {
      const std::uint32_t column = x / 60;
      const std::uint32_t row = y / 54;
      image.row(y)[x * 3] = static_cast<std::uint8_t>(30 + column * 70);
      image.row(y)[x * 3 + 1] = static_cast<std::uint8_t>(30 + row * 95);
      image.row(y)[x * 3 + 2] = static_cast<std::uint8_t>((column + row) % 2 == 0 ? 60 : 190);
    }
  }
  return image;
}

Image part_of(const Image& image, const Box& box) {
  Image out(box.size, image.layout);
  const std::size_t parts = channels(image.layout);
  for (std::uint32_t y = 0; y < box.size.height; ++y) {
    const auto from = image.row(box.top + y).subspan(box.left * parts, out.stride());
    std::copy(from.begin(), from.end(), out.row(y).begin());
  }
  return out;
}

Image framed(const Image& inner, Size size, std::uint32_t left, std::uint32_t top, std::uint8_t value) {
  Image out(size, inner.layout);
  std::fill(out.data.begin(), out.data.end(), value);
  for (std::uint32_t y = 0; y < inner.size.height; ++y) {
    std::copy(inner.row(y).begin(), inner.row(y).end(),
              out.row(top + y).begin() + static_cast<std::ptrdiff_t>(left * channels(inner.layout)));
  }
  return out;
}

/// A picture as it comes out of a PNG of itself.
Image derived_from(const Image& picture, const std::string& transform) {
  auto pixels = test::derived_pixels(test::encode(picture, Format::png, 0), transform);
  REQUIRE(pixels.has_value());
  return std::move(pixels).value();
}

/// Counts who reads the source from its beginning: each opening of a decoder does.
class CountingReader final : public ByteReader {
 public:
  explicit CountingReader(std::span<const std::byte> bytes) : reader_(bytes) {}
  [[nodiscard]] std::uint64_t size() const noexcept override { return reader_.size(); }
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) const override {
    if (offset == 0 && into.size() == kSniffBytes) ++openings;
    return reader_.read_at(offset, into);
  }
  mutable std::atomic<int> openings{0};

 private:
  MemoryReader reader_;
};

}  // namespace

TEST_CASE("image: each gravity keeps its part of photos of all eight orientations") {
  const Image upright_picture = fields();
  struct Case {
    const char* gravity;
    std::uint32_t left_of_square;  ///< Of a 160 x 160 part of the upright picture.
    std::uint32_t top_of_strip;    ///< Of a 240 x 80 part.
  };
  const Case cases[] = {{"centre", 40, 40}, {"north", 40, 0},       {"northeast", 80, 0}, {"east", 80, 40},     {"southeast", 80, 80},
                        {"south", 40, 80},  {"southwest", 0, 80},   {"west", 0, 40},      {"northwest", 0, 0},  {"0.5:0.5", 40, 40},
                        {"0.4:0.3", 16, 8}, {"0.375:0.45", 10, 32}, {"0.1:0.1", 0, 0},    {"0.9:0.95", 80, 80}, {"0.625:0.7", 70, 72}};
  for (std::uint8_t orientation = 1; orientation <= 8; ++orientation) {
    const auto source = photo(upright_picture, orientation);
    for (const Case& each : cases) {
      INFO("orientation " << int{orientation} << " gravity " << each.gravity);
      const auto square = test::derived_pixels(source, "w=80,h=80,fit=cover,format=png,gravity=" + std::string(each.gravity));
      REQUIRE(square.has_value());
      CHECK(test::psnr(*square, resample(part_of(upright_picture, {each.left_of_square, 0, {160, 160}}), {{80, 80}})) > 30);
      const auto strip = test::derived_pixels(source, "w=120,h=40,fit=cover,format=png,gravity=" + std::string(each.gravity));
      REQUIRE(strip.has_value());
      CHECK(test::psnr(*strip, resample(part_of(upright_picture, {0, each.top_of_strip, {240, 80}}), {{120, 40}})) > 30);
      // Not scaled: a part of it, to the pixel.
      const auto cut = test::derived_pixels(source, "w=160,h=80,fit=none,format=png,gravity=" + std::string(each.gravity));
      REQUIRE(cut.has_value());
      CHECK(test::psnr(*cut, part_of(upright_picture, {each.left_of_square, each.top_of_strip, {160, 80}})) > 32);
    }
  }
}

TEST_CASE("image: a part that is not scaled is the source's own pixels") {
  const Image picture = test::scene({101, 67});
  CHECK(derived_from(picture, "w=40,h=30,fit=none,gravity=northwest,format=png").data == part_of(picture, {0, 0, {40, 30}}).data);
  CHECK(derived_from(picture, "w=40,h=30,fit=none,gravity=southeast,format=png").data == part_of(picture, {61, 37, {40, 30}}).data);
  // An odd number of pixels goes off: to the nearest whole one, not to half of one.
  CHECK(derived_from(picture, "w=40,h=30,fit=none,format=png").data == part_of(picture, {31, 19, {40, 30}}).data);
  CHECK(derived_from(picture, "w=400,h=30,fit=none,format=png,gravity=south").data == part_of(picture, {0, 37, {101, 30}}).data);
  CHECK(derived_from(picture, "w=400,h=300,fit=none,format=png").data == picture.data);
}

TEST_CASE("image: rotating and mirroring move every pixel to its place") {
  const Image picture = test::scene({70, 41});
  const struct {
    const char* text;
    std::uint8_t first;
    std::uint8_t second;
  } ways[] = {{"rotate=90", 6, 1},
              {"rotate=180", 3, 1},
              {"rotate=270", 8, 1},
              {"flip=h", 2, 1},
              {"flip=v", 4, 1},
              {"flip=hv", 2, 4},
              {"rotate=90,flip=h", 6, 2},
              {"rotate=90,flip=v", 6, 4},
              {"rotate=90,flip=hv", 6, 3},
              {"rotate=180,flip=h", 3, 2},
              {"rotate=270,flip=h", 8, 2},
              {"rotate=270,flip=v", 8, 4},
              {"flip=v,rotate=180", 3, 4},
              {"rotate=0", 1, 1}};
  for (const auto& way : ways) {
    INFO(way.text);
    const Image expected = orient(orient(picture, way.first), way.second);
    const Image out = derived_from(picture, "format=png," + std::string(way.text));
    REQUIRE(out.size == expected.size);
    CHECK(out.data == expected.data);
  }
  // The first pixels, in words: clockwise, the lower left corner comes to the upper left.
  Image corners({2, 2}, Layout::grey);
  corners.data = {1, 2, 3, 4};
  CHECK(orient(corners, 6).data == std::vector<std::uint8_t>{3, 1, 4, 2});
}

TEST_CASE("image: turning comes before the box, so box and gravity are those of the picture that is seen") {
  const Image upright_picture = fields();
  for (std::uint8_t orientation = 1; orientation <= 8; ++orientation) {
    INFO("orientation " << int{orientation});
    const auto source = photo(upright_picture, orientation);
    const Image seen = orient(upright_picture, 6);
    const auto derived =
        test::derive(source, {"w=80,rotate=90,format=png", "w=80,h=40,fit=cover,gravity=north,rotate=90,format=png", "w=80,format=png"});
    REQUIRE(derived.has_value());
    CHECK(derived->outputs[0].width == 80);
    CHECK(derived->outputs[0].height == 120);
    const auto whole = test::decode(derived->outputs[0].bytes, Format::png);
    CHECK(test::psnr(*whole, resample(seen, {{80, 120}})) > 30);
    const auto top = test::decode(derived->outputs[1].bytes, Format::png);
    CHECK(test::psnr(*top, resample(part_of(seen, {0, 0, {160, 80}}), {{80, 40}})) > 30);
    const auto other = test::decode(derived->outputs[2].bytes, Format::png);
    CHECK(test::psnr(*other, resample(upright_picture, {{80, 53}})) > 30);
  }
}

TEST_CASE("image: a border is trimmed to the pixel, before the box is looked at") {
  for (const Layout layout : {Layout::rgb, Layout::rgba}) {
    const Image inner = test::scene({60, 40}, layout);
    const Image picture = framed(inner, {131, 99}, 50, 17, 255);
    CHECK(derived_from(picture, "trim=5,format=png").data == inner.data);
    const Image scaled = derived_from(picture, "trim=5,w=30,format=png");
    REQUIRE(scaled.size == Size{30, 20});
    // Its neighbours reach over the cut, as with every cut: some rows differ.
    CHECK(test::psnr(part_of(scaled, {3, 3, {24, 14}}), part_of(resample(inner, {{30, 20}}), {3, 3, {24, 14}})) > 45);
  }
  const Image inner = fields();
  for (std::uint8_t orientation = 1; orientation <= 8; ++orientation) {
    INFO("orientation " << int{orientation});
    const auto source = photo(framed(inner, {320, 240}, 40, 64, 0), orientation);
    const auto derived =
        test::derive(source, {"trim=40,format=png", "trim=40,w=80,h=80,fit=cover,gravity=west,format=png", "w=80,format=png"});
    REQUIRE(derived.has_value());
    // JPEG rings at the edge of the border: a row of it may go as border or stay.
    CHECK(std::abs(static_cast<int>(derived->outputs[0].width) - 240) <= 2);
    CHECK(std::abs(static_cast<int>(derived->outputs[0].height) - 160) <= 2);
    const auto west = test::decode(derived->outputs[1].bytes, Format::png);
    CHECK(test::psnr(*west, resample(part_of(inner, {0, 0, {160, 160}}), {{80, 80}})) > 20);
    CHECK(derived->outputs[2].width == 80);
    CHECK(derived->outputs[2].height == 60);
  }
}

TEST_CASE("image: a picture without a border, and one that is nothing but border, stay whole when trimmed") {
  const Image picture = test::scene({60, 40});
  CHECK(derived_from(picture, "trim=1,format=png").data == picture.data);
  Image one(Size{30, 20}, Layout::rgb);
  CHECK(derived_from(one, "trim=100,format=png").size == Size{30, 20});
  CHECK(derived_from(one, "trim=100,w=3,format=png").size == Size{3, 2});
}

TEST_CASE("image: smart gravity finds the subject, whichever way the picture lies and whatever else is made of it") {
  Image picture({900, 400}, Layout::rgb);
  std::fill(picture.data.begin(), picture.data.end(), std::uint8_t{140});
  const Image subject = test::scene({120, 160});
  picture = framed(subject, {900, 400}, 700, 150, 140);
  for (const std::uint8_t orientation : std::initializer_list<std::uint8_t>{1, 3, 6, 7, 8}) {
    INFO("orientation " << int{orientation});
    const auto source = photo(picture, orientation);
    const auto derived =
        test::derive(source, {"w=200,h=200,fit=cover,gravity=smart,format=png", "w=200,h=200,fit=cover,format=png",
                              "w=300,h=300,fit=none,gravity=smart,format=png", "w=200,h=200,fit=cover,gravity=smart,format=png,flip=h"});
    REQUIRE(derived.has_value());
    const auto spread = [&](std::size_t i) {
      const auto pixels = test::decode(derived->outputs[i].bytes, Format::png);
      const auto [low, high] = std::minmax_element(pixels->data.begin(), pixels->data.end());
      return *high - *low;
    };
    CHECK(spread(0) > 100);
    CHECK(spread(1) < 30);  // The middle is bare.
    CHECK(spread(2) > 100);
    // What is looked for in the mirrored picture is found there.
    const auto straight = test::decode(derived->outputs[0].bytes, Format::png);
    const auto mirrored = test::decode(derived->outputs[3].bytes, Format::png);
    CHECK(test::psnr(orient(*mirrored, 2), *straight) > 25);
  }
}

TEST_CASE("image: smart gravity makes its choices on the photos of the corpus", "[corpus]") {
  const auto shared = test::shared_folder();
  if (!shared || !std::filesystem::exists(*shared / "corpus/photos")) return;
  int looked_at = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(*shared / "corpus/photos")) {
    if (entry.path().extension() != ".jpg" || looked_at == 40) continue;
    const auto bytes = test::read_file(entry.path());
    const MemoryReader reader{std::span<const std::byte>(bytes)};
    const DeriveOptions options;
    const Control control(options);
    const auto decoder = find_codec(Format::jpeg)->open(reader, control);
    if (!decoder) continue;
    const Transform transform = *parse_transform("w=200,h=200,fit=cover,gravity=smart");
    const auto placements =
        place((*decoder)->header(), std::span(&transform, 1), control, [&] { return find_codec(Format::jpeg)->open(reader, control); });
    if (!placements) continue;
    const Geometry& geometry = placements->front().geometry;
    REQUIRE((geometry.at_x >= 0 && geometry.at_x <= 1 && geometry.at_y >= 0 && geometry.at_y <= 1));
    std::cout << "smart: " << entry.path().filename().string() << " keeps " << geometry.keep_width << " x " << geometry.keep_height
              << " at " << geometry.at_x << ", " << geometry.at_y << " (as coded)\n";
    ++looked_at;
  }
  CHECK(looked_at > 0);
}

TEST_CASE("image: a source is decoded a second time only to be trimmed or looked at") {
  const auto source = test::encode(test::scene({300, 200}), Format::jpeg, 90);
  const auto openings = [&](const char* text) {
    const CountingReader reader{std::span<const std::byte>(source)};
    const Transform transform = *parse_transform(text);
    REQUIRE(image::derive(reader, std::span(&transform, 1), {}).has_value());
    return reader.openings.load();
  };
  CHECK(openings("w=100,h=100,fit=cover,gravity=0.2:0.7,rotate=90,flip=h,blur=2,sharpen=1,format=jpeg") == 1);
  CHECK(openings("w=100,gravity=smart,format=jpeg") == 1);  // There is nothing to cut.
  CHECK(openings("w=100,h=100,fit=cover,gravity=smart,format=jpeg") == 2);
  CHECK(openings("w=100,trim=10,format=jpeg") == 2);
  CHECK(openings("w=100,h=100,fit=cover,gravity=smart,trim=10,format=jpeg") == 3);
}

TEST_CASE("image: sharpening and blurring are of the picture at its size") {
  const Image picture = test::scene({200, 120});
  const Image small = resample(picture, {{100, 60}});
  CHECK(derived_from(picture, "w=100,blur=3,format=png").data == blur(small, 300).data);
  CHECK(derived_from(picture, "w=100,sharpen=1.5:2,format=png").data == sharpen(small, 150, 200).data);
  CHECK(derived_from(picture, "w=100,blur=3,sharpen=0.5,format=png").data == blur(sharpen(small, 50, 100), 300).data);
  // Two outputs of one size, one of them edited.
  const auto derived = test::derive(test::encode(picture, Format::png, 0), {"w=100,blur=3,format=png", "w=100,format=png"});
  REQUIRE(derived.has_value());
  CHECK(test::decode(derived->outputs[1].bytes, Format::png)->data == small.data);
}

TEST_CASE("image: padding fills the box exactly, and counts against the budget") {
  const Image picture = test::scene({200, 120});
  const auto source = test::encode(picture, Format::png, 0);
  const auto derived = test::derive(source, {"w=100,h=100,fit=pad,format=jpeg", "w=100,h=100,fit=pad,format=png",
                                             "w=500,h=300,fit=pad,gravity=north,format=png,bg=102030"});
  REQUIRE(derived.has_value());
  for (const Encoded& output : derived->outputs) {
    CHECK(output.width == (output.transform.width));
    CHECK(output.height == (output.transform.height));
  }
  const auto clear = test::decode(derived->outputs[1].bytes, Format::png);
  REQUIRE(clear->layout == Layout::rgba);
  CHECK(clear->row(5)[3] == 0);
  CHECK(clear->row(50)[3] == 255);
  // Not enlarged unless asked.
  const auto wide = test::decode(derived->outputs[2].bytes, Format::png);
  CHECK(part_of(*wide, {150, 0, {200, 120}}).data == picture.data);
  CHECK(wide->row(299)[0] == 0x10);
  DeriveOptions options;
  options.budget.max_pixels = 1'000'000;
  const auto refused = test::derive(source, {"w=4000,h=4000,fit=pad,format=png"}, options);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Errc::too_large);
}

TEST_CASE("image: a transform that was filled in out of range is refused before anything is decoded") {
  const auto source = test::encode(test::scene({60, 40}), Format::png, 0);
  const auto code = [&](auto&& change) {
    Transform transform;
    transform.format = Format::png;
    change(transform);
    const auto outcome = image::derive(MemoryReader(std::span(source).first(60)), std::span(&transform, 1), {});
    REQUIRE_FALSE(outcome.has_value());
    return outcome.error().code;
  };
  CHECK(code([](Transform& t) { t.blur_hundredths = 1; }) == Errc::invalid_argument);
  CHECK(code([](Transform& t) { t.blur_hundredths = 10'001; }) == Errc::invalid_argument);
  CHECK(code([](Transform& t) { t.rotate_degrees = 45; }) == Errc::invalid_argument);
  CHECK(code([](Transform& t) { t.gravity.x = 1001; }) == Errc::invalid_argument);
  CHECK(code([](Transform& t) { t.sharpen_hundredths = 501; }) == Errc::invalid_argument);
  CHECK(code([](Transform& t) { t.sharpen_sigma_hundredths = 0; }) == Errc::invalid_argument);
  CHECK(code([](Transform& t) { t.trim = 101; }) == Errc::invalid_argument);
  CHECK(code([](Transform& t) { t.dpr_hundredths = 99; }) == Errc::invalid_argument);
}

TEST_CASE("image: looking at a source keeps its limits and errors") {
  const auto source = test::encode(test::scene({600, 400}), Format::jpeg, 90);
  DeriveOptions options;
  options.budget.max_pixels = 1000;
  CHECK(test::derive(source, {"trim=5,format=png"}, options).error().code == Errc::too_large);
  CHECK(test::derive(std::span(source).first(source.size() / 2), {"trim=5,format=png"}).error().code == Errc::corrupt);
  std::stop_source stop;
  stop.request_stop();
  DeriveOptions stopped;
  stopped.stop = stop.get_token();
  CHECK(test::derive(source, {"w=50,h=50,fit=cover,gravity=smart"}, stopped).error().code == Errc::cancelled);
}

TEST_CASE("image: where a subject is found does not depend on what else is asked for") {
  Image picture = test::scene({1600, 700});
  for (std::uint32_t y = 200; y < 420; ++y) {
    for (std::uint32_t x = 1150; x < 1400; ++x) {
      std::uint8_t* pixel = picture.row(y).data() + std::size_t{x} * 3;
      pixel[0] = static_cast<std::uint8_t>((x / 6 + y / 6) % 2 == 0 ? 250 : 20);
      pixel[1] = 30;
    }
  }
  const std::string smart = "w=200,h=200,fit=cover,gravity=smart,format=png";
  for (const Format format : {Format::jpeg, Format::webp}) {
    const auto source = test::encode(picture, format, 90);
    const auto alone = test::derive(source, {smart});
    const auto beside = test::derive(source, {"w=300,trim=10,format=jpeg", smart});
    REQUIRE(alone.has_value());
    REQUIRE(beside.has_value());
    CHECK(alone->outputs[0].bytes == beside->outputs[1].bytes);
  }
}

TEST_CASE("image: what the canonical spelling leaves out does not count") {
  const auto source = test::encode(test::scene({200, 120}), Format::png, 0);
  const auto pairs = std::vector<std::pair<std::string, std::string>>{
      {"w=100,format=webp,score=90,q=10", "w=100,format=webp,score=90"},
      {"w=100,format=webp,frames=all,score=90,q=10", "w=100,format=webp,frames=all,score=90"},
      {"w=100,format=jpeg,bg=ffffff", "w=100,format=jpeg"},
      {"w=50,dpr=2,format=png", "w=100,format=png"},
  };
  for (const auto& [one, other] : pairs) {
    INFO(one);
    REQUIRE(to_string(*parse_transform(one)) == to_string(*parse_transform(other)));
    const auto a = test::derive(source, {one});
    const auto b = test::derive(source, {other});
    REQUIRE(a.has_value());
    REQUIRE(b.has_value());
    CHECK(a->outputs[0].bytes == b->outputs[0].bytes);
  }
}
