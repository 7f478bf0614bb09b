// A video worker that was taken over: it sends what these tests tell it to, and none of it is taken for what was ordered.
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "catch.hpp"
#include "ffmpeg.hpp"
#include "media/processor.hpp"
#include "pictures.hpp"
#include "support.hpp"
#include "video_script.hpp"
#include "video_workers.hpp"

using namespace media;
using test::Script;

namespace {

using Film = std::vector<std::byte>;

constexpr std::string_view kSegment = "\x18\x53\x80\x67";

std::size_t find(const Film& film, std::string_view text, std::size_t from = 0) {
  const std::size_t at = std::string_view(reinterpret_cast<const char*>(film.data()), film.size()).find(text, from);
  REQUIRE(at != std::string_view::npos);
  return at;
}

/// `film` with `bytes` from `at` on.
Film with(Film film, std::size_t at, std::string_view bytes) {
  REQUIRE(at + bytes.size() <= film.size());
  std::memcpy(film.data() + at, bytes.data(), bytes.size());
  return film;
}
Film with_number(const Film& film, std::size_t at, std::uint64_t number, std::size_t width) {
  std::string bytes;
  for (std::size_t i = width; i > 0; --i) bytes += static_cast<char>(number >> (8 * (i - 1)));
  return with(film, at, bytes);
}
std::uint64_t number_at(const Film& film, std::size_t at, std::size_t width) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < width; ++i) number = number << 8U | std::to_integer<std::uint64_t>(film.at(at + i));
  return number;
}
Film and_then(Film film, std::string_view bytes) {
  const auto more = test::bytes(bytes);
  film.insert(film.end(), more.begin(), more.end());
  return film;
}
Film cut(Film film, std::size_t size) {
  REQUIRE(size < film.size());
  film.resize(size);
  return film;
}
Film renamed(Film film, std::string_view from, std::string_view to) { return with(film, find(film, from), to); }

/// With one more element in its segment, whose size it says.
Film with_element(const Film& webm, std::string_view element) {
  const std::size_t size = find(webm, kSegment) + 4;
  REQUIRE(number_at(webm, size, 1) == 1);  // eight bytes
  return and_then(with_number(webm, size, number_at(webm, size, 8) + element.size(), 8), element);
}

Film made(const std::string& name, const std::vector<std::string>& coding) {
  std::vector<std::string> arguments{"-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=3", "-f", "lavfi", "-i", "sine=d=3"};
  arguments.insert(arguments.end(), coding.begin(), coding.end());
  return test::film(name, arguments);
}

Film honest(Format format) {
  const Film source = made("a.mp4", {"-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac"});
  const Transform transform{.format = format};
  const auto encoded = test::workers()->derive(MemoryReader(source), std::span(&transform, 1), {});
  if (!encoded) FAIL(encoded.error().message);
  return read_all(*encoded->outputs.at(0).content, 1U << 24U).value();
}

/// Of a source of one second.
Result<Derived> told(Processor& liar, const Script& script, Transform transform, DeriveOptions options = {}) {
  const Film source = script.in(test::mp4(64, 48, 1000, 500));
  return liar.derive(MemoryReader(source), std::span(&transform, 1), options);
}

struct Lie {
  std::string what;
  Film film;
  std::string reason;
  std::uint32_t width = 64;
  Transform order{};
};

void check_refused(Processor& liar, const std::vector<Lie>& lies, Format ordered) {
  for (const Lie& lie : lies) {
    CAPTURE(lie.what);
    Transform order = lie.order;
    order.format = ordered;
    const auto taken = told(liar, Script::of(lie.film, lie.width, 48), order);
    if (taken) {
      FAIL_CHECK("it was taken");
      continue;
    }
    CHECK(taken.error().code == Errc::internal);
    CHECK(taken.error().message == "the worker encoded something else than was ordered: " + lie.reason);
  }
}

}  // namespace

TEST_CASE("video: what a lying worker sends as an MP4 is refused") {
  const auto liar = test::workers(ODD_WORKER);
  const Film good = honest(Format::mp4);
  // The same way, and the truth: it is the lie that is refused.
  REQUIRE(told(*liar, Script::of(good, 64, 48), {.format = Format::mp4}));

  const std::size_t frames = find(good, "mdat") - 4;
  const std::size_t places = find(good, "stco") + 12;
  const std::size_t sound_sizes = find(good, "stsz", find(good, "stsz") + 4) + 16;
  const std::size_t times = find(good, "stts") + 12;
  const std::uint64_t first_frame = number_at(good, places, 4);
  const std::size_t sound_places = find(good, "stco", places) + 12;
  const std::size_t track = find(good, "trak") - 4;
  const Film hevc =
      made("a.mp4", {"-map", "0:v", "-c:v", "libx265", "-x265-params", "log-level=none", "-pix_fmt", "yuv420p", "-tag:v", "hvc1"});
  check_refused(
      *liar,
      {
          {"another container", honest(Format::webm), "its type is webm"},
          {"no film", test::gradient_png(64, 48), "its type is png"},
          {"an end that is missing", cut(good, good.size() - 1000),
           "probe mp4: the content ends early: the box mdat does not fit, which begins at byte " + std::to_string(frames)},
          {"an end that is missing and not said to be there",
           cut(with_number(good, frames, good.size() - frames - 1000, 4), good.size() - 1000), "a frame lies outside of the frames' bytes"},
          {"something behind it", and_then(good, std::string("\0\0\0\x18html<script></script>", 24)),
           "it holds a box that does not belong there: html"},
          {"a tail", and_then(good, "PK\3\4"), "something is behind it"},
          {"two films", and_then(good, std::string(reinterpret_cast<const char*>(good.data()) + frames, good.size() - frames)),
           "it has two boxes of the kind mdat"},
          {"frames in another file", with_number(good, find(good, "url ") + 4, 0, 4), "its frames lie in another file"},
          {"sound in another file", with_number(good, find(good, "url ", find(good, "url ") + 4) + 4, 0, 4),
           "its frames lie in another file"},
          {"a place in the index", with_number(good, places, track, 4), "a frame lies outside of the frames' bytes"},
          {"a place of sound behind the end", with_number(good, sound_places, good.size() - 1, 4),
           "a frame lies outside of the frames' bytes"},
          {"a sound as large as half of the file", with_number(good, sound_sizes, good.size() / 2, 4), "its frames lie over each other"},
          {"frames that begin anywhere", with_number(good, places, first_frame + 1, 4), "a picture is not H.264"},
          {"bytes that were written over", with(good, first_frame + 40, std::string(4000, '\0')), "a picture is not H.264"},
          {"fewer times than frames", with_number(good, times, 74, 4), "the table of times is not of as many frames as there are"},
          {"a table without an end", with_number(good, times - 4, 2, 4), "the table of times has not as many entries as it says"},
          {"a length by its head", with_number(good, find(good, "mvhd") + 20, 86'400'000, 4), "it is far longer than its source"},
          {"a length by its frames", with_number(good, times + 4, 0xffffffff, 4), "it is far longer than its source"},
          {"a length by its edits", with_number(good, find(good, "elst") + 12, 0xfffffff, 4), "it is far longer than its source"},
          {"another size than was told", good, "its size is not what it was told to be", 66},
          {"a larger one than was ordered", good, "it is larger than the box", 64, {.width = 32}},
          {"another codec", with(good, find(good, "avc1", find(good, "stsd")), "hvc1"), "its pictures are hevc"},
          {"another codec by its name", hevc, "its pictures are hevc"},
          {"another codec under the right name", renamed(hevc, "hvc1", "avc1"), "a picture is not H.264"},
          {"another codec's sound", made("a.mp4", {"-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "mp3"}), "its sound is mp3"},
          {"two tracks of pictures", made("a.mp4", {"-map", "0:v", "-map", "0:v", "-c:v", "libx264", "-pix_fmt", "yuv420p"}),
           "it has other tracks than one of pictures and one of sound"},
          {"a track of something else", renamed(good, "soun", "text"), "it has other tracks than one of pictures and one of sound"},
          {"fragments", made("a.mp4", {"-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac", "-movflags", "frag_keyframe+empty_moov"}),
           "it holds a box that does not belong there: moof"},
          {"a room for other things", with(good, track + 4, "html"), "it has other tracks than one of pictures and one of sound"},
      },
      Format::mp4);
}

TEST_CASE("video: what a lying worker sends as a WebM is refused") {
  const auto liar = test::workers(ODD_WORKER);
  const Film good = honest(Format::webm);
  REQUIRE(told(*liar, Script::of(good, 64, 48), {.format = Format::webm}));

  const std::vector<std::string> vp9{"-c:v", "libvpx-vp9", "-cpu-used", "8", "-deadline", "realtime", "-c:a", "libopus"};
  const std::vector<std::string> vp8{"-c:v", "libvpx", "-cpu-used", "8", "-deadline", "realtime", "-c:a", "libopus"};
  auto live = vp9;
  live.insert(live.end(), {"-live", "1"});
  const std::size_t cluster = find(good, "\x1F\x43\xB6\x75");
  const std::size_t first = find(good, "\xA3", cluster + 8);
  const std::string late("\x1F\x43\xB6\x75\x8D\xE7\x84\x00\xFF\xFF\xFF\xA3\x85\x81\x00\x00\x80\x80", 18);
  const std::string attachment("\x19\x41\xA4\x69\x84html", 9);
  check_refused(
      *liar,
      {
          {"another container", honest(Format::mp4), "its type is mp4"},
          {"the other one of its family", made("a.mkv", vp9), "its type is mkv"},
          {"an end that is missing", cut(good, good.size() - 1000),
           "probe webm: the content ends early: the Matroska segment does not fit, which begins at byte " +
               std::to_string(find(good, kSegment))},
          {"something behind it", and_then(good, "PK\3\4"), "something is behind it"},
          {"a file in it", with_element(good, attachment), "it holds something that does not belong there"},
          {"a segment without an end", with_number(good, find(good, kSegment) + 4, 0x01ffffffffffffff, 8),
           "it has no segment that says its size"},
          {"a live recording", made("a.webm", live), "it has no segment that says its size"},
          {"another codec by its name", made("a.webm", vp8), "its pictures are vp8"},
          {"another codec under the right name", renamed(made("a.webm", vp8), "V_VP8", "V_VP9"), "a picture is not VP9"},
          {"another codec's sound", made("a.webm", {"-c:v", "libvpx-vp9", "-cpu-used", "8", "-deadline", "realtime", "-c:a", "libvorbis"}),
           "its sound is vorbis"},
          {"a frame of another track", with(good, first + 3, "\x87"), "a frame is of no track"},
          {"a length by its frames", with_element(good, late), "it is far longer than its source"},
          {"another size than was told", good, "its size is not what it was told to be", 66},
          {"a larger one than was ordered", good, "it is larger than the box", 64, {.width = 32}},
      },
      Format::webm);
}

TEST_CASE("video: a lying worker's pieces keep to their file") {
  const auto liar = test::workers(ODD_WORKER);
  const Film good = honest(Format::mp4);
  const Transform order{.format = Format::mp4};
  const std::string nonsense = "the worker answered nonsense and was ended";
  const auto whole = [&] { return Script::of(good, 64, 48); };

  // A hole, which would be filled with nothing.
  Script hole(64, 48);
  hole.piece(0, std::span(good).first(1000));
  hole.piece(1001, std::span(good).subspan(1001));
  // More written over than a muxer goes back for.
  Script over = whole();
  while (over.bytes() < good.size() + (1U << 20U)) over.piece(0, good);
  for (const Script& script : {hole, over, Script(64, 48), Script::of(good, 0, 48), Script::of(good, 64, 1U << 30U)}) {
    const auto taken = told(*liar, script, order);
    REQUIRE_FALSE(taken);
    CHECK(taken.error() == Error{Errc::internal, nonsense});
  }
  // A little of it may be: what was there is no more.
  Script again = whole();
  again.piece(0, std::span(good).first(1000));
  CHECK(told(*liar, again, order));

  // More than it may, in bytes and by a place that no file has.
  DeriveOptions few;
  few.budget.max_video_bytes = good.size() - 1;
  const auto large = told(*liar, whole(), order, few);
  REQUIRE_FALSE(large);
  CHECK(large.error().code == Errc::too_large);
  Script far(64, 48);
  far.piece(0, good);
  far.piece(UINT64_MAX - 10, std::span(good).first(100));
  CHECK(told(*liar, far, order).error() == Error{Errc::internal, nonsense});
  // And the next one is none the worse.
  CHECK(told(*liar, whole(), order));
}
