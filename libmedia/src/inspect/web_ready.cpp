// An MP4 whose index is moved to the front, read without being written anew.

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "inspect/boxes.hpp"
#include "inspect/web_ready.hpp"
#include "media/details.hpp"
#include "media/inspect.hpp"
#include "media/video.hpp"

namespace media {
namespace {

using inspect::be32;
using inspect::be64;
using inspect::Bytes;
using inspect::code;

/// The index of a day of video has about 40 MiB.
constexpr std::uint64_t kMaxIndexBytes = 64ULL << 20U;
/// A list of items beside the film (a cover, a map) that is larger than this is none.
constexpr std::uint64_t kMaxItemListBytes = 1ULL << 20U;
constexpr std::uint64_t kMaxNarrow = std::numeric_limits<std::uint32_t>::max();
constexpr std::size_t kHeadBytes = 8;
constexpr std::size_t kWideHeadBytes = 16;
/// Of version, flags and the number of entries.
constexpr std::size_t kTableHeadBytes = 8;

constexpr auto kWebVideo = std::to_array<std::string_view>({"h264", "hevc", "av1", "vp9"});
constexpr auto kWebAudio = std::to_array<std::string_view>({"aac", "mp3", "opus", "flac"});

Error damaged(std::string_view what) { return Error{Errc::corrupt, "the index of the video is damaged: " + std::string(what)}; }
Error not_movable(std::string_view why) {
  return Error{Errc::unsupported, "the video cannot be rearranged: " + std::string(why) + "; format=mp4 without codecs=keep encodes it"};
}

/// Where the outermost boxes lie.
struct Layout {
  inspect::Box index;
  bool has_index = false;
  std::uint64_t front = 0;                                           ///< The end of the first `ftyp`: where an index belongs.
  std::uint64_t frames = std::numeric_limits<std::uint64_t>::max();  ///< The first `mdat`.
  bool in_fragments = false;
  bool has_items = false;
};

/// True where the body of a `meta` box lists items by their places in the file (`iloc`). Looked for as text: what only looks like it is
/// refused, too.
bool lists_items(Bytes meta) {
  constexpr std::array kName{std::byte{'i'}, std::byte{'l'}, std::byte{'o'}, std::byte{'c'}};
  return std::search(meta.begin(), meta.end(), kName.begin(), kName.end()) != meta.end();
}
Result<bool> lists_items(const ByteReader& source, const inspect::Box& meta) {
  if (meta.end - meta.body > kMaxItemListBytes) return true;
  std::vector<std::byte> body(static_cast<std::size_t>(meta.end - meta.body));
  MEDIA_TRY_ASSIGN(const std::size_t got, source.read_at(meta.body, body));
  return lists_items(std::span(body).first(got));
}

Result<Layout> find_layout(const ByteReader& source) {
  Layout layout;
  inspect::Cursor cursor(source);
  for (;;) {
    MEDIA_TRY_ASSIGN(const auto box, inspect::next_top_box(cursor));
    if (!box) return layout;
    switch (box->type) {
      case code("ftyp"):
        if (layout.front == 0) layout.front = box->end;
        break;
      case code("moov"):
        // A second one is nobody's: players take the first.
        if (!layout.has_index) layout.index = *box;
        layout.has_index = true;
        break;
      case code("mdat"):
        layout.frames = std::min(layout.frames, box->begin);
        break;
      case code("moof"):
      case code("mfra"):
      case code("sidx"):
        layout.in_fragments = true;
        break;
      case code("meta"): {
        MEDIA_TRY_ASSIGN(const bool lists, lists_items(source, *box));
        layout.has_items = layout.has_items || lists;
        break;
      }
      default:
        break;
    }
    MEDIA_TRY(cursor.seek(box->end, "a box"));
  }
}

/// ISO/IEC 14496-12, section 8.7.2: the lowest flag says that the frames lie in this file.
Result<void> check_references(Bytes body) {
  if (body.size() < kTableHeadBytes) return damaged("a list of files is too short");
  Bytes entries = body.subspan(kTableHeadBytes);
  while (entries.size() >= kHeadBytes + 4) {
    const std::uint32_t size = be32(entries, 0);
    if (size < kHeadBytes + 4 || size > entries.size()) return damaged("a list of files has an entry that does not fit");
    if ((be32(entries, kHeadBytes) & 1U) == 0)
      return Error{Errc::unsupported, "the video's frames lie in another file, which was not sent along"};
    entries = entries.subspan(size);
  }
  return {};
}

/// moov, trak, mdia, minf, stbl, and nothing deeper.
constexpr int kDeepest = 5;
constexpr auto kHolders =
    std::to_array<std::uint32_t>({code("moov"), code("trak"), code("mdia"), code("minf"), code("stbl"), code("dinf")});

bool holds_boxes(std::uint32_t type, int depth) {
  return depth < kDeepest && std::find(kHolders.begin(), kHolders.end(), type) != kHolders.end();
}

/// A box in memory, and what is behind it.
struct Part {
  std::uint32_t type = 0;
  Bytes whole;
  Bytes body;
};
/// Nothing where the first box does not fit. `bytes` has a head at least.
std::optional<Part> first_part(Bytes bytes) {
  std::uint64_t size = be32(bytes, 0);
  std::size_t head = kHeadBytes;
  if (size == 1 && bytes.size() >= kWideHeadBytes) {
    size = be64(bytes, kHeadBytes);
    head = kWideHeadBytes;
  } else if (size == 0) {
    size = bytes.size();
  }
  if (size < head || size > bytes.size()) return std::nullopt;
  const Bytes whole = bytes.first(static_cast<std::size_t>(size));
  return Part{be32(bytes, 4), whole, whole.subspan(head)};
}

/// Of what is damaged only as much is looked at as can be.
Result<void> check_all_references(Bytes bytes, int depth) {
  while (bytes.size() >= kHeadBytes) {
    const auto part = first_part(bytes);
    if (!part) return {};
    if (part->type == code("dref")) {
      auto checked = check_references(part->body);
      if (!checked && checked.error().code == Errc::unsupported) return checked;
    }
    if (holds_boxes(part->type, depth)) MEDIA_TRY(check_all_references(part->body, depth + 1));
    bytes = bytes.subspan(part->whole.size());
  }
  return {};
}

/// Writes an index anew, in which every place of a frame is moved.
class IndexWriter {
 public:
  /// Of an index that stood at [`begin`, `end`) of a file and is going to stand at `front`, with `size` bytes.
  struct Move {
    std::uint64_t front = 0;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::uint64_t size = 0;
    std::uint64_t file_bytes = 0;
    bool wide = false;  ///< Places have 64 bits, whatever they had.
  };
  explicit IndexWriter(const Move& move) : move_(move) {}

  Result<std::vector<std::byte>> write(Bytes index) {
    out_.reserve(index.size());
    MEDIA_TRY(copy_boxes(index, 0));
    return std::move(out_);
  }
  /// A place did not fit into 32 bits any more.
  [[nodiscard]] bool needs_width() const noexcept { return needs_width_; }
  /// Bytes that the index has more with places of 64 bits.
  [[nodiscard]] std::uint64_t growth() const noexcept { return growth_; }

 private:
  void put(std::uint64_t value, std::size_t bytes) {
    for (std::size_t i = bytes; i > 0; --i) out_.push_back(static_cast<std::byte>(value >> (8 * (i - 1))));
  }
  void put(Bytes bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }

  Result<void> copy_boxes(Bytes bytes, int depth) {
    while (bytes.size() >= kHeadBytes) {
      const auto part = first_part(bytes);
      if (!part) return damaged("a box does not fit into what holds it");
      MEDIA_TRY(copy_box(*part, depth));
      bytes = bytes.subspan(part->whole.size());
    }
    put(bytes);  // QuickTime ends some containers with four zero bytes.
    return {};
  }

  Result<void> copy_box(const Part& part, int depth) {
    const auto& [type, box, body] = part;
    if (type == code("cmov")) return not_movable("its index is compressed");
    if (type == code("meta") && depth <= 2 && lists_items(body)) return not_movable("it lists items by their places");
    if (type == code("dref")) MEDIA_TRY(check_references(body));
    const bool narrow = type == code("stco");
    if (narrow || type == code("co64")) return copy_places(body, narrow);
    if (type == code("saio")) return copy_auxiliary_places(box, body);
    if (!holds_boxes(type, depth)) {
      put(box);
      return {};
    }
    const std::size_t begin = out_.size();
    put(0, 4);
    put(type, 4);
    MEDIA_TRY(copy_boxes(body, depth + 1));
    const std::size_t size = out_.size() - begin;
    if (size > kMaxNarrow) return damaged("it is too large");
    for (std::size_t i = 0; i < 4; ++i) out_[begin + i] = static_cast<std::byte>(size >> (8 * (3 - i)));
    return {};
  }

  /// Where a byte of the file is going to be.
  Result<std::uint64_t> moved(std::uint64_t place) const {
    if (place > move_.file_bytes) return damaged("frames lie behind the end of the file");
    if (place < move_.front) return place;
    if (place < move_.begin) return place + move_.size;
    if (place < move_.end) return damaged("frames lie in the index itself");
    return place + move_.size - (move_.end - move_.begin);
  }

  Result<void> copy_places(Bytes body, bool narrow) {
    if (body.size() < kTableHeadBytes) return damaged("a table is too short");
    const std::uint64_t count = be32(body, 4);
    const std::size_t width = narrow ? 4 : 8;
    if (count > (body.size() - kTableHeadBytes) / width) return damaged("a table has fewer entries than it says");
    const std::size_t new_width = move_.wide ? 8 : width;
    if (narrow) growth_ += count * 4;
    const std::uint64_t size = kHeadBytes + kTableHeadBytes + count * new_width;
    const std::size_t rest = body.size() - kTableHeadBytes - static_cast<std::size_t>(count) * width;
    put(size + rest, 4);
    put(new_width == 8 ? code("co64") : code("stco"), 4);
    put(body.first(kTableHeadBytes));
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = kTableHeadBytes + i * width;
      MEDIA_TRY_ASSIGN(const std::uint64_t place, moved(narrow ? be32(body, at) : be64(body, at)));
      if (new_width == 4 && place > kMaxNarrow) needs_width_ = true;
      put(place, new_width);
    }
    put(body.last(rest));
    return {};
  }

  /// Section 8.7.9: where what goes with the frames lies. Few films have it, so that those whose places do not fit are refused.
  Result<void> copy_auxiliary_places(Bytes box, Bytes body) {
    if (body.size() < kTableHeadBytes) return damaged("a table is too short");
    const std::size_t kind = (be32(body, 0) & 1U) != 0 ? 8 : 0;
    const std::size_t width = be32(body, 0) >> 24U == 0 ? 4 : 8;
    const std::size_t first = kind + kTableHeadBytes;
    if (body.size() < first) return damaged("a table is too short");
    const std::uint64_t count = be32(body, kind + 4);
    if (count > (body.size() - first) / width) return damaged("a table has fewer entries than it says");
    put(box.first(box.size() - body.size() + first));
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = first + i * width;
      MEDIA_TRY_ASSIGN(const std::uint64_t place, moved(width == 4 ? be32(body, at) : be64(body, at)));
      if (width == 4 && place > kMaxNarrow) return not_movable("it is too large for the way in which its places are noted");
      put(place, width);
    }
    put(body.subspan(first + static_cast<std::size_t>(count) * width));
    return {};
  }

  Move move_;
  std::vector<std::byte> out_;
  bool needs_width_ = false;
  std::uint64_t growth_ = 0;
};

/// Thread-safety: as ByteReader's; nothing changes.
class Rearranged final : public ByteReader {
 public:
  Rearranged(std::shared_ptr<const ByteReader> source, std::shared_ptr<const inspect::Arrangement> arrangement)
      : source_(std::move(source)),
        arrangement_(std::move(arrangement)),
        size_(source_->size() - (arrangement_->end - arrangement_->begin) + arrangement_->index.size()) {}

  [[nodiscard]] std::uint64_t size() const noexcept override { return size_; }
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) const override {
    std::size_t done = 0;
    while (done < into.size() && offset + done < size_) {
      MEDIA_TRY_ASSIGN(const std::size_t got, read_piece(offset + done, into.subspan(done)));
      if (got == 0) return Error{Errc::corrupt, "the source got shorter while it was read"};
      done += got;
    }
    return done;
  }

 private:
  /// Of the one of the four pieces that `at` lies in: the beginning, the index, what was before it, what was behind it.
  Result<std::size_t> read_piece(std::uint64_t at, std::span<std::byte> into) const {
    const auto part = [&](std::uint64_t left) { return into.first(static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), left))); };
    const auto& [moves, index, front, begin, end] = *arrangement_;
    if (at < front) return source_->read_at(at, part(front - at));
    if (at - front < index.size()) {
      const std::size_t from = static_cast<std::size_t>(at - front);
      const auto wanted = part(index.size() - from);
      std::copy_n(index.begin() + static_cast<std::ptrdiff_t>(from), wanted.size(), wanted.begin());
      return wanted.size();
    }
    const std::uint64_t before = at - index.size();
    if (before < begin) return source_->read_at(before, part(begin - before));
    return source_->read_at(before + (end - begin), into);
  }

  std::shared_ptr<const ByteReader> source_;
  std::shared_ptr<const inspect::Arrangement> arrangement_;
  std::uint64_t size_;
};

Result<void> check_tracks(const ByteReader& source) {
  MEDIA_TRY_ASSIGN(const MediaDetails details, probe_details(source));
  if (details.info.format != Format::mp4 && details.info.format != Format::mov) {
    return Error{Errc::unsupported, "codecs=keep takes an MP4 or a MOV, and this is " + std::string(to_string(details.info.format))};
  }
  const auto is_for_web = [](const auto& names, const std::string& codec) {
    return std::find(names.begin(), names.end(), codec) != names.end();
  };
  for (const VideoTrack& track : details.video) {
    if (track.encrypted) return Error{Errc::unsupported, "the video is encrypted"};
    if (!is_for_web(kWebVideo, track.codec)) return not_movable("browsers do not play " + track.codec);
  }
  for (const AudioTrack& track : details.audio) {
    if (track.encrypted) return Error{Errc::unsupported, "the sound is encrypted"};
    if (!is_for_web(kWebAudio, track.codec)) return not_movable("browsers do not play " + track.codec);
  }
  if (details.video.empty() && details.audio.empty()) return Error{Errc::unsupported, "the source has neither pictures nor sound"};
  return {};
}

Result<std::vector<std::byte>> read_index(const ByteReader& source, const inspect::Box& box) {
  std::vector<std::byte> index(static_cast<std::size_t>(box.end - box.begin));
  MEDIA_TRY_ASSIGN(const std::size_t got, source.read_at(box.begin, index));
  if (got != index.size()) return Error{Errc::corrupt, "the source got shorter while it was read"};
  return index;
}

}  // namespace

namespace inspect {

Result<Arrangement> arrange_for_web(const ByteReader& source) {
  MEDIA_TRY(check_tracks(source));
  MEDIA_TRY_ASSIGN(const Layout layout, find_layout(source));
  if (!layout.has_index) return damaged("there is none");
  const inspect::Box& box = layout.index;
  const std::uint64_t old_bytes = box.end - box.begin;
  if (old_bytes > kMaxIndexBytes) {
    return Error{Errc::too_large,
                 "the index of the video has " + std::to_string(old_bytes) + " bytes, more than " + std::to_string(kMaxIndexBytes)};
  }
  MEDIA_TRY_ASSIGN(const std::vector<std::byte> index, read_index(source, box));

  const bool moves = layout.frames < box.begin;
  if (moves && layout.front > layout.frames) return not_movable("what says its type is not in front of its frames");
  if (moves && layout.in_fragments) return not_movable("it is in fragments, and its index is not in front of them");
  if (moves && layout.has_items) return not_movable("it lists items by their places");
  IndexWriter::Move move{layout.front, box.begin, box.end, old_bytes, source.size(), false};
  // Nothing moves: then it is only looked at. Places behind the end are a truncated file's, of which players show what is there.
  if (!moves) move = {0, 0, 0, 0, std::numeric_limits<std::uint64_t>::max(), false};
  IndexWriter narrow(move);
  // A head of 64 bits, which nobody needs below 4 GiB, is written as one of 32.
  MEDIA_TRY_ASSIGN(std::vector<std::byte> written, narrow.write(index));
  if (!moves) return Arrangement{};
  if (written.size() != old_bytes || narrow.needs_width()) {
    move.wide = narrow.needs_width();
    move.size = written.size() + (move.wide ? narrow.growth() : 0);
    IndexWriter again(move);
    MEDIA_TRY_ASSIGN(written, again.write(index));
    if (written.size() != move.size || again.needs_width()) return not_movable("its places do not fit");
  }
  return Arrangement{true, std::move(written), layout.front, box.begin, box.end};
}

std::shared_ptr<const ByteReader> arranged(std::shared_ptr<const ByteReader> source, std::shared_ptr<const Arrangement> arrangement) {
  if (!arrangement->moves) return source;
  return std::make_shared<Rearranged>(std::move(source), std::move(arrangement));
}

Result<void> refuse_other_files(const ByteReader& source) {
  std::array<std::byte, kSniffBytes> head{};
  MEDIA_TRY_ASSIGN(const std::size_t got, source.read_at(0, head));
  const Format format = sniff(std::span(head).first(got));
  if (format != Format::mp4 && format != Format::mov) return {};
  const auto layout = find_layout(source);
  if (!layout || !layout->has_index || layout->index.end - layout->index.begin > kMaxIndexBytes) return {};
  MEDIA_TRY_ASSIGN(const std::vector<std::byte> index, read_index(source, layout->index));
  return check_all_references(index, 0);
}

}  // namespace inspect

Result<std::shared_ptr<const ByteReader>> open_web_ready(const ByteReader& source) {
  MEDIA_TRY_ASSIGN(inspect::Arrangement arrangement, inspect::arrange_for_web(source));
  // The source is the caller's.
  const std::shared_ptr<const ByteReader> borrowed(std::shared_ptr<const ByteReader>(), &source);
  return inspect::arranged(borrowed, std::make_shared<const inspect::Arrangement>(std::move(arrangement)));
}

}  // namespace media
