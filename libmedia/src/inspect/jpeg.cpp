// JPEG (ITU-T T.81) with JFIF or EXIF around it. Marker segments are walked up to the first scan; the entropy-coded
// data is not parsed.
#include <string.h>  // memmem

#include <algorithm>
#include <string_view>

#include "inspect/formats.hpp"
#include "inspect/orientation.hpp"

namespace media::inspect {
namespace {

constexpr std::uint8_t kStartOfScan = 0xda;
constexpr std::uint8_t kEndOfImage = 0xd9;

Format sniff(Bytes head) noexcept { return has_text(head, 0, "\xff\xd8\xff") ? Format::jpeg : Format::unknown; }

bool is_frame_header(std::uint8_t marker) noexcept {
  return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

bool stands_alone(std::uint8_t marker) noexcept { return marker == 0x01 || (marker >= 0xd0 && marker <= 0xd7); }

/// The next marker's second byte. Some bytes that are no marker are passed over, as decoders do: cameras leave padding.
Result<std::uint8_t> next_marker(Cursor& cursor) {
  constexpr std::uint64_t kLongestPadding = 64 * 1024;
  const std::uint64_t begin = cursor.position();
  bool after_ff = false;
  while (cursor.position() - begin <= kLongestPadding) {
    MEDIA_TRY_ASSIGN(const Bytes bytes, cursor.some());
    if (bytes.empty()) return corrupt_at("the content ends early: a JPEG without the start of its picture data, which ends", cursor.size());
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      const std::uint8_t value = u8(bytes, i);
      if (after_ff && value != 0xff && value != 0x00) {
        MEDIA_TRY(cursor.skip(i + 1, "a JPEG marker"));
        return value;
      }
      after_ff = value == 0xff;
    }
    MEDIA_TRY(cursor.skip(bytes.size(), "a JPEG marker"));
  }
  return corrupt_at("no JPEG marker after a segment that ends", begin);
}

Result<void> read_frame_header(Cursor& cursor, std::uint64_t length, MediaInfo& info) {
  const std::uint64_t at = cursor.position();
  MEDIA_TRY_ASSIGN(const auto frame, cursor.take<6>("the JPEG frame header"));
  info.height = frame.be16<1>();
  info.width = frame.be16<3>();
  const std::uint8_t components = frame.byte<5>();
  if (info.width == 0 || info.height == 0) return corrupt_at("a JPEG of no width or no height, stated", at);
  if (components == 0 || length != 6U + 3U * components)
    return corrupt_at("a JPEG frame header whose length is not that of its components", at);
  return {};
}

/// Looks for an end-of-image marker between `scan` and the end, from the end backwards. Inside entropy-coded data 0xFF is
/// always followed by 0x00 or a restart marker, so the marker is there only if the picture's data was written to its end; what
/// follows it (a second picture of a multi-picture file, a camera's trailer) does not matter. Usually the last two bytes answer.
Result<bool> has_end(Cursor& cursor, std::uint64_t scan) {
  constexpr std::string_view kMarker = "\xff\xd9";
  std::uint64_t end = cursor.size();
  std::uint64_t block = 64;
  while (end - scan >= kMarker.size()) {
    const std::uint64_t begin = end - std::min(block, end - scan);
    MEDIA_TRY(cursor.seek(begin, "the end of a JPEG"));
    MEDIA_TRY_ASSIGN(const Bytes bytes, cursor.ahead(static_cast<std::size_t>(end - begin), "the end of a JPEG"));
    if (::memmem(bytes.data(), bytes.size(), kMarker.data(), kMarker.size()) != nullptr) return true;
    if (begin == scan) return false;
    end = begin + 1;  // the marker may lie across
    block = std::min<std::uint64_t>(block * 16, Cursor::kWindowBytes);
  }
  return false;
}

Result<void> read(Cursor& cursor, MediaInfo& info) {
  MEDIA_TRY(cursor.skip(2, "the JPEG signature"));
  bool frame_seen = false;
  bool exif_seen = false;
  for (;;) {
    MEDIA_TRY(cursor.step());
    MEDIA_TRY_ASSIGN(const std::uint8_t marker, next_marker(cursor));
    const std::uint64_t at = cursor.position() - 2;
    if (stands_alone(marker)) continue;
    if (marker == kEndOfImage) return corrupt_at("a JPEG that ends before its picture data,", at);
    if (marker == 0xd8) return corrupt_at("a JPEG that begins again before its picture data,", at);
    MEDIA_TRY_ASSIGN(const auto head, cursor.take<2>("a JPEG segment"));
    if (head.be16<0>() < 2) return corrupt_at("a JPEG segment with an impossible length", at);
    const std::uint64_t length = head.be16<0>() - 2U;
    const std::uint64_t next = cursor.position() + length;
    if (length > cursor.remaining()) return corrupt_at("the content ends early: inside a JPEG segment", at);
    const Cursor::Within segment(cursor, next);
    if (is_frame_header(marker)) {
      if (frame_seen) return corrupt_at("a second JPEG frame header", at);
      frame_seen = true;
      MEDIA_TRY(read_frame_header(cursor, length, info));
    } else if (marker == 0xe1 && !exif_seen && length > 6) {
      MEDIA_TRY_ASSIGN(const Bytes bytes, cursor.ahead(static_cast<std::size_t>(length), "a JPEG segment"));
      if (has_text(bytes, 0, std::string_view("Exif\0", 5))) {
        exif_seen = true;
        info.orientation = exif_orientation(bytes.subspan(6));
      }
    } else if (marker == kStartOfScan) {
      if (!frame_seen) return corrupt_at("JPEG picture data without a frame header", at);
      MEDIA_TRY_ASSIGN(const auto components, cursor.take<1>("the JPEG scan header"));
      if (components.byte<0>() < 1 || components.byte<0>() > 4 || length != 4U + 2U * components.byte<0>()) {
        return corrupt_at("a JPEG scan header whose length is not that of its components", at);
      }
      MEDIA_TRY(cursor.seek(next, "the JPEG scan header"));
      break;
    }
    MEDIA_TRY(cursor.seek(next, "a JPEG segment"));
  }
  MEDIA_TRY_ASSIGN(const bool ended, has_end(cursor, cursor.position()));
  if (!ended) return corrupt_at("the content ends early: a JPEG without its end marker, which ends", cursor.size());
  return {};
}

}  // namespace

extern const FormatReader kJpeg;
const FormatReader kJpeg{sniff, read};

}  // namespace media::inspect
