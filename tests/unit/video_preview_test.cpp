// Clips and sheets.
#include <chrono>
#include <string>

#include "media/inspect.hpp"
#include "media/video.hpp"
#include "video_samples.hpp"

using namespace media;
using namespace std::chrono_literals;
using test::derive_video;
using test::h264;
using test::pixel;
using test::pixels;

namespace {

MediaInfo info_of(const Encoded& output) {
  const auto info = probe(MemoryReader(output.bytes));
  REQUIRE(info.has_value());
  return *info;
}

MediaInfo lasting(std::chrono::milliseconds duration) {
  MediaInfo info;
  info.format = Format::mp4;
  info.duration = duration;
  return info;
}

}  // namespace

TEST_CASE("video: a clip is three seconds that move, in every format that can") {
  const auto source = h264("testsrc2=s=640x360:r=25:d=8");
  const auto derived =
      derive_video(source, {"w=160,format=webp,frames=clip", "w=160,format=avif,frames=clip,at=2", "w=160,format=gif,frames=clip"});
  REQUIRE(derived.has_value());
  for (const Encoded& output : derived->outputs) {
    INFO(to_string(output.transform));
    const MediaInfo info = info_of(output);
    CHECK(info.format == output.transform.format);
    CHECK(info.width == 160);
    CHECK(info.height == 90);
    CHECK(info.frames == 30);
    if (info.duration) CHECK(*info.duration == 3000ms);
  }
  CHECK(derived->source.width == 640);
  CHECK(derived->appearance.known());
}

TEST_CASE("video: a clip of a short video is as long as the video") {
  const auto derived = derive_video(h264("testsrc2=s=160x120:r=25:d=1"), {"format=webp,frames=clip"});
  REQUIRE(derived.has_value());
  const MediaInfo info = info_of(derived->outputs.front());
  CHECK(info.frames >= 9);
  CHECK(info.frames <= 11);
}

TEST_CASE("video: a clip turned by its matrix is upright") {
  const test::TempFolder folder;
  test::write_file(folder / "a.mp4", h264("testsrc2=s=160x120:r=25:d=1"));
  const auto turned = test::turned(test::read_file(folder / "a.mp4"), 270);
  const auto derived = derive_video(turned, {"w=60,format=webp,frames=clip"});
  REQUIRE(derived.has_value());
  CHECK(derived->outputs.front().width == 60);
  CHECK(derived->outputs.front().height == 80);
}

TEST_CASE("video: clips of large videos fit a server's budget of pixels, whichever way they are turned") {
  const test::TempFolder folder;
  test::write_file(folder / "a.mp4", h264("testsrc2=s=1920x1080:r=10:d=3", "10"));
  const auto turned = test::turned(test::read_file(folder / "a.mp4"), 270);
  DeriveOptions options;
  options.budget.max_pixels = options.budget.max_total_pixels = 50'000'000;
  for (const auto& source : {test::read_file(folder / "a.mp4"), turned}) {
    for (const char* const transform : {"w=320,format=webp,frames=clip", "w=640,format=webp,frames=clip"}) {
      CAPTURE(transform);
      const auto derived = derive_video(source, {transform}, options);
      if (!derived) FAIL(derived.error().message);
      CHECK(info_of(derived->outputs.front()).frames >= 29);
    }
  }
  // What comes out still counts.
  options.budget.max_total_pixels = 1'000'000;
  CHECK(derive_video(turned, {"w=320,format=webp,frames=clip"}, options).error().code == Errc::too_large);
}

TEST_CASE("video: a sheet shows the video from its beginning to its end, and its index says where") {
  // A second each of red, green and blue.
  const auto source = test::film("a.mp4", {"-f",
                                           "lavfi",
                                           "-i",
                                           "color=red:s=160x120:r=25:d=1",
                                           "-f",
                                           "lavfi",
                                           "-i",
                                           "color=lime:s=160x120:r=25:d=1",
                                           "-f",
                                           "lavfi",
                                           "-i",
                                           "color=blue:s=160x120:r=25:d=1",
                                           "-filter_complex",
                                           "[0][1][2]concat=n=3",
                                           "-c:v",
                                           "libx264",
                                           "-g",
                                           "25",
                                           "-pix_fmt",
                                           "yuv420p"});
  const auto derived = derive_video(source, {"w=80,format=png,frames=sheet"});
  REQUIRE(derived.has_value());
  const Encoded& sheet = derived->outputs.front();
  CHECK(sheet.width == 240);
  CHECK(sheet.height == 60);
  const auto image = test::decode(sheet.bytes, Format::png);
  REQUIRE(image.has_value());
  CHECK_PIXEL(pixel(*image, 0.16, 0.5), {255, 0, 0}, 10);
  CHECK_PIXEL(pixel(*image, 0.5, 0.5), {0, 255, 0}, 10);
  CHECK_PIXEL(pixel(*image, 0.84, 0.5), {0, 0, 255}, 10);

  const auto layout = sheet_layout(*probe(MemoryReader(source)));
  REQUIRE(layout.has_value());
  CHECK(sheet_index(*layout, sheet.width, sheet.height, "s.png").value() ==
        "WEBVTT\n"
        "\n00:00:00.000 --> 00:00:01.000\ns.png#xywh=0,0,80,60\n"
        "\n00:00:01.000 --> 00:00:02.000\ns.png#xywh=80,0,80,60\n"
        "\n00:00:02.000 --> 00:00:03.000\ns.png#xywh=160,0,80,60\n");
}

TEST_CASE("video: a sheet has a tile a second, and a hundred at most") {
  struct Row {
    std::chrono::milliseconds duration;
    std::uint32_t count, columns, rows;
    std::chrono::milliseconds interval;
  };
  for (const Row& row :
       {Row{40ms, 1, 1, 1, 1s}, Row{1000ms, 1, 1, 1, 1s}, Row{1001ms, 2, 2, 1, 1s}, Row{11s, 11, 10, 2, 1s}, Row{100s, 100, 10, 10, 1s},
        Row{2h, 100, 10, 10, 72s}, Row{std::chrono::milliseconds(100'001), 100, 10, 10, 1001ms}}) {
    INFO(row.duration.count());
    const auto layout = sheet_layout(lasting(row.duration));
    REQUIRE(layout.has_value());
    CHECK(layout->count == row.count);
    CHECK(layout->columns == row.columns);
    CHECK(layout->rows == row.rows);
    CHECK(layout->interval == row.interval);
  }
  // A day, claimed or true, is a hundred tiles, too; the claim of a thousand years is cut.
  CHECK(sheet_layout(lasting(24h))->count == 100);
  CHECK(sheet_layout(lasting(24h * 365 * 1000))->interval == 10h);
  CHECK(sheet_layout(lasting(0ms)).error().code == Errc::unsupported);
  MediaInfo silent;
  silent.format = Format::webm;
  CHECK(sheet_layout(silent).error().code == Errc::unsupported);
  silent.format = Format::jpeg;
  CHECK(sheet_layout(silent).error().code == Errc::unsupported);
}

TEST_CASE("video: an index is refused where its sheet or its name is none") {
  const auto layout = sheet_layout(lasting(3s));
  CHECK(sheet_index(*layout, 240, 60, "a b.png").error().code == Errc::invalid_argument);
  CHECK(sheet_index(*layout, 240, 60, "a\n.png").error().code == Errc::invalid_argument);
  CHECK(sheet_index(*layout, 240, 60, "").error().code == Errc::invalid_argument);
  CHECK(sheet_index(*layout, 241, 60, "a.png").error().code == Errc::invalid_argument);
  CHECK(sheet_index(*layout, 0, 60, "a.png").error().code == Errc::invalid_argument);
}

TEST_CASE("video: what a clip and a sheet do not take means nothing, and is spelled out of the transform") {
  CHECK(to_string(*parse_transform("w=80,format=jpeg,frames=sheet,at=3,blur=2,rotate=90,fit=cover")) == "w=80,format=jpeg,frames=sheet");
  CHECK(to_string(*parse_transform("format=jpeg,frames=sheet")) == "w=160,format=jpeg,frames=sheet");
  CHECK(to_string(*parse_transform("w=80,format=jpeg,frames=clip,at=3")) == "w=80,format=jpeg,at=3");
  CHECK(to_string(*parse_transform("w=80,format=webp,frames=clip,at=12.5s")) == "w=80,format=webp,frames=clip,at=12.5");
  CHECK(to_string(*parse_transform("w=80,at=0,format=webp")) == "w=80,format=webp,at=0");
  for (const char* const text : {"at=-1", "at=", "at=s", "at=1.2345", "at=360001", "at=1e3", "at=1:30", "frames=some"}) {
    INFO(text);
    CHECK(parse_transform(text).error().code == Errc::invalid_argument);
  }
  // Every frame of a video is more than anybody means.
  CHECK(derive_video(h264("testsrc2=s=64x64:r=5:d=1"), {"w=32,format=webp,frames=all"}).error().code == Errc::invalid_argument);
}
