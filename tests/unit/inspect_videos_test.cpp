#include "catch.hpp"
#include "inspect_samples.hpp"
#include "media/inspect.hpp"
#include "support.hpp"

using media::Errc;
using media::MediaInfo;
using media::Result;
using samples::Film;
using samples::Matroska;

namespace {

Result<MediaInfo> probe(const std::string& content) { return media::probe(media::MemoryReader(test::bytes(content))); }

std::string fault(const std::string& content) {
  const auto info = probe(content);
  REQUIRE_FALSE(info);
  CHECK(info.error().code == Errc::corrupt);
  return info.error().message;
}

template <class Options, class Change>
std::string with(std::string (*make)(const Options&), Change change) {
  Options options;
  change(options);
  return make(options);
}

}  // namespace

TEST_CASE("inspect: a movie states its duration and how it is turned") {
  CHECK(probe(samples::film())->duration == std::chrono::milliseconds(2500));
  CHECK(probe(with(samples::film, [](Film& o) { o.wide_boxes = true; }))->duration == std::chrono::milliseconds(2500));
  const auto turned = [](int a, int b, int c, int d) {
    const auto info = probe(with(samples::film, [&](Film& o) { o.a = a, o.b = b, o.c = c, o.d = d; }));
    REQUIRE(info);
    return int{info->orientation};
  };
  CHECK(turned(1, 0, 0, 1) == 1);
  CHECK(turned(0, 1, -1, 0) == 6);
  CHECK(turned(-1, 0, 0, -1) == 3);
  CHECK(turned(0, -1, 1, 0) == 8);
}

TEST_CASE("inspect: a movie without its frames is corrupt") {
  CHECK_THAT(fault(with(samples::film, [](Film& o) { o.samples = 0; })), ContainsSubstring("no frames"));
  CHECK_THAT(fault(with(samples::film, [](Film& o) { o.fragmented = true, o.with_fragments = false; })), ContainsSubstring("no frames"));
  CHECK_THAT(fault(with(samples::film, [](Film& o) { o.first_run = 0x1000001; })), ContainsSubstring("contradicts itself"));
  CHECK_THAT(fault(with(samples::film, [](Film& o) { o.width = 0; })), ContainsSubstring("no width"));
  CHECK_THAT(fault(samples::box("ftyp", "isom" + samples::be(0, 4)) + samples::box("mdat", "x")), ContainsSubstring("moov"));
  const std::string last = with(samples::film, [](Film& o) { o.movie_last = true; });
  CHECK_THAT(fault(last.substr(0, last.size() - 1)), ContainsSubstring("moov does not fit"));
  // A last box that reaches "to the end" hides a cut; the frames' sizes do not.
  std::string open = samples::film(Film{.samples = 100});
  const auto mdat = open.find("mdat");
  open.replace(mdat - 4, 4, samples::be(0, 4));
  REQUIRE(probe(open));
  CHECK_THAT(fault(open.substr(0, mdat + 4)), ContainsSubstring("frames of the video track begin"));
}

TEST_CASE("inspect: a movie of sound alone has no size") {
  const auto info = probe(with(samples::film, [](Film& o) { o.handler = "soun"; }));
  REQUIRE(info);
  CHECK(info->width == 0);
  CHECK(info->frames == 0);
}

TEST_CASE("inspect: tables longer than their box are corrupt, whatever they state") {
  for (const std::string table : {"stsz", "stco", "stsc"}) {
    std::string movie = samples::film();
    const auto at = movie.find(table) + (table == "stsz" ? 12 : 8);
    movie.replace(at, 4, samples::be(0xffffffff, 4));
    INFO(table);
    CHECK_THAT(fault(movie), ContainsSubstring("longer than its box"));
  }
}

TEST_CASE("inspect: Matroska states duration, alpha and the first video track") {
  CHECK(probe(samples::matroska())->duration == std::chrono::milliseconds(2000));
  CHECK(probe(with(samples::matroska, [](Matroska& o) { o.alpha = true; }))->has_alpha);
  const auto sound = probe(with(samples::matroska, [](Matroska& o) { o.video = false; }));
  REQUIRE(sound);
  CHECK(sound->width == 0);
  CHECK_THAT(fault(with(samples::matroska, [](Matroska& o) { o.width = 0; })), ContainsSubstring("no width"));
  CHECK_THAT(fault(with(samples::matroska, [](Matroska& o) { o.cluster = false; })), ContainsSubstring("without frames"));
  const std::string whole = samples::matroska();
  CHECK_THAT(fault(whole.substr(0, whole.size() - 1)), ContainsSubstring("ends early"));
  const std::string header = samples::element(0x1a45dfa3, samples::element(0x4282, "webm"));
  CHECK_THAT(fault(header), ContainsSubstring("without its segment"));
  CHECK_THAT(fault(header + samples::element(0x18538067, samples::element(0x1549a966, ""))), ContainsSubstring("without tracks"));
  CHECK_THAT(fault(header + std::string(16, '\0')), ContainsSubstring("no EBML element"));
  CHECK_THAT(fault(header + samples::element(0x18538067, samples::element(0x1549a966, samples::element(0x4489, "123")))),
             ContainsSubstring("float"));
}

TEST_CASE("inspect: durations that are no numbers are left out") {
  for (const std::uint64_t bits : {0x7ff8000000000000ULL, 0x7ff0000000000000ULL, 0xbff0000000000000ULL, 0x7fefffffffffffffULL}) {
    std::string file = samples::matroska();
    const auto at = file.find(samples::be(0x409f400000000000ULL, 8));
    file.replace(at, 8, samples::be(bits, 8));
    const auto info = probe(file);
    REQUIRE(info);
    CHECK_FALSE(info->duration);
  }
}

TEST_CASE("inspect: an Ogg file needs whole pages") {
  const std::string whole = samples::ogg_theora(16, 16);
  CHECK(probe(whole));
  CHECK_THAT(fault(whole.substr(0, whole.size() - 1)), ContainsSubstring("inside an Ogg page"));
  CHECK_THAT(fault(whole + std::string(27, 'x')), ContainsSubstring("no Ogg page"));
}
