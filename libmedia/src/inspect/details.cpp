#include "media/details.hpp"

#include <algorithm>
#include <utility>

#include "inspect/formats.hpp"
#include "media/inspect.hpp"

namespace media {

std::string_view to_string(DynamicRange range) noexcept {
  switch (range) {
    case DynamicRange::standard:
      return "standard";
    case DynamicRange::pq:
      return "pq";
    case DynamicRange::hlg:
      return "hlg";
  }
  return "standard";
}

Result<MediaDetails> probe_details(const ByteReader& content) {
  MEDIA_TRY_ASSIGN(const auto head, inspect::read_head(content));
  const inspect::Recognised recognised = inspect::recognise(head);
  MediaDetails details;
  MEDIA_TRY_ASSIGN(details.info, probe(content));
  if (recognised.reader == nullptr || recognised.reader->read_tracks == nullptr) return details;
  inspect::Cursor cursor(content);
  MEDIA_TRY(recognised.reader->read_tracks(cursor, details));
  // Frames and their time tell a rate where the tracks do not.
  const MediaInfo& info = details.info;
  if (!details.video.empty() && details.video.front().frames_per_second == 0 && info.frames > 0 && info.duration &&
      info.duration->count() > 0) {
    details.video.front().frames_per_second = info.frames * 1000.0 / static_cast<double>(info.duration->count());
  }
  for (VideoTrack& track : details.video) {
    if (track.display_width == 0) track.display_width = track.width;
    if (track.display_height == 0) track.display_height = track.height;
    if (track.rotation_degrees % 180 != 0) std::swap(track.display_width, track.display_height);
  }
  return details;
}

}  // namespace media
