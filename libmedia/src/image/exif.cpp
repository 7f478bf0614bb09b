#include "image/exif.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace media::image {
namespace {

/// Numbers of a TIFF structure, in its byte order, never outside of it.
class Tiff {
 public:
  explicit Tiff(std::span<const std::byte> bytes) : bytes_(bytes) {
    if (bytes.size() >= 2) big_endian_ = bytes[0] == std::byte{'M'};
  }
  [[nodiscard]] std::optional<std::uint32_t> number(std::uint64_t at, std::size_t width) const noexcept {
    if (at > bytes_.size() || bytes_.size() - at < width) return std::nullopt;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < width; ++i) {
      const auto byte = static_cast<std::uint32_t>(bytes_[static_cast<std::size_t>(at) + (big_endian_ ? i : width - 1 - i)]);
      value = (value << 8U) | byte;
    }
    return value;
  }

 private:
  std::span<const std::byte> bytes_;
  bool big_endian_ = false;
};

}  // namespace

std::uint8_t exif_orientation(std::span<const std::byte> block) noexcept {
  constexpr std::array<std::byte, 6> kPrefix{std::byte{'E'}, std::byte{'x'}, std::byte{'i'}, std::byte{'f'}, std::byte{0}, std::byte{0}};
  if (block.size() >= kPrefix.size() && std::equal(kPrefix.begin(), kPrefix.end(), block.begin())) block = block.subspan(kPrefix.size());
  if (block.size() < 8 || block[0] != block[1] || (block[0] != std::byte{'I'} && block[0] != std::byte{'M'})) return 1;

  constexpr std::uint32_t kOrientationTag = 0x0112;
  constexpr std::uint32_t kShortType = 3;
  const Tiff tiff(block);
  const auto directory = tiff.number(4, 4);
  if (!directory) return 1;
  const auto entries = tiff.number(*directory, 2);
  if (!entries) return 1;
  for (std::uint64_t i = 0; i < *entries; ++i) {
    const std::uint64_t at = *directory + 2ULL + i * 12;
    const auto tag = tiff.number(at, 2);
    if (!tag) return 1;
    if (*tag != kOrientationTag) continue;
    const auto type = tiff.number(at + 2, 2);
    // Some writers store it as a LONG; the value then fills all four bytes.
    const auto value = tiff.number(at + 8, type == kShortType ? 2 : 4);
    return value && *value >= 1 && *value <= 8 ? static_cast<std::uint8_t>(*value) : std::uint8_t{1};
  }
  return 1;
}

}  // namespace media::image
