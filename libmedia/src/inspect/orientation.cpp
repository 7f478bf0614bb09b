#include "inspect/orientation.hpp"

namespace media::inspect {

std::uint8_t exif_orientation(Bytes tiff) noexcept {
  if (tiff.size() < 8) return 1;
  const bool big_endian = has_text(tiff, 0, "MM");
  if (!big_endian && !has_text(tiff, 0, "II")) return 1;
  const auto number = [&](std::size_t at, std::size_t count) { return big_endian ? big(tiff, at, count) : little(tiff, at, count); };
  if (number(2, 2) != 42) return 1;
  const std::uint64_t directory = number(4, 4);
  if (directory < 8 || directory > tiff.size() - 2) return 1;
  const auto begin = static_cast<std::size_t>(directory);
  const std::uint64_t entries = number(begin, 2);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t entry = begin + 2 + i * 12;
    if (tiff.size() < 12 || entry > tiff.size() - 12) return 1;
    if (number(entry, 2) != 0x0112) continue;
    // SHORT by the standard; LONG is written by a few tools.
    const std::uint64_t type = number(entry + 2, 2);
    if ((type != 3 && type != 4) || number(entry + 4, 4) != 1) return 1;
    const std::uint64_t value = number(entry + 8, type == 3 ? 2 : 4);
    return value >= 1 && value <= 8 ? static_cast<std::uint8_t>(value) : std::uint8_t{1};
  }
  return 1;
}

}  // namespace media::inspect
