// mediactl with videos: posters at ingest, moments, clips, sheets with their index, and what probe tells.
#include <filesystem>

#include "catch.hpp"
#include "cli_support.hpp"

namespace fs = std::filesystem;
using cli::Json;
using cli::json_lines;
using cli::mediactl;

namespace {

void make_film(const fs::path& path, const std::string& seconds = "3") {
  const auto made = test::run({"ffmpeg",   "-v",      "error",      "-nostdin",
                               "-f",       "lavfi",   "-i",         "testsrc2=s=320x180:r=25:d=" + seconds,
                               "-f",       "lavfi",   "-i",         "sine=d=" + seconds,
                               "-c:v",     "libx264", "-g",         "25",
                               "-pix_fmt", "yuv420p", "-c:a",       "aac",
                               "-ac",      "1",       path.string()});
  INFO(made.err);
  REQUIRE(made.exit_code == 0);
}

}  // namespace

TEST_CASE("cli: a video that is ingested has its posters, and they are the store's") {
  const test::TempFolder folder;
  make_film(folder / "film.mp4");
  const std::string store = (folder / "store").string();
  const auto ingested = mediactl({"--store", store, "ingest", "--json", (folder / "film.mp4").string()});
  INFO(ingested.err);
  REQUIRE(ingested.exit_code == 0);
  const Json info = json_lines(mediactl({"--store", store, "info", "1", "--json"}).out).objects.at(0);
  CHECK(info.at("processing_status") == "Complete");
  CHECK(info.at("renditions").size() == 9);
  CHECK(info.at("thumbhash").is_string());
  CHECK(info.at("duration_ms") == 3000);
  // The same picture again, from the store and from the file.
  REQUIRE(
      mediactl({"--store", store, "derive", "1", "--preset", "thumb", "--format", "webp", "-o", (folder / "a.webp").string()}).exit_code ==
      0);
  REQUIRE(mediactl({"derive", (folder / "film.mp4").string(), "--preset", "thumb", "--format", "webp", "-o", (folder / "b.webp").string()})
              .exit_code == 0);
  CHECK(test::read_file(folder / "a.webp") == test::read_file(folder / "b.webp"));
  CHECK(mediactl({"--store", store, "renditions", "verify"}).exit_code == 0);
  CHECK(mediactl({"--store", store, "verify"}).exit_code == 0);
}

TEST_CASE("cli derive: a moment, a clip and a sheet of a video") {
  const test::TempFolder folder;
  const std::string film = (folder / "my film.mp4").string();
  make_film(film);
  const auto output = [&](const std::string& name) { return (folder / name).string(); };
  REQUIRE(mediactl({"derive", film, "--at", "1.5s", "-w", "160", "-o", output("a.jpg")}).exit_code == 0);
  REQUIRE(mediactl({"derive", film, "--at", "1.5", "-w", "160", "-o", output("b.jpg")}).exit_code == 0);
  REQUIRE(mediactl({"derive", film, "--at", "0", "-w", "160", "-o", output("c.jpg")}).exit_code == 0);
  CHECK(test::read_file(folder / "a.jpg") == test::read_file(folder / "b.jpg"));
  CHECK(test::read_file(folder / "a.jpg") != test::read_file(folder / "c.jpg"));

  const auto clip = json_lines(mediactl({"derive", film, "--frames", "clip", "-w", "160", "-o", output("clip.webp"), "--json"}).out);
  CHECK(clip.objects.at(0).at("width") == 160);
  const Json moving = json_lines(mediactl({"probe", output("clip.webp"), "--json"}).out).objects.at(0);
  CHECK(moving.at("frames") == 30);

  REQUIRE(mediactl({"derive", film, "--frames", "sheet", "-w", "80", "-o", output("the sheet.jpg"), "--index", output("sheet.vtt")})
              .exit_code == 0);
  CHECK(test::read_text(folder / "sheet.vtt") ==
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nthe%20sheet.jpg#xywh=0,0,80,45\n"
        "\n00:00:01.000 --> 00:00:02.000\nthe%20sheet.jpg#xywh=80,0,80,45\n"
        "\n00:00:02.000 --> 00:00:03.000\nthe%20sheet.jpg#xywh=160,0,80,45\n");

  // The index takes nobody's place.
  const auto untouched = test::read_file(film);
  for (const std::string& taken : {std::string(film), output("s.webp"), output("./s.webp")}) {
    CAPTURE(taken);
    CHECK(mediactl({"derive", film, "--frames", "sheet", "-w", "80", "-o", output("s.webp"), "--index", taken}).exit_code == 1);
  }
  CHECK(test::read_file(film) == untouched);

  for (const std::vector<std::string>& wrong :
       {std::vector<std::string>{"derive", film, "--at", "noon", "-o", output("x.jpg")},
        std::vector<std::string>{"derive", film, "--frames", "sheet", "--index", output("x.vtt"), "--out-dir", output("out")},
        std::vector<std::string>{"derive", film, "--index", output("x.vtt"), "-o", output("x.jpg")}}) {
    const auto refused = mediactl(wrong);
    CHECK(refused.exit_code == 2);
    CHECK(cli::text_lines(refused.err).size() <= 2);
  }
  // Without the program that decodes videos.
  const auto alone = mediactl({"derive", film, "--isolation", "none", "-w", "160", "-o", output("x.jpg")});
  CHECK(alone.exit_code != 0);
  CHECK(alone.err.find("media-video-worker") != std::string::npos);
  CHECK_FALSE(fs::exists(folder / "x.jpg"));
}

TEST_CASE("cli probe: what headers say, for people and for programs") {
  const test::TempFolder folder;
  make_film(folder / "film.mp4");
  test::write_file(folder / "photo.png", cli::png(40, 30));
  test::write_file(folder / "text.txt", "no media");
  const auto result =
      mediactl({"probe", "--json", (folder / "film.mp4").string(), (folder / "photo.png").string(), (folder / "text.txt").string()},
               {"MEDIA_STORE="});
  CHECK(result.exit_code == 1);
  const auto lines = json_lines(result.out);
  REQUIRE(lines.objects.size() == 3);
  CHECK(lines.summary.at("files") == 3);
  CHECK(lines.summary.at("failed") == 1);
  const Json& film = lines.objects[0];
  CHECK(film.at("status") == "probed");
  CHECK(film.at("format") == "mp4");
  CHECK(film.at("media_type") == "video/mp4");
  CHECK(film.at("duration_ms") == 3000);
  CHECK(film.at("video") ==
        Json::parse(R"([{"codec": "h264", "width": 320, "height": 180, "display_width": 320, "display_height": 180, "rotation": 0,
                                             "frame_rate": 25.0, "dynamic_range": "standard", "encrypted": false}])"));
  CHECK(film.at("audio") == Json::parse(R"([{"codec": "aac", "channels": 1, "sample_rate": 44100, "encrypted": false}])"));
  CHECK(lines.objects[1].at("width") == 40);
  CHECK(lines.objects[1].at("video").empty());
  CHECK(lines.objects[2].at("status") == "failed");
  const auto text = mediactl({"probe", (folder / "film.mp4").string()}).out;
  CHECK(text.find("h264  320x180, 25.00 frames/s") != std::string::npos);
  CHECK(text.find("aac  1 channel, 44100 Hz") != std::string::npos);
}
