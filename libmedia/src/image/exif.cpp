#include "image/exif.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

namespace media::image {
namespace {

constexpr std::uint32_t kOrientationTag = 0x0112;
constexpr std::uint32_t kArtistTag = 0x013B;
constexpr std::uint32_t kCopyrightTag = 0x8298;
constexpr std::uint32_t kAsciiType = 2;
constexpr std::uint32_t kShortType = 3;
constexpr std::uint32_t kUtf8Type = 129;  // Of EXIF 3.0.

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
  /// Where the first directory's entry of this tag begins.
  [[nodiscard]] std::optional<std::uint64_t> find(std::uint32_t wanted) const noexcept {
    const auto directory = number(4, 4);
    if (!directory) return std::nullopt;
    const auto entries = number(*directory, 2);
    if (!entries) return std::nullopt;
    for (std::uint64_t i = 0; i < *entries; ++i) {
      const std::uint64_t at = *directory + 2ULL + i * 12;
      const auto tag = number(at, 2);
      if (!tag) return std::nullopt;
      if (*tag == wanted) return at;
    }
    return std::nullopt;
  }
  /// The bytes of an entry of text; as many as there are, where it claims more.
  [[nodiscard]] std::string_view text(std::uint64_t entry) const noexcept {
    const auto type = number(entry + 2, 2);
    const auto count = number(entry + 4, 4);
    if (!type || !count || (*type != kAsciiType && *type != kUtf8Type)) return {};
    std::uint64_t at = entry + 8;
    if (*count > 4) {
      const auto offset = number(at, 4);
      if (!offset) return {};
      at = *offset;
    }
    if (at >= bytes_.size()) return {};
    const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(*count, bytes_.size() - at));
    return {reinterpret_cast<const char*>(bytes_.data()) + at, length};
  }

 private:
  std::span<const std::byte> bytes_;
  bool big_endian_ = false;
};

std::optional<Tiff> open_tiff(std::span<const std::byte> block) noexcept {
  constexpr std::array<std::byte, 6> kPrefix{std::byte{'E'}, std::byte{'x'}, std::byte{'i'}, std::byte{'f'}, std::byte{0}, std::byte{0}};
  if (block.size() >= kPrefix.size() && std::equal(kPrefix.begin(), kPrefix.end(), block.begin())) block = block.subspan(kPrefix.size());
  if (block.size() < 8 || block[0] != block[1] || (block[0] != std::byte{'I'} && block[0] != std::byte{'M'})) return std::nullopt;
  return Tiff(block);
}

/// Bytes of the character that begins `text`, 0 where none does (RFC 3629: no overlong forms, no surrogates).
std::size_t character_bytes(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(text[i])); };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xC2 && first < 0xE0 ? 2 : first >= 0xE0 && first < 0xF0 ? 3 : first >= 0xF0 && first < 0xF5 ? 4 : 0;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return 0;
  }
  const unsigned second = byte(1);
  const bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  const bool beyond = (first == 0xED && second >= 0xA0) || (first == 0xF4 && second >= 0x90);
  return overlong || beyond ? 0 : length;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t bytes = character_bytes(text);
    if (bytes == 0) return false;
    text.remove_prefix(bytes);
  }
  return true;
}

std::string from_latin1(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      out += c;
    } else {
      out += static_cast<char>(0xC0U | (byte >> 6U));
      out += static_cast<char>(0x80U | (byte & 0x3FU));
    }
  }
  return out;
}

/// C0, DEL and C1 as single blanks, none at either end, cut between characters.
std::string cleaned(std::string_view text) {
  const std::string utf8 = is_utf8(text) ? std::string(text) : from_latin1(text);
  std::string out;
  for (std::string_view rest = utf8; !rest.empty();) {
    const std::string_view character = rest.substr(0, character_bytes(rest));
    rest.remove_prefix(character.size());
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(character[i]); };
    const bool blank = byte(0) <= 0x20 || byte(0) == 0x7F || (byte(0) == 0xC2 && byte(1) < 0xA0);
    if (blank && (out.empty() || out.back() == ' ')) continue;
    if (out.size() + character.size() > kMaxCreditBytes) break;
    out += blank ? std::string_view(" ") : character;
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

/// The parts between NULs, cleaned and joined.
std::string joined(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find('\0'));
    text.remove_prefix(std::min(part.size() + 1, text.size()));
    const std::string clean = cleaned(part);
    if (!clean.empty()) out += (out.empty() ? "" : "; ") + clean;
  }
  // Joining may have made it too long again.
  return cleaned(out);
}

}  // namespace

std::uint8_t exif_orientation(std::span<const std::byte> block) noexcept {
  const auto tiff = open_tiff(block);
  const auto entry = tiff ? tiff->find(kOrientationTag) : std::nullopt;
  if (!entry) return 1;
  const auto type = tiff->number(*entry + 2, 2);
  // Some writers store it as a LONG; the value then fills all four bytes.
  const auto value = tiff->number(*entry + 8, type == kShortType ? 2 : 4);
  return value && *value >= 1 && *value <= 8 ? static_cast<std::uint8_t>(*value) : std::uint8_t{1};
}

Credit exif_credit(std::span<const std::byte> block) {
  const auto tiff = open_tiff(block);
  if (!tiff) return {};
  const auto text = [&](std::uint32_t tag) {
    const auto entry = tiff->find(tag);
    // Nobody's name is longer than a JPEG's whole EXIF may be.
    constexpr std::size_t kMostLookedAt = 65'536;
    return entry ? joined(tiff->text(*entry).substr(0, kMostLookedAt)) : std::string();
  };
  return {text(kCopyrightTag), text(kArtistTag)};
}

std::vector<std::byte> credit_block(const Credit& credit) {
  if (credit.empty()) return {};
  struct Entry {
    std::uint32_t tag;
    std::string text;
  };
  std::vector<Entry> entries;  // By rising tag, as TIFF wants them.
  if (!credit.creator.empty()) entries.push_back({kArtistTag, credit.creator});
  if (!credit.copyright.empty()) entries.push_back({kCopyrightTag, credit.copyright});

  std::vector<std::byte> out;
  const auto number = [&](std::uint32_t value, int width) {
    for (int i = width - 1; i >= 0; --i) out.push_back(static_cast<std::byte>(value >> (8 * i)));
  };
  out.insert(out.end(), 2, std::byte{'M'});
  number(42, 2);
  number(8, 4);
  number(static_cast<std::uint32_t>(entries.size()), 2);
  auto offset = static_cast<std::uint32_t>(8 + 2 + 12 * entries.size() + 4);
  for (Entry& entry : entries) {
    // Five bytes at least, so that every text lies behind the directory; its end is the first NUL all the same.
    entry.text.resize(std::max<std::size_t>(entry.text.size() + 1, 5), '\0');
    number(entry.tag, 2);
    number(kAsciiType, 2);
    number(static_cast<std::uint32_t>(entry.text.size()), 4);
    number(offset, 4);
    offset += static_cast<std::uint32_t>(entry.text.size());
  }
  number(0, 4);
  for (const Entry& entry : entries) {
    for (const char c : entry.text) out.push_back(static_cast<std::byte>(c));
  }
  return out;
}

}  // namespace media::image
