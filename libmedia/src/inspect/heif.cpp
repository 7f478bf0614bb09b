// AVIF and HEIC: a picture as items of a meta box, or a sequence as a track of a movie box.
#include <algorithm>

#include "inspect/formats.hpp"
#include "inspect/heif_items.hpp"
#include "inspect/movie_tracks.hpp"

namespace media::inspect {
namespace {

Format sniff(Bytes head) noexcept {
  switch (file_type(head).brand) {
    case Brand::avif:
      return Format::avif;
    case Brand::heic:
      return Format::heic;
    default:
      return Format::unknown;
  }
}

Result<void> read_sequence(const Movie& movie, std::uint64_t content_size, MediaInfo& info) {
  const Track* track = movie.find(code("pict"));
  if (track == nullptr) track = movie.find(code("vide"));
  if (track == nullptr) return Error{Errc::corrupt, "the sequence has no track of pictures"};
  info.width = track->width;
  info.height = track->height;
  info.orientation = exif_number(track->turn);
  info.frames = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(track->samples, 1, UINT32_MAX));
  info.has_alpha = movie.find(code("auxv")) != nullptr;
  info.duration = movie.duration;
  if (info.width == 0 || info.height == 0) return Error{Errc::corrupt, "the sequence has no width or no height"};
  return check_samples(*track, 0, content_size);
}

Result<void> read(Cursor& cursor, MediaInfo& info) {
  MEDIA_TRY_ASSIGN(const Bytes head, cursor.some());
  const FileType type = file_type(head);
  std::optional<Movie> movie;
  std::optional<Result<void>> items;
  for (;;) {
    MEDIA_TRY_ASSIGN(const auto box, next_top_box(cursor));
    if (!box) break;
    {
      const Cursor::Within within(cursor, box->end);
      if (box->type == code("moov") && !movie) {
        MEDIA_TRY_ASSIGN(movie, read_movie(cursor, *box));
      } else if (box->type == code("meta") && !items && !type.is_sequence) {
        items = read_items(cursor, *box, info);
      }
    }
    MEDIA_TRY(cursor.seek(box->end, "a box"));
  }
  if (items) return *items;
  if (!movie)
    return corrupt_at(
        type.is_sequence ? "a sequence without its movie box (moov), which ends" : "a picture file without its meta box, which ends",
        cursor.size());
  return read_sequence(*movie, cursor.size(), info);
}

}  // namespace

extern const FormatReader kHeif;
const FormatReader kHeif{sniff, read};

}  // namespace media::inspect
