#include <algorithm>
#include <cstring>

#include "catch.hpp"
#include "http/multipart.hpp"
#include "support.hpp"

using namespace media;
using namespace media::http;

namespace {

/// Text in pieces of a given size, and then the end or an error.
class TextSource final : public ByteSource {
 public:
  TextSource(std::string text, std::size_t step, std::optional<Error> error = std::nullopt)
      : text_(std::move(text)), step_(step), error_(std::move(error)) {}
  Result<std::size_t> read(std::span<std::byte> into) override {
    if (at_ == text_.size() && error_) return *error_;
    const std::size_t count = std::min({step_, into.size(), text_.size() - at_});
    std::memcpy(into.data(), text_.data() + at_, count);
    at_ += count;
    return count;
  }

 private:
  std::string text_;
  std::size_t step_;
  std::optional<Error> error_;
  std::size_t at_ = 0;
};

struct Seen {
  std::vector<std::string> names;
  std::vector<std::string> contents;
  std::optional<Error> error;
};

Seen read_form(const std::string& body, std::size_t step = 1 << 20, std::size_t span = 4096, MultipartLimits limits = {}) {
  TextSource source(body, step);
  MultipartReader reader(source, "XX", limits);
  Seen seen;
  while (true) {
    auto part = reader.next();
    if (!part) {
      seen.error = part.error();
      CHECK_FALSE(reader.next());  // an error is not forgotten
      return seen;
    }
    if (!*part) return seen;
    seen.names.push_back((*part)->name);
    std::string content;
    std::vector<std::byte> buffer(span);
    while (true) {
      const auto got = reader.content().read(buffer);
      if (!got) {
        seen.error = got.error();
        return seen;
      }
      if (*got == 0) break;
      content.append(reinterpret_cast<const char*>(buffer.data()), *got);
    }
    seen.contents.push_back(std::move(content));
  }
}

std::string part(const std::string& name, const std::string& content) {
  return "--XX\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + content + "\r\n";
}

Error error_of(const std::string& body) {
  const Seen seen = read_form(body);
  REQUIRE(seen.error);
  return *seen.error;
}

}  // namespace

TEST_CASE("http: multipart parts come out as they went in, however the bytes arrive") {
  std::string binary = "\r\n--X\r\n--XY\r\r\n--\r\n";
  const auto noise = test::noise(3000);
  binary.append(reinterpret_cast<const char*>(noise.data()), noise.size());
  const std::string body = "preamble\r\n" + part("a", "one") + part("b", "") + part("c", binary) + "--XX--\r\nepilogue";
  for (const std::size_t step : {1U, 2U, 3U, 7U, 64U, 1000U, 1U << 20U}) {
    for (const std::size_t span : {1U, 5U, 4096U}) {
      const Seen seen = read_form(body, step, span);
      REQUIRE_FALSE(seen.error);
      CHECK(seen.names == std::vector<std::string>{"a", "b", "c"});
      CHECK(seen.contents == std::vector<std::string>{"one", "", binary});
    }
  }
}

TEST_CASE("http: parts that nobody reads are skipped, whatever their size") {
  TextSource source(part("big", std::string(1'000'000, 'x')) + part("small", "s") + "--XX--", 10'000);
  MultipartReader reader(source, "XX");
  CHECK(reader.next().value()->name == "big");
  std::vector<std::byte> few(10);
  CHECK(reader.content().read(few).value() == 10);
  CHECK(reader.next().value()->name == "small");
  CHECK_FALSE(reader.next().value());
  CHECK_FALSE(reader.next().value());
  CHECK(reader.content().read(few).value() == 0);
}

TEST_CASE("http: a multipart body without its end is an error wherever it stops") {
  const std::string body = part("a", "one") + part("b", "two") + "--XX--";
  for (std::size_t length = 0; length < body.size(); ++length) {
    const Seen seen = read_form(body.substr(0, length));
    INFO(length);
    REQUIRE(seen.error);
    CHECK(seen.error->code == Errc::invalid_argument);
  }
  CHECK_FALSE(read_form(body).error);
}

TEST_CASE("http: malformed multipart bodies are refused") {
  const std::string end = "--XX--";
  CHECK(error_of("--XX\r\n\r\nx\r\n" + end).code == Errc::invalid_argument);
  CHECK(error_of("--XX\r\nContent-Type: a/b\r\n\r\nx\r\n" + end).code == Errc::invalid_argument);
  CHECK(error_of("--XX\r\nContent-Disposition: attachment; name=a\r\n\r\nx\r\n" + end).code == Errc::invalid_argument);
  CHECK(error_of("--XX\r\nContent-Disposition: form-data\r\n\r\nx\r\n" + end).code == Errc::invalid_argument);
  CHECK(error_of("--XX\r\nContent-Disposition: form-data; name=a; name=b\r\n\r\nx\r\n" + end).code == Errc::invalid_argument);
  CHECK(error_of("--XX\r\nContent-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b\r\n\r\nx\r\n" + end).code ==
        Errc::invalid_argument);
  CHECK(error_of("--XX\r\nBad Name: x\r\n\r\nx\r\n" + end).code == Errc::invalid_argument);
  CHECK(error_of("--XX\r\nno colon\r\n\r\nx\r\n" + end).code == Errc::invalid_argument);
  CHECK(error_of("--XXY\r\n\r\nx\r\n" + end).code == Errc::invalid_argument);
  CHECK(error_of(std::string(5000, 'p') + "\r\n" + part("a", "b") + end).code == Errc::invalid_argument);
  CHECK(error_of(part("a", "b") + end + std::string(5000, 'e')).code == Errc::invalid_argument);
  CHECK_FALSE(read_form(part("a", "b").insert(4, " \t") + end).error);  // blanks after a boundary are allowed
}

TEST_CASE("http: a multipart body's heads and number of parts are limited") {
  CHECK(error_of("--XX\r\nA: " + std::string(9000, 'x') + "\r\n\r\n").code == Errc::too_large);
  CHECK(error_of("--XX\r\nA: " + std::string(200'000, 'x')).code == Errc::too_large);
  std::string many = "--XX\r\n";
  for (int i = 0; i < 20; ++i) many += "A: b\r\n";
  CHECK(error_of(many + "\r\n").code == Errc::too_large);
  std::string parts;
  for (int i = 0; i < 65; ++i) parts += part("p", "");
  CHECK(error_of(parts + "--XX--").code == Errc::too_large);
}

TEST_CASE("http: an error of the source is handed on as it is") {
  TextSource source(part("a", "one"), 100, Error{Errc::expired, "too slow"});
  MultipartReader reader(source, "XX");
  REQUIRE(reader.next());
  const auto next = reader.next();
  REQUIRE_FALSE(next);
  CHECK(next.error() == Error{Errc::expired, "too slow"});
}

TEST_CASE("http: file names are read as clients write them") {
  const auto name = [](const std::string& field) { return disposition_file_name(parse_parameterized(field).value()); };
  CHECK(name("form-data; name=f; filename=\"a b.jpg\"") == "a b.jpg");
  CHECK(name("form-data; name=f; filename=plain.jpg") == "plain.jpg");
  CHECK(name("form-data; name=f; FileName=\"A;b=c.jpg\"") == "A;b=c.jpg");
  CHECK(name(R"(form-data; name=f; filename="a \"b\" \\ c.jpg")") == R"(a "b" \ c.jpg)");
  CHECK(name(R"(form-data; name=f; filename="C:\photos\x.jpg")") == R"(C:\photos\x.jpg)");
  CHECK(name("form-data; name=f; filename=\"na\xc3\xafve.jpg\"") == "na\xc3\xafve.jpg");
  CHECK(name("attachment; filename=\"x\"; filename*=UTF-8''na%C3%AFve%20%E2%82%AC.jpg") == "na\xc3\xafve \xe2\x82\xac.jpg");
  CHECK(name("attachment; filename*=utf-8'en'a.jpg; filename=b") == "a.jpg");
  CHECK(name("attachment; filename*=iso-8859-1''caf%E9") == "caf\xc3\xa9");
  CHECK(name("attachment; filename*=UTF-8''%ff; filename=fallback") == "fallback");
  CHECK(name("attachment; filename*=UTF-16''a; filename=fallback") == "fallback");
  CHECK(name("attachment; filename=\"\"") == "");
  CHECK(name("attachment;") == std::nullopt);
}

TEST_CASE("http: malformed parameters are refused") {
  for (const auto* field : {"", "; a=b", "a; b", "a; =c", "a; b=\"c", "a; b=\"c\"d", "a; b=", "a; b=c; B=d", "a; b c=d", "a; b=c\"d"}) {
    INFO(field);
    CHECK(parse_parameterized(field).error().code == Errc::invalid_argument);
  }
  CHECK(decode_extended_value("UTF-8'x").error().code == Errc::invalid_argument);
  CHECK(decode_extended_value("UTF-8''%zz").error().code == Errc::invalid_argument);
}

TEST_CASE("http: boundaries are those of RFC 2046") {
  CHECK(multipart_boundary("multipart/form-data; boundary=abc").value() == "abc");
  CHECK(multipart_boundary("Multipart/Form-Data; charset=utf-8; boundary=\"a b:c\"").value() == "a b:c");
  CHECK(multipart_boundary("multipart/form-data; boundary=" + std::string(70, 'x')).has_value());
  CHECK(multipart_boundary("multipart/form-data; boundary=" + std::string(71, 'x')).error().code == Errc::invalid_argument);
  CHECK(multipart_boundary("multipart/form-data").error().code == Errc::invalid_argument);
  CHECK(multipart_boundary("multipart/form-data; boundary=\"\"").error().code == Errc::invalid_argument);
  CHECK(multipart_boundary("multipart/form-data; boundary=\"a<b\"").error().code == Errc::invalid_argument);
  CHECK(multipart_boundary("image/jpeg").error().code == Errc::unsupported);
}
