#include <thread>

#include "catch.hpp"
#include "http_client.hpp"
#include "support.hpp"

using namespace media;
using namespace test;
using std::chrono::steady_clock;

namespace {
/// Stops in a thread of its own and says how long it took.
struct Stopping {
  std::chrono::milliseconds took{0};
  std::thread thread;
  Stopping(TestServer& server, std::chrono::milliseconds grace)
      : thread([this, &server, grace] {
          const auto begin = steady_clock::now();
          server->stop(grace);
          took = std::chrono::duration_cast<std::chrono::milliseconds>(steady_clock::now() - begin);
        }) {}
  std::chrono::milliseconds wait() {
    thread.join();
    return took;
  }
};
}  // namespace

TEST_CASE("http: a stop closes what is idle at once and lets what runs finish") {
  TestServer server;
  Client idle(server.port());
  CHECK(idle.ask(get("/hello")).status == 200);
  Client silent(server.port());
  Client busy(server.port());
  busy.send(get("/sleep/400"));
  Client uploader(server.port());
  uploader.send(get("/body", "Content-Length: 300000\r\n", "PUT") + std::string(100'000, 'x'));
  Client small(server.port());
  small.send(get("/body", "Content-Length: 10\r\n", "PUT") + "hello");
  CHECK(eventually([&] { return server->stats().running == 2 && server->stats().connections == 5; }));
  const std::uint16_t port = server.port();

  Stopping stopping(server, 8s);
  CHECK(idle.closed_within(2s));
  CHECK(silent.closed_within(2s));
  CHECK_THROWS(Client(port));  // nobody listens any more
  uploader.send(std::string(200'000, 'x'));
  const Reply uploaded = uploader.read_reply();
  CHECK(uploaded.status == 200);
  CHECK(uploaded.complete);
  CHECK(uploaded.field("Connection") == "close");
  small.send("world");
  CHECK(small.read_reply().status == 200);
  CHECK(busy.read_reply().body == "slept");
  CHECK(stopping.wait() < 6s);
}

TEST_CASE("http: a request that comes while the server stops is told so") {
  TestServer server;
  Client late(server.port());
  late.send("GET /hello HTTP/1.1\r\n");
  Client busy(server.port());
  busy.send(get("/sleep/600"));
  CHECK(eventually([&] { return server->stats().running == 1 && server->stats().idle == 0 && server->stats().connections == 2; }));
  Stopping stopping(server, 8s);
  std::this_thread::sleep_for(100ms);
  late.send("Host: h\r\n\r\n");
  const Reply reply = late.read_reply();
  CHECK(reply.status == 503);
  CHECK(reply.field("Retry-After") == "1");
  CHECK(busy.read_reply().body == "slept");
  stopping.wait();
}

TEST_CASE("http: at the end of the grace what still runs is cut, uploads and downloads alike") {
  TestServer server({}, [](http::Router& router) {
    const auto content = std::make_shared<MemoryReader>(noise(30'000'000));
    router.add("GET", "/large", [content](http::Request& request) { return http::serve_content(request, {content, "a/b", "", {}, {}}); });
  });
  std::vector<Client> uploaders;
  for (int i = 0; i < 32; ++i) {
    uploaders.emplace_back(server.port());
    uploaders.back().send(get("/body", "Content-Length: 900000\r\n", "PUT") + std::string(i % 2 == 0 ? 100'000 : 10, 'x'));
  }
  Client reader(server.port(), 4096);
  reader.send(get("/large"));
  CHECK(eventually([&] { return server->stats().running == 16; }));
  Stopping stopping(server, 500ms);
  const auto took = stopping.wait();
  CHECK(took >= 450ms);
  CHECK(took < 3s);
  for (Client& uploader : uploaders) {
    const Reply reply = uploader.read_reply();
    CHECK(reply.status != 200);
  }
  CHECK_FALSE(reader.read_reply().complete);
  CHECK(server->stats().connections == 0);
  server->stop(1s);  // again: nothing happens
}

TEST_CASE("http: requests that were pipelined behind a running one are not lost silently in a stop") {
  TestServer server;
  Client client(server.port());
  client.send(get("/sleep/300") + get("/hello"));
  CHECK(eventually([&] { return server->stats().running == 1; }));
  Stopping stopping(server, 5s);
  const Reply first = client.read_reply();
  CHECK(first.body == "slept");
  CHECK(first.field("Connection") == "close");  // says that the second was not taken
  CHECK(client.read_to_end().empty());
  stopping.wait();
}
