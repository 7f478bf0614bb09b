// Real files of strangers, where ../shared has them: what MANIFEST.tsv says of each against what we say.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <sstream>

#include "catch.hpp"
#include "media/inspect.hpp"
#include "support.hpp"

namespace {

struct Line {
  std::string path, mime, width, height, frames, verdict, reason, tags;
};

std::vector<Line> manifest(const std::filesystem::path& corpus) {
  std::vector<Line> lines;
  std::istringstream text(test::read_text(corpus / "MANIFEST.tsv"));
  std::string row;
  std::getline(text, row);
  while (std::getline(text, row)) {
    std::vector<std::string> cells;
    std::istringstream columns(row);
    for (std::string cell; std::getline(columns, cell, '\t');) cells.push_back(cell);
    cells.resize(14);
    lines.push_back({cells[0], cells[3], cells[4], cells[5], cells[6], cells[7], cells[8], "," + cells[9] + ","});
  }
  return lines;
}

/// Where the manifest counts something else than the pictures of an animation, with the reason.
bool frames_are_known_to_differ(const Line& line) {
  // Its five "frames" are four tiles, not hidden, and the grid that is made of them: one picture.
  if (line.path == "avif/misc/lovell_pitm.avif") return true;
  // The header of a WebM or Matroska file does not count frames.
  if (line.mime == "video/webm") return true;
  // A photograph with its gain map behind it in one file: one picture to look at.
  if (line.path == "photos/misc/sharp_gain-map.jpg") return true;
  // Its track has 25 frames, of which an edit list shows 5.
  return line.path == "video/sindresorhus_fixture.mov";
}

/// How the pictures of these files are turned: found by comparing their decoded pixels with the picture that is not turned.
const std::map<std::string, int> kTurned = {
    {"avif/linku/kimono.avif", 1},
    {"avif/linku/kimono.rotate90.avif", 6},
    {"avif/linku/kimono.rotate270.avif", 8},
    {"avif/linku/kimono.mirror-horizontal.avif", 2},
    {"avif/linku/kimono.mirror-vertical.avif", 4},
    {"avif/linku/kimono.mirror-vertical.rotate270.avif", 5},
    {"video/mozilla_video_rotation_90.mp4", 6},
};

/// A number after "name=" in the tags; `otherwise` without one.
int tag_number(const Line& line, const std::string& name, int otherwise) {
  const auto at = line.tags.find("," + name + "=");
  return at == std::string::npos ? otherwise : std::stoi(line.tags.substr(at + name.size() + 2));
}

}  // namespace

TEST_CASE("inspect: every sound file of the corpus is admitted with its size and frames, in time") {
  const auto shared = test::shared_folder();
  if (!shared || !std::filesystem::exists(*shared / "corpus" / "MANIFEST.tsv")) {
    SUCCEED("no corpus on this machine");
    return;
  }
  const auto corpus = *shared / "corpus";
  std::size_t accepted = 0;
  std::size_t refused = 0;
  std::map<std::string, std::size_t> left_to_decoding;
  double slowest = 0;
  for (const Line& line : manifest(corpus)) {
    INFO(line.path << " (" << line.verdict << ": " << line.reason << ")");
    auto reader = media::FileReader::open(corpus / line.path);
    REQUIRE(reader);
    const auto begin = std::chrono::steady_clock::now();
    const auto verdict = media::admit({}, **reader, {.media_type = {}, .filename = line.path});
    const double took = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
    slowest = std::max(slowest, took);
    CHECK(took < 100);
    REQUIRE(verdict);
    CHECK(verdict->admitted() == verdict->message.empty());
    if (line.verdict == "accept") {
      ++accepted;
      CHECK(verdict->message == "");
      CHECK(std::to_string(verdict->info.width) == line.width);
      CHECK(std::to_string(verdict->info.height) == line.height);
      if (!frames_are_known_to_differ(line)) CHECK(std::to_string(verdict->info.frames) == line.frames);
      CHECK(media::mime_type(verdict->info.format) == line.mime);
      if (media::is_image(verdict->info.format) && verdict->info.format != media::Format::avif) {
        CHECK(int{verdict->info.orientation} == tag_number(line, "orientation", 1));
      }
      if (const auto turned = kTurned.find(line.path); turned != kTurned.end()) CHECK(int{verdict->info.orientation} == turned->second);
      if (line.tags.find(",rgba,") != std::string::npos || line.tags.find(",alpha,") != std::string::npos) CHECK(verdict->info.has_alpha);
    } else if (line.verdict == "reject") {
      ++refused;
      if (verdict->admitted()) {
        --refused;
        ++left_to_decoding[line.path + ": " + line.reason];
      }
    }
  }
  CHECK(accepted == 441);
  std::printf("inspect corpus: %zu sound files admitted, %zu rejects refused, %zu left to decoding, slowest %.1f ms\n", accepted, refused,
              left_to_decoding.size(), slowest);
  for (const auto& [name, count] : left_to_decoding) std::printf("  left to decoding: %s\n", name.c_str());
}
