/// SHA-256 of several contents at once on one core.
///
/// The rounds of SHA-256 (FIPS 180-4) depend on each other, so that the processor's SHA unit waits most of the time when it works at one
/// stream. Two or three independent streams whose instructions are interleaved keep it busy: twice the bytes a second and more.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "media/digest.hpp"
#include "media/hashing.hpp"

namespace media {

/// True where this processor has the instructions that interleaving needs. Elsewhere everything below works too, one stream after the
/// other, by OpenSSL.
[[nodiscard]] bool sha256_lanes_in_use() noexcept;

/// A SHA-256 in progress that can be advanced together with others.
///
/// Thread-safety: none; a stream is its caller's, and in no two calls of `update` at the same time.
class Sha256Stream {
 public:
  struct Piece {
    Sha256Stream* stream = nullptr;
    std::span<const std::byte> bytes;
  };

  /// `portable` takes OpenSSL even where the lanes are in use: for comparison.
  explicit Sha256Stream(bool portable = !sha256_lanes_in_use());

  void update(std::span<const std::byte> bytes);
  /// Advances each stream by its piece, several at a time; what is left of the pieces is empty afterwards. No stream occurs twice.
  static void update(std::span<Piece> pieces);
  /// The digest of everything so far; the stream starts afresh afterwards.
  Digest finish();

 private:
  void restart() noexcept;
  /// Takes from the piece what completes a begun block, or all of a piece that completes none.
  void fill_block(std::span<const std::byte>& bytes);

  std::optional<Sha256> portable_;
  std::array<std::uint32_t, 8> state_{};
  std::array<std::byte, 64> block_{};
  std::uint64_t length_bytes_ = 0;
};

}  // namespace media
