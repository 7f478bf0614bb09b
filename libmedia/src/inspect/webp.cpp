// WebP (RFC 9649): the RIFF frame, the extended header, and the first bytes of the VP8 (RFC 6386) and VP8L bitstreams.
#include <algorithm>

#include "inspect/formats.hpp"
#include "inspect/orientation.hpp"

namespace media::inspect {
namespace {

constexpr std::uint32_t kVp8 = code("VP8 ");
constexpr std::uint32_t kVp8l = code("VP8L");

Format sniff(Bytes head) noexcept { return has_text(head, 0, "RIFF") && has_text(head, 8, "WEBP") ? Format::webp : Format::unknown; }

struct Chunk {
  std::uint32_t type = 0;
  std::uint64_t begin = 0;  ///< Of the chunk's head.
  std::uint64_t body = 0;
  std::uint64_t end = 0;   ///< Of the body.
  std::uint64_t next = 0;  ///< With the padding byte, which a last chunk may lack.
};

Result<Chunk> next_chunk(Cursor& cursor) {
  MEDIA_TRY(cursor.step());
  Chunk chunk;
  chunk.begin = cursor.position();
  MEDIA_TRY_ASSIGN(const auto head, cursor.take<8>("a WebP chunk"));
  chunk.type = head.be32<0>();
  chunk.body = cursor.position();
  const std::uint64_t length = head.le32<4>();
  if (length > cursor.remaining()) {
    return corrupt_at("the WebP chunk " + code_text(chunk.type) + " runs past the end of what holds it", chunk.begin);
  }
  chunk.end = chunk.body + length;
  chunk.next = std::min(chunk.end + (length & 1U), cursor.limit());
  return chunk;
}

struct Picture {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  bool alpha = false;
};

Result<Picture> read_picture(Cursor& cursor, const Chunk& chunk) {
  const Cursor::Within within(cursor, chunk.end);
  Picture picture;
  if (chunk.type == kVp8) {
    MEDIA_TRY_ASSIGN(const auto head, cursor.take<10>("the VP8 header"));
    const bool is_key_frame = (head.byte<0>() & 1U) == 0;
    if (!is_key_frame || head.byte<3>() != 0x9d || head.byte<4>() != 0x01 || head.byte<5>() != 0x2a) {
      return corrupt_at("a damaged VP8 header", chunk.body);
    }
    if ((head.le24<0>() >> 5U) > chunk.end - chunk.body) return corrupt_at("a VP8 partition longer than its chunk,", chunk.body);
    picture.width = head.le16<6>() & 0x3fffU;
    picture.height = head.le16<8>() & 0x3fffU;
  } else {
    MEDIA_TRY_ASSIGN(const auto head, cursor.take<5>("the VP8L header"));
    const std::uint32_t bits = head.le32<1>();
    if (head.byte<0>() != 0x2f || bits >> 29U != 0) return corrupt_at("a damaged VP8L header", chunk.body);
    picture.width = (bits & 0x3fffU) + 1;
    picture.height = (bits >> 14U & 0x3fffU) + 1;
    picture.alpha = (bits >> 28U & 1U) != 0;
  }
  if (picture.width == 0 || picture.height == 0) return corrupt_at("a WebP of no width or no height, stated", chunk.body);
  return picture;
}

class WebpWalk {
 public:
  WebpWalk(Cursor& cursor, MediaInfo& info) : cursor_(cursor), info_(info) {}

  Result<void> run() {
    MEDIA_TRY_ASSIGN(const auto riff, cursor_.take<12>("the WebP header"));
    const std::uint64_t end = 8 + std::uint64_t{riff.le32<4>()};
    // The headers are read even of a content that ends early: its size decides what the refusal says.
    const Cursor::Within within(cursor_, end);
    MEDIA_TRY(read_first());
    if (end > cursor_.size())
      return corrupt_at("the content ends early: a WebP that states " + std::to_string(end) + " bytes, which ends", cursor_.size());
    if (!extended_) return {};
    while (cursor_.remaining() > 0) MEDIA_TRY(read_chunk());
    return check_whole();
  }

 private:
  Result<void> read_first() {
    MEDIA_TRY_ASSIGN(const Chunk chunk, next_chunk_unchecked());
    if (chunk.type == code("VP8X")) {
      if (chunk.end - chunk.body < 10) return corrupt_at("a WebP extended header that is too short,", chunk.begin);
      MEDIA_TRY_ASSIGN(const auto head, cursor_.take<10>("the WebP extended header"));
      extended_ = true;
      animated_ = (head.byte<0>() & 0x02U) != 0;
      info_.has_alpha = (head.byte<0>() & 0x10U) != 0;
      info_.width = head.le24<4>() + 1;
      info_.height = head.le24<7>() + 1;
    } else if (chunk.type == kVp8 || chunk.type == kVp8l) {
      MEDIA_TRY_ASSIGN(const Picture picture, read_picture(cursor_, chunk));
      info_.width = picture.width;
      info_.height = picture.height;
      info_.has_alpha = picture.alpha;
    } else {
      return corrupt_at("a WebP that begins with the chunk " + code_text(chunk.type) + "", chunk.begin);
    }
    if (chunk.end > cursor_.limit())
      return corrupt_at("the content ends early: inside the WebP chunk " + code_text(chunk.type), chunk.begin);
    return cursor_.seek(chunk.next, "a WebP chunk");
  }

  /// The first chunk, whose head is read even where its body does not fit.
  Result<Chunk> next_chunk_unchecked() {
    Chunk chunk;
    chunk.begin = cursor_.position();
    MEDIA_TRY_ASSIGN(const auto head, cursor_.take<8>("a WebP chunk"));
    chunk.type = head.be32<0>();
    chunk.body = cursor_.position();
    chunk.end = chunk.body + head.le32<4>();
    chunk.next = std::min(chunk.end + (head.le32<4>() & 1U), cursor_.limit());
    return chunk;
  }

  Result<void> read_chunk() {
    MEDIA_TRY_ASSIGN(const Chunk chunk, next_chunk(cursor_));
    switch (chunk.type) {
      case kVp8:
      case kVp8l:
        if (!animated_) MEDIA_TRY(read_still(chunk));
        break;
      case code("ANMF"):
        if (animated_) MEDIA_TRY(read_frame(chunk));
        break;
      case code("EXIF"):
        MEDIA_TRY(read_exif(chunk));
        break;
      default:
        break;
    }
    return cursor_.seek(chunk.next, "a WebP chunk");
  }

  Result<void> read_still(const Chunk& chunk) {
    MEDIA_TRY_ASSIGN(const Picture picture, read_picture(cursor_, chunk));
    if (picture.width != info_.width || picture.height != info_.height) {
      return corrupt_at("a WebP picture of another size than its canvas,", chunk.begin);
    }
    ++pictures_;
    return {};
  }

  Result<void> read_frame(const Chunk& chunk) {
    const Cursor::Within within(cursor_, chunk.end);
    MEDIA_TRY_ASSIGN(const auto head, cursor_.take<16>("a WebP frame"));
    const std::uint64_t width = head.le24<6>() + 1;
    const std::uint64_t height = head.le24<9>() + 1;
    if (std::uint64_t{head.le24<0>()} * 2 + width > info_.width || std::uint64_t{head.le24<3>()} * 2 + height > info_.height) {
      return corrupt_at("a WebP frame that lies outside its canvas,", chunk.begin);
    }
    duration_ms_ += head.le24<12>();
    bool found = false;
    while (cursor_.remaining() > 0 && !found) {
      MEDIA_TRY_ASSIGN(const Chunk inner, next_chunk(cursor_));
      if (inner.type == kVp8 || inner.type == kVp8l) {
        MEDIA_TRY_ASSIGN(const Picture picture, read_picture(cursor_, inner));
        if (picture.width != width || picture.height != height)
          return corrupt_at("a WebP frame of another size than it states,", chunk.begin);
        found = true;
      }
      MEDIA_TRY(cursor_.seek(inner.next, "a WebP chunk"));
    }
    if (!found) return corrupt_at("a WebP frame without a picture", chunk.begin);
    ++pictures_;
    info_.frames = std::max(info_.frames, pictures_);
    return {};
  }

  Result<void> read_exif(const Chunk& chunk) {
    const Cursor::Within within(cursor_, chunk.end);
    MEDIA_TRY_ASSIGN(Bytes bytes, cursor_.some());
    // Some writers keep the prefix that the block has in a JPEG.
    if (has_text(bytes, 0, std::string_view("Exif\0\0", 6))) bytes = bytes.subspan(6);
    info_.orientation = exif_orientation(bytes);
    return {};
  }

  Result<void> check_whole() {
    if (pictures_ == 0) return corrupt_at("a WebP without a picture, which ends", cursor_.position());
    if (animated_ && pictures_ > 1) info_.duration = std::chrono::milliseconds(duration_ms_);
    return {};
  }

  Cursor& cursor_;
  MediaInfo& info_;
  bool extended_ = false;
  bool animated_ = false;
  std::uint32_t pictures_ = 0;
  std::uint64_t duration_ms_ = 0;
};

Result<void> read(Cursor& cursor, MediaInfo& info) { return WebpWalk(cursor, info).run(); }

}  // namespace

extern const FormatReader kWebp;
const FormatReader kWebp{sniff, read};

}  // namespace media::inspect
