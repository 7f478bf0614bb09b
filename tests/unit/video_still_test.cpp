// Which frame is taken of a video, and how it looks.
#include <string>

#include "video/choose.hpp"
#include "video_samples.hpp"

using namespace media;
using test::derive_video;
using test::film;
using test::h264;
using test::Pixel;
using test::pixel;
using test::pixels;

namespace {

/// Red for a second, then green, then blue: 3 s of 25 frames a second, one group of pictures a second unless `gop` says else.
std::vector<std::byte> three_colours(const std::string& gop = "25", const std::string& name = "a.mp4") {
  return film(name, {"-f",
                     "lavfi",
                     "-i",
                     "color=red:s=64x48:r=25:d=1",
                     "-f",
                     "lavfi",
                     "-i",
                     "color=lime:s=64x48:r=25:d=1",
                     "-f",
                     "lavfi",
                     "-i",
                     "color=blue:s=64x48:r=25:d=1",
                     "-filter_complex",
                     "[0][1][2]concat=n=3",
                     "-c:v",
                     "libx264",
                     "-g",
                     gop,
                     "-bf",
                     "3",
                     "-sc_threshold",
                     "0",
                     "-pix_fmt",
                     "yuv420p"});
}

}  // namespace

TEST_CASE("video: the frame of a moment is the one that is shown then, wherever the key frames are") {
  for (const char* const gop : {"25", "250"}) {
    INFO(gop);
    const auto source = three_colours(gop);
    CHECK_PIXEL(pixel(pixels(source, "format=png,at=0"), 0.5, 0.5), {255, 0, 0}, 8);
    CHECK_PIXEL(pixel(pixels(source, "format=png,at=0.96"), 0.5, 0.5), {255, 0, 0}, 8);
    CHECK_PIXEL(pixel(pixels(source, "format=png,at=1"), 0.5, 0.5), {0, 255, 0}, 8);
    CHECK_PIXEL(pixel(pixels(source, "format=png,at=1.5"), 0.5, 0.5), {0, 255, 0}, 8);
    CHECK_PIXEL(pixel(pixels(source, "format=png,at=2.04"), 0.5, 0.5), {0, 0, 255}, 8);
    // Past the end there is the last one.
    CHECK_PIXEL(pixel(pixels(source, "format=png,at=3600"), 0.5, 0.5), {0, 0, 255}, 8);
  }
}

TEST_CASE("video: every container and codec that is let in gives its frame") {
  struct Row {
    std::string name;
    std::vector<std::string> coding;
  };
  const std::vector<Row> rows{{"a.mov", {"-c:v", "libx264"}},
                              {"a.webm", {"-c:v", "libvpx"}},
                              {"b.webm", {"-c:v", "libvpx-vp9"}},
                              {"a.mkv", {"-c:v", "libx264"}},
                              {"a.ogv", {"-c:v", "libtheora", "-q:v", "10"}},
                              {"b.mp4", {"-c:v", "libx265", "-x265-params", "log-level=none"}},
                              {"c.mp4", {"-c:v", "libsvtav1"}},
                              {"d.mp4", {"-c:v", "mpeg4", "-q:v", "2"}},
                              {"e.mov", {"-c:v", "mjpeg", "-q:v", "2"}},
                              {"f.mov", {"-c:v", "prores_ks"}}};
  for (const Row& row : rows) {
    INFO(row.name << " " << row.coding.back());
    std::vector<std::string> arguments{"-f", "lavfi", "-i", "color=0x3060c0:s=128x96:r=10:d=1,format=yuv420p"};
    arguments.insert(arguments.end(), row.coding.begin(), row.coding.end());
    const auto image = pixels(film(row.name, arguments), "format=png,at=0.5");
    CHECK(image.size == image::Size{128, 96});
    CHECK_PIXEL(pixel(image, 0.5, 0.5), {0x30, 0x60, 0xc0}, 10);
  }
}

TEST_CASE("video: a turned video is upright, its pixels square") {
  // Red above, blue below, as coded.
  const std::vector<std::string> source{"-f", "lavfi", "-i", "color=red:s=80x30:r=5:d=1",
                                        "-f", "lavfi", "-i", "color=blue:s=80x30:r=5:d=1"};
  auto coded = source;
  coded.insert(coded.end(), {"-filter_complex", "[0][1]vstack,format=yuv420p", "-c:v", "libx264"});
  const auto upright = film("a.mp4", coded);
  const auto quarter = test::turned(upright, 90);
  const auto image = pixels(quarter);
  CHECK(image.size == image::Size{60, 80});
  CHECK_PIXEL(pixel(image, 0.9, 0.5), {255, 0, 0}, 16);
  CHECK_PIXEL(pixel(image, 0.1, 0.5), {0, 0, 255}, 16);
  CHECK(pixels(quarter, "w=30,format=png").size == image::Size{30, 40});
  const auto half = pixels(test::turned(upright, 180));
  CHECK(half.size == image::Size{80, 60});
  CHECK_PIXEL(pixel(half, 0.5, 0.1), {0, 0, 255}, 16);

  auto wide = source;
  wide.insert(wide.end(), {"-filter_complex", "[0][1]vstack,setsar=3/2,format=yuv420p", "-c:v", "libx264"});
  CHECK(pixels(film("c.mp4", wide)).size == image::Size{120, 60});
  auto tall = source;
  tall.insert(tall.end(), {"-filter_complex", "[0][1]vstack,setsar=1/2,format=yuv420p", "-c:v", "libx264"});
  CHECK(pixels(film("d.mkv", tall)).size == image::Size{80, 120});
}

TEST_CASE("video: colours are what was meant, by matrix and range") {
  struct Row {
    std::string matrix;
    std::string range;
    std::string size;
    bool tagged;
  };
  for (const Row& row : {Row{"bt709", "tv", "320x240", true}, Row{"bt709", "pc", "320x240", true}, Row{"smpte170m", "tv", "1280x720", true},
                         Row{"smpte170m", "tv", "320x240", false}, Row{"bt709", "tv", "1280x720", false}}) {
    INFO(row.matrix << " " << row.range << " " << row.size << " " << row.tagged);
    std::vector<std::string> arguments{"-f",
                                       "lavfi",
                                       "-i",
                                       "color=0xd04020:s=" + row.size + ":r=5:d=1,format=gbrp,scale=out_color_matrix=" + row.matrix +
                                           ":out_range=" + row.range + ",format=yuv444p",
                                       "-c:v",
                                       "libx264",
                                       "-preset",
                                       "ultrafast",
                                       "-qp",
                                       "4"};
    if (row.tagged)
      arguments.insert(arguments.end(),
                       {"-colorspace", row.matrix, "-color_range", row.range, "-color_primaries", "bt709", "-color_trc", "bt709"});
    CHECK_PIXEL(pixel(pixels(film("a.mp4", arguments)), 0.5, 0.5), {0xd0, 0x40, 0x20}, 4);
  }
}

TEST_CASE("video: high dynamic range is brought to sRGB: white near white, brighter things brighter, grey grey") {
  // 10-bit luma codes of limited range: PQ of 203, 100 and 1000 cd/m2, HLG of its reference white (75 %) and of its peak.
  const auto grey = [](int luma, const std::string& transfer) {
    const std::string value = std::to_string(luma);
    return pixel(pixels(film("a.mp4", {"-f", "lavfi", "-i",
                                       "color=black:s=64x64:r=5:d=1,format=yuv420p10le,geq=lum=" + value + ":cb=512:cr=512," +
                                           test::colours_of(transfer),
                                       "-c:v", "libx265", "-x265-params", "log-level=none:lossless=1", "-colorspace", "bt2020nc",
                                       "-color_primaries", "bt2020", "-color_trc", transfer, "-color_range", "tv"})),
                 0.5, 0.5);
  };
  const auto code = [](double share) { return 64 + static_cast<int>(share * 876 + 0.5); };
  const Pixel white = grey(code(0.5806), "smpte2084");
  const Pixel dim = grey(code(0.5081), "smpte2084");
  const Pixel peak = grey(code(0.7518), "smpte2084");
  const Pixel hlg_white = grey(code(0.75), "arib-std-b67");
  const Pixel hlg_peak = grey(code(1.0), "arib-std-b67");
  for (const Pixel& each : {white, dim, peak, hlg_white, hlg_peak}) CHECK_PIXEL(each, {each.green, each.green, each.green}, 2);
  CHECK(white.green > 205);
  CHECK(white.green < 245);
  CHECK(dim.green > 170);
  CHECK(dim.green < white.green - 10);
  CHECK(peak.green >= 253);
  // Both systems put white at 203 cd/m2.
  CHECK(std::abs(hlg_white.green - white.green) <= 4);
  CHECK(hlg_peak.green >= 253);
}

TEST_CASE("video: the frame that stands for a video is neither black nor blurred nor the blend of two") {
  // Two seconds of black, four of a scene, and a key frame each second; the scene fades in and out.
  const auto fades = h264("testsrc2=s=320x240:r=25:d=8,fade=in:0:50,fade=out:150:50", "25");
  const auto chosen = pixels(fades);
  CHECK(video::liveliness(chosen) > 0.5);
  // One group of pictures that begins with black: key frames alone show nothing.
  const auto dark_beginning = h264("testsrc2=s=320x240:r=25:d=8,fade=in:0:25", "500");
  CHECK(video::liveliness(pixels(dark_beginning)) > 0.5);
  // All black is what it is.
  CHECK_PIXEL(pixel(pixels(h264("color=black:s=64x64:r=5:d=2")), 0.5, 0.5), {0, 0, 0}, 4);

  const auto scene = test::scene({192, 108});
  image::Image black({192, 108}, image::Layout::rgb);
  CHECK(video::liveliness(black) == 0);
  image::Image white = black;
  std::fill(white.data.begin(), white.data.end(), std::uint8_t{255});
  CHECK(video::liveliness(white) == 0);
  image::Image faded = scene;
  for (std::uint8_t& value : faded.data) value = static_cast<std::uint8_t>(value / 5);
  CHECK(video::liveliness(faded) < video::liveliness(scene));
}

TEST_CASE("video: many pictures of one video come from one frame, each as if it were alone") {
  const auto source = h264("testsrc2=s=640x360:r=25:d=4");
  const std::vector<std::string> all{"w=320,format=jpeg", "w=96,format=webp", "format=png", "w=96,format=png,at=2"};
  const auto together = derive_video(source, all);
  REQUIRE(together.has_value());
  for (std::size_t i = 0; i < all.size(); ++i) {
    INFO(all[i]);
    const auto alone = derive_video(source, {all[i]});
    REQUIRE(alone.has_value());
    CHECK(together->outputs[i].bytes == alone->outputs.front().bytes);
    CHECK(to_string(together->outputs[i].transform) == all[i]);
  }
  CHECK(together->outputs[0].width == 320);
  CHECK(together->outputs[0].height == 180);
  CHECK(together->appearance.known());
  CHECK(together->source.format == Format::mp4);
  CHECK(together->source.width == 640);
  CHECK(together->source.duration == std::chrono::milliseconds(4000));
  const auto described = derive_video(source, {});
  REQUIRE(described.has_value());
  CHECK(described->appearance.known());
  CHECK(described->outputs.empty());
}

TEST_CASE("video: a picture has no moments") {
  const auto png = test::encode(test::scene({32, 32}), Format::png, 0);
  for (const char* const text : {"w=8,format=png,at=1", "w=8,format=webp,frames=clip", "w=8,format=png,frames=sheet"}) {
    const auto refused = test::derive(png, {text});
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == Errc::invalid_argument);
  }
}
