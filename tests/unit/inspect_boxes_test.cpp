#include "catch.hpp"
#include "inspect_samples.hpp"
#include "media/inspect.hpp"
#include "support.hpp"

using media::Errc;
using media::Format;
using media::MediaInfo;
using media::Result;
using samples::Items;

namespace {

Result<MediaInfo> probe(const std::string& content) { return media::probe(media::MemoryReader(test::bytes(content))); }

std::string fault(const std::string& content) {
  const auto info = probe(content);
  REQUIRE_FALSE(info);
  CHECK(info.error().code == Errc::corrupt);
  return info.error().message;
}

Format brand(const std::string& major, const std::string& compatible) {
  return media::sniff(test::bytes(samples::box("ftyp", major + samples::be(0, 4) + compatible)));
}

}  // namespace

TEST_CASE("inspect: brands tell AVIF, HEIC, MP4 and QuickTime apart") {
  CHECK(brand("avif", "mif1") == Format::avif);
  CHECK(brand("avis", "msf1") == Format::avif);
  CHECK(brand("mif1", "mif1heicavif") == Format::avif);
  CHECK(brand("mif1", "mif1heic") == Format::heic);
  CHECK(brand("mif1", "mif1") == Format::heic);
  CHECK(brand("msf1", "hevc") == Format::heic);
  CHECK(brand("heic", "mif1") == Format::heic);
  CHECK(brand("isom", "avc1") == Format::mp4);
  CHECK(brand("iso5", "") == Format::mp4);
  CHECK(brand("M4V ", "") == Format::mp4);
  CHECK(brand("3gp4", "isom") == Format::mp4);
  CHECK(brand("qt  ", "qt  ") == Format::mov);
  CHECK(brand("xxxx", "yyyymp42") == Format::mp4);
  CHECK(brand("crx ", "crx ") == Format::unknown);
  CHECK(brand("jp2 ", "jp2 ") == Format::unknown);
  CHECK(media::sniff(test::bytes(samples::box("moov", "12345678"))) == Format::mov);
  CHECK(media::sniff(test::bytes(samples::box("wide", "") + samples::box("mdat", "x"))) == Format::mov);
  CHECK(media::sniff(test::bytes("Get free stuff here")) == Format::unknown);
}

TEST_CASE("inspect: irot and imir amount to an EXIF orientation, in their order") {
  const auto turned = [](const std::string& properties, int count) {
    Items options;
    options.properties = properties;
    options.more_properties = count;
    const auto info = probe(samples::items(options));
    REQUIRE(info);
    return int{info->orientation};
  };
  const auto irot = [](int quarters) { return samples::box("irot", samples::be(static_cast<std::uint64_t>(quarters), 1)); };
  const auto imir = [](int axis) { return samples::box("imir", samples::be(static_cast<std::uint64_t>(axis), 1)); };
  CHECK(turned(irot(0), 1) == 1);
  CHECK(turned(irot(1), 1) == 8);
  CHECK(turned(irot(2), 1) == 3);
  CHECK(turned(irot(3), 1) == 6);
  CHECK(turned(imir(0), 1) == 4);
  CHECK(turned(imir(1), 1) == 2);
  CHECK(turned(irot(1) + imir(0), 2) == 5);
  CHECK(turned(irot(3) + imir(0), 2) == 7);
  CHECK(turned(imir(0) + irot(1), 2) == 7);
}

TEST_CASE("inspect: a picture of items must be complete") {
  const auto with = [](auto change) {
    Items options;
    change(options);
    return samples::items(options);
  };
  CHECK_THAT(fault(with([](Items& o) { o.width = 0; })), ContainsSubstring("no width or no height"));
  CHECK_THAT(fault(with([](Items& o) { o.primary = false; })), ContainsSubstring("pitm"));
  CHECK_THAT(fault(with([](Items& o) { o.handler = "vide"; })), ContainsSubstring("vide"));
  CHECK_THAT(fault(with([](Items& o) { o.configuration = ""; })), ContainsSubstring("av1C"));
  CHECK_THAT(fault(with([](Items& o) { o.data_shift = 1; })), ContainsSubstring("its items need"));
  CHECK_THAT(fault(with([](Items& o) { o.data_shift = 0x7ffffff0U; })), ContainsSubstring("ends early"));
  CHECK_THAT(fault(with([](Items& o) { o.bad_index = 9; })), ContainsSubstring("a property that is not there"));
  CHECK_THAT(fault(with([](Items& o) { o.coding = "Exif"; })), ContainsSubstring("no picture but Exif"));
  CHECK_THAT(fault(with([](Items& o) { o.coding = "grid"; })), ContainsSubstring("names none"));
  CHECK_THAT(fault(samples::box("ftyp", "avif" + samples::be(0, 4)) + samples::box("mdat", "x")),
             ContainsSubstring("without its meta box"));
  CHECK_THAT(fault(samples::box("ftyp", "avis" + samples::be(0, 4)) + samples::box("mdat", "x")), ContainsSubstring("moov"));
}

TEST_CASE("inspect: other people's bytes after the boxes are left alone, boxes of ours that are cut are not") {
  const std::string whole = samples::items();
  CHECK(probe(whole + "--"));
  CHECK(probe(whole + "\r\n----------------"));
  CHECK_THAT(fault(whole + samples::be(500, 4) + "free"), ContainsSubstring("box free does not fit"));
  CHECK_THAT(fault(whole + samples::be(3, 4) + "mdat"), ContainsSubstring("box mdat does not fit"));
  CHECK(probe(whole + samples::be(0, 4) + "free" + "up to the end"));
}

TEST_CASE("inspect: pictures made of pictures made of pictures cost a bounded number of steps") {
  // Each of 30,000 references of the primary grid leads to another grid with 30,000 references.
  const auto item = [](std::uint64_t id) {
    return samples::full_box("infe", 2, 0, samples::be(id, 2) + samples::be(0, 2) + "grid" + std::string(1, '\0'));
  };
  const auto references = [](std::uint64_t from, std::uint64_t to) {
    std::string body = samples::be(from, 2) + samples::be(30'000, 2);
    for (int i = 0; i < 30'000; ++i) body += samples::be(to, 2);
    return samples::box("dimg", body);
  };
  const std::string meta = samples::full_box(
      "meta", 0, 0,
      samples::full_box("hdlr", 0, 0, samples::be(0, 4) + "pict" + std::string(13, '\0')) +
          samples::full_box("pitm", 0, 0, samples::be(1, 2)) +
          samples::full_box("iinf", 0, 0, samples::be(3, 2) + item(1) + item(2) + item(3)) +
          samples::full_box("iref", 0, 0, references(1, 2) + references(2, 3)) +
          samples::box("iprp", samples::box("ipco", samples::full_box("ispe", 0, 0, samples::be(9, 4) + samples::be(9, 4))) +
                                   samples::full_box("ipma", 0, 0, samples::be(1, 4) + samples::be(1, 2) + samples::be(0x0101, 2))));
  CHECK_THAT(fault(samples::box("ftyp", "avif" + samples::be(0, 4)) + meta), ContainsSubstring("more than 100000 parts"));
}
