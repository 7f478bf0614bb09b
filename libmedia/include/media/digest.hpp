/// SHA-256: the name of every blob.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "media/export.hpp"
#include "media/result.hpp"

namespace media {

/// A SHA-256 (FIPS 180-4) as a value: 32 bytes, compared bytewise.
class MEDIA_EXPORT Digest {
 public:
  static constexpr std::size_t kSize = 32;

  /// All zero: no content has it in practice; used as "not set" by containers only.
  constexpr Digest() = default;
  explicit constexpr Digest(const std::array<std::uint8_t, kSize>& bytes) : bytes_(bytes) {}

  /// Reads exactly 64 lower- or upper-case hexadecimal digits. `invalid_argument` otherwise.
  static Result<Digest> from_hex(std::string_view hex);
  /// The digest of bytes that are in memory already.
  static Digest of(std::span<const std::byte> content);

  /// 64 lower-case hexadecimal digits.
  [[nodiscard]] std::string to_hex() const;
  [[nodiscard]] const std::array<std::uint8_t, kSize>& bytes() const noexcept { return bytes_; }

  friend auto operator<=>(const Digest&, const Digest&) = default;

 private:
  std::array<std::uint8_t, kSize> bytes_{};
};

/// SHA-256 of a stream, piece by piece. OpenSSL does the work, with the processor's SHA extensions
/// where it has them.
///
/// Thread-safety: none; one stream, one hasher, because the state is the stream's.
class MEDIA_EXPORT Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  ~Sha256();

  void update(std::span<const std::byte> piece);
  /// The digest of everything so far; the hasher starts afresh afterwards.
  Digest finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace media

/// A digest is uniformly distributed already: its first bytes are the hash.
template <>
struct std::hash<media::Digest> {
  std::size_t operator()(const media::Digest& digest) const noexcept {
    std::size_t value = 0;
    for (std::size_t i = 0; i < sizeof value; ++i) value = value << 8U | digest.bytes()[i];
    return value;
  }
};
