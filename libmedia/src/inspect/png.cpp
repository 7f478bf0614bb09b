// PNG and APNG (W3C PNG, third edition). Chunk heads are walked to IEND; checksums are checked where they are cheap and
// the chunk decides (IHDR), because decoders let damaged text chunks pass.
#include <array>

#include "inspect/formats.hpp"
#include "inspect/orientation.hpp"

namespace media::inspect {
namespace {

constexpr std::string_view kSignature = "\x89PNG\r\n\x1a\n";
constexpr std::uint32_t kMaxNumber = 0x7fffffff;  // PNG's four-byte integers stop here

Format sniff(Bytes head) noexcept { return has_text(head, 0, kSignature) ? Format::png : Format::unknown; }

std::uint32_t crc32(Bytes bytes) noexcept {
  std::uint32_t crc = 0xffffffffU;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    crc ^= u8(bytes, i);
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1U) != 0 ? crc >> 1U ^ 0xedb88320U : crc >> 1U;
  }
  return ~crc;
}

bool is_letter(std::uint32_t c) noexcept { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

bool is_chunk_type(std::uint32_t type) noexcept {
  return is_letter(type >> 24U) && is_letter(type >> 16U & 0xffU) && is_letter(type >> 8U & 0xffU) && is_letter(type & 0xffU);
}

bool is_depth_of(std::uint8_t colour, std::uint8_t depth) noexcept {
  switch (colour) {
    case 0:
      return depth == 1 || depth == 2 || depth == 4 || depth == 8 || depth == 16;
    case 3:
      return depth == 1 || depth == 2 || depth == 4 || depth == 8;
    case 2:
    case 4:
    case 6:
      return depth == 8 || depth == 16;
    default:
      return false;
  }
}

class PngWalk {
 public:
  PngWalk(Cursor& cursor, MediaInfo& info) : cursor_(cursor), info_(info) {}

  Result<void> run() {
    MEDIA_TRY(cursor_.skip(kSignature.size(), "the PNG signature"));
    MEDIA_TRY(read_header());
    while (!ended_) {
      MEDIA_TRY(cursor_.step());
      MEDIA_TRY(read_chunk());
    }
    return check_whole();
  }

 private:
  Result<void> read_header() {
    MEDIA_TRY_ASSIGN(const auto head, cursor_.take<25>("the PNG header"));
    if (head.be32<0>() != 13 || head.be32<4>() != code("IHDR")) return corrupt_at("something else in the place of the PNG header,", 8);
    info_.width = head.be32<8>();
    info_.height = head.be32<12>();
    colour_ = head.byte<17>();
    if (info_.width == 0 || info_.height == 0) return corrupt_at("a PNG of no width or no height, stated", 16);
    if (info_.width > kMaxNumber || info_.height > kMaxNumber) return corrupt_at("a PNG size that the format forbids", 16);
    if (crc32(head.bytes().subspan(4, 17)) != head.be32<21>()) return corrupt_at("a damaged PNG header (its checksum differs)", 8);
    if (!is_depth_of(colour_, head.byte<16>())) return corrupt_at("a PNG with an impossible bit depth or colour type", 24);
    if (head.byte<18>() != 0 || head.byte<19>() != 0 || head.byte<20>() > 1) return corrupt_at("a PNG with an unknown method", 26);
    info_.has_alpha = colour_ == 4 || colour_ == 6;
    return {};
  }

  Result<void> read_chunk() {
    const std::uint64_t at = cursor_.position();
    if (cursor_.remaining() == 0) return corrupt_at("the content ends early: a PNG without its end chunk, which ends", at);
    MEDIA_TRY_ASSIGN(const auto head, cursor_.take<8>("a PNG chunk"));
    const std::uint32_t length = head.be32<0>();
    const std::uint32_t type = head.be32<4>();
    if (!is_chunk_type(type)) return corrupt_at("something that is no PNG chunk", at);
    if (length > kMaxNumber) return corrupt_at("a PNG chunk with an impossible length", at);
    if (length + std::uint64_t{4} > cursor_.remaining()) {
      return corrupt_at("the content ends early: inside the PNG chunk " + code_text(type), at);
    }
    const std::uint64_t body = cursor_.position();
    {
      const Cursor::Within chunk(cursor_, body + length);
      MEDIA_TRY(read_body(type, length, at));
    }
    return cursor_.seek(body + length + 4, "a PNG chunk");
  }

  Result<void> read_body(std::uint32_t type, std::uint32_t length, std::uint64_t at) {
    switch (type) {
      case code("IHDR"):
        return corrupt_at("a second PNG header", at);
      case code("PLTE"):
        if (length == 0 || length % 3 != 0 || length > 768) return corrupt_at("a PNG palette of an impossible length", at);
        palette_ = true;
        return {};
      case code("tRNS"):
        info_.has_alpha = true;
        return {};
      case code("IDAT"):
        if (colour_ == 3 && !palette_) return corrupt_at("PNG picture data without the palette that it needs", at);
        data_bytes_ += length;
        data_seen_ = true;
        return {};
      case code("IEND"):
        ended_ = true;
        return {};
      case code("eXIf"): {
        MEDIA_TRY_ASSIGN(const Bytes bytes, cursor_.some());
        info_.orientation = exif_orientation(bytes);
        return {};
      }
      case code("acTL"):
        return read_animation(length, at);
      case code("fcTL"):
        return read_frame(length, at);
      default:
        return {};
    }
  }

  Result<void> read_animation(std::uint32_t length, std::uint64_t at) {
    // After the picture data it is ignored, as readers without animation ignore it everywhere.
    if (data_seen_ || animated_) return {};
    if (length != 8) return corrupt_at("an APNG header of a wrong length", at);
    MEDIA_TRY_ASSIGN(const auto head, cursor_.take<8>("the APNG header"));
    if (head.be32<0>() == 0 || head.be32<0>() > kMaxNumber) return corrupt_at("an APNG with an impossible number of frames", at);
    animated_ = true;
    info_.frames = head.be32<0>();
    return {};
  }

  Result<void> read_frame(std::uint32_t length, std::uint64_t at) {
    if (!animated_) return {};
    if (length != 26) return corrupt_at("an APNG frame header of a wrong length", at);
    MEDIA_TRY_ASSIGN(const auto head, cursor_.take<26>("an APNG frame header"));
    const std::uint64_t right = std::uint64_t{head.be32<12>()} + head.be32<4>();
    const std::uint64_t bottom = std::uint64_t{head.be32<16>()} + head.be32<8>();
    if (head.be32<4>() == 0 || head.be32<8>() == 0 || right > info_.width || bottom > info_.height) {
      return corrupt_at("an APNG frame that lies outside the picture,", at);
    }
    const std::uint64_t denominator = head.be16<22>() == 0 ? 100 : head.be16<22>();  // 0 means hundredths
    duration_us_ += std::uint64_t{head.be16<20>()} * 1'000'000 / denominator;
    ++frames_;
    return {};
  }

  Result<void> check_whole() {
    if (data_bytes_ == 0) return corrupt_at("a PNG without picture data, which ends", cursor_.position());
    if (animated_ && frames_ != info_.frames) {
      const std::string stated = "an APNG that states " + std::to_string(info_.frames) + " frames and has " + std::to_string(frames_);
      if (frames_ > info_.frames) info_.frames = frames_;
      return corrupt_at(stated + ", which ends", cursor_.position());
    }
    if (animated_ && frames_ > 1) info_.duration = std::chrono::milliseconds(duration_us_ / 1000);
    return {};
  }

  Cursor& cursor_;
  MediaInfo& info_;
  std::uint8_t colour_ = 0;
  bool palette_ = false;
  bool animated_ = false;
  bool ended_ = false;
  bool data_seen_ = false;
  std::uint32_t frames_ = 0;
  std::uint64_t data_bytes_ = 0;
  std::uint64_t duration_us_ = 0;
};

Result<void> read(Cursor& cursor, MediaInfo& info) { return PngWalk(cursor, info).run(); }

}  // namespace

extern const FormatReader kPng;
const FormatReader kPng{sniff, read};

}  // namespace media::inspect
