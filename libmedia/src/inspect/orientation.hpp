/// Turns and mirrors, and the one number that EXIF gives to each of the eight that leave a rectangle a rectangle.
#pragma once

#include <cstdint>

#include "inspect/bytes.hpp"

namespace media::inspect {

/// x' = a x + c y, y' = b x + d y with x to the right and y down: where a coded pixel is seen. Entries are -1, 0 or 1.
struct Turn {
  int a = 1;
  int b = 0;
  int c = 0;
  int d = 1;
};

inline constexpr Turn kQuarterLeft{0, -1, 1, 0};  ///< A quarter turn anticlockwise.
inline constexpr Turn kTopToBottom{1, 0, 0, -1};  ///< Rows in the opposite order.
inline constexpr Turn kLeftToRight{-1, 0, 0, 1};  ///< Columns in the opposite order.

/// `first`, and then `second`.
constexpr Turn then(const Turn& first, const Turn& second) noexcept {
  return {second.a * first.a + second.c * first.b, second.b * first.a + second.d * first.b, second.a * first.c + second.c * first.d,
          second.b * first.c + second.d * first.d};
}

/// The EXIF number (CIPA DC-008, tag 0x0112); 1 for what is no such turn.
constexpr std::uint8_t exif_number(const Turn& turn) noexcept {
  if (turn.b == 0 && turn.c == 0) {
    if (turn.a == 1) return turn.d == -1 ? 4 : 1;
    if (turn.a == -1) return turn.d == 1 ? 2 : 3;
  }
  if (turn.a == 0 && turn.d == 0) {
    if (turn.b == 1) return turn.c == 1 ? 5 : 6;
    if (turn.b == -1) return turn.c == -1 ? 7 : 8;
  }
  return 1;
}

/// Tag 0x0112 of the first directory of an EXIF block (a TIFF structure); 1 where it is absent, odd or broken: cameras
/// and editors leave damaged EXIF in sound pictures, and every viewer shows those as they are.
std::uint8_t exif_orientation(Bytes tiff) noexcept;

}  // namespace media::inspect
