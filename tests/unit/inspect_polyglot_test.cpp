// Pictures that are something else as well, and pictures with something harmless behind them.
#include <string>
#include <vector>

#include "catch.hpp"
#include "inspect/clamd_reply.hpp"
#include "inspect_samples.hpp"
#include "media/inspect.hpp"
#include "support.hpp"

using namespace media;

namespace {

/// One member, stored, and a comment.
std::string zip(const std::string& name, const std::string& body = "content", const std::string& comment = {}) {
  const std::string sizes = samples::le(0, 4) + samples::le(body.size(), 4) + samples::le(body.size(), 4);
  const std::string member =
      "PK\x03\x04" + samples::le(20, 2) + samples::le(0, 8) + sizes + samples::le(name.size(), 2) + samples::le(0, 2) + name + body;
  const std::string list = "PK\x01\x02" + samples::le(20, 2) + samples::le(20, 2) + samples::le(0, 8) + sizes +
                           samples::le(name.size(), 2) + std::string(16, '\0') + name;
  return member + list + "PK\x05\x06" + samples::le(0, 4) + samples::le(1, 2) + samples::le(1, 2) + samples::le(list.size(), 4) +
         samples::le(member.size(), 4) + samples::le(comment.size(), 2) + comment;
}

std::string program() {
  std::string bytes = "MZ" + std::string(58, '\0') + samples::le(64, 4);
  return bytes + std::string("PE\0\0", 4) + std::string(20, '\0');
}

struct Picture {
  std::string name;
  Format format;
  std::string bytes;
};

std::vector<Picture> pictures() {
  const std::string mp4 = samples::box("ftyp", "isom" + samples::be(0, 4) + "isom") + samples::box("mdat", std::string(100, 'x'));
  return {{"png", Format::png, samples::png(4, 4)}, {"jpeg", Format::jpeg, samples::jpeg(4, 4)},
          {"gif", Format::gif, samples::gif(2)},    {"webp", Format::webp, samples::webp_lossy(4, 4)},
          {"avif", Format::avif, samples::items()}, {"mp4", Format::mp4, mp4}};
}

std::string found(const std::string& bytes, Format format) {
  const auto answer = find_polyglot(MemoryReader(test::bytes(bytes)), format);
  REQUIRE(answer);
  return *answer;
}

}  // namespace

TEST_CASE("polyglot: an archive, a document, a page or a program behind a picture is found in every format") {
  const std::vector<std::pair<std::string, std::string>> tails = {
      {zip("a.txt"), "a ZIP archive"},
      {zip("META-INF/MANIFEST.MF", "Main-Class: Evil"), "a JAR archive"},
      {zip("a.txt", "x", std::string(60'000, ' ')), "a ZIP archive"},
      {std::string(1000, '\0') + zip("a.txt"), "a ZIP archive"},
      {zip("a.txt") + std::string(40'000, '\0'), "a ZIP archive"},
      {zip("a.txt", std::string(200'000, 'b')), "a ZIP archive"},
      {"%PDF-1.7\n", "a PDF document"},
      {std::string(100'000, ' ') + "%PDF-1.7\n", "a PDF document"},
      {"<script>alert(1)</script>", "an HTML page"},
      {"\n\n<!DOCTYPE html><title>x</title>", "an HTML page"},
      {std::string(65'530, ' ') + "<HTML>" + std::string(200'000, ' '), "an HTML page"},
      {"<?php system($_GET['c']); ?>", "an HTML page"},
      {"Rar!\x1a\x07\x01", "a RAR archive"},
      {"7z\xbc\xaf\x27\x1c", "a 7z archive"},
      {"\x7f"
       "ELF\x02\x01\x01",
       "a program"},
      {program(), "a program"}};
  for (const Picture& picture : pictures()) {
    INFO(picture.name);
    CHECK(found(picture.bytes, picture.format).empty());
    for (const auto& [tail, name] : tails) {
      INFO(tail.substr(0, 20) << " of " << tail.size());
      CHECK(found(picture.bytes + tail, picture.format) == name);
    }
  }
}

TEST_CASE("polyglot: what is inside a picture where other programs look for it is found too") {
  // An archive in a chunk before the picture's end: who opens archives looks for its end in the last 64 KiB.
  const std::string inside = samples::png(4, 4, samples::png_chunk("zIPa", zip("META-INF/MANIFEST.MF")));
  CHECK(found(inside, Format::png) == "a JAR archive");
  CHECK(found(samples::jpeg(4, 4, samples::jpeg_segment(0xfe, zip("a.txt"))), Format::jpeg) == "a ZIP archive");
  // Of formats whose end is not known, the end of the file is looked at all the same.
  CHECK(found(samples::tiff(4, 4, false, false) + zip("a.txt"), Format::tiff) == "a ZIP archive");
}

TEST_CASE("polyglot: in the first bytes a document or a page is one that a program would take, and not a word in a comment") {
  const std::string objects =
      "1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj trailer<</Root 1 0 R>>";
  struct Case {
    const char* what;
    std::string text;
    const char* is;
  };
  const std::vector<Case> cases = {
      {"a document", "%PDF-1.4\n" + objects, "a PDF document"},
      {"one whose objects have large numbers", "%PDF-1.7 1234567 0 obj<<>>endobj", "a PDF document"},
      {"one with something before it", "x %PDF-1.4\n" + objects, "a PDF document"},
      {"a script", "<script>alert(1)</script>", "an HTML page"},
      {"a script in capitals, with attributes", "<SCRIPT type=module>alert(1)</ScRiPt >", "an HTML page"},
      {"a script from elsewhere", "<script src=//x></script>", "an HTML page"},
      {"a page with a script", "<!doctype html><html><body><script>1</script><!--", "an HTML page"},
      {"a handler", "<body onload=alert(1)>", "an HTML page"},
      {"a handler of a picture", "<img src=x onerror = 'alert(1)'>", "an HTML page"},
      {"a handler with a short name", "<p OnCut=alert(1)>", "an HTML page"},
      {"another one", "<set onend =alert(1)>", "an HTML page"},
      // 5 KB of noise have letters behind a "<" mostly, and "on", a letter or two and "=" in one of 100,000.
      {"noise that looks like a handler", "<a\x81\x9c \xf3 onx=\x02 'Onqz=\"onbgt \t=", ""},
      {"a handler behind a slash", "<svg/onload=alert(1)>", "an HTML page"},
      {"a handler behind a value", "<img src='x'onerror=alert(1)>", "an HTML page"},
      {"a handler behind an end that is none", "<img alt=\">\" onerror=alert(1)>", "an HTML page"},
      {"a handler far behind", "<img alt='" + std::string(3'000, ' ') + "' onerror=alert(1)>", "an HTML page"},
      {"a frame", "<iframe src=//x></iframe>", "an HTML page"},
      {"a handler before which nothing ends", "<body onload=alert(1) x=\"" + std::string(60'000, 'x') + "\">", "an HTML page"},
      {"a handler behind a quote that is none", "<body a==\" onload=alert(1)>", "an HTML page"},
      {"a handler on the next line", "<body x=\n\">\" onload\n=\nalert(1)>", "an HTML page"},
      {"a frame with its page in it", "<iframe srcdoc=\"&lt;script&gt;1&lt;/script&gt;\">", "an HTML page"},
      {"a frame without a source", "<iframe > and onload=", "an HTML page"},
      {"a page that moves on", "<html><meta http-equiv=refresh content=0;url=//x>", "an HTML page"},
      {"a page that asks for a password", "<html><body><form action=//x><input></form>", "an HTML page"},
      {"a page with attributes", "<html lang=de>", "an HTML page"},
      {"PHP", "<?php system($_GET['c']); ?>", "an HTML page"},
      {"a document on several lines", "%PDF-1.4\n1 0\nobj<<>>", "a PDF document"},
      {"one with more space", "%PDF-1.4\n1\t 0  obj<<>>", "a PDF document"},
      {"one that only ends", "%PDF-1.4\n<<>>endobj", "a PDF document"},
      {"the name of a format", "Converted from %PDF-1.4 by a program", ""},
      {"the name of an object", "%PDF-1.4: see the object; an obj, the 3 obj and x 0 obj", ""},
      {"a word of a language", "<html>", ""},
      {"words of a language", "How to write <html>, <head> and <body>; see <!doctype html>", ""},
      {"a title with tags", "<html><body><b>Summer</b> holidays</body></html>", ""},
      {"a script that nobody ends", "the <script> tag", ""},
      {"a comparison", "a < b, on = c > d", ""},
      {"metadata", "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF><dc:source>on=1</dc:source></rdf:RDF></x:xmpmeta>", ""},
      {"a word that begins so", "<scripture>John 3 16</scripture>", ""}};
  for (const Case& each : cases) {
    INFO(each.what);
    CHECK(found(samples::jpeg(4, 4, samples::jpeg_segment(0xfe, each.text)), Format::jpeg) == each.is);
    CHECK(found(samples::png(4, 4, samples::png_chunk("tEXt", std::string("Comment\0", 8) + each.text)), Format::png) == each.is);
  }
  // The end of a script, and the objects of a document, may be far behind its beginning.
  const std::string far = samples::png_chunk("zero", std::string(200'000, '\0'));
  const auto apart = [&](const std::string& begin, const std::string& end) {
    return found(samples::png(4, 4, samples::png_chunk("tEXt", begin) + far + samples::png_chunk("tEXt", end)), Format::png);
  };
  CHECK(apart("<script>/*", "*/alert(1)</script>") == "an HTML page");
  CHECK(apart("%PDF-1.4", objects) == "a PDF document");
  CHECK(apart("the <script> tag", "and %PDF-").empty());
  // Wherever a piece of what is read ends.
  for (std::size_t i = 0; i < 16; ++i) {
    const std::string pad(65'536 - 200 + i * 8, '\0');
    CHECK(found(samples::png(4, 4, samples::png_chunk("tEXt", "%PDF-1.4") + samples::png_chunk("zero", pad + objects)), Format::png) ==
          "a PDF document");
  }
}

TEST_CASE("polyglot: what cameras and programs write behind a picture is none") {
  const std::string mp4 = samples::box("ftyp", "isom" + samples::be(0, 4) + "isom") + samples::box("mdat", std::string(300'000, '\x3c'));
  const std::vector<std::string> tails = {std::string(1, '\0'),
                                          "\r\n",
                                          std::string(70'000, '\0'),
                                          samples::jpeg(8, 8),
                                          mp4,
                                          "SEFH" + std::string(40, '\1') + "SEFT",
                                          "PK",
                                          "PK\x05\x06",
                                          "PK\x05\x06" + std::string(18, '\xff'),
                                          "PK\x03\x04\xff\xff\xff\xff\xff\xff",
                                          "a < b and <scripture> and <htmlx",
                                          "MZ and more, but no program at all, whatever it begins with; sixty-four bytes and more"};
  for (const Picture& picture : pictures()) {
    if (picture.format == Format::mp4 || picture.format == Format::avif) continue;  // boxes behind boxes are the same file
    for (const std::string& tail : tails) {
      INFO(picture.name << " and " << tail.substr(0, 12) << " of " << tail.size());
      CHECK(found(picture.bytes + tail, picture.format).empty());
    }
  }
}

TEST_CASE("polyglot: the policy refuses, or lets in and tells") {
  const auto content = test::bytes(samples::png(4, 4) + zip("a.txt"));
  AdmissionPolicy policy;
  const auto refused = admit(policy, MemoryReader(content), {}).value();
  CHECK(refused.refusal == Refusal::polyglot);
  CHECK(refused.message == "The PNG is a ZIP archive as well, which is not accepted here.");
  policy.polyglots = PolyglotRule::hold;
  const auto told = admit(policy, MemoryReader(content), {}).value();
  CHECK(told.admitted());
  CHECK(told.polyglot == "a ZIP archive");
  policy.polyglots = PolyglotRule::accept;
  CHECK(admit(policy, MemoryReader(content), {}).value().polyglot.empty());
}

TEST_CASE("polyglots: behind a JPEG of many windows its end is found, wherever 0xFF lies") {
  // Entropy-coded data without a marker in it, of lengths around the window's.
  const std::string picture = samples::jpeg(4, 4);
  const std::string end = picture.substr(picture.size() - 2);
  for (const std::size_t more : {60'000U, 65'534U, 65'535U, 65'536U, 65'537U, 300'001U}) {
    const std::string large = picture.substr(0, picture.size() - 2) + std::string(more, 'a') + end;
    CAPTURE(more);
    CHECK(found(large + "<html><script>alert(1)</script>", Format::jpeg) == "an HTML page");
    CHECK(found(large, Format::jpeg).empty());
  }
}

TEST_CASE("clamd: an answer is read as what it is, and as nothing else") {
  using inspect::ClamdReply;
  using Kind = ClamdReply::Kind;
  const auto read = [](std::string_view line) { return inspect::parse_clamd_reply(line).value(); };
  CHECK(read("stream: OK") == ClamdReply{Kind::clean, 0, {}});
  CHECK(read("12: stream: OK") == ClamdReply{Kind::clean, 12, {}});
  CHECK(read("1: stream: Win.Test.EICAR_HDB-1 FOUND") == ClamdReply{Kind::infected, 1, "Win.Test.EICAR_HDB-1"});
  CHECK(read("1: stream: a: OK FOUND").kind == Kind::infected);
  CHECK(read("1: PONG") == ClamdReply{Kind::pong, 1, {}});
  CHECK(read("INSTREAM size limit exceeded. ERROR").kind == Kind::size_limit);
  CHECK(read("2: INSTREAM size limit exceeded. ERROR").kind == Kind::size_limit);
  CHECK(read("UNKNOWN COMMAND ERROR") == ClamdReply{Kind::error, 0, "UNKNOWN COMMAND"});
  CHECK(read("1: stream: \x1b[2J\n FOUND").text == "?[2J?");
  CHECK(read("1: stream: " + std::string(1000, 'x') + " FOUND").text.size() == 128);
  for (const std::string_view none :
       {"", "OK", "stream: ok", "stream:OK", " stream: OK", "stream: OK ", "0: stream: OK", "1:stream: OK", "99999999999: stream: OK",
        "1: 2: stream: OK", "stream:  FOUND", "stream: OK\n", "1", "1: ", "-1: PONG"}) {
    INFO(none);
    CHECK_FALSE(inspect::parse_clamd_reply(none));
  }
}
