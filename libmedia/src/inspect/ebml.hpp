/// EBML (RFC 8794), of which WebM and Matroska are made.
#pragma once

#include <cstdint>

#include "inspect/bytes.hpp"
#include "inspect/cursor.hpp"
#include "media/result.hpp"

namespace media::inspect {

/// An EBML variable-size number at the beginning of `bytes`: its first byte's leading zeros say how long it is.
struct Number {
  std::uint64_t value = 0;
  std::size_t width = 0;  ///< 0 where there is none of at most `longest` bytes.
  bool all_ones = false;  ///< As a size: unknown.
};

Number read_number(Bytes bytes, std::size_t longest, bool keep_marker) noexcept;

struct Element {
  std::uint32_t id = 0;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;  ///< The limit, where the size is unknown.
  bool fits = true;
  bool unknown_size = false;
};

/// The element at the cursor, which is left at its body.
Result<Element> read_element(Cursor& cursor);
Error misfit(const Element& element);

template <class Visit>
Result<void> for_each_element(Cursor& cursor, const Element& parent, Visit&& visit) {
  const Cursor::Within all(cursor, parent.end);
  while (cursor.remaining() > 0) {
    MEDIA_TRY_ASSIGN(const Element element, read_element(cursor));
    if (!element.fits || element.unknown_size) return misfit(element);
    {
      const Cursor::Within one(cursor, element.end);
      MEDIA_TRY(visit(element));
    }
    MEDIA_TRY(cursor.seek(element.end, "an EBML element"));
  }
  return {};
}

/// What is left up to the limit, as a number of at most eight bytes.
Result<std::uint64_t> take_unsigned(Cursor& cursor);
Result<double> take_float(Cursor& cursor);

}  // namespace media::inspect
