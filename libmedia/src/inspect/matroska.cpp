// WebM and Matroska (RFC 8794, RFC 9559): EBML elements of the segment, down to the first video track.
#include <algorithm>
#include <cmath>

#include "inspect/ebml.hpp"
#include "inspect/formats.hpp"
#include "inspect/matroska_details.hpp"
#include "inspect/matroska_ids.hpp"

namespace media::inspect {
namespace {

using namespace matroska;

/// The document type of an EBML header that `head` holds whole; empty where there is none.
std::string_view document_type(Bytes head) noexcept {
  if (head.size() < 5 || be32(head, 0) != kEbml) return {};
  const Number size = read_number(head.subspan(4), 8, false);
  if (size.width == 0 || size.value > head.size() - 4 - size.width) return {};
  Bytes rest = head.subspan(4 + size.width, static_cast<std::size_t>(size.value));
  while (!rest.empty()) {
    const Number id = read_number(rest, 4, true);
    if (id.width == 0) return {};
    const Number length = read_number(rest.subspan(id.width), 8, false);
    if (length.width == 0 || length.value > rest.size() - id.width - length.width) return {};
    const Bytes body = rest.subspan(id.width + length.width, static_cast<std::size_t>(length.value));
    if (id.value == kDocType) {
      if (has_text(body, 0, "webm") && (body.size() == 4 || u8(body, 4) == 0)) return "webm";
      if (has_text(body, 0, "matroska")) return "matroska";
      return {};
    }
    rest = rest.subspan(id.width + length.width + body.size());
  }
  return {};
}

Format sniff(Bytes head) noexcept {
  const std::string_view type = document_type(head);
  return type == "webm" ? Format::webm : type == "matroska" ? Format::mkv : Format::unknown;
}

class MatroskaWalk {
 public:
  MatroskaWalk(Cursor& cursor, MediaInfo& info) : cursor_(cursor), info_(info) {}

  Result<void> run() {
    info_.frames = 0;
    MEDIA_TRY_ASSIGN(const Element header, read_element(cursor_));
    if (!header.fits || header.unknown_size) return misfit(header);
    MEDIA_TRY(cursor_.seek(header.end, "the EBML header"));
    for (;;) {
      if (cursor_.remaining() == 0)
        return corrupt_at("the content ends early: a Matroska file without its segment, which ends", cursor_.size());
      MEDIA_TRY_ASSIGN(const Element element, read_element(cursor_));
      if (element.id == kSegment) {
        // A segment cut short is read all the same: the size that it states decides what the refusal says.
        const Result<void> walked = read_segment(element);
        if (!element.fits) return corrupt_at("the content ends early: the Matroska segment does not fit, which begins", element.begin);
        return walked;
      }
      if (!element.fits) return misfit(element);
      MEDIA_TRY(cursor_.seek(element.end, "an EBML element"));
    }
  }

 private:
  Result<void> read_segment(const Element& segment) {
    const Cursor::Within within(cursor_, segment.end);
    while (cursor_.remaining() > 0) {
      MEDIA_TRY_ASSIGN(const Element element, read_element(cursor_));
      if (element.id == kCluster) has_cluster_ = true;
      // A live recording has clusters of unknown size; where it ends cannot be told from its headers.
      if (element.unknown_size && element.id == kCluster) break;
      if (!element.fits || element.unknown_size) return misfit(element);
      {
        const Cursor::Within one(cursor_, element.end);
        if (element.id == kInfo) MEDIA_TRY(read_info(element));
        if (element.id == kTracks) MEDIA_TRY(read_tracks(element));
      }
      MEDIA_TRY(cursor_.seek(element.end, "an EBML element"));
    }
    if (!has_tracks_) return corrupt_at("a Matroska file without tracks, whose segment begins", segment.begin);
    if (has_video_ && (info_.width == 0 || info_.height == 0)) return Error{Errc::corrupt, "the video track has no width or no height"};
    if (!has_cluster_) return corrupt_at("a Matroska file without frames, whose segment begins", segment.begin);
    return {};
  }

  Result<void> read_info(const Element& element) {
    std::uint64_t scale = 1'000'000;
    double duration = 0;
    MEDIA_TRY(for_each_element(cursor_, element, [&](const Element& inner) -> Result<void> {
      if (inner.id == kTimestampScale) {
        MEDIA_TRY_ASSIGN(scale, take_unsigned(cursor_));
      } else if (inner.id == kDuration) {
        MEDIA_TRY_ASSIGN(duration, take_float(cursor_));
      }
      return {};
    }));
    const double milliseconds = duration * static_cast<double>(scale) / 1e6;
    if (std::isfinite(milliseconds) && milliseconds > 0 && milliseconds < 1e15) {
      info_.duration = std::chrono::milliseconds(static_cast<std::int64_t>(milliseconds));
    }
    return {};
  }

  Result<void> read_tracks(const Element& element) {
    has_tracks_ = true;
    return for_each_element(cursor_, element, [&](const Element& entry) -> Result<void> {
      return entry.id == kTrackEntry ? read_track(entry) : Result<void>{};
    });
  }

  Result<void> read_track(const Element& entry) {
    std::uint64_t type = 0;
    MediaInfo video;
    MEDIA_TRY(for_each_element(cursor_, entry, [&](const Element& inner) -> Result<void> {
      if (inner.id == kTrackType) {
        MEDIA_TRY_ASSIGN(type, take_unsigned(cursor_));
      } else if (inner.id == kVideo) {
        MEDIA_TRY(read_video(inner, video));
      }
      return {};
    }));
    if (type != kVideoTrack || has_video_) return {};
    has_video_ = true;
    info_.width = video.width;
    info_.height = video.height;
    info_.has_alpha = video.has_alpha;
    return {};
  }

  Result<void> read_video(const Element& element, MediaInfo& video) {
    return for_each_element(cursor_, element, [&](const Element& inner) -> Result<void> {
      if (inner.id != kPixelWidth && inner.id != kPixelHeight && inner.id != kAlphaMode) return {};
      MEDIA_TRY_ASSIGN(const std::uint64_t value, take_unsigned(cursor_));
      const auto side = static_cast<std::uint32_t>(std::min<std::uint64_t>(value, UINT32_MAX));
      if (inner.id == kPixelWidth) video.width = side;
      if (inner.id == kPixelHeight) video.height = side;
      if (inner.id == kAlphaMode) video.has_alpha = value == 1;
      return {};
    });
  }

  Cursor& cursor_;
  MediaInfo& info_;
  bool has_tracks_ = false;
  bool has_video_ = false;
  bool has_cluster_ = false;
};

Result<void> read(Cursor& cursor, MediaInfo& info) { return MatroskaWalk(cursor, info).run(); }

}  // namespace

extern const FormatReader kMatroska;
const FormatReader kMatroska{sniff, read, read_matroska_details};

}  // namespace media::inspect
