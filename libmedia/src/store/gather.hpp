/// Small pieces on their way to a file, written as large ones.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "media/result.hpp"

namespace media::store {

/// Adds a piece to what is gathered, at most `limit` bytes. What has no room there goes to `spill`, in order; a tail that fits waits for
/// its neighbours.
template <class Spill>
Result<void> gather(std::vector<std::byte>& gathered, std::size_t limit, std::span<const std::byte> piece, const Spill& spill) {
  if (gathered.size() + piece.size() <= limit) {
    gathered.insert(gathered.end(), piece.begin(), piece.end());
    return {};
  }
  MEDIA_TRY(spill(gathered));
  gathered.clear();
  const std::size_t tail = piece.size() < limit ? piece.size() : 0;
  MEDIA_TRY(spill(piece.first(piece.size() - tail)));
  gathered.insert(gathered.end(), piece.end() - static_cast<std::ptrdiff_t>(tail), piece.end());
  return {};
}

}  // namespace media::store
