// TIFF 6.0 and BigTIFF, in both byte orders: the first directory only.
#include <algorithm>

#include "inspect/formats.hpp"

namespace media::inspect {
namespace {

Format sniff(Bytes head) noexcept {
  const bool little_endian = has_text(head, 0, std::string_view("II*\0", 4)) || has_text(head, 0, std::string_view("II+\0\x08\0\0\0", 8));
  const bool big_endian = has_text(head, 0, std::string_view("MM\0*", 4)) || has_text(head, 0, std::string_view("MM\0+\0\x08\0\0", 8));
  return little_endian || big_endian ? Format::tiff : Format::unknown;
}

class TiffWalk {
 public:
  TiffWalk(Cursor& cursor, MediaInfo& info) : cursor_(cursor), info_(info) {}

  Result<void> run() {
    MEDIA_TRY_ASSIGN(const auto head, cursor_.take<8>("the TIFF header"));
    big_endian_ = head.byte<0>() == 'M';
    big_file_ = number(head.bytes(), 2, 2) == 43;
    std::uint64_t directory = number(head.bytes(), 4, 4);
    if (big_file_) {
      MEDIA_TRY_ASSIGN(const auto more, cursor_.take<8>("the BigTIFF header"));
      directory = number(more.bytes(), 0, 8);
    }
    if (directory < 8) return corrupt_at("a TIFF without a directory, stated", 4);
    MEDIA_TRY(cursor_.seek(directory, "the TIFF directory"));
    MEDIA_TRY(read_directory());
    if (info_.width == 0 || info_.height == 0) return corrupt_at("a TIFF directory without width or height", directory);
    return {};
  }

 private:
  [[nodiscard]] std::uint64_t number(Bytes bytes, std::size_t at, std::size_t count) const noexcept {
    return big_endian_ ? big(bytes, at, count) : little(bytes, at, count);
  }

  Result<void> read_directory() {
    const std::size_t count_bytes = big_file_ ? 8 : 2;
    MEDIA_TRY_ASSIGN(const Bytes count, cursor_.ahead(count_bytes, "the TIFF directory"));
    const std::uint64_t entries = number(count, 0, count_bytes);
    MEDIA_TRY(cursor_.skip(count_bytes, "the TIFF directory"));
    const std::size_t entry_bytes = big_file_ ? 20 : 12;
    for (std::uint64_t i = 0; i < entries; ++i) {
      MEDIA_TRY(cursor_.step());
      MEDIA_TRY_ASSIGN(const Bytes entry, cursor_.ahead(entry_bytes, "a TIFF directory entry"));
      read_entry(entry);
      MEDIA_TRY(cursor_.skip(entry_bytes, "a TIFF directory entry"));
    }
    return {};
  }

  void read_entry(Bytes entry) noexcept {
    const std::uint64_t type = number(entry, 2, 2);
    const std::size_t value_at = big_file_ ? 12 : 8;
    // BYTE, SHORT, LONG and BigTIFF's LONG8 stand in the entry itself.
    const std::size_t width = type == 1 ? 1 : type == 3 ? 2 : type == 4 ? 4 : type == 16 && big_file_ ? 8 : 0;
    if (width == 0) return;
    const std::uint64_t value = number(entry, value_at, width);
    const auto side = static_cast<std::uint32_t>(std::min<std::uint64_t>(value, UINT32_MAX));
    switch (number(entry, 0, 2)) {
      case 256:
        info_.width = side;
        break;
      case 257:
        info_.height = side;
        break;
      case 274:
        if (value >= 1 && value <= 8) info_.orientation = static_cast<std::uint8_t>(value);
        break;
      case 338:
        info_.has_alpha = value == 1 || value == 2;
        break;  // ExtraSamples: associated or unassociated alpha
      default:
        break;
    }
  }

  Cursor& cursor_;
  MediaInfo& info_;
  bool big_endian_ = false;
  bool big_file_ = false;
};

Result<void> read(Cursor& cursor, MediaInfo& info) { return TiffWalk(cursor, info).run(); }

}  // namespace

extern const FormatReader kTiff;
const FormatReader kTiff{sniff, read};

}  // namespace media::inspect
