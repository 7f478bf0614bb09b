/// The compression function of SHA-256 over interleaved streams, by the SHA extensions of x86-64.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace media {

struct Sha256Lane {
  std::uint32_t* state = nullptr;     ///< Eight words, a to h.
  const std::byte* blocks = nullptr;  ///< Moves on by what was compressed.
};

/// More lanes than this gain nothing: their words no longer fit the sixteen registers.
inline constexpr std::size_t kSha256Lanes = 3;

[[nodiscard]] bool sha256_blocks_available() noexcept;

/// Compresses `count` blocks of 64 bytes in each of 1 to `kSha256Lanes` lanes. Only where they are available.
void sha256_blocks(std::span<Sha256Lane> lanes, std::size_t count) noexcept;

}  // namespace media
