#include <stdexcept>

#include "catch.hpp"
#include "http/router.hpp"

using namespace media::http;

namespace {
Handler none() {
  return [](Request&) { return Response::empty(200); };
}
Router sample() {
  Router router;
  router.add("GET", "/", none());
  router.add("GET", "/media", none());
  router.add("POST", "/media", none(), {.accepts_body = true});
  router.add("GET", "/media/{id}", none());
  router.add("DELETE", "/media/{id}", none());
  router.add("GET", "/media/{id}/download", none());
  router.add("PUT", "/media/upload/{token}", none());
  router.add("GET", "/media/recipe/{r}/step/{s}", none());
  router.add("GET", "/console/{file...}", none());
  return router;
}
std::string pattern(const Router& router, std::string_view method, std::string_view path) {
  const auto match = router.match(method, path);
  return match.route == nullptr ? "" : match.route->pattern;
}
}  // namespace

TEST_CASE("http: paths lead to patterns, literals before captures") {
  const Router router = sample();
  CHECK(pattern(router, "GET", "/") == "/");
  CHECK(pattern(router, "GET", "/media") == "/media");
  CHECK(pattern(router, "GET", "/media/") == "/media");
  CHECK(pattern(router, "GET", "/media/7") == "/media/{id}");
  CHECK(pattern(router, "GET", "/media/upload") == "/media/{id}");
  CHECK(pattern(router, "PUT", "/media/upload/abc") == "/media/upload/{token}");
  CHECK(pattern(router, "GET", "/media/upload/download") == "");
  CHECK(pattern(router, "GET", "/media/7/download") == "/media/{id}/download");
  CHECK(pattern(router, "GET", "/media/recipe/1/step/2") == "/media/recipe/{r}/step/{s}");
  CHECK(pattern(router, "GET", "/media/recipe/download") == "/media/{id}/download");
  CHECK(pattern(router, "GET", "/console/a/b.js") == "/console/{file...}");
  for (const auto* path : {"/nothing", "/media//", "/media//download", "/console", "/media/7/8", "/Media"}) {
    INFO(path);
    CHECK(pattern(router, "GET", path).empty());
    CHECK(router.match("GET", path).allowed.empty());
  }
}

TEST_CASE("http: captures come with their names, and none from a way that led nowhere") {
  const Router router = sample();
  const auto match = router.match("GET", "/media/recipe/1/step/2");
  REQUIRE(match.captures.size() == 2);
  CHECK((match.captures[0].name == "r" && match.captures[0].value == "1"));
  CHECK((match.captures[1].name == "s" && match.captures[1].value == "2"));
  CHECK(router.match("GET", "/media/recipe/download").captures.size() == 1);
  CHECK(router.match("GET", "/console/a/b.js").captures.at(0).value == "a/b.js");
  CHECK(router.match("GET", "/media/recipe/1/nothing").captures.empty());
}

TEST_CASE("http: a path without the method says which methods it has") {
  const Router router = sample();
  const auto match = router.match("PATCH", "/media");
  CHECK(match.route == nullptr);
  CHECK(match.allowed == "GET, HEAD, POST, OPTIONS");
  CHECK(router.match("HEAD", "/media/7").route != nullptr);
  CHECK(router.match("HEAD", "/media/upload/x").route == nullptr);
  CHECK(router.match("DELETE", "/media/7").route->pattern == "/media/{id}");
}

TEST_CASE("http: a router that is wired wrongly says so at once") {
  Router router = sample();
  CHECK_THROWS_AS(router.add("GET", "/media", none()), std::invalid_argument);
  CHECK_THROWS_AS(router.add("GET", "/media/{other}/x", none()), std::invalid_argument);
  CHECK_THROWS_AS(router.add("GET", "media", none()), std::invalid_argument);
  CHECK_THROWS_AS(router.add("GET", "/a//b", none()), std::invalid_argument);
  CHECK_THROWS_AS(router.add("GET", "/{rest...}/x", none()), std::invalid_argument);
}

TEST_CASE("http: a router lists what was added to it") {
  Router router = sample();
  router.add("POST", "/media/{id}", none(), {.tag = 3});
  std::string lines;
  for (const auto& [method, route] : router.list())
    lines += method + " " + route->pattern + " " + std::to_string(route->options.tag) + "\n";
  CHECK(lines ==
        "GET / 0\nGET /console/{file...} 0\nGET /media 0\nPOST /media 0\nGET /media/recipe/{r}/step/{s} 0\nPUT /media/upload/{token} 0\n"
        "DELETE /media/{id} 0\nGET /media/{id} 0\nPOST /media/{id} 3\nGET /media/{id}/download 0\n");
  CHECK(Router().list().empty());
}
