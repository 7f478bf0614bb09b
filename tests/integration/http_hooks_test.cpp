#include "catch.hpp"
#include "http_client.hpp"

using namespace media;
using namespace test;

namespace {

http::Router one_route(http::Handler handler, http::RouteOptions options = {}) {
  http::Router router;
  router.add(options.accepts_body ? "POST" : "GET", "/thing", std::move(handler), options);
  return router;
}

}  // namespace

TEST_CASE("http: the application may answer in a handler's place, and hand it what it found out") {
  http::Hooks hooks;
  hooks.admit = [](http::Request& request, const http::Route& route) -> std::optional<http::Response> {
    if (!request.header("Let-Me-In")) return http::Response::text(401, "no " + std::to_string(route.options.tag));
    request.admitted = std::string(*request.header("Let-Me-In"));
    return std::nullopt;
  };
  auto server =
      http::Server::start(
          {},
          one_route([](http::Request& request) { return http::Response::text(200, std::any_cast<std::string>(request.admitted)); },
                    {.tag = 7}),
          hooks)
          .value();
  Client client(server->port());
  const Reply refused = client.ask(get("/thing"));
  CHECK(refused.status == 401);
  CHECK(refused.body == "no 7");
  const Reply admitted = client.ask(get("/thing", "Let-Me-In: anna\r\n"));
  CHECK(admitted.status == 200);
  CHECK(admitted.body == "anna");
  CHECK(client.ask(get("/elsewhere")).status == 404);
}

TEST_CASE("http: a client that is refused is not told to go on with its body") {
  http::Hooks hooks;
  hooks.admit = [](http::Request&, const http::Route&) { return std::optional(http::Response::text(403, "no")); };
  auto server =
      http::Server::start({}, one_route([](http::Request&) { return http::Response::text(200, "yes"); }, {.accepts_body = true}), hooks)
          .value();
  Client client(server->port());
  client.send("POST /thing HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n");
  const std::string all = client.read_to_end();
  CHECK(all.starts_with("HTTP/1.1 403 "));
}

TEST_CASE("http: the application has the last word on every answer's fields") {
  http::Hooks hooks;
  std::string value = "yes";
  hooks.dress = [&](const http::Request&, const http::Route* route, http::Response& response) {
    response.headers.set("Dressed", route == nullptr ? "without a route" : value);
  };
  auto server = http::Server::start({}, one_route([](http::Request&) { return http::Response::text(200, "thing"); }), hooks).value();
  {
    Client client(server->port());
    CHECK(client.ask(get("/thing")).field("Dressed") == "yes");
    CHECK(client.ask(get("/elsewhere")).field("Dressed") == "without a route");
    CHECK(client.ask("no request at all\r\n\r\n").field("Dressed") == "without a route");
  }
  value = "a line\r\nanother: one";
  Client client(server->port());
  const Reply reply = client.ask(get("/thing"));
  CHECK(reply.status == 200);
  CHECK(reply.body == "thing");
  CHECK_FALSE(reply.field("Dressed"));
}

TEST_CASE("http: a refusal without a body gets one, and says nothing twice") {
  http::Hooks hooks;
  hooks.error = [](int status, const std::string&, const http::Request&) {
    return http::Response::text(status, "{}", "application/json").with("Cache-Control", "no-store").with("Own", "1");
  };
  const auto refuse = [](http::Request&) {
    auto refusal = http::Response::empty(409).with("cache-control", "private").with("Content-Type", "image/png");
    refusal.headers.add("Link", "<a>");
    refusal.headers.add("Link", "<b>");
    return refusal;
  };
  auto server = http::Server::start({}, one_route(refuse), hooks).value();
  Client client(server->port());
  client.send("GET /thing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const std::string all = client.read_to_end();
  CHECK(all.find("cache-control: private\r\n") != std::string::npos);
  CHECK(all.find("no-store") == std::string::npos);
  CHECK(all.find("Content-Type: application/json\r\n") != std::string::npos);
  CHECK(all.find("image/png") == std::string::npos);
  CHECK(all.find("Own: 1\r\n") != std::string::npos);
  CHECK(all.find("Link: <a>\r\n") != std::string::npos);
  CHECK(all.find("Link: <b>\r\n") != std::string::npos);
}
