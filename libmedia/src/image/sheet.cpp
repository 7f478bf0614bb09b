// The plan of a video's sheet, and its index.
#include <algorithm>
#include <cstdio>

#include "media/video.hpp"

namespace media {
namespace {

using std::chrono::milliseconds;

constexpr std::uint32_t kMaxTiles = 100;
constexpr std::uint32_t kColumns = 10;
constexpr milliseconds kSecond{1'000};
/// More than this is a claim of the header's, not a video.
constexpr milliseconds kLongest = std::chrono::hours(1'000);

/// WebVTT, section 4.3: hh:mm:ss.ttt
std::string timestamp(milliseconds time) {
  const auto total = static_cast<unsigned long long>(time.count());
  char text[32];
  std::snprintf(text, sizeof text, "%02llu:%02llu:%02llu.%03llu", total / 3'600'000, total / 60'000 % 60, total / 1'000 % 60,
                total % 1'000);
  return text;
}

}  // namespace

Result<SheetLayout> sheet_layout(const MediaInfo& info) {
  if (!is_video(info.format)) return Error{Errc::unsupported, "a sheet is made of a video's frames, and this is none"};
  if (!info.duration || info.duration->count() <= 0)
    return Error{Errc::unsupported, "a sheet needs to know how long the video is, and its header does not say"};
  SheetLayout layout;
  layout.duration = std::min(*info.duration, kLongest);
  layout.interval = std::max(kSecond, (layout.duration + milliseconds(kMaxTiles - 1)) / kMaxTiles);
  layout.count = static_cast<std::uint32_t>((layout.duration + layout.interval - milliseconds(1)) / layout.interval);
  layout.columns = std::min(layout.count, kColumns);
  layout.rows = (layout.count + layout.columns - 1) / layout.columns;
  return layout;
}

Result<std::string> sheet_index(const SheetLayout& layout, std::uint32_t width, std::uint32_t height, std::string_view image) {
  if (width == 0 || height == 0 || width % layout.columns != 0 || height % layout.rows != 0) {
    return Error{Errc::invalid_argument, "a sheet of " + std::to_string(layout.columns) + " x " + std::to_string(layout.rows) +
                                             " tiles has no " + std::to_string(width) + " x " + std::to_string(height) + " pixels"};
  }
  if (image.empty() || !std::all_of(image.begin(), image.end(), [](unsigned char c) { return c > ' ' && c != 0x7f; })) {
    return Error{Errc::invalid_argument, "a sheet's image needs a name without blanks"};
  }
  const std::uint32_t tile_width = width / layout.columns;
  const std::uint32_t tile_height = height / layout.rows;
  std::string text = "WEBVTT\n";
  for (std::uint32_t i = 0; i < layout.count; ++i) {
    const milliseconds end = std::min((i + 1) * layout.interval, layout.duration);
    text += "\n" + timestamp(i * layout.interval) + " --> " + timestamp(end) + "\n" + std::string(image) +
            "#xywh=" + std::to_string(i % layout.columns * tile_width) + "," + std::to_string(i / layout.columns * tile_height) + "," +
            std::to_string(tile_width) + "," + std::to_string(tile_height) + "\n";
  }
  return text;
}

}  // namespace media
