#include "catch.hpp"
#include "inspect_samples.hpp"
#include "media/inspect.hpp"
#include "support.hpp"

using media::Errc;
using media::Format;
using media::MediaInfo;
using media::Result;

namespace {

Result<MediaInfo> probe(const std::string& content) { return media::probe(media::MemoryReader(test::bytes(content))); }

/// The message of a content that is `corrupt`; anything else fails the test.
std::string fault(const std::string& content) {
  const auto info = probe(content);
  REQUIRE_FALSE(info);
  CHECK(info.error().code == Errc::corrupt);
  return info.error().message;
}

}  // namespace

TEST_CASE("inspect: each good sample is named and measured") {
  for (const auto& sample : samples::all()) {
    INFO(sample.name);
    CHECK(media::sniff(test::bytes(sample.content)) == sample.format);
    const auto info = probe(sample.content);
    INFO((info ? std::string() : info.error().message));
    REQUIRE(info);
    CHECK(info->format == sample.format);
    CHECK(info->width == sample.width);
    CHECK(info->height == sample.height);
    CHECK(info->frames == sample.frames);
    CHECK(info->has_alpha == sample.alpha);
  }
}

TEST_CASE("inspect: what is no media is called unknown, and its probe unsupported") {
  for (const std::string text :
       {"", "B", "BM and some more text in English", "<html><svg></svg></html>", "{\"a\": 1}", "RIFF\x10\0\0\0WAVEfmt ", "%PDF-1.7",
        "\x1a\x45\xdf\xa3\x84\x42\x82\x81x", "<svgfoo>", "<?xml version='1.0'?>", "<!-- never closed <svg>"}) {
    INFO(text);
    CHECK(media::sniff(test::bytes(text)) == Format::unknown);
    const auto info = probe(text);
    REQUIRE_FALSE(info);
    CHECK(info.error().code == Errc::unsupported);
  }
}

TEST_CASE("inspect: SVG is found behind a byte order mark, comments and a doctype, and by prefix") {
  CHECK(media::sniff(test::bytes("\xef\xbb\xbf \n<svg>")) == Format::svg);
  CHECK(media::sniff(test::bytes("<!doctype svg>\n<svg\tonload='x'>")) == Format::svg);
  CHECK(media::sniff(test::bytes("<svg:svg xmlns:svg='x'>")) == Format::svg);
  CHECK(media::sniff(test::bytes("<svg")) == Format::svg);
}

TEST_CASE("inspect: PNG chunks are checked where they decide") {
  CHECK_THAT(fault(samples::png(0, 5)), ContainsSubstring("no width"));
  CHECK_THAT(fault(samples::png(5, 0)), ContainsSubstring("no height"));
  CHECK_THAT(fault(samples::png(0x80000000U, 5)), ContainsSubstring("forbids"));
  CHECK_THAT(fault(samples::png(5, 5, {}, 1)), ContainsSubstring("colour type"));
  CHECK_THAT(fault(samples::png(5, 5, {}, 3)), ContainsSubstring("palette"));
  CHECK_THAT(fault(samples::png(5, 5, samples::png_chunk("PLTE", "12"), 3)), ContainsSubstring("palette"));
  CHECK_THAT(fault(samples::png(5, 5, samples::png_chunk("I\0AT", "12"))), ContainsSubstring("no PNG chunk"));
  CHECK_THAT(fault(samples::png(5, 5, samples::be(0x7fffffff, 4) + "tEXt")), ContainsSubstring("tEXt at byte 33"));
  CHECK_THAT(fault(samples::png(5, 5, samples::png_chunk("IHDR", "12"))), ContainsSubstring("second PNG header"));
  auto flipped = samples::png(5, 5);
  flipped[19] = 6;
  CHECK_THAT(fault(flipped), ContainsSubstring("checksum"));
  CHECK_THAT(fault("\x89PNG\r\n\x1a\n" + samples::png_chunk("IDAT", "0123456789abcdef")), ContainsSubstring("place of the PNG header"));
  const std::string whole = samples::png(5, 5);
  const std::string without_data = whole.substr(0, 33) + samples::png_chunk("IEND", "");
  CHECK_THAT(fault(without_data), ContainsSubstring("without picture data"));
  CHECK(probe(whole + "<script>trailing bytes are other people's"));
}

TEST_CASE("inspect: PNG states alpha, orientation, frames and duration") {
  CHECK(probe(samples::png(5, 5, {}, 6))->has_alpha);
  CHECK(probe(samples::png(5, 5, samples::png_chunk("tRNS", "123456")))->has_alpha);
  CHECK(probe(samples::png(5, 5, samples::png_chunk("PLTE", "123"), 3))->width == 5);
  CHECK(probe(samples::png(5, 5, samples::png_chunk("eXIf", samples::exif(8, false))))->orientation == 8);
  CHECK(probe(samples::apng(3, 3))->duration == std::chrono::milliseconds(300));
  CHECK_THAT(fault(samples::apng(5, 3)), ContainsSubstring("states 5 frames and has 3"));
  CHECK_THAT(fault(samples::apng(0, 0)), ContainsSubstring("number of frames"));
  const std::string outside = samples::png_chunk("acTL", samples::be(1, 4) + samples::be(0, 4)) +
                              samples::png_chunk("fcTL", samples::be(0, 4) + samples::be(9, 4) + samples::be(9, 4) + std::string(14, '\0'));
  CHECK_THAT(fault(samples::png(5, 5, outside)), ContainsSubstring("outside the picture"));
}

TEST_CASE("inspect: JPEG segments are walked up to the scan, and its end is looked for") {
  CHECK(probe(samples::jpeg(10, 10, samples::jpeg_segment(0xe1, std::string("Exif\0\0", 6) + samples::exif(6, true))))->orientation == 6);
  CHECK(probe(samples::jpeg(10, 10, samples::jpeg_segment(0xe1, "http://ns.adobe.com/xap/1.0/")))->orientation == 1);
  CHECK(probe(samples::jpeg(10, 10, "\xff\xff\xff" + samples::jpeg_segment(0xfe, "fill bytes before me").substr(1))));
  CHECK(probe(samples::jpeg(10, 10) + std::string(300'000, 'z')));
  CHECK(probe(samples::jpeg(10, 10, samples::jpeg_segment(0xfe, std::string(65'000, '\xff')))));

  CHECK(probe(samples::jpeg(10, 10, samples::jpeg_segment(0xe0, "JFIF") + std::string(2'000, '\0'))));
  CHECK_THAT(fault(samples::jpeg(10, 10, samples::jpeg_segment(0xe0, "JFIF") + std::string(200'000, '\0'))),
             ContainsSubstring("no JPEG marker"));
  // The end marker across the border of two blocks of the search.
  for (const std::size_t trailer : {62U, 63U, 64U, 65U, 1085U, 1086U, 1087U, 1088U, 1089U})
    CHECK(probe(samples::jpeg(10, 10) + std::string(trailer, 'z')));

  CHECK_THAT(fault(samples::jpeg(0, 10)), ContainsSubstring("no width"));
  CHECK_THAT(fault(samples::jpeg(10, 0)), ContainsSubstring("no height"));
  const std::string whole = samples::jpeg(10, 10);
  CHECK_THAT(fault(whole.substr(0, whole.size() - 2)), ContainsSubstring("without its end marker"));
  CHECK_THAT(fault(whole.substr(0, whole.size() - 2) + std::string(200'000, '\0')), ContainsSubstring("without its end marker"));
  CHECK_THAT(fault("\xff\xd8\xff\xd9"), ContainsSubstring("before its picture data"));
  CHECK_THAT(fault("\xff\xd8" + whole), ContainsSubstring("begins again"));
  CHECK_THAT(fault("\xff\xd8\xff\xe0" + samples::be(1, 2)), ContainsSubstring("impossible length"));
  CHECK_THAT(fault("\xff\xd8\xff\xe0" + samples::be(400, 2) + "JFIF"), ContainsSubstring("inside a JPEG segment"));
  CHECK_THAT(fault("\xff\xd8" + samples::jpeg_segment(0xda, "1234567890") + "\xff\xd9"), ContainsSubstring("without a frame header"));
  CHECK_THAT(fault(samples::jpeg(10, 10, samples::jpeg_segment(0xc2, std::string("\x08\0\x05\0\x05\x01\x01\x11\0", 9)))),
             ContainsSubstring("second JPEG frame header"));
  CHECK_THAT(fault(samples::jpeg(10, 10, samples::jpeg_segment(0xc2, std::string("\x08\0\x05\0\x05\x03\x01\x11\0", 9)))),
             ContainsSubstring("length is not that of its components"));
  // An end marker in a thumbnail, before the scan, is not the picture's.
  const std::string thumbnail = samples::jpeg_segment(0xe1, std::string("Exif\0\0", 6) + whole);
  const std::string cut = samples::jpeg(10, 10, thumbnail);
  CHECK_THAT(fault(cut.substr(0, cut.size() - 2)), ContainsSubstring("without its end marker"));
}

TEST_CASE("inspect: WebP chunks fit, and pictures have their canvas's size") {
  CHECK(probe(samples::webp_lossy(33, 22) + "trailing"));
  CHECK(probe(samples::webp_extended(33, 22, 0x08, samples::vp8(33, 22) + samples::riff_chunk("EXIF", samples::exif(3, true))))
            ->orientation == 3);
  const std::string prefixed = samples::riff_chunk("EXIF", std::string("Exif\0\0", 6) + samples::exif(5, false));
  CHECK(probe(samples::webp_extended(33, 22, 0x08, samples::vp8(33, 22) + prefixed))->orientation == 5);
  CHECK(probe(samples::webp_animated(4))->duration == std::chrono::milliseconds(160));

  CHECK_THAT(fault(samples::webp_lossy(0, 22)), ContainsSubstring("no width"));
  CHECK_THAT(fault(samples::webp_extended(34, 22, 0, samples::vp8(33, 22))), ContainsSubstring("another size than its canvas"));
  CHECK_THAT(fault(samples::webp_extended(34, 22, 0, "")), ContainsSubstring("without a picture"));
  CHECK_THAT(fault(samples::webp_extended(34, 22, 2, samples::webp_frame(10, 0, 26, 22))), ContainsSubstring("outside its canvas"));
  CHECK_THAT(fault(samples::webp(samples::riff_chunk("EXIF", "abcd"))), ContainsSubstring("begins with the chunk EXIF"));
  CHECK_THAT(fault(samples::webp(samples::riff_chunk("VP8 ", "\x11\x02\0\x9d\x01\x2a" + std::string(20, 'x')))),
             ContainsSubstring("damaged VP8 header"));
  CHECK_THAT(fault(samples::webp(samples::riff_chunk("VP8L", std::string(20, 'x')))), ContainsSubstring("damaged VP8L header"));
  CHECK_THAT(fault(samples::webp(samples::riff_chunk("VP8X", "short"))), ContainsSubstring("too short"));
}

TEST_CASE("inspect: GIF blocks are walked to the trailer") {
  CHECK(probe(samples::gif(3))->duration == std::chrono::milliseconds(150));
  CHECK_FALSE(probe(samples::gif(1))->duration);
  CHECK(probe(samples::gif(2) + "trailing"));
  CHECK_THAT(fault(samples::gif(0)), ContainsSubstring("without a picture"));
  auto no_trailer = samples::gif(2);
  no_trailer.pop_back();
  CHECK_THAT(fault(no_trailer), ContainsSubstring("without its trailer"));
  auto zero = samples::gif(1);
  zero[6] = 0;
  CHECK_THAT(fault(zero), ContainsSubstring("no width"));
  CHECK_THAT(fault(samples::gif(1).substr(0, 19) + "x"), ContainsSubstring("no GIF block"));
}

TEST_CASE("inspect: a GIF of very many tiny frames is counted in time, or given up") {
  std::string many = samples::gif(1);
  many.pop_back();
  const std::string frame = many.substr(19);
  for (int i = 0; i < 60'000; ++i) many += frame;
  const auto info = probe(many + ";");
  REQUIRE_FALSE(info);
  CHECK_THAT(info.error().message, ContainsSubstring("more than 100000 parts"));
}

TEST_CASE("inspect: BMP and TIFF headers are checked") {
  CHECK(probe(samples::bmp(3, 2))->height == 2);
  CHECK_THAT(fault(samples::bmp(0, 2)), ContainsSubstring("no width"));
  const std::string bitmap = samples::bmp(30, 20);
  CHECK_THAT(fault(bitmap.substr(0, bitmap.size() - 1)), ContainsSubstring("inside BMP pixels"));
  CHECK_THAT(fault(bitmap.substr(0, 54)), ContainsSubstring("BMP pixels"));
  const std::string old = "BM" + std::string(8, '\0') + samples::le(26, 4) + samples::le(12, 4) + samples::le(5, 2) + samples::le(4, 2) +
                          samples::le(1, 2) + samples::le(24, 2) + std::string(64, '\0');
  CHECK(probe(old)->width == 5);

  CHECK(probe(samples::tiff(3, 2, true, false))->orientation == 6);
  CHECK_THAT(fault(samples::tiff(0, 2, true, false)), ContainsSubstring("without width"));
  CHECK_THAT(fault(std::string("II*\0\xff\xff\0\0", 8)), ContainsSubstring("TIFF directory"));
  CHECK_THAT(fault(std::string("II*\0\0\0\0\0", 8)), ContainsSubstring("without a directory"));
}
