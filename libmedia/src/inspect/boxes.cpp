#include "inspect/boxes.hpp"

#include <algorithm>
#include <array>

namespace media::inspect {
namespace {

constexpr auto kTopTypes =
    std::to_array<std::uint32_t>({code("ftyp"), code("styp"), code("moov"), code("moof"), code("mdat"), code("meta"), code("free"),
                                  code("skip"), code("wide"), code("uuid"), code("sidx"), code("ssix"), code("mfra"), code("pdin"),
                                  code("pnot"), code("emsg"), code("prft"), code("idat"), code("imda"), code("udta")});

bool is_top_type(std::uint32_t type) noexcept { return std::find(kTopTypes.begin(), kTopTypes.end(), type) != kTopTypes.end(); }

/// The head of the box at the cursor; its end may lie anywhere.
struct Head {
  Box box;
  bool fits = false;
};

Result<Head> read_head_of_box(Cursor& cursor) {
  MEDIA_TRY(cursor.step());
  Head head;
  head.box.begin = cursor.position();
  MEDIA_TRY_ASSIGN(const auto start, cursor.take<8>("a box"));
  head.box.type = start.be32<4>();
  std::uint64_t length = start.be32<0>();
  if (length == 1) {
    MEDIA_TRY_ASSIGN(const auto wide, cursor.take<8>("the 64-bit length of a box"));
    length = wide.be64<0>();
  } else if (length == 0) {
    length = cursor.limit() - head.box.begin;  // to the end of what holds it
  }
  head.box.body = cursor.position();
  head.fits = length >= head.box.body - head.box.begin && length <= cursor.limit() - head.box.begin;
  head.box.end = head.fits ? head.box.begin + length : head.box.body;
  return head;
}

Error misfit(const Box& box, const Cursor& cursor) {
  const std::string name = "box " + code_text(box.type);
  if (cursor.limit() == cursor.size()) return corrupt_at("the content ends early: the " + name + " does not fit, which begins", box.begin);
  return corrupt_at("the " + name + " does not fit into what holds it,", box.begin);
}

Brand brand_of(std::uint32_t four) noexcept {
  switch (four) {
    case code("avif"):
    case code("avis"):
      return Brand::avif;
    case code("heic"):
    case code("heix"):
    case code("heim"):
    case code("heis"):
    case code("hevc"):
    case code("hevx"):
    case code("hevm"):
    case code("hevs"):
      return Brand::heic;
    case code("qt  "):
      return Brand::quicktime;
    case code("isom"):
    case code("mp41"):
    case code("mp42"):
    case code("mp71"):
    case code("avc1"):
    case code("av01"):
    case code("dash"):
    case code("cmfc"):
    case code("mmp4"):
    case code("MSNV"):
    case code("XAVC"):
    case code("f4v "):
    case code("F4V "):
      return Brand::mp4;
    default:
      break;
  }
  const std::uint32_t family = four >> 8U;
  // iso2 to isoc, M4V and M4A of Apple, 3GPP's and 3GPP2's.
  if (family == code("iso") || family == code("M4V") || family == code("M4A") || family == code("3gp") || family == code("3g2"))
    return Brand::mp4;
  return Brand::none;
}

bool is_image_structure(std::uint32_t brand) noexcept { return brand == code("mif1") || brand == code("msf1") || brand == code("miaf"); }

bool is_sequence_brand(std::uint32_t brand) noexcept {
  return brand == code("avis") || brand == code("msf1") || brand == code("hevc") || brand == code("hevx");
}

}  // namespace

Result<std::optional<Box>> next_box(Cursor& cursor) {
  if (cursor.remaining() < 8) return std::optional<Box>();
  MEDIA_TRY_ASSIGN(const Head head, read_head_of_box(cursor));
  if (!head.fits) return misfit(head.box, cursor);
  return std::optional<Box>(head.box);
}

Result<std::optional<Box>> next_top_box(Cursor& cursor) {
  if (cursor.remaining() < 8) return std::optional<Box>();
  MEDIA_TRY_ASSIGN(const Head head, read_head_of_box(cursor));
  if (head.fits) return std::optional<Box>(head.box);
  if (is_top_type(head.box.type)) return misfit(head.box, cursor);
  return std::optional<Box>();
}

FileType file_type(Bytes head) noexcept {
  if (head.size() < 16 || !has_text(head, 4, "ftyp")) return {};
  const std::size_t end = std::min<std::size_t>(be32(head, 0), head.size());
  if (end < 16) return {};
  const std::uint32_t major = be32(head, 8);
  FileType type;
  type.is_sequence = is_sequence_brand(major);
  type.brand = brand_of(major);
  if (type.brand != Brand::none) return type;
  // A major brand of the structure alone (mif1), or one that is not known here: the compatible brands decide.
  for (std::size_t at = 16; at + 4 <= end; at += 4) {
    const Brand brand = brand_of(be32(head, at));
    if (brand == Brand::avif) type.brand = brand;
    if (brand != Brand::none && type.brand == Brand::none) type.brand = brand;
  }
  if (is_image_structure(major) && type.brand != Brand::avif) type.brand = Brand::heic;
  return type;
}

}  // namespace media::inspect
