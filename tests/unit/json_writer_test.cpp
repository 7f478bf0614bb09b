#include <nlohmann/json.hpp>
#include <random>

#include "catch.hpp"
#include "json_writer.hpp"
#include "media_json.hpp"

using namespace media::server;
using Json = nlohmann::ordered_json;

TEST_CASE("server: JSON is written as the library would, whatever the texts hold") {
  std::vector<std::string> texts = {
      "",         "IMG_1.jpg", "a \"quoted\" name", "back\\slash", "tab\tand\nline", std::string("nul\0inside", 10), "DEL\x7f",
      "Käse.jpg", "日本",      "\U0001F370",        "cut \xc3",    "\xff\xfe",       "\xed\xa0\x80 surrogate",       "\xf4\x90\x80\x80"};
  std::mt19937 draw(1);
  for (int i = 0; i < 2'000; ++i) {
    std::string text(draw() % 12, ' ');
    for (char& c : text) c = static_cast<char>(draw());
    texts.push_back(std::move(text));
  }
  JsonWriter writer;
  writer.begin_array();
  Json tree = Json::array();
  for (const std::string& text : texts) {
    writer.value(text);
    tree.push_back(text);
  }
  const std::string written = writer.end_array().take();
  CHECK(written == dump(tree));
  CHECK(Json::parse(written).size() == texts.size());
}

TEST_CASE("server: members, arrays and empty ones stand where they were told") {
  JsonWriter writer;
  writer.begin_object()
      .member("id", std::int64_t{9'007'199'254'740'991})
      .member("least", std::int64_t{INT64_MIN})
      .member("most", UINT64_MAX);
  writer.member("is", true).member("not", false).member("none", std::optional<std::string>()).member("some", std::optional(7));
  writer.key("empty").begin_array().end_array().key("object").begin_object().end_object();
  writer.key("rows").begin_array().begin_object().member("a", 1).end_object().begin_object().member("b", "c").end_object().end_array();
  writer.member("last", nullptr).end_object();
  CHECK(writer.take() ==
        R"({"id":9007199254740991,"least":-9223372036854775808,"most":18446744073709551615,"is":true,"not":false,"none":null,"some":7,)"
        R"("empty":[],"object":{},"rows":[{"a":1},{"b":"c"}],"last":null})");
}
