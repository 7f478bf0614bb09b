#include "catch.hpp"
#include "http/content.hpp"
#include "support.hpp"

using namespace media;
using namespace media::http;

namespace {

using Kind = RangeRequest::Kind;

Request request_with(std::vector<Field> fields, std::string method = "GET") {
  Request request;
  request.method = std::move(method);
  for (auto& field : fields) request.headers.add(std::move(field.name), std::move(field.value));
  return request;
}

const Timestamp kModified = from_rfc3339("2024-05-06T07:08:09.500Z").value();
constexpr const char* kModifiedText = "Mon, 06 May 2024 07:08:09 GMT";

Content content_of(std::size_t size) {
  return {std::make_shared<MemoryReader>(test::noise(size)), "image/jpeg", "\"tag\"", kModified, "no-cache"};
}

int status_for(std::vector<Field> fields, const std::string& method = "GET") {
  return serve_content(request_with(std::move(fields), method), content_of(1000)).status;
}

}  // namespace

TEST_CASE("http: ranges are read as RFC 9110 has them") {
  struct Row {
    const char* field;
    std::uint64_t size;
    Kind kind;
    std::vector<ByteRange> ranges;
  };
  const std::vector<Row> rows{
      {"bytes=0-0", 10, Kind::partial, {{0, 1}}},
      {"bytes=0-9", 10, Kind::partial, {{0, 10}}},
      {"bytes=5-", 10, Kind::partial, {{5, 5}}},
      {"bytes=5-100", 10, Kind::partial, {{5, 5}}},
      {"bytes=9-9", 10, Kind::partial, {{9, 1}}},
      {"bytes=-3", 10, Kind::partial, {{7, 3}}},
      {"bytes=-100", 10, Kind::partial, {{0, 10}}},
      {"Bytes=1-2", 10, Kind::partial, {{1, 2}}},
      {"bytes= 1-2 , 5-6", 10, Kind::partial, {{1, 2}, {5, 2}}},
      {"bytes=5-6,1-2", 10, Kind::partial, {{5, 2}, {1, 2}}},
      {"bytes=1-5,3-7", 10, Kind::partial, {{1, 7}}},
      {"bytes=6-7,0-1,2-3", 10, Kind::partial, {{0, 4}, {6, 2}}},
      {"bytes=0-,0-,0-", 10, Kind::partial, {{0, 10}}},
      {"bytes=1-2,50-60", 10, Kind::partial, {{1, 2}}},
      {"bytes=0-18446744073709551615", 10, Kind::partial, {{0, 10}}},
      {"bytes=0-99999999999999999999999", 10, Kind::partial, {{0, 10}}},
      {"bytes=-99999999999999999999999", 10, Kind::partial, {{0, 10}}},
      {"bytes=10-", 10, Kind::unsatisfiable, {}},
      {"bytes=100-", 10, Kind::unsatisfiable, {}},
      {"bytes=100-200,-0", 10, Kind::unsatisfiable, {}},
      {"bytes=99999999999999999999999-", 10, Kind::unsatisfiable, {}},
      {"bytes=-0", 10, Kind::unsatisfiable, {}},
      {"bytes=0-", 0, Kind::unsatisfiable, {}},
      {"bytes=-1", 0, Kind::unsatisfiable, {}},
      {"pages=1-2", 10, Kind::whole, {}},
      {"bytes", 10, Kind::whole, {}},
      {"bytes=", 10, Kind::whole, {}},
      {"bytes=a-b", 10, Kind::whole, {}},
      {"bytes=5-2", 10, Kind::whole, {}},
      {"bytes=-", 10, Kind::whole, {}},
      {"bytes=1", 10, Kind::whole, {}},
      {"bytes=1-2,x", 10, Kind::whole, {}},
      {"bytes=--1", 10, Kind::whole, {}},
      {"bytes=+1-2", 10, Kind::whole, {}},
      {"bytes=1-2-3", 10, Kind::whole, {}},
  };
  for (const Row& row : rows) {
    INFO(row.field);
    const RangeRequest got = parse_range(row.field, row.size);
    CHECK(got.kind == row.kind);
    CHECK(got.ranges == row.ranges);
  }
}

TEST_CASE("http: more ranges than anybody needs are answered with the whole content") {
  std::string field = "bytes=0-0";
  for (std::size_t i = 1; i < kMaxRanges; ++i) field += "," + std::to_string(2 * i) + "-" + std::to_string(2 * i);
  CHECK(parse_range(field, 1000).ranges.size() == kMaxRanges);
  CHECK(parse_range(field + ",500-500", 1000).kind == Kind::whole);
}

TEST_CASE("http: conditions are evaluated in the order of RFC 9110") {
  struct Row {
    std::vector<Field> fields;
    int get;
    int put;
  };
  const std::vector<Row> rows{
      {{}, 200, 200},
      {{{"If-None-Match", "\"tag\""}}, 304, 412},
      {{{"If-None-Match", "W/\"tag\""}}, 304, 412},
      {{{"If-None-Match", "\"a\", \"b,c\" , \"tag\""}}, 304, 412},
      {{{"If-None-Match", "\"a\""}, {"If-None-Match", "\"tag\""}}, 304, 412},
      {{{"If-None-Match", "*"}}, 304, 412},
      {{{"If-None-Match", "\"other\""}}, 200, 200},
      {{{"If-None-Match", "tag"}}, 200, 200},
      {{{"If-None-Match", "\"tag"}}, 200, 200},
      {{{"If-Match", "\"tag\""}}, 200, 200},
      {{{"If-Match", "*"}}, 200, 200},
      {{{"If-Match", "W/\"tag\""}}, 412, 412},
      {{{"If-Match", "\"other\""}}, 412, 412},
      {{{"If-Match", "\"other\", \"tag\""}}, 200, 200},
      {{{"If-Modified-Since", kModifiedText}}, 304, 200},
      {{{"If-Modified-Since", "Mon, 06 May 2024 07:08:08 GMT"}}, 200, 200},
      {{{"If-Modified-Since", "Monday, 06-May-24 07:08:09 GMT"}}, 304, 200},
      {{{"If-Modified-Since", "Mon May  6 07:08:09 2024"}}, 304, 200},
      {{{"If-Modified-Since", "yesterday"}}, 200, 200},
      {{{"If-Unmodified-Since", kModifiedText}}, 200, 200},
      {{{"If-Unmodified-Since", "Mon, 06 May 2024 07:08:08 GMT"}}, 412, 412},
      {{{"If-None-Match", "\"other\""}, {"If-Modified-Since", kModifiedText}}, 200, 200},
      {{{"If-Match", "\"tag\""}, {"If-Unmodified-Since", "Mon, 06 May 2024 07:08:08 GMT"}}, 200, 200},
      {{{"If-Match", "\"other\""}, {"If-None-Match", "\"tag\""}}, 412, 412},
  };
  for (const Row& row : rows) {
    INFO((row.fields.empty() ? std::string("none") : row.fields.front().name + ": " + row.fields.front().value));
    CHECK(failed_precondition(request_with(row.fields, "GET"), "\"tag\"", kModified).value_or(200) == row.get);
    CHECK(failed_precondition(request_with(row.fields, "HEAD"), "\"tag\"", kModified).value_or(200) == row.get);
    CHECK(failed_precondition(request_with(row.fields, "PUT"), "\"tag\"", kModified).value_or(200) == row.put);
  }
  // A thing that does not exist.
  CHECK(failed_precondition(request_with({{"If-Match", "*"}}, "PUT"), "") == 412);
  CHECK_FALSE(failed_precondition(request_with({{"If-None-Match", "*"}}, "PUT"), ""));
}

TEST_CASE("http: If-Range lets ranges count only for the very same content") {
  const Field range{"Range", "bytes=0-9"};
  CHECK(status_for({range}) == 206);
  CHECK(status_for({range, {"If-Range", "\"tag\""}}) == 206);
  CHECK(status_for({range, {"If-Range", "W/\"tag\""}}) == 200);
  CHECK(status_for({range, {"If-Range", "\"other\""}}) == 200);
  CHECK(status_for({range, {"If-Range", kModifiedText}}) == 206);
  CHECK(status_for({range, {"If-Range", "Mon, 06 May 2024 07:08:10 GMT"}}) == 200);
  CHECK(status_for({range, {"If-Range", "nonsense"}}) == 200);
  CHECK(status_for({range, range}) == 200);
  CHECK(status_for({range}, "HEAD") == 200);
  CHECK(status_for({range, {"If-None-Match", "\"tag\""}}) == 304);
}

TEST_CASE("http: a content is described whole, in part and not at all") {
  const Response whole = serve_content(request_with({}), content_of(1000));
  CHECK(whole.body_size() == 1000);
  CHECK(whole.headers.find("ETag") == "\"tag\"");
  CHECK(whole.headers.find("Last-Modified") == kModifiedText);
  CHECK(whole.headers.find("Accept-Ranges") == "bytes");
  CHECK(whole.headers.find("Cache-Control") == "no-cache");
  CHECK(whole.headers.find("Content-Type") == "image/jpeg");

  const Response part = serve_content(request_with({{"Range", "bytes=-10"}}), content_of(1000));
  CHECK(part.status == 206);
  CHECK(part.headers.find("Content-Range") == "bytes 990-999/1000");
  CHECK(part.body_size() == 10);

  const Response none = serve_content(request_with({{"Range", "bytes=1000-"}}), content_of(1000));
  CHECK(none.status == 416);
  CHECK(none.headers.find("Content-Range") == "bytes */1000");
  CHECK(none.body_size() == 0);
  CHECK_FALSE(none.headers.find("ETag"));

  const Response parts = serve_content(request_with({{"Range", "bytes=0-1,5-6"}}), content_of(1000));
  CHECK(parts.status == 206);
  CHECK(parts.pieces.size() == 5);
  CHECK_FALSE(parts.headers.find("Content-Range"));
  CHECK_THAT(std::string(*parts.headers.find("Content-Type")), ContainsSubstring("multipart/byteranges; boundary="));

  const Response unchanged = serve_content(request_with({{"If-None-Match", "\"tag\""}}), content_of(1000));
  CHECK(unchanged.headers.find("ETag") == "\"tag\"");
  CHECK(unchanged.headers.find("Cache-Control") == "no-cache");
  CHECK(unchanged.body_size() == 0);
  CHECK(serve_content(request_with({}), content_of(0)).status == 200);
}

TEST_CASE("http: dates go out in one form and come in in three") {
  const auto time = from_rfc3339("1994-11-06T08:49:37.999Z").value();
  CHECK(to_http_date(time) == "Sun, 06 Nov 1994 08:49:37 GMT");
  const auto whole = from_rfc3339("1994-11-06T08:49:37Z").value();
  CHECK(from_http_date("Sun, 06 Nov 1994 08:49:37 GMT") == whole);
  CHECK(from_http_date("Sunday, 06-Nov-94 08:49:37 GMT") == whole);
  CHECK(from_http_date("Sun Nov  6 08:49:37 1994") == whole);
  CHECK(from_http_date("Thu, 29 Feb 2024 00:00:00 GMT").has_value());
  for (const auto* text : {"", "Sun", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 PST", "Sun, 6 Nov 1994 08:49:37 GMT",
                           "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMTx",
                           "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, +6 Nov 1994 08:49:37 GMT"}) {
    INFO(text);
    CHECK_FALSE(from_http_date(text));
  }
}
