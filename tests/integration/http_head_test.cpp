#include "catch.hpp"
#include "http/chunked.hpp"
#include "http/head.hpp"
#include "http/text.hpp"

using namespace media;
using namespace media::http;

namespace {

/// What becomes of a head: 200, or the status of its refusal, or 0 where more is needed.
int verdict(std::string_view bytes, const HeadLimits& limits = {}) {
  HeadScanner scanner(limits);
  const auto outcome = scanner.scan(bytes);
  if (const auto* failure = std::get_if<HeadFailure>(&outcome)) return failure->status;
  const auto* found = std::get_if<HeadScanner::Found>(&outcome);
  if (found == nullptr) return 0;
  const auto head = parse_head(bytes.substr(found->begin, found->end - found->begin), limits);
  if (const auto* failure = std::get_if<HeadFailure>(&head)) return failure->status;
  return 200;
}

int verdict_of_fields(const std::string& fields, const std::string& line = "POST /a HTTP/1.1") {
  return verdict(line + "\r\nHost: h\r\n" + fields + "\r\n");
}

Head parsed(const std::string& bytes) { return std::get<Head>(parse_head(bytes, {})); }

}  // namespace

TEST_CASE("http: request lines are taken in one form only") {
  CHECK(verdict("GET / HTTP/1.1\r\nHost: h\r\n\r\n") == 200);
  CHECK(verdict("GET / HTTP/1.0\r\n\r\n") == 200);
  CHECK(verdict("\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n") == 200);
  CHECK(verdict("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n") == 200);
  CHECK(verdict("GET http://h/a?b=c HTTP/1.1\r\nHost: h\r\n\r\n") == 200);
  CHECK(verdict("GET / HTTP/1.1\r\nHost: h\r\n") == 0);
  for (const auto* line : {"GET  / HTTP/1.1", "GET /  HTTP/1.1", " GET / HTTP/1.1", "GET / HTTP/1.1 ", "GET /", "GET", "GET / HTTP/1.1 x",
                           "G(T / HTTP/1.1", "GET / http/1.1", "GET / HTTP/1", "GET / HTTP/1.10", "GET / HTTP/11", "GET * HTTP/1.1",
                           "CONNECT h:1 HTTP/1.1", "GET a HTTP/1.1", "GET /\t HTTP/1.1", "GET ftp://h/ HTTP/1.1", "GET http:// HTTP/1.1"}) {
    INFO(line);
    CHECK(verdict(std::string(line) + "\r\nHost: h\r\n\r\n") == 400);
  }
  CHECK(verdict("GET / HTTP/2.0\r\nHost: h\r\n\r\n") == 505);
  CHECK(verdict("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") != 200);
}

TEST_CASE("http: lines that do not end with CR LF, and control characters, are refused at the byte that shows it") {
  CHECK(verdict("GET / HTTP/1.1\nHost: h\n\n") == 400);
  CHECK(verdict("GET / HTTP/1.1\n") == 400);
  CHECK(verdict("GET / HTTP/1.1\rHost: h") == 400);
  CHECK(verdict("GET / HTTP/1.1\r\nHost: h\r\nA: b\rc\r\n\r\n") == 400);
  CHECK(verdict(std::string("\x16\x03\x01\x02", 4)) == 400);  // a TLS greeting
  CHECK(verdict(std::string("GET / HTTP/1.1\r\nA: \0", 20)) == 400);
  CHECK(verdict("GET / HTTP/1.1\r\nA: \x7f") == 400);
  CHECK(verdict("\r\n\r\n") == 400);
}

TEST_CASE("http: header fields that two readers could take differently are refused") {
  CHECK(verdict_of_fields("A: b\r\nC:d\r\nE:\r\nF: \t x \t\r\nG: caf\xc3\xa9\r\n") == 200);
  CHECK(verdict_of_fields("A : b\r\n") == 400);
  CHECK(verdict_of_fields(": b\r\n") == 400);
  CHECK(verdict_of_fields("A\r\n") == 400);
  CHECK(verdict_of_fields("A: b\r\n folded\r\n") == 400);
  CHECK(verdict_of_fields("A: b\r\n\tfolded\r\n") == 400);
  CHECK(verdict("GET / HTTP/1.1\r\n Host: h\r\n\r\n") == 400);
  CHECK(verdict("GET / HTTP/1.1\r\n\r\n") == 400);
  CHECK(verdict("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n") == 400);
  CHECK(verdict("GET / HTTP/1.1\r\nHost: a b\r\n\r\n") == 400);
  CHECK(verdict("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n") == 400);
  CHECK(verdict("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n") == 200);
}

TEST_CASE("http: a body's length is announced in one way or the request is refused") {
  CHECK(verdict_of_fields("Content-Length: 5\r\n") == 200);
  CHECK(verdict_of_fields("Transfer-Encoding: Chunked\r\n") == 200);
  for (const auto* fields :
       {"Content-Length: 5\r\nContent-Length: 5\r\n", "Content-Length: 5\r\nContent-Length: 6\r\n", "Content-Length: 5, 5\r\n",
        "Content-Length: abc\r\n", "Content-Length: -1\r\n", "Content-Length: +1\r\n", "Content-Length: 1 2\r\n", "Content-Length:\r\n",
        "Content-Length: 0x10\r\n", "Content-Length: 99999999999999999999\r\n", "Content-Length: 9223372036854775808\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\ncontent-length: 5\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked, gzip\r\n",
        "Transfer-Encoding: xchunked\r\n", "Transfer-Encoding:\r\n", "Transfer-Encoding: identity\r\n"}) {
    INFO(fields);
    CHECK(verdict_of_fields(fields) == 400);
  }
  CHECK(verdict_of_fields("Transfer-Encoding: gzip, chunked\r\n") == 501);
  CHECK(verdict_of_fields("Transfer-Encoding: chunked\r\n", "POST /a HTTP/1.0") == 400);
  CHECK(verdict_of_fields("Content-Length: 5\r\nContent-Encoding: gzip\r\n") == 415);
  CHECK(verdict_of_fields("Transfer-Encoding: chunked\r\nContent-Encoding: br\r\n") == 415);
  CHECK(verdict_of_fields("Content-Length: 5\r\nContent-Encoding: identity\r\n") == 200);
  CHECK(verdict_of_fields("Content-Length: 5\r\nExpect: 200-ok\r\n") == 417);
}

TEST_CASE("http: limits on a head hold, to the byte") {
  const HeadLimits limits{200, 40, 3};
  const std::string start = "GET / HTTP/1.1\r\nHost: h\r\n";
  CHECK(verdict(start + "A: 1\r\nB: 2\r\n\r\n", limits) == 200);
  CHECK(verdict(start + "A: 1\r\nB: 2\r\nC: 3\r\n\r\n", limits) == 431);
  const std::string exact = start + "A: " + std::string(200 - start.size() - 7, 'x') + "\r\n\r\n";
  REQUIRE(exact.size() == 200);
  CHECK(verdict(exact, limits) == 200);
  CHECK(verdict(start + "A: " + std::string(200 - start.size() - 6, 'x') + "\r\n\r\n", limits) == 431);
  CHECK(verdict("GET /" + std::string(39, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n", limits) == 200);
  CHECK(verdict("GET /" + std::string(40, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n", limits) == 414);
  CHECK(verdict("GET /" + std::string(120, 'a'), limits) == 414);
}

TEST_CASE("http: a head gives the same however it is cut into pieces") {
  const std::string bytes = "\r\nGET /a%20b?x=1 HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\nrest";
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    HeadScanner scanner({});
    std::optional<HeadScanner::Found> found;
    for (std::size_t end = step; !found; end += step) {
      const auto outcome = scanner.scan(std::string_view(bytes).substr(0, std::min(end, bytes.size())));
      REQUIRE_FALSE(std::holds_alternative<HeadFailure>(outcome));
      if (const auto* got = std::get_if<HeadScanner::Found>(&outcome)) found = *got;
    }
    CHECK(found->begin == 2);
    CHECK(found->end == bytes.size() - 4);
  }
}

TEST_CASE("http: a head is taken apart without decoding what must stay as it is") {
  const Head head = parsed(
      "PUT /m%C3%A9dia/a+b/?x=1&x=%202&y&&z=a%2Bb+c HTTP/1.1\r\nHost: h\r\nX-P: a%0d%0ab\r\nX-P: 2\r\nContent-Length: 7\r\n"
      "Expect: 100-Continue\r\n\r\n");
  CHECK(head.method == "PUT");
  CHECK(head.path ==
        "/m\xc3\xa9"
        "dia/a+b");
  REQUIRE(head.query.size() == 4);
  CHECK((head.query[0].name == "x" && head.query[0].value == "1"));
  CHECK((head.query[1].name == "x" && head.query[1].value == " 2"));
  CHECK((head.query[2].name == "y" && head.query[2].value.empty()));
  CHECK(head.query[3].value == "a+b c");
  CHECK(head.fields.all("x-p") == std::vector<std::string_view>{"a%0d%0ab", "2"});
  CHECK(head.content_length == 7);
  CHECK(head.expects_continue);
  CHECK(head.keep_alive);
}

TEST_CASE("http: connections are kept or closed as version and Connection say") {
  const auto keeps = [](const std::string& version, const std::string& field) {
    return parsed("GET / HTTP/" + version + "\r\nHost: h\r\n" + field + "\r\n").keep_alive;
  };
  CHECK(keeps("1.1", ""));
  CHECK_FALSE(keeps("1.1", "Connection: Close\r\n"));
  CHECK_FALSE(keeps("1.1", "Connection: te, close\r\n"));
  CHECK_FALSE(keeps("1.1", "Connection: keep-alive\r\nConnection: close\r\n"));
  CHECK_FALSE(keeps("1.0", ""));
  CHECK(keeps("1.0", "Connection: Keep-Alive\r\n"));
}

TEST_CASE("http: paths that climb, hide a slash or are not text are malformed") {
  for (const auto* target : {"/..", "/a/../b", "/a/./b", "/%2e%2e/a", "/a/%2E",     "/a%2Fb", "/a%00",  "/a%0a",    "/a%7f",    "/%",
                             "/%4", "/%zz",    "/%ff",   "/%c0%ae",   "/%ed%a0%80", "/a#b",   "/a?x=%", "/a?%zz=1", "/a?x=%ff", "a"}) {
    INFO(target);
    CHECK_FALSE(parse_target(target));
  }
  CHECK(parse_target("/a/b/")->path == "/a/b");
  CHECK(parse_target("/")->path == "/");
  CHECK(parse_target("//")->path == "//");
  CHECK(parse_target("/a//")->path == "/a//");
  CHECK(parse_target("/a//b")->path == "/a//b");
  CHECK(parse_target("/a...b/..c")->path == "/a...b/..c");
  CHECK(parse_target("HTTP://h:80")->path == "/");
  CHECK(parse_target("http://h?x=/y")->query.at(0).value == "/y");
  CHECK(parse_target("/a?b?c=d")->query.at(0).name == "b?c");
}

TEST_CASE("http: UTF-8 is well-formed or it is not") {
  CHECK(is_utf8("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"));
  for (const auto* text :
       {"\x80", "\xc3", "\xc1\x81", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\xff"}) {
    CHECK_FALSE(is_utf8(text));
  }
}

namespace {
/// Decodes in steps of `step` bytes; nothing for malformed or unfinished input.
std::optional<std::string> decoded(std::string_view input, std::size_t step, std::size_t& used) {
  ChunkDecoder decoder;
  std::string out;
  used = 0;
  std::size_t end = 0;
  while (true) {
    std::size_t consumed = 0;
    const auto event = decoder.next(input.substr(used, end - used), consumed);
    used += consumed;
    if (event == ChunkDecoder::Event::end) return out;
    if (event == ChunkDecoder::Event::malformed) return std::nullopt;
    if (event == ChunkDecoder::Event::data && end > used) {
      const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(decoder.data_left(), end - used));
      out += input.substr(used, count);
      used += count;
      decoder.took(count);
      continue;
    }
    if (end == input.size()) return std::nullopt;
    end = std::min(end + step, input.size());
  }
}
}  // namespace

TEST_CASE("http: chunks are decoded however they arrive, and end exactly where they end") {
  const std::string body = "5\r\nhello\r\n00A;name=\"v\"\r\n, 10 bytes\r\n0\r\nTrailer: x\r\n\r\n";
  for (std::size_t step = 1; step < body.size() + 4; ++step) {
    std::size_t used = 0;
    CHECK(decoded(body + "GET ", step, used) == "hello, 10 bytes");
    CHECK(used == body.size());
  }
}

TEST_CASE("http: chunks that two readers could take differently are malformed") {
  for (const std::string body :
       {"5\nhello\r\n0\r\n\r\n", "5\r\nhelloX\r\n0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "\r\n0\r\n\r\n", "0x5\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n", " 5\r\nhello\r\n0\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n", "1234567890abcdef\r\n",
        "5;\x01\r\nhello\r\n0\r\n\r\n", "0\r\nA: b\n\r\n", "0\r\n\n", "g\r\n", "5\r\nhello\r\n0\r\n", "5\r\nhel"}) {
    std::size_t used = 0;
    INFO(body);
    CHECK_FALSE(decoded(body, body.size(), used));
    CHECK_FALSE(decoded(body, 1, used));
  }
  std::size_t used = 0;
  CHECK_FALSE(decoded("5;" + std::string(1000, 'x') + "\r\nhello\r\n0\r\n\r\n", 100, used));
  std::string trailers = "0\r\n";
  for (int i = 0; i < 2000; ++i) trailers += "A: b\r\n";
  CHECK_FALSE(decoded(trailers + "\r\n", 100, used));
}
