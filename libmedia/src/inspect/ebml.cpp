#include "inspect/ebml.hpp"

#include <algorithm>
#include <bit>

namespace media::inspect {

Number read_number(Bytes bytes, std::size_t longest, bool keep_marker) noexcept {
  if (bytes.empty()) return {};
  const std::uint8_t first = u8(bytes, 0);
  const auto width = static_cast<std::size_t>(std::countl_zero(first)) + 1;
  if (width > longest || width > bytes.size()) return {};
  const std::uint64_t raw = big(bytes, 0, width);
  const std::uint64_t mask = (std::uint64_t{1} << 7U * width) - 1;
  return {keep_marker ? raw : raw & mask, width, (raw & mask) == mask};
}

Result<Element> read_element(Cursor& cursor) {
  MEDIA_TRY(cursor.step());
  Element element;
  element.begin = cursor.position();
  MEDIA_TRY_ASSIGN(const Bytes bytes,
                   cursor.ahead(static_cast<std::size_t>(std::min<std::uint64_t>(12, cursor.remaining())), "an EBML element"));
  const Number id = read_number(bytes, 4, true);
  if (id.width == 0) return corrupt_at("something that is no EBML element", element.begin);
  const Number size = read_number(bytes.subspan(id.width), 8, false);
  if (size.width == 0) return corrupt_at("an EBML element without a size", element.begin);
  element.id = static_cast<std::uint32_t>(id.value);
  MEDIA_TRY(cursor.skip(id.width + size.width, "an EBML element"));
  element.unknown_size = size.all_ones;
  element.fits = size.all_ones || size.value <= cursor.remaining();
  element.end = size.all_ones || !element.fits ? cursor.limit() : cursor.position() + size.value;
  return element;
}

Error misfit(const Element& element) {
  return corrupt_at("an EBML element runs past the end of what holds it, which begins", element.begin);
}

Result<std::uint64_t> take_unsigned(Cursor& cursor) {
  if (cursor.remaining() > 8) return corrupt_at("an EBML number of more than eight bytes", cursor.position());
  const auto width = static_cast<std::size_t>(cursor.remaining());
  MEDIA_TRY_ASSIGN(const Bytes bytes, cursor.ahead(width, "an EBML number"));
  return big(bytes, 0, width);
}

Result<double> take_float(Cursor& cursor) {
  const auto width = static_cast<std::size_t>(std::min<std::uint64_t>(cursor.remaining(), 9));
  if (width != 0 && width != 4 && width != 8) return corrupt_at("an EBML float of an impossible width", cursor.position());
  MEDIA_TRY_ASSIGN(const Bytes bytes, cursor.ahead(width, "an EBML float"));
  if (width == 4) return static_cast<double>(std::bit_cast<float>(be32(bytes, 0)));
  return width == 8 ? std::bit_cast<double>(be64(bytes, 0)) : 0.0;
}

}  // namespace media::inspect
