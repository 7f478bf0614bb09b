// Ogg (RFC 3533): the pages that begin streams, and the size in a Theora header.
#include <cmath>

#include "inspect/formats.hpp"

namespace media::inspect {
namespace {

constexpr std::uint8_t kBeginsStream = 0x02;

Format sniff(Bytes head) noexcept { return has_text(head, 0, std::string_view("OggS\0", 5)) ? Format::ogg : Format::unknown; }

/// The identification header of Theora: the picture's size is in 24 bits each, 14 bytes into it.
void read_theora(Bytes packet, MediaInfo& info) noexcept {
  if (!has_text(packet, 0, "\x80theora") || packet.size() < 20) return;
  info.width = static_cast<std::uint32_t>(big(packet, 14, 3));
  info.height = static_cast<std::uint32_t>(big(packet, 17, 3));
}

/// Shows the first packet of each stream.
template <class Take>
Result<void> for_each_beginning(Cursor& cursor, const Take& take) {
  // All pages that begin streams come first, each with one packet.
  while (cursor.remaining() > 0) {
    MEDIA_TRY(cursor.step());
    const std::uint64_t at = cursor.position();
    MEDIA_TRY_ASSIGN(const auto page, cursor.take<27>("an Ogg page"));
    if (page.be32<0>() != code("OggS") || page.byte<4>() != 0) return corrupt_at("something that is no Ogg page", at);
    MEDIA_TRY_ASSIGN(const Bytes lacing, cursor.ahead(page.byte<26>(), "an Ogg page"));
    std::uint64_t length = 0;
    for (const std::byte segment : lacing) length += std::to_integer<std::uint64_t>(segment);
    MEDIA_TRY(cursor.skip(page.byte<26>(), "an Ogg page"));
    if (length > cursor.remaining()) return corrupt_at("the content ends early: inside an Ogg page", at);
    if ((page.byte<5>() & kBeginsStream) == 0) return {};
    MEDIA_TRY_ASSIGN(const Bytes packet, cursor.ahead(static_cast<std::size_t>(length), "an Ogg page"));
    take(packet);
    MEDIA_TRY(cursor.skip(length, "an Ogg page"));
  }
  return {};
}

Result<void> read(Cursor& cursor, MediaInfo& info) {
  info.frames = 0;
  return for_each_beginning(cursor, [&](Bytes packet) { read_theora(packet, info); });
}

/// What a stream's first packet says of it.
void tell_track(Bytes packet, MediaDetails& details) {
  if (has_text(packet, 0, "\x80theora") && packet.size() >= 36) {
    VideoTrack track;
    track.codec = "theora";
    MediaInfo coded;
    read_theora(packet, coded);
    track.width = coded.width;
    track.height = coded.height;
    const std::uint32_t frames = be32(packet, 22);
    const std::uint32_t seconds = be32(packet, 26);
    if (seconds > 0) track.frames_per_second = static_cast<double>(frames) / seconds;
    const auto aspect_width = static_cast<std::uint32_t>(big(packet, 30, 3));
    const auto aspect_height = static_cast<std::uint32_t>(big(packet, 33, 3));
    if (aspect_height > 0 && aspect_width > aspect_height) {
      track.display_width = static_cast<std::uint32_t>(std::lround(1.0 * track.width * aspect_width / aspect_height));
    } else if (aspect_width > 0 && aspect_width < aspect_height) {
      track.display_height = static_cast<std::uint32_t>(std::lround(1.0 * track.height * aspect_height / aspect_width));
    }
    details.video.push_back(std::move(track));
  } else if (has_text(packet, 0, "\x01vorbis") && packet.size() >= 16) {
    details.audio.push_back({"vorbis", u8(packet, 11), le32(packet, 12), false});
  } else if (has_text(packet, 0, "OpusHead") && packet.size() >= 12) {
    details.audio.push_back({"opus", u8(packet, 9), 48'000, false});
  } else if (has_text(packet, 0,
                      "\x7f"
                      "FLAC")) {
    details.audio.push_back({"flac", 0, 0, false});
  } else {
    ++details.other_tracks;
  }
}

Result<void> read_tracks(Cursor& cursor, MediaDetails& details) {
  return for_each_beginning(cursor, [&](Bytes packet) { tell_track(packet, details); });
}

}  // namespace

extern const FormatReader kOgg;
const FormatReader kOgg{sniff, read, read_tracks};

}  // namespace media::inspect
