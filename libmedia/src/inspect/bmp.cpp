// Windows and OS/2 bitmaps. The two-byte signature says little, so the header's own size must be one of those that exist.
#include <algorithm>

#include "inspect/formats.hpp"

namespace media::inspect {
namespace {

constexpr std::size_t kFileHeader = 14;
constexpr std::uint32_t kCoreHeader = 12;  // OS/2 1.x: 16-bit sizes

bool is_header_size(std::uint32_t size) noexcept {
  return size == kCoreHeader || size == 16 || size == 40 || size == 52 || size == 56 || size == 64 || size == 108 || size == 124;
}

Format sniff(Bytes head) noexcept {
  if (!has_text(head, 0, "BM") || head.size() < kFileHeader + 4) return Format::unknown;
  return is_header_size(le32(head, kFileHeader)) ? Format::bmp : Format::unknown;
}

std::uint32_t magnitude(std::uint32_t value) noexcept { return (value & 0x80000000U) != 0 ? ~value + 1U : value; }

/// The pixels' bytes where they are not compressed: rows are padded to four bytes.
std::uint64_t pixel_bytes(const MediaInfo& info, std::uint32_t bits) noexcept {
  return (std::uint64_t{info.width} * bits + 31) / 32 * 4 * info.height;
}

Result<void> read(Cursor& cursor, MediaInfo& info) {
  MEDIA_TRY_ASSIGN(const auto file, cursor.take<18>("the BMP header"));
  const std::uint64_t pixels_at = file.le32<10>();
  std::uint32_t bits = 0;
  std::uint32_t compression = 0;
  if (file.le32<14>() == kCoreHeader) {
    MEDIA_TRY_ASSIGN(const auto core, cursor.take<8>("the BMP header"));
    info.width = core.le16<0>();
    info.height = core.le16<2>();
    bits = core.le16<6>();
  } else {
    MEDIA_TRY_ASSIGN(const auto core, cursor.take<12>("the BMP header"));
    info.width = magnitude(core.le32<0>());
    info.height = magnitude(core.le32<4>());  // negative: the top row comes first
    bits = core.le16<10>();
    if (file.le32<14>() >= 40) {
      MEDIA_TRY_ASSIGN(const auto more, cursor.take<4>("the BMP header"));
      compression = more.le32<0>();
    }
    if (file.le32<14>() >= 56) {
      MEDIA_TRY(cursor.seek(kFileHeader + 52, "the BMP header"));
      MEDIA_TRY_ASSIGN(const auto mask, cursor.take<4>("the BMP alpha mask"));
      info.has_alpha = bits == 32 && mask.le32<0>() != 0;
    }
  }
  if (info.width == 0 || info.height == 0) return corrupt_at("a BMP of no width or no height, stated", kFileHeader + 4);
  if (bits != 1 && bits != 2 && bits != 4 && bits != 8 && bits != 16 && bits != 24 && bits != 32 && !(bits == 0 && compression >= 4)) {
    return corrupt_at("a BMP with an impossible number of bits per pixel", kFileHeader);
  }
  if (pixels_at >= cursor.size()) return corrupt_at("the content ends early: BMP pixels that begin", pixels_at);
  const bool plain = compression == 0 || compression == 3 || compression == 6;
  if (plain && pixel_bytes(info, bits) > cursor.size() - pixels_at) {
    return corrupt_at("the content ends early: inside BMP pixels that begin", pixels_at);
  }
  return {};
}

}  // namespace

extern const FormatReader kBmp;
const FormatReader kBmp{sniff, read};

}  // namespace media::inspect
