// Ogg (RFC 3533): the pages that begin streams, and the size in a Theora header.
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

Result<void> read(Cursor& cursor, MediaInfo& info) {
  info.frames = 0;
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
    read_theora(packet, info);
    MEDIA_TRY(cursor.skip(length, "an Ogg page"));
  }
  return {};
}

}  // namespace

extern const FormatReader kOgg;
const FormatReader kOgg{sniff, read};

}  // namespace media::inspect
