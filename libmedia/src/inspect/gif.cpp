// GIF87a and GIF89a: blocks are walked to the trailer, which is the only way to count frames.
#include "inspect/formats.hpp"

namespace media::inspect {
namespace {

constexpr std::uint8_t kExtension = 0x21;
constexpr std::uint8_t kImage = 0x2c;
constexpr std::uint8_t kTrailer = 0x3b;
constexpr std::uint8_t kGraphicControl = 0xf9;

Format sniff(Bytes head) noexcept { return has_text(head, 0, "GIF87a") || has_text(head, 0, "GIF89a") ? Format::gif : Format::unknown; }

std::uint64_t palette_bytes(std::uint8_t flags) noexcept { return (flags & 0x80U) != 0 ? std::uint64_t{3} << ((flags & 7U) + 1) : 0; }

/// Passes over data sub-blocks to their terminator, in the window as far as it goes: a large GIF has 200,000 of them. Says how many
/// bytes of data there were.
Result<std::uint64_t> skip_sub_blocks(Cursor& cursor) {
  std::uint64_t total = 0;
  for (;;) {
    MEDIA_TRY_ASSIGN(const Bytes bytes, cursor.some());
    if (bytes.empty()) return corrupt_at("the content ends early: inside GIF data, which ends", cursor.position());
    std::size_t at = 0;
    while (at < bytes.size()) {
      const std::uint8_t length = u8(bytes, at);
      if (length == 0) {
        MEDIA_TRY(cursor.skip(at + 1, "a GIF block"));
        return total;
      }
      total += length;
      at += std::size_t{1} + length;
    }
    MEDIA_TRY(cursor.skip(at, "a GIF block"));
  }
}

class GifWalk {
 public:
  GifWalk(Cursor& cursor, MediaInfo& info) : cursor_(cursor), info_(info) {}

  Result<void> run() {
    MEDIA_TRY_ASSIGN(const auto head, cursor_.take<13>("the GIF header"));
    info_.width = head.le16<6>();
    info_.height = head.le16<8>();
    if (info_.width == 0 || info_.height == 0) return corrupt_at("a GIF of no width or no height, stated", 6);
    MEDIA_TRY(cursor_.skip(palette_bytes(head.byte<10>()), "the GIF palette"));
    for (;;) {
      MEDIA_TRY(cursor_.step());
      const std::uint64_t at = cursor_.position();
      if (cursor_.remaining() == 0) return corrupt_at("the content ends early: a GIF without its trailer, which ends", at);
      MEDIA_TRY_ASSIGN(const auto introducer, cursor_.take<1>("a GIF block"));
      if (introducer.byte<0>() == kTrailer) break;
      if (introducer.byte<0>() == kExtension) {
        MEDIA_TRY(read_extension());
      } else if (introducer.byte<0>() == kImage) {
        MEDIA_TRY(read_image(at));
      } else {
        return corrupt_at("something that is no GIF block", at);
      }
    }
    if (frames_ == 0) return corrupt_at("a GIF without a picture, which ends", cursor_.position());
    if (frames_ > 1) info_.duration = std::chrono::milliseconds(duration_ms_);
    return {};
  }

 private:
  Result<void> read_extension() {
    MEDIA_TRY_ASSIGN(const auto label, cursor_.take<1>("a GIF extension"));
    if (label.byte<0>() == kGraphicControl && cursor_.remaining() >= 5) {
      MEDIA_TRY_ASSIGN(const Bytes control, cursor_.ahead(5, "a GIF graphic control"));
      if (u8(control, 0) == 4) {
        if ((u8(control, 1) & 1U) != 0) info_.has_alpha = true;
        duration_ms_ += std::uint64_t{le16(control, 2)} * 10;
      }
    }
    MEDIA_TRY_ASSIGN(const std::uint64_t bytes, skip_sub_blocks(cursor_));
    static_cast<void>(bytes);  // an empty extension is odd and harmless
    return {};
  }

  Result<void> read_image(std::uint64_t at) {
    MEDIA_TRY_ASSIGN(const auto head, cursor_.take<9>("a GIF picture"));
    if (head.le16<4>() == 0 || head.le16<6>() == 0) return corrupt_at("a GIF picture of no width or no height", at);
    MEDIA_TRY(cursor_.skip(palette_bytes(head.byte<8>()), "a GIF palette"));
    MEDIA_TRY_ASSIGN(const auto code_size, cursor_.take<1>("a GIF picture"));
    if (code_size.byte<0>() < 1 || code_size.byte<0>() > 11) return corrupt_at("a GIF picture with an impossible code size", at);
    MEDIA_TRY_ASSIGN(const std::uint64_t bytes, skip_sub_blocks(cursor_));
    if (bytes == 0) return corrupt_at("a GIF picture without data", at);
    ++frames_;
    info_.frames = frames_;
    return {};
  }

  Cursor& cursor_;
  MediaInfo& info_;
  std::uint32_t frames_ = 0;
  std::uint64_t duration_ms_ = 0;
};

Result<void> read(Cursor& cursor, MediaInfo& info) { return GifWalk(cursor, info).run(); }

}  // namespace

extern const FormatReader kGif;
const FormatReader kGif{sniff, read};

}  // namespace media::inspect
