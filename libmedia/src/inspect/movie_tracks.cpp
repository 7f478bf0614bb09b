#include "inspect/movie_tracks.hpp"

#include <algorithm>

namespace media::inspect {
namespace {

struct Version {
  std::uint8_t version = 0;
  std::uint32_t flags = 0;
};

Result<Version> take_version(Cursor& cursor) {
  MEDIA_TRY_ASSIGN(const auto head, cursor.take<4>("the version of a box"));
  return Version{head.byte<0>(), head.be32<0>() & 0xffffffU};
}

std::optional<std::chrono::milliseconds> in_milliseconds(std::uint64_t units, std::uint64_t unknown, std::uint32_t scale) {
  if (scale == 0 || units == 0 || units == unknown) return std::nullopt;
  // Whole seconds apart from the rest, so that no file can make it overflow.
  const std::uint64_t seconds = units / scale;
  if (seconds > 1ULL << 40U) return std::nullopt;
  return std::chrono::milliseconds(seconds * 1000 + units % scale * 1000 / scale);
}

struct Lasting {
  std::uint32_t scale = 0;
  std::optional<std::chrono::milliseconds> duration;
};

/// `mvhd` and `mdhd` begin alike.
Result<Lasting> read_lasting(Cursor& cursor) {
  MEDIA_TRY_ASSIGN(const Version version, take_version(cursor));
  Lasting lasting;
  if (version.version == 1) {
    MEDIA_TRY_ASSIGN(const auto head, cursor.take<28>("a duration"));
    lasting.scale = head.be32<16>();
    lasting.duration = in_milliseconds(head.be64<20>(), UINT64_MAX, lasting.scale);
  } else {
    MEDIA_TRY_ASSIGN(const auto head, cursor.take<16>("a duration"));
    lasting.scale = head.be32<8>();
    lasting.duration = in_milliseconds(head.be32<12>(), UINT32_MAX, lasting.scale);
  }
  return lasting;
}

int sign(std::uint32_t fixed) noexcept { return fixed == 0 ? 0 : (fixed & 0x80000000U) != 0 ? -1 : 1; }

Result<void> read_track_header(Cursor& cursor, Track& track) {
  MEDIA_TRY_ASSIGN(const Version version, take_version(cursor));
  if (version.version == 1) {
    MEDIA_TRY_ASSIGN(const auto head, cursor.take<32>("a track header"));
    track.id = head.be32<16>();
  } else {
    MEDIA_TRY_ASSIGN(const auto head, cursor.take<20>("a track header"));
    track.id = head.be32<8>();
  }
  MEDIA_TRY(cursor.skip(16, "a track header"));
  // The matrix is stored as a b u, c d v, x y w; then the size, in 16.16.
  MEDIA_TRY_ASSIGN(const auto matrix, cursor.take<44>("a track header"));
  track.turn = {sign(matrix.be32<0>()), sign(matrix.be32<4>()), sign(matrix.be32<12>()), sign(matrix.be32<16>())};
  if (track.width == 0) track.width = matrix.be32<36>() >> 16U;
  if (track.height == 0) track.height = matrix.be32<40>() >> 16U;
  return {};
}

bool is_visual(std::uint32_t handler) noexcept { return handler == code("vide") || handler == code("pict") || handler == code("auxv"); }

Result<void> read_sample_entry(Cursor& cursor, Track& track) {
  MEDIA_TRY(cursor.skip(4, "the sample descriptions"));
  MEDIA_TRY_ASSIGN(const auto count, cursor.take<4>("the sample descriptions"));
  if (count.be32<0>() == 0) return {};
  MEDIA_TRY_ASSIGN(const auto entry, next_box(cursor));
  if (!entry) return {};
  track.coding = entry->type;
  if (!is_visual(track.handler) || entry->end - entry->body < 28) return {};
  MEDIA_TRY_ASSIGN(const auto visual, cursor.take<28>("a sample description"));
  if (visual.be16<24>() != 0 && visual.be16<26>() != 0) {
    track.width = visual.be16<24>();
    track.height = visual.be16<26>();
  }
  return {};
}

/// Shows `fold` each entry of a table in the window, without a step for each: long films have a million.
template <class Fold>
Result<void> fold_table(Cursor& cursor, std::uint64_t count, std::size_t width, std::string_view what, Fold&& fold) {
  if (count > cursor.remaining() / width) return corrupt_at(std::string(what) + " is longer than its box,", cursor.position());
  while (count > 0) {
    MEDIA_TRY_ASSIGN(Bytes bytes, cursor.some());
    if (bytes.size() < width) {
      MEDIA_TRY_ASSIGN(bytes, cursor.ahead(width, what));
    }
    const std::uint64_t here = std::min<std::uint64_t>(count, bytes.size() / width);
    for (std::uint64_t i = 0; i < here; ++i) fold(bytes.subspan(static_cast<std::size_t>(i) * width, width));
    MEDIA_TRY(cursor.skip(here * width, what));
    count -= here;
  }
  return {};
}

Result<void> read_sample_sizes(Cursor& cursor, Track& track) {
  MEDIA_TRY_ASSIGN(const auto head, cursor.take<12>("the sample sizes"));
  track.samples = head.be32<8>();
  if (head.be32<4>() != 0) {
    track.sample_bytes = track.samples * head.be32<4>();
    return {};
  }
  track.sample_bytes = 0;
  return fold_table(cursor, track.samples, 4, "the table of sample sizes", [&](Bytes size) { track.sample_bytes += be32(size, 0); });
}

Result<void> read_compact_sizes(Cursor& cursor, Track& track) {
  MEDIA_TRY_ASSIGN(const auto head, cursor.take<12>("the sample sizes"));
  track.samples = head.be32<8>();
  const std::uint64_t bits = head.byte<7>();
  if (bits != 4 && bits != 8 && bits != 16) return corrupt_at("a sample size of an impossible width", cursor.position());
  if (track.samples * bits > cursor.remaining() * 8)
    return corrupt_at("the table of sample sizes is longer than its box,", cursor.position());
  return {};
}

/// The sample-to-chunk table: runs of chunks that hold equally many samples, each from its first chunk on.
Result<void> read_chunk_runs(Cursor& cursor, Track& track) {
  MEDIA_TRY_ASSIGN(const auto head, cursor.take<8>("the sample-to-chunk table"));
  track.chunk_runs = head.be32<4>();
  std::uint64_t before = 0;
  return fold_table(cursor, track.chunk_runs, 12, "the sample-to-chunk table", [&](Bytes run) {
    const std::uint64_t first = be32(run, 0);
    const bool in_order = before == 0 ? first == 1 : first > before;
    if (!in_order || be32(run, 4) == 0) track.chunk_runs_in_order = false;
    before = first;
    track.last_run = first;
  });
}

Result<void> read_sample_table(Cursor& cursor, const Box& table, Track& track) {
  return for_each_box(cursor, table.end, [&](const Box& box) -> Result<void> {
    switch (box.type) {
      case code("stsd"):
        return read_sample_entry(cursor, track);
      case code("stsz"):
        return read_sample_sizes(cursor, track);
      case code("stz2"):
        return read_compact_sizes(cursor, track);
      case code("stsc"):
        return read_chunk_runs(cursor, track);
      case code("stco"):
      case code("co64"): {
        MEDIA_TRY_ASSIGN(const auto head, cursor.take<8>("the chunk offsets"));
        track.chunks = head.be32<4>();
        return fold_table(cursor, track.chunks, box.type == code("stco") ? 4 : 8, "the table of chunk offsets",
                          [&](Bytes offset) { track.furthest_chunk = std::max(track.furthest_chunk, big(offset, 0, offset.size())); });
      }
      default:
        return {};
    }
  });
}

Result<void> read_handler(Cursor& cursor, Track& track) {
  MEDIA_TRY_ASSIGN(const auto head, cursor.take<12>("a handler"));
  track.handler = head.be32<8>();
  return {};
}

Result<void> read_media(Cursor& cursor, const Box& media, Track& track) {
  return for_each_box(cursor, media.end, [&](const Box& box) -> Result<void> {
    if (box.type == code("hdlr")) return read_handler(cursor, track);
    if (box.type != code("minf")) return {};
    return for_each_box(cursor, box.end, [&](const Box& inner) -> Result<void> {
      return inner.type == code("stbl") ? read_sample_table(cursor, inner, track) : Result<void>{};
    });
  });
}

Result<Track> read_track(Cursor& cursor, const Box& box) {
  Track track;
  MEDIA_TRY(for_each_box(cursor, box.end, [&](const Box& inner) -> Result<void> {
    if (inner.type == code("tkhd")) return read_track_header(cursor, track);
    if (inner.type == code("mdia")) return read_media(cursor, inner, track);
    return {};
  }));
  return track;
}

/// Samples of one `traf`, where it belongs to the track.
Result<std::uint64_t> run_samples(Cursor& cursor, const Box& fragment, std::uint32_t track_id) {
  std::uint64_t samples = 0;
  bool is_ours = false;
  MEDIA_TRY(for_each_box(cursor, fragment.end, [&](const Box& box) -> Result<void> {
    if (box.type == code("tfhd")) {
      MEDIA_TRY_ASSIGN(const auto head, cursor.take<8>("a fragment's track"));
      is_ours = head.be32<4>() == track_id;
    } else if (box.type == code("trun")) {
      MEDIA_TRY_ASSIGN(const auto head, cursor.take<8>("a fragment's run"));
      samples += head.be32<4>();
    }
    return {};
  }));
  return is_ours ? samples : 0;
}

}  // namespace

const Track* Movie::find(std::uint32_t handler) const noexcept {
  const auto found = std::find_if(tracks.begin(), tracks.end(), [&](const Track& track) { return track.handler == handler; });
  return found == tracks.end() ? nullptr : &*found;
}

Result<Movie> read_movie(Cursor& cursor, const Box& moov) {
  Movie movie;
  std::uint32_t scale = 0;
  MEDIA_TRY(for_each_box(cursor, moov.end, [&](const Box& box) -> Result<void> {
    if (box.type == code("mvhd")) {
      MEDIA_TRY_ASSIGN(const Lasting lasting, read_lasting(cursor));
      scale = lasting.scale;
      if (lasting.duration) movie.duration = lasting.duration;
    } else if (box.type == code("trak")) {
      MEDIA_TRY_ASSIGN(Track track, read_track(cursor, box));
      movie.tracks.push_back(track);
    } else if (box.type == code("mvex")) {
      movie.fragmented = true;
      return for_each_box(cursor, box.end, [&](const Box& inner) -> Result<void> {
        if (inner.type != code("mehd") || movie.duration) return {};
        MEDIA_TRY_ASSIGN(const Version version, take_version(cursor));
        const std::size_t width = version.version == 1 ? 8 : 4;
        MEDIA_TRY_ASSIGN(const Bytes bytes, cursor.ahead(width, "a duration"));
        movie.duration = in_milliseconds(big(bytes, 0, width), UINT64_MAX, scale);
        return {};
      });
    }
    return {};
  }));
  return movie;
}

Result<std::uint64_t> fragment_samples(Cursor& cursor, const Box& moof, std::uint32_t track_id) {
  std::uint64_t samples = 0;
  MEDIA_TRY(for_each_box(cursor, moof.end, [&](const Box& box) -> Result<void> {
    if (box.type != code("traf")) return {};
    MEDIA_TRY_ASSIGN(const std::uint64_t more, run_samples(cursor, box, track_id));
    samples += more;
    return {};
  }));
  return samples;
}

Result<void> check_samples(const Track& track, std::uint64_t fragment_samples_seen, std::uint64_t content_size) {
  if (track.samples == 0) {
    if (fragment_samples_seen == 0) return Error{Errc::corrupt, "the video track has no frames in this content"};
    return {};
  }
  if (track.chunks == 0 || track.chunk_runs == 0) return Error{Errc::corrupt, "the video track does not say where its frames are"};
  if (!track.chunk_runs_in_order || track.last_run > track.chunks) {
    return Error{Errc::corrupt, "the video track contradicts itself on where its frames are"};
  }
  if (track.furthest_chunk >= content_size)
    return corrupt_at("the content ends early: frames of the video track begin", track.furthest_chunk);
  if (track.sample_bytes > content_size) {
    return Error{Errc::corrupt, "the content ends early: the video track's frames have " + std::to_string(track.sample_bytes) +
                                    " bytes, the content " + std::to_string(content_size)};
  }
  return {};
}

}  // namespace media::inspect
