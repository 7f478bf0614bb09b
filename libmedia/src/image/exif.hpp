/// The three things that pictures need from EXIF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace media::image {

/// Who made a picture and who holds its rights. Valid UTF-8 of at most kMaxCreditBytes each, without control characters
/// and without blanks at either end; empty where there is nothing.
struct Credit {
  std::string copyright;
  std::string creator;
  [[nodiscard]] bool empty() const noexcept { return copyright.empty() && creator.empty(); }
  friend bool operator==(const Credit&, const Credit&) = default;
};
inline constexpr std::size_t kMaxCreditBytes = 256;

/// Orientation, 1 to 8, from an EXIF block: a TIFF header and its first directory (CIPA DC-008-2019, 4.6), with or
/// without the six bytes "Exif\0\0" before it. 1 where it is absent or broken: a damaged block must not lose a photo.
std::uint8_t exif_orientation(std::span<const std::byte> block) noexcept;

/// Copyright (0x8298) and Artist (0x013B) of such a block; empty where they are absent or broken. The photographer's
/// and the editor's copyright, which EXIF puts behind each other, are joined by "; ". What is no UTF-8 is read as Latin-1.
Credit exif_credit(std::span<const std::byte> block);

/// An EXIF block (without "Exif\0\0") that says this and nothing else; empty for an empty credit. `exif_credit` reads it back.
std::vector<std::byte> credit_block(const Credit& credit);

}  // namespace media::image
