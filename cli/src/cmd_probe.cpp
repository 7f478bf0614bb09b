#include <cmath>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "command.hpp"
#include "media/details.hpp"
#include "text.hpp"

namespace mediactl {
namespace {

using media::AudioTrack;
using media::MediaDetails;
using media::VideoTrack;

Json number_or_null(std::uint32_t value) { return value == 0 ? Json(nullptr) : Json(value); }

/// To a thousandth: 29.97 and not 29.970029970029970.
double rounded(double rate) { return std::round(rate * 1000) / 1000; }

std::string rate_text(double rate) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", rate);
  // Three digits do for 25 and 29.97; what is faster is rare.
  if (rate >= 10) std::snprintf(text, sizeof text, "%.2f", rate);
  return text;
}

Json object_of(const VideoTrack& track) {
  return {{"codec", track.codec},
          {"width", number_or_null(track.width)},
          {"height", number_or_null(track.height)},
          {"display_width", number_or_null(track.display_width)},
          {"display_height", number_or_null(track.display_height)},
          {"rotation", track.rotation_degrees},
          {"frame_rate", track.frames_per_second == 0 ? Json(nullptr) : Json(rounded(track.frames_per_second))},
          {"dynamic_range", std::string(media::to_string(track.dynamic_range))},
          {"encrypted", track.encrypted}};
}

Json object_of(const AudioTrack& track) {
  return {{"codec", track.codec},
          {"channels", number_or_null(track.channels)},
          {"sample_rate", number_or_null(track.sample_rate)},
          {"encrypted", track.encrypted}};
}

Json object_of(const std::string& path, std::uint64_t size, const MediaDetails& details) {
  const media::MediaInfo& info = details.info;
  Json object{{"path", path},
              {"status", "probed"},
              {"format", std::string(media::to_string(info.format))},
              {"media_type", std::string(media::mime_type(info.format))},
              {"size", size},
              {"width", number_or_null(info.display_width())},
              {"height", number_or_null(info.display_height())},
              {"orientation", info.orientation},
              {"frames", number_or_null(info.frames)},
              {"duration_ms", info.duration ? Json(info.duration->count()) : Json(nullptr)},
              {"has_alpha", info.has_alpha},
              {"video", Json::array()},
              {"audio", Json::array()},
              {"other_tracks", details.other_tracks},
              {"reason", nullptr}};
  for (const VideoTrack& track : details.video) object["video"].push_back(object_of(track));
  for (const AudioTrack& track : details.audio) object["audio"].push_back(object_of(track));
  return object;
}

std::string line_of(const VideoTrack& track) {
  std::string text = printable(track.codec) + "  " + std::to_string(track.width) + "x" + std::to_string(track.height);
  if (track.display_width != track.width || track.display_height != track.height) {
    text += ", seen as " + std::to_string(track.display_width) + "x" + std::to_string(track.display_height);
  }
  if (track.rotation_degrees != 0) text += ", turned by " + std::to_string(track.rotation_degrees);
  if (track.frames_per_second != 0) text += ", " + rate_text(track.frames_per_second) + " frames/s";
  if (track.dynamic_range != media::DynamicRange::standard) text += ", HDR (" + std::string(media::to_string(track.dynamic_range)) + ")";
  if (track.encrypted) text += ", encrypted";
  return text;
}

std::string line_of(const AudioTrack& track) {
  std::string text = printable(track.codec);
  if (track.channels != 0) text += "  " + std::to_string(track.channels) + (track.channels == 1 ? " channel" : " channels");
  if (track.sample_rate != 0) text += ", " + std::to_string(track.sample_rate) + " Hz";
  if (track.encrypted) text += ", encrypted";
  return text;
}

void print(Console& console, const std::string& path, std::uint64_t size, const MediaDetails& details) {
  const auto field = [&](std::string name, const std::string& value) {
    name += ':';
    name.resize(14, ' ');
    console.text(name + value);
  };
  const media::MediaInfo& info = details.info;
  field("file", printable(path));
  field("type", std::string(media::mime_type(info.format)));
  field("size", std::to_string(size) + " bytes");
  if (info.width > 0) field("pixels", std::to_string(info.display_width()) + "x" + std::to_string(info.display_height()));
  if (info.orientation != 1) field("orientation", std::to_string(info.orientation));
  if (info.frames > 1) field("frames", std::to_string(info.frames));
  if (info.duration) field("duration", std::to_string(info.duration->count()) + " ms");
  if (info.has_alpha) field("alpha", "yes");
  for (const VideoTrack& track : details.video) field("video", line_of(track));
  for (const AudioTrack& track : details.audio) field("audio", line_of(track));
  if (details.other_tracks > 0) field("other tracks", std::to_string(details.other_tracks));
}

Exit run(Console& console, const std::vector<std::string>& files) {
  std::size_t failed = 0;
  for (const std::string& path : files) {
    const auto probed = [&]() -> media::Result<void> {
      MEDIA_TRY_ASSIGN(const auto file, media::FileReader::open(path));
      MEDIA_TRY_ASSIGN(const MediaDetails details, media::probe_details(*file));
      if (console.json()) {
        console.record(object_of(path, file->size(), details));
      } else {
        if (&path != &files.front()) console.text("");
        print(console, path, file->size(), details);
      }
      return {};
    }();
    if (probed) continue;
    ++failed;
    const std::string reason = reason_of(probed.error(), path);
    console.problem("cannot probe", path, reason);
    console.record(Json{{"path", path}, {"status", "failed"}, {"reason", reason}});
  }
  console.summary(Json{{"files", files.size()}, {"failed", failed}}, {});
  return failed == 0 ? Exit::ok : Exit::findings;
}

}  // namespace

void add_probe(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("probe", "Tell what the headers of media files say; needs no store and decodes nothing");
  auto files = std::make_shared<std::vector<std::string>>();
  command->add_option("FILE", *files, "Pictures and videos")->required();
  command->callback([&invocation, files] { invocation.run = [files](Console& console, const Globals&) { return run(console, *files); }; });
}

}  // namespace mediactl
