/// Numbers and four-letter codes out of bytes. Reaching outside is a broken precondition: whoever calls has checked.
#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace media::inspect {

using Bytes = std::span<const std::byte>;

inline std::uint8_t u8(Bytes bytes, std::size_t at) noexcept {
  assert(at < bytes.size());
  return std::to_integer<std::uint8_t>(bytes[at]);
}

/// `count` bytes (at most 8), the most significant first.
inline std::uint64_t big(Bytes bytes, std::size_t at, std::size_t count) noexcept {
  assert(count <= 8 && at <= bytes.size() && count <= bytes.size() - at);
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < count; ++i) value = value << 8U | u8(bytes, at + i);
  return value;
}

/// `count` bytes (at most 8), the least significant first.
inline std::uint64_t little(Bytes bytes, std::size_t at, std::size_t count) noexcept {
  assert(count <= 8 && at <= bytes.size() && count <= bytes.size() - at);
  std::uint64_t value = 0;
  for (std::size_t i = count; i > 0; --i) value = value << 8U | u8(bytes, at + i - 1);
  return value;
}

inline std::uint16_t be16(Bytes bytes, std::size_t at) noexcept { return static_cast<std::uint16_t>(big(bytes, at, 2)); }
inline std::uint32_t be32(Bytes bytes, std::size_t at) noexcept { return static_cast<std::uint32_t>(big(bytes, at, 4)); }
inline std::uint64_t be64(Bytes bytes, std::size_t at) noexcept { return big(bytes, at, 8); }
inline std::uint16_t le16(Bytes bytes, std::size_t at) noexcept { return static_cast<std::uint16_t>(little(bytes, at, 2)); }
inline std::uint32_t le24(Bytes bytes, std::size_t at) noexcept { return static_cast<std::uint32_t>(little(bytes, at, 3)); }
inline std::uint32_t le32(Bytes bytes, std::size_t at) noexcept { return static_cast<std::uint32_t>(little(bytes, at, 4)); }

/// True where `bytes` has exactly `text` at `at`; false where it is too short.
inline bool has_text(Bytes bytes, std::size_t at, std::string_view text) noexcept {
  if (at > bytes.size() || text.size() > bytes.size() - at) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (u8(bytes, at + i) != static_cast<std::uint8_t>(text[i])) return false;
  }
  return true;
}

/// "IHDR" as the number that `be32` reads it as.
constexpr std::uint32_t code(std::string_view four) noexcept {
  std::uint32_t value = 0;
  for (const char c : four) value = value << 8U | static_cast<std::uint8_t>(c);
  return value;
}

/// The four letters back, for messages: what does not print becomes '?'.
inline std::string code_text(std::uint32_t value) {
  std::string text(4, '?');
  for (std::size_t i = 0; i < 4; ++i) {
    const auto c = static_cast<unsigned char>(value >> (24U - 8U * i));
    if (c >= 0x20 && c < 0x7f) text[i] = static_cast<char>(c);
  }
  return text;
}

/// A copy of `N` bytes, read at places that the compiler checks.
template <std::size_t N>
class Record {
 public:
  explicit Record(Bytes from) noexcept {
    assert(from.size() >= N);
    for (std::size_t i = 0; i < N; ++i) bytes_[i] = from[i];
  }
  template <std::size_t At>
  [[nodiscard]] std::uint8_t byte() const noexcept {
    static_assert(At < N);
    return std::to_integer<std::uint8_t>(bytes_[At]);
  }
  template <std::size_t At>
  [[nodiscard]] std::uint16_t be16() const noexcept {
    static_assert(At + 2 <= N);
    return inspect::be16(bytes_, At);
  }
  template <std::size_t At>
  [[nodiscard]] std::uint32_t be32() const noexcept {
    static_assert(At + 4 <= N);
    return inspect::be32(bytes_, At);
  }
  template <std::size_t At>
  [[nodiscard]] std::uint64_t be64() const noexcept {
    static_assert(At + 8 <= N);
    return inspect::be64(bytes_, At);
  }
  template <std::size_t At>
  [[nodiscard]] std::uint16_t le16() const noexcept {
    static_assert(At + 2 <= N);
    return inspect::le16(bytes_, At);
  }
  template <std::size_t At>
  [[nodiscard]] std::uint32_t le24() const noexcept {
    static_assert(At + 3 <= N);
    return inspect::le24(bytes_, At);
  }
  template <std::size_t At>
  [[nodiscard]] std::uint32_t le32() const noexcept {
    static_assert(At + 4 <= N);
    return inspect::le32(bytes_, At);
  }
  [[nodiscard]] Bytes bytes() const noexcept { return bytes_; }

 private:
  std::array<std::byte, N> bytes_{};
};

}  // namespace media::inspect
