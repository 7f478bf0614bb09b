#include <atomic>
#include <thread>

#include "catch.hpp"
#include "http_client.hpp"
#include "support.hpp"

using namespace media;
using namespace test;
using std::chrono::steady_clock;

namespace {

/// A server with one route that answers once `ready` is set, or after two seconds, and counts how often it was asked.
struct Waiting {
  std::atomic<bool> ready{false};
  std::atomic<int> asked{0};
  std::atomic<int> admitted{0};
  std::unique_ptr<http::Server> server;

  explicit Waiting(http::ServerOptions options = {}) {
    http::Router router;
    router.add("GET", "/soon/{key}", [this](http::Request& request) {
      ++asked;
      const auto waited = steady_clock::now() - request.begun;
      if (ready) return http::Response::text(200, "ready");
      if (!request.may_wait) return http::Response::text(200, "may not wait");
      if (waited > 2s) return http::Response::text(200, "waited");
      return http::Response::later(std::string(request.capture("key")));
    });
    router.add("GET", "/making", [this](http::Request& request) {
      ++asked;
      if (ready) return http::Response::text(200, "made");
      if (!request.may_wait) return http::Response::text(503, "come back");
      request.kept = 1;
      return http::Response::later("making");
    });
    router.add("GET", "/hello", [](http::Request&) { return http::Response::text(200, "hello"); });
    router.add("GET", "/never", [](http::Request&) { return http::Response::later("never"); });
    http::Hooks hooks;
    hooks.admit = [this](http::Request&, const http::Route&) {
      ++admitted;
      return std::optional<http::Response>();
    };
    server = http::Server::start(options, std::move(router), hooks).value();
  }
};

}  // namespace

TEST_CASE("http: an answer that comes later holds no thread, and comes when it is woken") {
  http::ServerOptions options;
  options.reader_threads = 2;
  options.wait_tick = 60s;
  Waiting waiting(options);
  std::vector<Client> clients;
  for (int i = 0; i < 50; ++i) {
    clients.emplace_back(waiting.server->port());
    clients.back().send(get(i % 2 == 0 ? "/soon/even" : "/soon/odd"));
  }
  CHECK(eventually([&] { return waiting.server->stats().waiting == 50; }));
  CHECK(waiting.server->stats().running == 0);
  Client other(waiting.server->port());
  CHECK(other.ask(get("/hello")).body == "hello");

  waiting.ready = true;
  waiting.server->wake("even");
  for (std::size_t i = 0; i < 50; i += 2) CHECK(clients[i].read_reply().body == "ready");
  CHECK(waiting.server->stats().waiting == 25);
  waiting.server->wake("odd");
  for (std::size_t i = 1; i < 50; i += 2) CHECK(clients[i].read_reply().body == "ready");
  CHECK(waiting.asked == 100);
  CHECK(waiting.admitted == 51);
  // The connection goes on as any other.
  CHECK(clients[0].ask(get("/hello")).body == "hello");
}

TEST_CASE("http: without a wake-up a waiting request is asked again now and then") {
  http::ServerOptions options;
  options.wait_tick = 100ms;
  Waiting waiting(options);
  Client client(waiting.server->port());
  const auto begun = steady_clock::now();
  CHECK(client.ask(get("/soon/x")).body == "waited");
  CHECK(steady_clock::now() - begun > 1900ms);
  CHECK(waiting.asked >= 3);  // the loop looks at its clocks once a second at least
}

TEST_CASE("http: a waiting client that goes away is forgotten at once") {
  http::ServerOptions options;
  options.wait_tick = 60s;
  Waiting waiting(options);
  {
    Client client(waiting.server->port());
    client.send(get("/soon/x"));
    CHECK(eventually([&] { return waiting.server->stats().waiting == 1; }));
  }
  CHECK(eventually([&] { return waiting.server->stats().connections == 0; }, 2s));
  Client hasty(waiting.server->port());
  hasty.send(get("/soon/x"));
  CHECK(eventually([&] { return waiting.server->stats().waiting == 1; }));
  hasty.vanish();
  CHECK(eventually([&] { return waiting.server->stats().connections == 0; }, 2s));
}

TEST_CASE("http: beyond the limit of waiters a request is answered at once") {
  http::ServerOptions options;
  options.max_waiting = 3;
  options.wait_tick = 60s;
  Waiting waiting(options);
  std::vector<Client> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back(waiting.server->port());
    clients.back().send(get("/soon/x"));
  }
  CHECK(eventually([&] { return waiting.server->stats().waiting == 3; }));
  Client fourth(waiting.server->port());
  CHECK(fourth.ask(get("/soon/x")).body == "may not wait");
  CHECK(fourth.ask(get("/never")).status == 503);
}

TEST_CASE("http: a stop answers what waits") {
  http::ServerOptions options;
  options.wait_tick = 60s;
  Waiting waiting(options);
  Client client(waiting.server->port());
  client.send(get("/soon/x"));
  CHECK(eventually([&] { return waiting.server->stats().waiting == 1; }));
  const auto begun = steady_clock::now();
  std::thread stopping([&] { waiting.server->stop(10s); });
  CHECK(client.read_reply().body == "may not wait");
  stopping.join();
  CHECK(steady_clock::now() - begun < 5s);
}

TEST_CASE("http: who waits for something in the making waits on while the server stops, and is told before it ends") {
  http::ServerOptions options;
  options.wait_tick = 60s;
  for (const bool in_time : {true, false}) {
    CAPTURE(in_time);
    Waiting waiting(options);
    Client client(waiting.server->port());
    client.send(get("/making"));
    REQUIRE(eventually([&] { return waiting.server->stats().waiting == 1; }));
    const auto begun = steady_clock::now();
    std::thread stopping([&] { waiting.server->stop(4s); });
    std::this_thread::sleep_for(300ms);
    CHECK(waiting.server->stats().waiting == 1);
    if (in_time) {
      waiting.ready = true;
      waiting.server->wake("making");
    }
    const Reply reply = client.read_reply();
    CHECK(reply.body == (in_time ? "made" : "come back"));
    CHECK(reply.complete);
    stopping.join();
    CHECK((steady_clock::now() - begun < 2s) == in_time);
    CHECK(steady_clock::now() - begun < 5s);
  }
}

TEST_CASE("http: wake-ups and clients that come and go at the same time lose nothing") {
  http::ServerOptions options;
  options.wait_tick = 20ms;
  Waiting waiting(options);
  std::atomic<bool> over{false};
  std::thread waker([&] {
    while (!over) {
      waiting.server->wake("x");
      std::this_thread::sleep_for(200us);
    }
  });
  for (int round = 0; round < 200; ++round) {
    Client client(waiting.server->port());
    client.send(get("/soon/x"));
    if (round % 3 == 0) client.vanish();
  }
  waiting.ready = true;
  Client last(waiting.server->port());
  CHECK(last.ask(get("/soon/x")).body == "ready");
  CHECK(eventually([&] { return waiting.server->stats().waiting == 0; }));
  over = true;
  waker.join();
}

TEST_CASE("http: one address may not take all connections") {
  http::ServerOptions options;
  options.max_connections_per_address = 5;
  std::vector<Client> clients;
  TestServer server(options);
  for (int i = 0; i < 5; ++i) {
    clients.emplace_back(server.port());
    CHECK(clients.back().ask(get("/hello")).status == 200);
  }
  Client sixth(server.port());
  const Reply told = sixth.read_reply();
  CHECK(told.status == 429);
  CHECK(told.field("Retry-After"));
  clients.pop_back();
  CHECK(eventually([&] {
    Client again(server.port());
    return again.ask(get("/hello")).status == 200;
  }));

  options.is_shared_address = [](std::string_view address) { return address == "127.0.0.1"; };
  TestServer behind_proxy(options);
  std::vector<Client> many;
  for (int i = 0; i < 20; ++i) {
    many.emplace_back(behind_proxy.port());
    CHECK(many.back().ask(get("/hello")).status == 200);
  }
}
