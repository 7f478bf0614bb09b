// What `probe_details` tells, against what was asked of ffmpeg and against ffprobe.
#include <algorithm>
#include <cmath>
#include <string>

#include "media/details.hpp"
#include "video_samples.hpp"

using namespace media;
using test::film;

namespace {

MediaDetails details_of(const std::vector<std::byte>& content) {
  const auto details = probe_details(MemoryReader(content));
  if (!details) FAIL(details.error().message);
  return *details;
}

std::vector<std::string> with_sound(const std::vector<std::string>& more) {
  std::vector<std::string> arguments{"-f", "lavfi", "-i", "testsrc2=s=160x120:r=30000/1001:d=2", "-f", "lavfi", "-i", "sine=d=2:r=44100"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

}  // namespace

TEST_CASE("inspect: the tracks of every container tell codec, size, rate and sound") {
  struct Row {
    std::string name;
    std::vector<std::string> coding;
    std::string video;
    std::string audio;
    std::uint32_t channels;
    std::uint32_t rate;
  };
  const std::vector<Row> rows{
      {"a.mp4", {"-c:v", "libx264", "-c:a", "aac", "-ac", "1"}, "h264", "aac", 1, 44'100},
      {"b.mp4", {"-c:v", "libx265", "-x265-params", "log-level=none", "-c:a", "libmp3lame", "-ac", "2"}, "hevc", "mp3", 2, 44'100},
      {"c.mp4", {"-c:v", "mpeg4", "-c:a", "libopus", "-ac", "2"}, "mpeg4", "opus", 2, 48'000},
      {"d.mov", {"-c:v", "mjpeg", "-c:a", "pcm_s16le", "-ac", "2"}, "mjpeg", "pcm_s16le", 2, 44'100},
      {"e.mov", {"-c:v", "prores_ks", "-c:a", "aac", "-ac", "2"}, "prores", "aac", 2, 44'100},
      {"f.webm", {"-c:v", "libvpx-vp9", "-c:a", "libopus", "-ac", "2"}, "vp9", "opus", 2, 48'000},
      {"g.mkv", {"-c:v", "libx264", "-c:a", "flac", "-ac", "1"}, "h264", "flac", 1, 44'100},
      {"h.ogv", {"-c:v", "libtheora", "-c:a", "libvorbis", "-ac", "2"}, "theora", "vorbis", 2, 44'100},
      {"i.mp4", {"-c:v", "libx264", "-c:a", "aac", "-ac", "2", "-movflags", "frag_keyframe+empty_moov"}, "h264", "aac", 2, 44'100}};
  for (const Row& row : rows) {
    INFO(row.name);
    const MediaDetails details = details_of(film(row.name, with_sound(row.coding)));
    REQUIRE(details.video.size() == 1);
    REQUIRE(details.audio.size() == 1);
    CHECK(details.other_tracks == 0);
    const VideoTrack& video = details.video.front();
    CHECK(video.codec == row.video);
    CHECK(video.width == 160);
    CHECK(video.height == 120);
    CHECK(video.display_width == 160);
    CHECK(video.display_height == 120);
    CHECK(video.rotation_degrees == 0);
    CHECK(video.dynamic_range == DynamicRange::standard);
    CHECK_FALSE(video.encrypted);
    if (row.name != "i.mp4") CHECK(std::abs(video.frames_per_second - 29.97) < 0.4);
    CHECK(details.audio.front().codec == row.audio);
    CHECK(details.audio.front().channels == row.channels);
    CHECK(details.audio.front().sample_rate == row.rate);
    CHECK_FALSE(details.audio.front().encrypted);
  }
}

TEST_CASE("inspect: turns, pixels that are not square, and high dynamic range are told") {
  const test::TempFolder folder;
  test::write_file(folder / "a.mp4", film("a.mp4", {"-f", "lavfi", "-i", "testsrc2=s=160x120:r=25:d=1,setsar=3/2", "-c:v", "libx264"}));
  const auto turned = details_of(test::turned(test::read_file(folder / "a.mp4"), 90));
  REQUIRE(turned.video.size() == 1);
  CHECK(turned.video[0].rotation_degrees == 90);
  CHECK(turned.video[0].width == 160);
  CHECK(turned.video[0].display_width == 120);
  CHECK(turned.video[0].display_height == 240);
  const auto in_matroska = details_of(film("c.mkv", {"-i", (folder / "a.mp4").string(), "-c", "copy"}));
  CHECK(in_matroska.video.at(0).display_width == 240);

  for (const char* const name : {"d.mp4", "d.mkv"}) {
    for (const auto& [transfer, range] : {std::pair{"smpte2084", DynamicRange::pq}, std::pair{"arib-std-b67", DynamicRange::hlg}}) {
      const auto bright = details_of(
          film(name, {"-f", "lavfi", "-i", "testsrc2=s=64x64:r=5:d=1,format=yuv420p10le," + test::colours_of(transfer), "-c:v", "libx265",
                      "-x265-params", "log-level=none", "-colorspace", "bt2020nc", "-color_primaries", "bt2020", "-color_trc", transfer}));
      CHECK(bright.video.at(0).dynamic_range == range);
    }
  }
}

TEST_CASE("inspect: an encrypted track is told, and is not decoded") {
  const auto locked =
      film("a.mp4", {"-f", "lavfi", "-i", "testsrc2=s=64x64:r=5:d=1", "-c:v", "libx264", "-encryption_scheme", "cenc-aes-ctr",
                     "-encryption_key", "76a6c65c5ea762046bd749a2e632ccbb", "-encryption_kid", "a7e61c373e219033c21091fa607bf3b8"});
  const auto details = details_of(locked);
  CHECK(details.video.at(0).encrypted);
  CHECK(details.video.at(0).codec == "h264");
  const auto refused = test::derive_video(locked, {"w=32,format=jpeg"});
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Errc::unsupported);
  CHECK(refused.error().message == "the video is encrypted");
}

TEST_CASE("inspect: pictures have no tracks, and what is damaged is refused") {
  const auto details = details_of(test::encode(test::scene({16, 16}), Format::png, 0));
  CHECK(details.info.format == Format::png);
  CHECK(details.video.empty());
  CHECK(details.audio.empty());
  const auto whole = film("a.mp4", {"-f", "lavfi", "-i", "testsrc2=s=64x64:r=5:d=1", "-c:v", "libx264"});
  CHECK(probe_details(MemoryReader(std::span(whole).first(whole.size() / 2))).error().code == Errc::corrupt);
  CHECK(probe_details(MemoryReader(test::bytes("nothing of the kind"))).error().code == Errc::unsupported);
}

TEST_CASE("inspect: boxes within boxes within boxes end in an answer") {
  const auto box = [](const std::string& type, const std::string& body) {
    const auto size = static_cast<std::uint32_t>(body.size() + 8);
    std::string text;
    for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(size >> shift & 0xffU);
    return text + type + body;
  };
  for (const char* const nested : {"minf", "stbl"}) {
    std::string body;
    for (int depth = 0; depth < 90'000; ++depth) {
      // From the inside out: each is eight bytes longer than what it holds.
      const auto size = static_cast<std::uint32_t>(8 * (depth + 1));
      std::string head;
      for (int shift = 24; shift >= 0; shift -= 8) head += static_cast<char>(size >> shift & 0xffU);
      const std::string opening = head + nested;
      body.append(opening.rbegin(), opening.rend());
    }
    std::reverse(body.begin(), body.end());
    const std::string file = box("ftyp", "isom" + std::string(4, '\0') + "isom") + box("moov", box("trak", box("mdia", body)));
    const auto details = probe_details(MemoryReader(test::bytes(file)));
    if (details) CHECK(details->video.empty());
  }
}
