// MP4 and QuickTime movies, whole and in fragments.
#include <algorithm>

#include "inspect/formats.hpp"
#include "inspect/movie_details.hpp"
#include "inspect/movie_tracks.hpp"

namespace media::inspect {
namespace {

/// QuickTime files older than `ftyp` begin with one of its boxes. Padding counts only with a sensible length, because its
/// names are English words.
bool begins_old_quicktime(Bytes head) noexcept {
  if (head.size() < 8) return false;
  const std::uint32_t length = be32(head, 0);
  const std::uint32_t type = be32(head, 4);
  if (type == code("moov") || type == code("mdat")) return length >= 8 || length <= 1;
  return (type == code("wide") || type == code("free") || type == code("skip") || type == code("pnot")) && length >= 8 && length < 65'536;
}

Format sniff(Bytes head) noexcept {
  switch (file_type(head).brand) {
    case Brand::mp4:
      return Format::mp4;
    case Brand::quicktime:
      return Format::mov;
    default:
      return begins_old_quicktime(head) ? Format::mov : Format::unknown;
  }
}

void state(const Movie& movie, const Track& video, std::uint64_t fragment_frames, MediaInfo& info) {
  info.width = video.width;
  info.height = video.height;
  info.orientation = exif_number(video.turn);
  info.frames = static_cast<std::uint32_t>(std::min<std::uint64_t>(video.samples + fragment_frames, UINT32_MAX));
  info.duration = movie.duration;
}

Result<void> read(Cursor& cursor, MediaInfo& info) {
  info.frames = 0;
  std::optional<Movie> movie;
  const Track* video = nullptr;
  std::uint64_t fragment_frames = 0;
  bool data_is_due = false;  // a fragment was seen, and its frames were not
  for (;;) {
    MEDIA_TRY_ASSIGN(const auto box, next_top_box(cursor));
    if (!box) break;
    {
      const Cursor::Within within(cursor, box->end);
      if (box->type == code("moov") && !movie) {
        MEDIA_TRY_ASSIGN(movie, read_movie(cursor, *box));
        video = movie->find(code("vide"));
        info.duration = movie->duration;
        if (video != nullptr) state(*movie, *video, 0, info);
      } else if (box->type == code("moof") && video != nullptr) {
        MEDIA_TRY_ASSIGN(const std::uint64_t frames, fragment_samples(cursor, *box, video->id));
        fragment_frames += frames;
        data_is_due = frames > 0;
      } else if (box->type == code("mdat")) {
        data_is_due = false;
      }
    }
    MEDIA_TRY(cursor.seek(box->end, "a box"));
  }
  if (!movie) return corrupt_at("a movie without its movie box (moov), which ends", cursor.size());
  if (video == nullptr) return {};  // sound alone: sound, but nothing to look at
  state(*movie, *video, fragment_frames, info);
  if (info.width == 0 || info.height == 0) return Error{Errc::corrupt, "the video track has no width or no height"};
  if (data_is_due) return corrupt_at("the content ends early: a fragment without its frames, which ends", cursor.size());
  return check_samples(*video, fragment_frames, cursor.size());
}

}  // namespace

extern const FormatReader kMovie;
const FormatReader kMovie{sniff, read, read_movie_details};

}  // namespace media::inspect
