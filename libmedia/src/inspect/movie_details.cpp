#include "inspect/movie_details.hpp"

#include <algorithm>
#include <cmath>

#include "inspect/boxes.hpp"
#include "inspect/codec_names.hpp"
#include "inspect/orientation.hpp"

namespace media::inspect {
namespace {

// ISO/IEC 23091-2, TransferCharacteristics.
constexpr std::uint32_t kPq = 16;
constexpr std::uint32_t kHlg = 18;
constexpr std::size_t kVisualEntryBytes = 78;
/// Sound of QuickTime's versions 1 and 2 has so many bytes more.
constexpr std::size_t kSoundEntryBytes = 28;
// ISO/IEC 14496-1: descriptors' tags.
constexpr std::uint8_t kStreamTag = 3;
constexpr std::uint8_t kConfigTag = 4;
constexpr std::uint8_t kSpecificTag = 5;
constexpr std::uint8_t kAac = 0x40;
constexpr std::size_t kMostDescriptorBytes = 64;

struct TrackFacts {
  std::uint32_t handler = 0;
  std::uint32_t coding = 0;
  std::uint32_t original_coding = 0;  ///< Of an encrypted track.
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::uint32_t pixel_width = 1;
  std::uint32_t pixel_height = 1;
  std::uint32_t transfer = 0;
  Turn turn;
  std::uint32_t scale = 0;
  std::uint64_t frames = 0;
  std::uint64_t units = 0;  ///< Of all frames together.
  std::uint32_t channels = 0;
  std::uint32_t sample_rate = 0;
  std::uint8_t object_type = 0;  ///< Of 'mp4v' and 'mp4a', which stand for several codecs.
};

int sign(std::uint32_t fixed) noexcept { return fixed == 0 ? 0 : (fixed & 0x80000000U) != 0 ? -1 : 1; }

Result<void> read_track_header(Cursor& cursor, TrackFacts& track) {
  MEDIA_TRY_ASSIGN(const auto version, cursor.take<4>("a track header"));
  MEDIA_TRY(cursor.skip(version.byte<0>() == 1 ? 48 : 36, "a track header"));
  MEDIA_TRY_ASSIGN(const auto matrix, cursor.take<36>("a track header"));
  track.turn = {sign(matrix.be32<0>()), sign(matrix.be32<4>()), sign(matrix.be32<12>()), sign(matrix.be32<16>())};
  return {};
}

/// The descriptors of an `esds` box (ISO/IEC 14496-1): what is coded, and how many channels AAC really has.
Result<void> read_descriptors(Cursor& cursor, TrackFacts& track) {
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(cursor.remaining(), kMostDescriptorBytes));
  MEDIA_TRY_ASSIGN(const Bytes bytes, cursor.ahead(size, "a descriptor"));
  std::size_t at = 4;  // After version and flags.
  // Each begins with its tag and its size, of seven bits a byte.
  const auto enters = [&](std::uint8_t tag) {
    if (at >= bytes.size() || u8(bytes, at) != tag) return false;
    ++at;
    while (at < bytes.size() && (u8(bytes, at) & 0x80U) != 0) ++at;
    ++at;
    return true;
  };
  // ES_Descriptor has an id and flags, of which files in boxes set none.
  if (enters(kStreamTag)) at += 3;
  if (!enters(kConfigTag) || at >= bytes.size()) return {};
  track.object_type = u8(bytes, at);
  at += 13;
  if (track.object_type != kAac || !enters(kSpecificTag) || at + 2 > bytes.size()) return {};
  // AudioSpecificConfig: five bits of type, four of rate, four of channels; what needs more bits than these is left to the container.
  const std::uint32_t config = be16(bytes, at);
  const std::uint32_t channels = config >> 3U & 15U;
  if (config >> 11U != 31 && (config >> 7U & 15U) != 15 && channels >= 1 && channels <= 7) track.channels = channels == 7 ? 8 : channels;
  return {};
}

/// What stands in a sample entry after its fixed fields.
Result<void> read_extensions(Cursor& cursor, std::uint64_t end, TrackFacts& track, int depth = 0) {
  return for_each_box(cursor, end, [&](const Box& box) -> Result<void> {
    if (box.type == code("pasp")) {
      MEDIA_TRY_ASSIGN(const auto aspect, cursor.take<8>("a pixel aspect ratio"));
      track.pixel_width = aspect.be32<0>();
      track.pixel_height = aspect.be32<4>();
    } else if (box.type == code("colr") && box.end - box.body >= 10) {
      MEDIA_TRY_ASSIGN(const auto colour, cursor.take<10>("colours"));
      if (colour.be32<0>() == code("nclx") || colour.be32<0>() == code("nclc"))
        track.transfer = track.transfer != 0 ? track.transfer : colour.be16<6>();
    } else if (box.type == code("sinf")) {
      return for_each_box(cursor, box.end, [&](const Box& inner) -> Result<void> {
        if (inner.type != code("frma")) return {};
        MEDIA_TRY_ASSIGN(const auto original, cursor.take<4>("an original format"));
        track.original_coding = original.be32<0>();
        return {};
      });
    } else if (box.type == code("wave") && depth == 0) {
      return read_extensions(cursor, box.end, track, depth + 1);
    } else if (box.type == code("esds")) {
      return read_descriptors(cursor, track);
    }
    return {};
  });
}

Result<void> read_sample_entry(Cursor& cursor, TrackFacts& track) {
  MEDIA_TRY(cursor.skip(8, "the sample descriptions"));
  MEDIA_TRY_ASSIGN(const auto entry, next_box(cursor));
  if (!entry) return {};
  track.coding = entry->type;
  const Cursor::Within within(cursor, entry->end);
  if (track.handler == code("vide") && entry->end - entry->body >= kVisualEntryBytes) {
    MEDIA_TRY_ASSIGN(const auto visual, cursor.take<kVisualEntryBytes>("a sample description"));
    track.width = visual.be16<24>();
    track.height = visual.be16<26>();
    return read_extensions(cursor, entry->end, track);
  }
  if (track.handler == code("soun") && entry->end - entry->body >= kSoundEntryBytes) {
    MEDIA_TRY_ASSIGN(const auto sound, cursor.take<kSoundEntryBytes>("a sample description"));
    track.channels = sound.be16<16>();
    track.sample_rate = sound.be16<24>();
    const std::uint32_t version = sound.be16<8>();
    if (version == 2 && cursor.remaining() >= 36) {
      MEDIA_TRY_ASSIGN(const auto second, cursor.take<36>("a sample description"));
      track.channels = second.be32<12>();
    } else if (version == 1 && cursor.remaining() >= 16) {
      MEDIA_TRY(cursor.skip(16, "a sample description"));
    }
    return read_extensions(cursor, entry->end, track);
  }
  return {};
}

/// How long all frames are together. A table longer than its box is the probe's to refuse.
Result<void> read_times(Cursor& cursor, TrackFacts& track) {
  MEDIA_TRY_ASSIGN(const auto head, cursor.take<8>("the times of frames"));
  for (std::uint64_t left = head.be32<4>(); left > 0 && cursor.remaining() >= 8;) {
    MEDIA_TRY_ASSIGN(Bytes bytes, cursor.some());
    if (bytes.size() < 8) {
      MEDIA_TRY_ASSIGN(bytes, cursor.ahead(8, "the times of frames"));
    }
    const std::uint64_t here = std::min<std::uint64_t>(left, bytes.size() / 8);
    for (std::size_t i = 0; i < here; ++i) {
      track.frames += be32(bytes, i * 8);
      track.units += std::uint64_t{be32(bytes, i * 8)} * be32(bytes, i * 8 + 4);
    }
    MEDIA_TRY(cursor.skip(here * 8, "the times of frames"));
    left -= here;
  }
  return {};
}

Result<void> read_media(Cursor& cursor, const Box& media, TrackFacts& track) {
  return for_each_box(cursor, media.end, [&](const Box& box) -> Result<void> {
    if (box.type == code("mdhd")) {
      MEDIA_TRY_ASSIGN(const auto version, cursor.take<4>("a track's time"));
      MEDIA_TRY(cursor.skip(version.byte<0>() == 1 ? 16 : 8, "a track's time"));
      MEDIA_TRY_ASSIGN(const auto scale, cursor.take<4>("a track's time"));
      track.scale = scale.be32<0>();
    } else if (box.type == code("hdlr") && media.type == code("mdia")) {  // QuickTime has another one in `minf`
      MEDIA_TRY_ASSIGN(const auto head, cursor.take<12>("a handler"));
      track.handler = head.be32<8>();
    } else if ((box.type == code("minf") && media.type == code("mdia")) || (box.type == code("stbl") && media.type == code("minf"))) {
      return read_media(cursor, box, track);
    } else if (box.type == code("stsd")) {
      return read_sample_entry(cursor, track);
    } else if (box.type == code("stts")) {
      return read_times(cursor, track);
    }
    return {};
  });
}

std::string codec_of(const TrackFacts& track) {
  const std::uint32_t coding = track.original_coding != 0 ? track.original_coding : track.coding;
  // The registration authority's list of object types (mp4ra.org).
  if (coding == code("mp4v") || coding == code("mp4a")) {
    switch (track.object_type) {
      case 0x60:
      case 0x61:
      case 0x62:
      case 0x63:
      case 0x64:
      case 0x65:
        return "mpeg2video";
      case 0x69:
      case 0x6b:
        return "mp3";
      case 0x6a:
        return "mpeg1video";
      case 0x6c:
        return "mjpeg";
      case 0x6d:
        return "png";
      case 0xdd:
        return "vorbis";
      default:
        break;
    }
  }
  return codec_of_sample_entry(coding);
}

/// AMR has one channel, whatever the entry says (3GPP TS 26.244, 6.5).
std::uint32_t channels_of(const TrackFacts& track) noexcept {
  return track.coding == code("samr") || track.coding == code("sawb") ? 1 : track.channels;
}

std::uint16_t rotation_of(const Turn& turn) noexcept {
  switch (exif_number(turn)) {
    case 3:
    case 4:
      return 180;
    case 5:
    case 6:
      return 90;
    case 7:
    case 8:
      return 270;
    default:
      return 0;
  }
}

void add_video(const TrackFacts& track, MediaDetails& details) {
  VideoTrack video;
  video.codec = codec_of(track);
  video.width = track.width;
  video.height = track.height;
  if (track.pixel_width > track.pixel_height && track.pixel_height > 0) {
    video.display_width =
        static_cast<std::uint32_t>(std::lround(std::min(1.0 * track.width * track.pixel_width / track.pixel_height, 1e6)));
  } else if (track.pixel_height > track.pixel_width && track.pixel_width > 0) {
    video.display_height =
        static_cast<std::uint32_t>(std::lround(std::min(1.0 * track.height * track.pixel_height / track.pixel_width, 1e6)));
  }
  video.rotation_degrees = rotation_of(track.turn);
  if (track.units > 0) video.frames_per_second = static_cast<double>(track.frames) * track.scale / static_cast<double>(track.units);
  if (track.transfer == kPq) video.dynamic_range = DynamicRange::pq;
  if (track.transfer == kHlg) video.dynamic_range = DynamicRange::hlg;
  video.encrypted = track.coding == code("encv");
  details.video.push_back(std::move(video));
}

}  // namespace

Result<void> read_movie_details(Cursor& cursor, MediaDetails& details) {
  for (;;) {
    MEDIA_TRY_ASSIGN(const auto box, next_top_box(cursor));
    if (!box) return {};
    if (box->type == code("moov")) {
      return for_each_box(cursor, box->end, [&](const Box& inner) -> Result<void> {
        if (inner.type != code("trak")) return {};
        TrackFacts track;
        MEDIA_TRY(for_each_box(cursor, inner.end, [&](const Box& part) -> Result<void> {
          if (part.type == code("tkhd")) return read_track_header(cursor, track);
          return part.type == code("mdia") ? read_media(cursor, part, track) : Result<void>{};
        }));
        if (track.handler == code("vide")) {
          add_video(track, details);
        } else if (track.handler == code("soun")) {
          details.audio.push_back({codec_of(track), channels_of(track), track.sample_rate, track.coding == code("enca")});
        } else {
          ++details.other_tracks;
        }
        return {};
      });
    }
    MEDIA_TRY(cursor.seek(box->end, "a box"));
  }
}

}  // namespace media::inspect
