#include "image/avif_loop.hpp"

#include <algorithm>
#include <optional>
#include <string_view>

namespace media::image {
namespace {

constexpr std::size_t kBoxHead = 8;
constexpr std::uint64_t kForEver = ~std::uint64_t{0};

std::uint64_t number(std::span<const std::byte> bytes, std::size_t at, std::size_t width) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < width; ++i) value = value << 8U | static_cast<std::uint64_t>(bytes[at + i]);
  return value;
}

void put(std::span<std::byte> bytes, std::size_t at, std::uint64_t value, std::size_t width) noexcept {
  for (std::size_t i = 0; i < width; ++i) bytes[at + i] = static_cast<std::byte>(value >> (8 * (width - 1 - i)));
}

/// A box, by offsets in the file.
struct Box {
  std::size_t begin = 0;
  std::size_t body = 0;
  std::size_t end = 0;
  std::uint32_t type = 0;

  [[nodiscard]] std::size_t size() const noexcept { return end - body; }
};

constexpr std::uint32_t code(std::string_view name) noexcept {
  std::uint32_t value = 0;
  for (const char c : name) value = value << 8U | static_cast<unsigned char>(c);
  return value;
}

std::optional<Box> box_at(std::span<const std::byte> bytes, std::size_t at, std::size_t end) noexcept {
  if (at > end || end > bytes.size() || end - at < kBoxHead) return std::nullopt;
  std::uint64_t size = number(bytes, at, 4);
  Box box{at, at + kBoxHead, 0, static_cast<std::uint32_t>(number(bytes, at + 4, 4))};
  if (size == 1) {
    if (end - at < 2 * kBoxHead) return std::nullopt;
    size = number(bytes, at + kBoxHead, 8);
    box.body = at + 2 * kBoxHead;
  }
  if (size == 0) size = end - at;
  if (size > end - at || size < box.body - at) return std::nullopt;
  box.end = at + static_cast<std::size_t>(size);
  return box;
}

/// Calls `see` with each box of a stretch, until it says false.
template <class See>
void each_box(std::span<const std::byte> bytes, std::size_t begin, std::size_t end, const See& see) {
  for (std::size_t at = begin;;) {
    const auto box = box_at(bytes, at, end);
    if (!box || !see(*box)) return;
    at = box->end;
  }
}

std::optional<Box> find(std::span<const std::byte> bytes, std::size_t begin, std::size_t end, std::uint32_t type) {
  std::optional<Box> found;
  each_box(bytes, begin, end, [&](const Box& box) {
    if (box.type == type) found = box;
    return !found;
  });
  return found;
}

std::optional<Box> find(std::span<const std::byte> bytes, const Box& parent, std::string_view type) {
  return find(bytes, parent.body, parent.end, code(type));
}

/// Where the duration stands in `mvhd`, `tkhd` or `mdhd`, and its width in bytes.
struct Field {
  std::size_t at = 0;
  std::size_t width = 0;
};
std::optional<Field> duration_field(std::span<const std::byte> bytes, const Box& box) noexcept {
  if (box.size() < 4) return std::nullopt;
  const bool wide = number(bytes, box.body, 1) == 1;
  // Behind version and flags, two times, and the time scale or, in a `tkhd`, the track's number and four reserved bytes.
  const std::size_t between = box.type == code("tkhd") ? 8 : 4;
  const Field found{box.body + 4 + (wide ? std::size_t{16} : std::size_t{8}) + between, wide ? std::size_t{8} : std::size_t{4}};
  if (found.at + found.width > box.end) return std::nullopt;
  return found;
}

void clear_times(std::span<std::byte> bytes, const Box& box) noexcept {
  const std::size_t width = box.size() >= 4 && number(bytes, box.body, 1) == 1 ? 16 : 8;
  if (box.size() < 4 + width) return;
  std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(box.body + 4), width, std::byte{0});
}

std::uint32_t plays_of(std::span<const std::byte> file, const Box& track) {
  const auto head = find(file, track, "tkhd");
  const auto edits = find(file, track, "edts");
  if (!head || !edits) return 0;
  const auto list = find(file, *edits, "elst");
  const auto field = duration_field(file, *head);
  if (!list || !field || list->size() < 8) return 0;
  const bool repeats = (number(file, list->body + 3, 1) & 1U) != 0;
  if (!repeats) return 1;
  const std::size_t width = number(file, list->body, 1) == 1 ? 8 : 4;
  if (list->size() < 8 + width) return 0;
  const std::uint64_t once = number(file, list->body + 8, width);
  const std::uint64_t whole = number(file, field->at, field->width);
  if (once == 0 || whole == (field->width == 8 ? kForEver : 0xFFFFFFFF)) return 0;
  const std::uint64_t plays = whole / once + (whole % once == 0 ? 0 : 1);
  return plays > 0xFFFFFFFF ? 0 : std::max<std::uint32_t>(static_cast<std::uint32_t>(plays), 1);
}

Error not_as_expected() { return {Errc::internal, "encode AVIF: the file is not built as expected"}; }

/// An `edts` of one edit: the whole, and again as long as the track lasts.
std::vector<std::byte> edit_list(std::uint64_t once, bool repeats) {
  std::vector<std::byte> out(44);
  put(out, 0, out.size(), 4);
  put(out, 4, code("edts"), 4);
  put(out, 8, out.size() - kBoxHead, 4);
  put(out, 12, code("elst"), 4);
  put(out, 16, 1, 1);
  put(out, 19, repeats ? 1 : 0, 1);
  put(out, 20, 1, 4);
  put(out, 24, once, 8);
  put(out, 40, 1, 2);
  return out;
}

/// Moves on what points into the file: `by` bytes are going to stand before it.
bool move_offsets(std::span<std::byte> file, const Box& movie, std::size_t by) {
  const auto add = [&](std::size_t at) {
    const std::uint64_t moved = number(file, at, 4) + by;
    put(file, at, moved, 4);
    return moved <= 0xFFFFFFFF;
  };
  bool good = true;
  each_box(file, movie.body, movie.end, [&](const Box& track) {
    if (track.type != code("trak")) return true;
    const auto media = find(file, track, "mdia");
    const auto information = media ? find(file, *media, "minf") : std::nullopt;
    const auto table = information ? find(file, *information, "stbl") : std::nullopt;
    const auto chunks = table ? find(file, *table, "stco") : std::nullopt;
    if (!chunks || chunks->size() < 8 || number(file, chunks->body + 4, 4) > (chunks->size() - 8) / 4) return good = false;
    const std::size_t count = number(file, chunks->body + 4, 4);
    for (std::size_t i = 0; i < count; ++i) good = add(chunks->body + 8 + 4 * i) && good;
    return true;
  });
  const auto meta = find(file, 0, file.size(), code("meta"));
  const auto items = meta && meta->size() >= 4 ? find(file, meta->body + 4, meta->end, code("iloc")) : std::nullopt;
  // Version 0, offsets and lengths of four bytes, no base.
  constexpr std::size_t kItem = 14;
  if (!items || items->size() < 8 || number(file, items->body, 4) != 0 || number(file, items->body + 4, 2) != 0x4400) return false;
  const std::size_t count = number(file, items->body + 6, 2);
  if ((items->size() - 8) / kItem < count) return false;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t item = items->body + 8 + kItem * i;
    if (number(file, item + 4, 2) != 1) return false;
    good = add(item + 6) && good;
  }
  return good;
}

}  // namespace

std::uint32_t avif_plays(std::span<const std::byte> file) noexcept {
  const auto movie = find(file, 0, file.size(), code("moov"));
  if (!movie) return 0;
  std::uint32_t plays = 0;
  each_box(file, movie->body, movie->end, [&](const Box& track) {
    // A track that refers to another is that one's alpha.
    if (track.type != code("trak") || find(file, track, "tref")) return true;
    plays = plays_of(file, track);
    return false;
  });
  return plays;
}

Result<std::vector<std::byte>> finish_avif_sequence(std::vector<std::byte> file, std::uint32_t plays) {
  const auto movie = find(file, 0, file.size(), code("moov"));
  const auto head = movie ? find(file, *movie, "mvhd") : std::nullopt;
  const auto movie_duration = head ? duration_field(file, *head) : std::nullopt;
  if (!movie_duration || movie_duration->width != 8) return not_as_expected();
  clear_times(file, *head);

  struct Insertion {
    std::size_t track = 0;
    std::size_t at = 0;
    std::vector<std::byte> bytes;
  };
  std::vector<Insertion> insertions;
  bool good = true;
  each_box(file, movie->body, movie->end, [&](const Box& track) {
    if (track.type != code("trak")) return true;
    const auto track_head = find(file, track, "tkhd");
    const auto media = find(file, track, "mdia");
    const auto media_head = media ? find(file, *media, "mdhd") : std::nullopt;
    const auto field = track_head ? duration_field(file, *track_head) : std::nullopt;
    if (!media_head || !field || field->width != 8) return good = false;
    clear_times(file, *track_head);
    clear_times(file, *media_head);
    if (find(file, track, "edts")) return true;
    const std::uint64_t once = number(file, field->at, 8);
    const std::uint64_t whole = plays == 0 ? kForEver : once * plays;
    put(file, field->at, whole, 8);
    put(file, movie_duration->at, whole, 8);
    insertions.push_back({track.begin, track_head->end, edit_list(once, plays != 1)});
    return true;
  });
  if (!good) return not_as_expected();

  std::size_t added = 0;
  for (const Insertion& each : insertions) added += each.bytes.size();
  if (added == 0) return file;
  if (!move_offsets(file, *movie, added)) return not_as_expected();
  put(file, movie->begin, movie->end - movie->begin + added, 4);
  // From the last one on, so that the offsets of the others hold.
  for (auto each = insertions.rbegin(); each != insertions.rend(); ++each) {
    put(file, each->track, number(file, each->track, 4) + each->bytes.size(), 4);
    file.insert(file.begin() + static_cast<std::ptrdiff_t>(each->at), each->bytes.begin(), each->bytes.end());
  }
  return file;
}

}  // namespace media::image
