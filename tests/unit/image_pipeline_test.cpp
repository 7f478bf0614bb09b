#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

#include "catch.hpp"
#include "image/colour.hpp"
#include "image/orient.hpp"
#include "image/resample.hpp"
#include "image_samples.hpp"
#include "support.hpp"

using namespace media;
using namespace media::image;

namespace {

/// The coded picture that an orientation turns into `upright_picture`: the inverse turn.
Image laid_down(const Image& upright_picture, std::uint8_t orientation) {
  const std::uint8_t inverse = orientation == 6 ? 8 : orientation == 8 ? 6 : orientation;
  return orient(upright_picture, inverse);
}

class FailingReader final : public ByteReader {
 public:
  FailingReader(std::vector<std::byte> bytes, std::uint64_t fails_at) : bytes_(std::move(bytes)), fails_at_(fails_at) {}
  [[nodiscard]] std::uint64_t size() const noexcept override { return bytes_.size(); }
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) const override {
    if (offset + into.size() > fails_at_ && into.size() > 256) return Error{Errc::io, "the disk is gone"};
    return MemoryReader(std::span<const std::byte>(bytes_)).read_at(offset, into);
  }

 private:
  std::vector<std::byte> bytes_;
  std::uint64_t fails_at_;
};

}  // namespace

TEST_CASE("image: photos of all eight orientations come out upright and alike") {
  const Image upright_picture = test::scene({240, 160});
  for (const bool big_endian : {true, false}) {
    for (std::uint8_t orientation = 1; orientation <= 8; ++orientation) {
      INFO("orientation " << int{orientation});
      const auto jpeg = test::encode(laid_down(upright_picture, orientation), Format::jpeg, 95);
      const auto source = test::with_jpeg_exif(jpeg, test::exif(orientation, big_endian));
      const auto derived = test::derive(source, {"w=120,h=120,format=png"});
      REQUIRE(derived.has_value());
      CHECK(derived->source.orientation == orientation);
      CHECK(derived->source.display_width() == 240);
      REQUIRE(derived->outputs.at(0).width == 120);
      REQUIRE(derived->outputs.at(0).height == 80);
      const auto pixels = test::decode(derived->outputs[0].bytes, Format::png);
      REQUIRE(pixels.has_value());
      CHECK(test::psnr(*pixels, resample(upright_picture, {{120, 80}, 1, 1})) > 34);
      // A part is cut out of the upright picture, too.
      const auto square = test::derived_pixels(source, "w=80,h=80,fit=cover,format=png");
      REQUIRE(square.has_value());
      CHECK(test::psnr(*square, resample(upright_picture, {{80, 80}, 2.0 / 3, 1})) > 32);
    }
  }
}

TEST_CASE("image: the eight orientation files of the corpus show one upright picture", "[corpus]") {
  const auto shared = test::shared_folder();
  if (!shared) return;
  for (const std::string scene : {"landscape", "portrait"}) {
    std::vector<Image> pictures;
    for (int i = 1; i <= 8; ++i) {
      const auto bytes = test::read_file(*shared / "corpus/photos/orientation" / (scene + "_" + std::to_string(i) + ".jpg"));
      auto pixels = test::derived_pixels(bytes, "w=400,h=400,format=png");
      REQUIRE(pixels.has_value());
      pictures.push_back(std::move(pixels).value());
    }
    // The files themselves were compressed one by one: vipsthumbnail's pictures are no more alike than this.
    for (std::size_t i = 0; i < pictures.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        INFO(scene << " " << j + 1 << " and " << i + 1);
        CHECK(test::psnr(pictures[i], pictures[j]) > 30);
      }
    }
  }
}

TEST_CASE("image: one decode makes every size, and each looks like the source") {
  const Image picture = test::scene({900, 600});
  const auto source = test::encode(picture, Format::png, 0);
  const auto derived = test::derive(source, {"w=300,format=jpeg", "w=90,h=90,fit=cover,format=png", "w=600,format=webp", "w=300,format=png",
                                             "format=png", "w=50,h=400,fit=fill,format=png"});
  REQUIRE(derived.has_value());
  REQUIRE(derived->outputs.size() == 6);
  const std::array<Geometry, 6> expected{Geometry{{300, 200}, 1, 1}, Geometry{{90, 90}, 2.0 / 3, 1}, Geometry{{600, 400}, 1, 1},
                                         Geometry{{300, 200}, 1, 1}, Geometry{{900, 600}, 1, 1},     Geometry{{50, 400}, 1, 1}};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    INFO(i);
    const Encoded& output = derived->outputs[i];
    CHECK(Size{output.width, output.height} == expected[i].size);
    const auto pixels = test::decode(output.bytes, output.transform.format);
    REQUIRE(pixels.has_value());
    CHECK(test::psnr(*pixels, resample(picture, expected[i])) > 32);
  }
  CHECK(derived->outputs[0].transform.quality == 0);
}

TEST_CASE("image: enlarging is done when asked, also of a part") {
  const auto source = test::encode(test::scene({60, 40}), Format::png, 0);
  const auto derived =
      test::derive(source, {"w=600,format=png", "w=600,enlarge=1,format=png", "w=200,h=200,fit=cover,enlarge=1,format=png"});
  REQUIRE(derived.has_value());
  CHECK(derived->outputs[0].width == 60);
  CHECK(derived->outputs[1].width == 600);
  CHECK(derived->outputs[1].height == 400);
  CHECK(derived->outputs[2].width == 200);
  const auto pixels = test::decode(derived->outputs[1].bytes, Format::png);
  REQUIRE(pixels.has_value());
  CHECK(test::psnr(*pixels, resample(test::scene({60, 40}), {{600, 400}, 1, 1})) > 60);
}

TEST_CASE("image: position, comments and profiles of the source are in no output") {
  auto source = test::with_jpeg_exif(test::encode(test::scene({200, 150}), Format::jpeg, 90), test::exif(1));
  source = test::with_jpeg_segment(source, 0xFE, test::bytes("COMMENT-SECRET"));
  source = test::with_jpeg_segment(source, 0xE1, test::bytes(std::string("http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>XMP-SECRET", 51)));
  REQUIRE(test::contains(source, "GPS-SECRET"));
  std::vector<std::string> transforms;
  for (const char* format : {"jpeg", "png", "webp", "avif"}) {
    if (!encoder_version(format_from_name(format))) continue;
    transforms.push_back("w=100,format=" + std::string(format));
    transforms.push_back("format=" + std::string(format));
  }
  const auto derived = test::derive(source, transforms);
  REQUIRE(derived.has_value());
  for (const Encoded& output : derived->outputs) {
    for (const char* word : {"SECRET", "Exif", "EXIF", "eXIf", "xmpmeta", "ICC_PROFILE", "iCCP", "ICCP"}) {
      INFO(to_string(output.transform) << " " << word);
      CHECK_FALSE(test::contains(output.bytes, word));
    }
  }
}

TEST_CASE("image: a photo with a wide profile comes out in sRGB") {
  Image picture({64, 64}, Layout::rgb);
  for (std::size_t i = 0; i < picture.data.size(); i += 3) {
    picture.data[i] = 200;
    picture.data[i + 1] = 100;
    picture.data[i + 2] = 50;
  }
  const auto profile = profile_from_primaries({0.680F, 0.320F, 0.265F, 0.690F, 0.150F, 0.060F, 0.3127F, 0.3290F});
  const auto source = test::with_jpeg_profile(test::encode(picture, Format::jpeg, 100), profile);
  const auto pixels = test::derived_pixels(source, "w=32,format=png");
  REQUIRE(pixels.has_value());
  CHECK(std::abs(int{pixels->data[0]} - 215) <= 3);
  CHECK(std::abs(int{pixels->data[1]} - 93) <= 3);
  CHECK(std::abs(int{pixels->data[2]} - 31) <= 4);
}

TEST_CASE("image: alpha is kept, or laid over the colour that is given, or over white in a JPEG") {
  Image picture({40, 40}, Layout::rgba);
  for (std::size_t i = 0; i < picture.data.size(); i += 4) picture.data[i] = 200, picture.data[i + 3] = i < 3200 ? 255 : 0;
  const auto source = test::encode(picture, Format::png, 0);
  for (const char* format : {"png", "webp", "avif"}) {
    if (!encoder_version(format_from_name(format))) continue;
    const auto kept = test::derived_pixels(source, "format=" + std::string(format));
    REQUIRE(kept.has_value());
    REQUIRE(kept->layout == Layout::rgba);
    CHECK(kept->row(5)[3] > 250);
    CHECK(kept->row(35)[3] < 5);
  }
  const auto green = test::derived_pixels(source, "format=png,bg=00ff00");
  REQUIRE(green.has_value());
  REQUIRE(green->layout == Layout::rgb);
  CHECK(green->row(35)[0] == 0);
  CHECK(green->row(35)[1] == 255);
  const auto white = test::derived_pixels(source, "format=jpeg,q=95");
  REQUIRE(white.has_value());
  CHECK(white->row(35)[1] > 250);
  CHECK(test::derive(source, {})->source.has_alpha);
}

TEST_CASE("image: a picture that is declared transparent and is not loses its alpha") {
  Image picture = test::scene({40, 40}, Layout::rgba);
  for (std::size_t i = 3; i < picture.data.size(); i += 4) picture.data[i] = 255;
  const auto pixels = test::derived_pixels(test::encode(picture, Format::png, 0), "format=png");
  REQUIRE(pixels.has_value());
  CHECK(pixels->layout == Layout::rgb);
}

TEST_CASE("image: with nothing to make, a source is decoded all the same") {
  const auto source = test::encode(test::scene({300, 200}), Format::jpeg, 90);
  const auto derived = test::derive(source, {});
  REQUIRE(derived.has_value());
  CHECK(derived->outputs.empty());
  CHECK(derived->source.format == Format::jpeg);
  CHECK(derived->placeholder.size() == 7);
  const auto cut = test::derive(std::span(source).first(source.size() / 2), {});
  REQUIRE_FALSE(cut.has_value());
  CHECK(cut.error().code == Errc::corrupt);
}

TEST_CASE("image: the placeholder is the colour of the picture") {
  Image picture({50, 50}, Layout::rgb);
  for (std::size_t i = 0; i < picture.data.size(); i += 3) picture.data[i] = 0x20, picture.data[i + 1] = 0x90, picture.data[i + 2] = 0xE0;
  const auto derived = test::derive(test::encode(picture, Format::png, 0), {"w=10,format=png"});
  REQUIRE(derived.has_value());
  CHECK(derived->placeholder == "#2090e0");
}

TEST_CASE("image: probing says what decoding starts from, without pixels") {
  const auto source = test::with_jpeg_exif(test::encode(test::scene({300, 200}), Format::jpeg, 90), test::exif(6));
  const auto info = image::probe(MemoryReader(std::span<const std::byte>(source)), {});
  REQUIRE(info.has_value());
  CHECK(info->format == Format::jpeg);
  CHECK(info->width == 300);
  CHECK(info->orientation == 6);
  CHECK(info->display_width() == 200);
  // The pixels are cut off, and nobody looked.
  CHECK(image::probe(MemoryReader(std::span(source).first(1500)), {}).has_value());
  CHECK(image::probe(MemoryReader(test::noise(100)), {}).error().code == Errc::unsupported);
}

TEST_CASE("image: each limit of the budget is held") {
  const auto source = test::encode(test::scene({600, 400}), Format::jpeg, 90);
  const auto with = [&](auto&& change, const std::vector<std::string>& transforms = {"w=100,format=jpeg"}) {
    DeriveOptions options;
    change(options);
    return test::derive(source, transforms, options);
  };
  const auto refused = [](const Result<Derived>& outcome) { return !outcome.has_value() && outcome.error().code == Errc::too_large; };
  CHECK(with([](DeriveOptions&) {}).has_value());
  CHECK(refused(with([](DeriveOptions& o) { o.budget.max_pixels = 600 * 400 - 1; })));
  CHECK(with([](DeriveOptions& o) { o.budget.max_pixels = 600 * 400; }).has_value());
  CHECK(refused(with([&](DeriveOptions& o) { o.budget.max_source_bytes = source.size() - 1; })));
  CHECK(refused(with([](DeriveOptions& o) { o.budget.max_output_bytes = 100; })));
  CHECK(refused(with([](DeriveOptions& o) { o.budget.max_memory_bytes = 1000; })));
  CHECK(refused(with([](DeriveOptions& o) { o.budget.deadline = std::chrono::milliseconds(-1); })));
  CHECK(refused(with([](DeriveOptions& o) { o.budget.max_pixels = 1'000'000; }, {"w=16000,enlarge=1,format=jpeg"})));
  CHECK(refused(with([](DeriveOptions& o) { o.budget.max_pixels = 1'000'000'000; }, {"w=16384,h=16384,fit=fill,enlarge=1,format=webp"})));
}

TEST_CASE("image: a stop is obeyed, before and between") {
  const auto source = test::encode(test::scene({600, 400}), Format::jpeg, 90);
  std::stop_source stop;
  DeriveOptions options;
  options.stop = stop.get_token();
  options.progress = [&](double share) {
    if (share > 0.4) stop.request_stop();
  };
  const auto outcome = test::derive(source, {"w=300,format=jpeg", "w=200,format=webp"}, options);
  REQUIRE_FALSE(outcome.has_value());
  CHECK(outcome.error().code == Errc::cancelled);
  options.progress = nullptr;
  CHECK(test::derive(source, {}, options).error().code == Errc::cancelled);
}

TEST_CASE("image: progress rises from nothing to all") {
  const auto source = test::encode(test::scene({600, 400}), Format::jpeg, 90);
  std::vector<double> shares;
  DeriveOptions options;
  options.progress = [&](double share) { shares.push_back(share); };
  REQUIRE(test::derive(source, {"w=300,format=jpeg", "w=100,format=png"}, options).has_value());
  REQUIRE(shares.size() >= 4);
  CHECK(std::is_sorted(shares.begin(), shares.end()));
  CHECK(shares.front() >= 0);
  CHECK(shares.back() == 1);
}

TEST_CASE("image: a reader's own error is passed on") {
  for (const Format format : {Format::jpeg, Format::png, Format::webp}) {
    // Noise, so that the file is longer than what is read at once.
    Image picture({400, 300}, Layout::rgb);
    const auto random = test::noise(picture.data.size());
    std::memcpy(picture.data.data(), random.data(), random.size());
    const FailingReader reader(test::encode(picture, format, 95), 70'000);
    const std::vector<Transform> transforms{*parse_transform("w=100,format=jpeg")};
    const auto outcome = image::derive(reader, transforms, {});
    REQUIRE_FALSE(outcome.has_value());
    CHECK(outcome.error().code == Errc::io);
    CHECK_THAT(outcome.error().message, ContainsSubstring("disk is gone"));
  }
}

TEST_CASE("image: a format that cannot be written is unsupported before anything is decoded") {
  const auto source = test::encode(test::scene({60, 40}), Format::png, 0);
  Transform transform;
  transform.format = Format::bmp;
  const auto outcome = image::derive(MemoryReader(std::span(source).first(60)), std::span(&transform, 1), {});
  REQUIRE_FALSE(outcome.has_value());
  CHECK(outcome.error().code == Errc::unsupported);
}
