#include "cage/encoded_shape.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "inspect/boxes.hpp"
#include "inspect/ebml.hpp"
#include "inspect/matroska_ids.hpp"

namespace media::cage {
namespace {

using inspect::be32;
using inspect::be64;
using inspect::Box;
using inspect::Bytes;
using inspect::code;
using inspect::Cursor;
using inspect::Element;
using std::chrono::milliseconds;
using namespace inspect::matroska;

/// As `open_web_ready`'s: the index of a day has 40 MiB.
constexpr std::uint64_t kMaxIndexBytes = 64ULL << 20U;
/// What FFmpeg says of itself in an index, and what its next version may say.
constexpr std::uint64_t kMaxOtherBytes = 4096;
constexpr std::uint64_t kMostFrames = kMaxIndexBytes / 4;
/// x264 writes one for each frame, and three more before the first.
constexpr int kMostUnits = 16;
constexpr double kLongest = 1e15;
/// moov, trak, mdia, minf, dinf or stbl.
constexpr int kDeepest = 5;

Error odd(const std::string& what) { return Error{Errc::corrupt, what}; }

/// Of what takes `units` of a second's `scale`. A length that no number holds is as long as any.
milliseconds length_of(double units, double scale) {
  return milliseconds(static_cast<std::int64_t>(scale > 0 ? std::clamp(units * 1000 / scale, 0.0, kLongest) : kLongest));
}

/// The entries behind a table's head, whose last four bytes are their number.
Result<Bytes> entries_of(Bytes body, std::size_t head, std::size_t width, const std::string& table) {
  if (body.size() < head || (body.size() - head) % width != 0 || (body.size() - head) / width != be32(body, head - 4)) {
    return odd(table + " has not as many entries as it says");
  }
  return body.subspan(head);
}

/// The bodies of what a track of an index says; empty: not there.
struct Track {
  std::uint32_t handler = 0;
  std::uint32_t scale = 0;
  Bytes descriptions, references, times, sizes, runs, places, edits;
  bool wide = false;
};

/// An MP4's index, checked against the bytes that it is about.
///
/// Thread-safety: none; it counts.
class Index {
 public:
  Index(const ByteReader& content, const Box& frames) : content_(content), frames_(frames) {}

  Result<milliseconds> check(Bytes index) {
    const MemoryReader reader(index);
    Cursor cursor(reader);
    MEDIA_TRY(walk(cursor, index, 0, nullptr));
    milliseconds longest{0};
    for (const Track& track : tracks_) {
      MEDIA_TRY_ASSIGN(const milliseconds length, check_track(track));
      longest = std::max(longest, length);
    }
    if (frame_bytes_ > frames_.end - frames_.body) return odd("its frames lie over each other");
    return longest;
  }

 private:
  Result<void> walk(Cursor& cursor, Bytes index, int depth, Track* track) {
    if (depth > kDeepest) return odd("its index is nested too deeply");
    return inspect::for_each_box(cursor, cursor.limit(), [&](const Box& box) -> Result<void> {
      const Bytes body = index.subspan(static_cast<std::size_t>(box.body), static_cast<std::size_t>(box.end - box.body));
      if (track != nullptr) return read_part(cursor, index, depth, *track, box, body);
      switch (box.type) {
        case code("moov"):
          return walk(cursor, index, depth + 1, nullptr);
        case code("trak"):
          return walk(cursor, index, depth + 1, &tracks_.emplace_back());
        case code("mvhd"):
          return read_scale(body, movie_scale_);
        case code("mvex"):
          return odd("it is in fragments");
        default:
          return look_away(box);
      }
    });
  }

  Result<void> read_part(Cursor& cursor, Bytes index, int depth, Track& track, const Box& box, Bytes body) {
    switch (box.type) {
      case code("edts"):
      case code("mdia"):
      case code("minf"):
      case code("dinf"):
      case code("stbl"):
        return walk(cursor, index, depth + 1, &track);
      case code("mdhd"):
        return read_scale(body, track.scale);
      case code("hdlr"):
        if (body.size() < 12) return odd("a handler is too short");
        track.handler = be32(body, 8);
        return {};
      case code("elst"):
        return keep(track.edits, body);
      case code("stsd"):
        return keep(track.descriptions, body);
      case code("dref"):
        return keep(track.references, body);
      case code("stts"):
        return keep(track.times, body);
      case code("stsz"):
        return keep(track.sizes, body);
      case code("stsc"):
        return keep(track.runs, body);
      case code("stco"):
      case code("co64"):
        track.wide = box.type == code("co64");
        return keep(track.places, body);
      // Which frames are key frames, and in which order they are shown: a player bounds these itself.
      case code("stss"):
      case code("ctts"):
        return {};
      default:
        return look_away(box);
    }
  }

  static Result<void> look_away(const Box& box) {
    if (box.end - box.begin <= kMaxOtherBytes) return {};
    return odd("its index holds a box that does not belong there: " + inspect::code_text(box.type));
  }
  static Result<void> keep(Bytes& into, Bytes body) {
    if (!into.empty()) return odd("a track has two tables of one kind");
    if (body.empty()) return odd("a table is empty");
    into = body;
    return {};
  }
  /// `mvhd` and `mdhd` begin alike.
  static Result<void> read_scale(Bytes body, std::uint32_t& scale) {
    const std::size_t at = !body.empty() && inspect::u8(body, 0) == 1 ? 20 : 12;
    if (body.size() < at + 4) return odd("a head is too short");
    scale = be32(body, at);
    return {};
  }

  Result<milliseconds> check_track(const Track& track) {
    MEDIA_TRY_ASSIGN(const Bytes references, entries_of(track.references, 8, 12, "the list of files"));
    if (references.size() != 12 || be32(references, 0) != 12 || be32(references, 4) != code("url ") || be32(references, 8) != 1) {
      return odd("its frames lie in another file");
    }
    if (track.descriptions.size() < 16 || be32(track.descriptions, 4) != 1) return odd("a track has other descriptions than one");
    // One that is there, and that nothing is behind.
    if (be32(track.descriptions, 8) != track.descriptions.size() - 8) return odd("a track has other descriptions than one");
    MEDIA_TRY_ASSIGN(const std::uint64_t frames, check_frames(track));
    MEDIA_TRY_ASSIGN(const Bytes times, entries_of(track.times, 8, 8, "the table of times"));
    std::uint64_t timed = 0;
    double units = 0;
    for (std::size_t at = 0; at < times.size(); at += 8) {
      timed += be32(times, at);
      units += 1.0 * be32(times, at) * be32(times, at + 4);
    }
    if (timed != frames) return odd("the table of times is not of as many frames as there are");
    const milliseconds length = length_of(units, track.scale);
    if (track.edits.empty()) return length;
    const bool is_wide = inspect::u8(track.edits, 0) == 1;
    MEDIA_TRY_ASSIGN(const Bytes edits, entries_of(track.edits, 8, is_wide ? 20 : 12, "the list of edits"));
    double shown = 0;
    for (std::size_t at = 0; at < edits.size(); at += is_wide ? 20 : 12) {
      shown += is_wide ? static_cast<double>(be64(edits, at)) : be32(edits, at);
    }
    return std::max(length, length_of(shown, movie_scale_));
  }

  /// How many there are. They follow each other in chunks, of whose sizes each run of the table says one (ISO/IEC 14496-12, 8.7.4).
  Result<std::uint64_t> check_frames(const Track& track) {
    if (track.sizes.size() < 12) return odd("a track does not say how large its frames are");
    const std::uint64_t one_size = be32(track.sizes, 4);
    const std::uint64_t frames = be32(track.sizes, 8);
    if (frames == 0 || frames > kMostFrames) return odd("a track has " + std::to_string(frames) + " frames");
    Bytes sizes;
    if (one_size == 0) {
      MEDIA_TRY_ASSIGN(sizes, entries_of(track.sizes, 12, 4, "the table of sizes"));
    }
    MEDIA_TRY_ASSIGN(const Bytes runs, entries_of(track.runs, 8, 12, "the table of chunks"));
    const std::size_t width = track.wide ? 8 : 4;
    MEDIA_TRY_ASSIGN(const Bytes places, entries_of(track.places, 8, width, "the table of places"));
    const std::uint64_t chunks = places.size() / width;
    std::uint64_t frame = 0;
    std::uint64_t chunk = 0;
    for (std::size_t run = 0; run < runs.size(); run += 12) {
      const std::uint64_t next = run + 12 < runs.size() ? be32(runs, run + 12) : chunks + 1;
      const std::uint32_t in_each = be32(runs, run + 4);
      if (be32(runs, run) != chunk + 1 || next <= chunk + 1 || next > chunks + 1 || in_each == 0 || be32(runs, run + 8) != 1) {
        return odd("the table of chunks contradicts itself");
      }
      for (; chunk + 1 < next; ++chunk) {
        std::uint64_t at = inspect::big(places, static_cast<std::size_t>(chunk) * width, width);
        if (in_each > frames - frame) return odd("the table of chunks is of more frames than there are");
        for (std::uint32_t i = 0; i < in_each; ++i, ++frame) {
          const std::uint64_t size = one_size != 0 ? one_size : be32(sizes, static_cast<std::size_t>(frame) * 4);
          if (at < frames_.body || at > frames_.end || size > frames_.end - at) return odd("a frame lies outside of the frames' bytes");
          if (track.handler == code("vide")) MEDIA_TRY(check_units(at, size));
          at += size;
          frame_bytes_ += size;
        }
      }
    }
    if (frame != frames || chunk != chunks) return odd("the table of chunks is of fewer frames than there are");
    return frames;
  }

  /// H.264 in an MP4: units behind their lengths (ISO/IEC 14496-15), of which an encoder writes only slices, their parameters, marks and
  /// messages (ITU-T H.264, table 7-1). The units of HEVC that hold pictures are none of them.
  [[nodiscard]] Result<void> check_units(std::uint64_t at, std::uint64_t size) const {
    if (size == 0) return odd("a picture has no bytes");
    const std::uint64_t end = at + size;
    for (int units = 0; at < end; ++units) {
      std::array<std::byte, 5> head{};
      if (end - at < head.size() || units == kMostUnits) return odd("a picture is not H.264");
      MEDIA_TRY_ASSIGN(const std::size_t got, content_.read_at(at, head));
      if (got != head.size()) return odd("it got shorter");
      const std::uint64_t length = be32(head, 0);
      const std::uint8_t first = inspect::u8(head, 4);
      const std::uint8_t type = first & 0x1fU;
      const bool is_known = type == 1 || (type >= 5 && type <= 9) || type == 12;
      if (length == 0 || length > end - at - 4 || (first & 0x80U) != 0 || !is_known) return odd("a picture is not H.264");
      at += 4 + length;
    }
    return {};
  }

  const ByteReader& content_;
  const Box frames_;
  std::deque<Track> tracks_;
  std::uint32_t movie_scale_ = 0;
  std::uint64_t frame_bytes_ = 0;  ///< Of all tracks.
};

Result<milliseconds> length_of_mp4(const ByteReader& content) {
  Cursor cursor(content);
  std::optional<Box> index;
  std::optional<Box> frames;
  bool is_typed = false;
  for (;;) {
    MEDIA_TRY_ASSIGN(const auto box, inspect::next_box(cursor));
    if (!box) break;
    const bool is_first = !is_typed;
    is_typed = true;
    if (is_first != (box->type == code("ftyp"))) return odd("its type is not said once, at its beginning");
    if (box->type == code("moov") || box->type == code("mdat")) {
      std::optional<Box>& only = box->type == code("moov") ? index : frames;
      if (only) return odd("it has two boxes of the kind " + inspect::code_text(box->type));
      only = *box;
    } else if (!is_first && box->type != code("free")) {
      return odd("it holds a box that does not belong there: " + inspect::code_text(box->type));
    }
    MEDIA_TRY(cursor.seek(box->end, "a box"));
  }
  if (cursor.position() != content.size()) return odd("something is behind it");
  if (!index || !frames) return odd("it has no index, or no frames");
  if (index->end - index->begin > kMaxIndexBytes) return odd("its index is too large");
  std::vector<std::byte> bytes(static_cast<std::size_t>(index->end - index->begin));
  MEDIA_TRY_ASSIGN(const std::size_t got, content.read_at(index->begin, bytes));
  if (got != bytes.size()) return odd("it got shorter");
  return Index(content, *frames).check(bytes);
}

/// Thread-safety: none; it counts.
class Segment {
 public:
  explicit Segment(const ByteReader& content) : content_(content) {}

  Result<milliseconds> check() {
    Cursor cursor(content_);
    MEDIA_TRY_ASSIGN(const Element head, inspect::read_element(cursor));
    if (head.id != kEbml || !is_whole(head)) return odd("its head is damaged");
    MEDIA_TRY(cursor.seek(head.end, "the EBML header"));
    MEDIA_TRY_ASSIGN(const Element segment, inspect::read_element(cursor));
    if (segment.id != kSegment || !is_whole(segment)) return odd("it has no segment that says its size");
    if (segment.end != content_.size()) return odd("something is behind it");
    std::uint64_t at = cursor.position();
    while (at < segment.end) {
      // Another one for each: of a long film together they take more steps than one may.
      Cursor part(content_);
      MEDIA_TRY(part.seek(at, "an element"));
      MEDIA_TRY_ASSIGN(const Element element, inspect::read_element(part));
      if (!is_whole(element)) return inspect::misfit(element);
      MEDIA_TRY(check_part(part, element));
      at = element.end;
    }
    if (pictures_ == 0) return odd("it has no pictures");
    return length_of(static_cast<double>(last_) * static_cast<double>(scale_), 1e9);
  }

 private:
  static bool is_whole(const Element& element) { return element.fits && !element.unknown_size; }

  Result<void> check_part(Cursor& cursor, const Element& element) {
    switch (element.id) {
      case kSeekHead:
      case kTags:
      case kCues:
      case kVoid:
        return {};
      case kInfo:
        return inspect::for_each_element(cursor, element, [&](const Element& inner) -> Result<void> {
          if (inner.id == kTimestampScale) {
            MEDIA_TRY_ASSIGN(scale_, inspect::take_unsigned(cursor));
          } else if (inner.id != kDuration && inner.id != kMuxingApp && inner.id != kWritingApp && inner.id != kVoid) {
            return odd("it says more of itself than its length");  // the segments before and behind it, say
          }
          return {};
        });
      case kTracks:
        return inspect::for_each_element(cursor, element, [&](const Element& inner) -> Result<void> {
          return inner.id == kTrackEntry ? check_track(cursor, inner) : odd("it has something else among its tracks");
        });
      case kCluster:
        return check_cluster(cursor, element);
      default:
        return odd("it holds something that does not belong there");
    }
  }

  Result<void> check_track(Cursor& cursor, const Element& entry) {
    std::uint64_t number = 0;
    std::uint64_t type = 0;
    MEDIA_TRY(inspect::for_each_element(cursor, entry, [&](const Element& inner) -> Result<void> {
      if (inner.id == kContentEncodings) return odd("a track is packed or encrypted");
      if (inner.id == kTrackNumber) {
        MEDIA_TRY_ASSIGN(number, inspect::take_unsigned(cursor));
      } else if (inner.id == kTrackType) {
        MEDIA_TRY_ASSIGN(type, inspect::take_unsigned(cursor));
      }
      return {};
    }));
    if (type == kVideoTrack) {
      picture_track_ = number;
    } else {
      sound_track_ = number;
    }
    return {};
  }

  Result<void> check_cluster(Cursor& cursor, const Element& cluster) {
    std::uint64_t time = 0;
    return inspect::for_each_element(cursor, cluster, [&](const Element& element) -> Result<void> {
      switch (element.id) {
        case kTimestamp: {
          MEDIA_TRY_ASSIGN(time, inspect::take_unsigned(cursor));
          return {};
        }
        case kSimpleBlock:
          return check_block(cursor, time);
        case kBlockGroup:
          return inspect::for_each_element(cursor, element, [&](const Element& inner) -> Result<void> {
            return inner.id == kBlock ? check_block(cursor, time) : Result<void>{};
          });
        case kPosition:
        case kPreviousSize:
        case kVoid:
          return {};
        default:
          return odd("there is something else among its frames");
      }
    });
  }

  /// A block's track, its time after the cluster's, and its flags (RFC 9559, section 10.1). A frame of VP9 begins with the bits 10.
  Result<void> check_block(Cursor& cursor, std::uint64_t time) {
    if (cursor.remaining() < 5) return odd("a frame has no bytes");
    MEDIA_TRY_ASSIGN(const auto head, cursor.take<5>("a block"));
    const std::uint64_t track = head.byte<0>() & 0x7fU;
    if ((head.byte<0>() & 0x80U) == 0 || (track != picture_track_ && track != sound_track_)) return odd("a frame is of no track");
    if ((head.byte<3>() & 0x06U) != 0) return odd("frames lie in one block");
    const auto after = static_cast<std::int16_t>(head.be16<1>());
    last_ = std::max(last_, time + static_cast<std::uint64_t>(std::max<std::int16_t>(after, 0)));
    if (track != picture_track_) return {};
    ++pictures_;
    return (head.byte<4>() & 0xc0U) == 0x80U ? Result<void>{} : odd("a picture is not VP9");
  }

  const ByteReader& content_;
  std::uint64_t scale_ = 1'000'000;
  std::uint64_t picture_track_ = 0;
  std::uint64_t sound_track_ = 0;
  std::uint64_t pictures_ = 0;
  std::uint64_t last_ = 0;
};

}  // namespace

Result<milliseconds> encoded_length(const ByteReader& content, Format format) {
  return format == Format::webm ? Segment(content).check() : length_of_mp4(content);
}

}  // namespace media::cage
