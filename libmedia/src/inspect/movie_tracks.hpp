/// The movie box of MP4, MOV and image sequences: what its tracks state.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "inspect/boxes.hpp"
#include "inspect/orientation.hpp"

namespace media::inspect {

struct Track {
  std::uint32_t id = 0;
  std::uint32_t handler = 0;  ///< 'vide', 'pict', 'auxv', 'soun', …
  std::uint32_t coding = 0;   ///< The first sample entry's type.
  /// Of the first sample entry; where that says nothing, of the track header.
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  Turn turn;
  std::uint64_t samples = 0;
  std::uint64_t sample_bytes = 0;
  std::uint64_t chunks = 0;
  std::uint64_t chunk_runs = 0;  ///< Entries of the sample-to-chunk table.
  bool chunk_runs_in_order = true;
  std::uint64_t last_run = 0;        ///< The chunk with which its last entry begins.
  std::uint64_t furthest_chunk = 0;  ///< The largest chunk offset.
};

struct Movie {
  std::optional<std::chrono::milliseconds> duration;
  /// Samples come in `moof` boxes, too.
  bool fragmented = false;
  std::vector<Track> tracks;

  /// The first track with this handler, or null.
  [[nodiscard]] const Track* find(std::uint32_t handler) const noexcept;
};

/// The cursor is at the body of `moov`, inside a limit of its end.
Result<Movie> read_movie(Cursor& cursor, const Box& moov);

/// Samples that a `moof` adds to a track. The cursor is at its body.
Result<std::uint64_t> fragment_samples(Cursor& cursor, const Box& moof, std::uint32_t track_id);

/// Judges a track's tables against the content's size and adds `fragment_samples_seen`: `corrupt` where the track has no
/// samples, or they cannot all be in the content.
Result<void> check_samples(const Track& track, std::uint64_t fragment_samples_seen, std::uint64_t content_size);

}  // namespace media::inspect
