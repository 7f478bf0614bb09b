/// Reading a whole content in pieces: to hash it, or to copy it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>

#include "media/blob_store.hpp"
#include "media/digest.hpp"
#include "media/io.hpp"

namespace media {

/// Calls `take(piece)` for each piece of the content in order. `corrupt` where it ends early.
template <class Take>
Result<void> for_each_piece(const ByteReader& content, const Take& take) {
  // 256 KiB fits a core's second-level cache, so that the hash reads what the kernel has just copied there.
  constexpr std::size_t kPiece = 256U << 10U;
  thread_local const std::unique_ptr<std::byte[]> kBuffer = std::make_unique_for_overwrite<std::byte[]>(kPiece);
  const std::uint64_t size = content.size();
  for (std::uint64_t offset = 0; offset < size;) {
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, size - offset));
    MEDIA_TRY_ASSIGN(const std::size_t got, content.read_at(offset, std::span(kBuffer.get(), want)));
    if (got == 0) return Error{Errc::corrupt, "the content ended early"};
    MEDIA_TRY(take(std::span<const std::byte>(kBuffer.get(), got)));
    offset += got;
  }
  return {};
}

/// Fills `into`, which has the content's size. `corrupt` where the content ends early.
inline Result<void> read_whole(const ByteReader& content, std::span<std::byte> into) {
  MEDIA_TRY_ASSIGN(const std::size_t got, content.read_at(0, into));
  if (got != into.size()) return Error{Errc::corrupt, "the content ended early"};
  return {};
}

inline Result<Digest> hash_content(const ByteReader& content) {
  thread_local Sha256 hasher;
  const auto read = for_each_piece(content, [](std::span<const std::byte> piece) -> Result<void> {
    hasher.update(piece);
    return {};
  });
  const Digest digest = hasher.finish();  // also where reading failed: the hasher must start afresh
  if (!read) return read.error();
  return digest;
}

inline Result<void> copy_bytes(const ByteReader& content, BlobWriter& writer) {
  return for_each_piece(content, [&](std::span<const std::byte> piece) { return writer.write(piece); });
}

}  // namespace media
