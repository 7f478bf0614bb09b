#include <sys/resource.h>

#include <algorithm>
#include <thread>

#include "catch.hpp"
#include "http_client.hpp"
#include "sanitized.hpp"
#include "support.hpp"

using namespace media;
using namespace test;
using std::chrono::steady_clock;

namespace {

std::chrono::microseconds time_of_hello(std::uint16_t port) {
  const auto begin = steady_clock::now();
  Client client(port);
  CHECK(client.ask(get("/hello")).body == "hello");
  return std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - begin);
}

/// The median, because one measurement on a shared machine says nothing.
std::chrono::microseconds usual_time_of_hello(std::uint16_t port) {
  std::vector<std::chrono::microseconds> times;
  for (int i = 0; i < 21; ++i) times.push_back(time_of_hello(port));
  std::sort(times.begin(), times.end());
  return times[10];
}

void add_large(http::Router& router) {
  const auto content = std::make_shared<MemoryReader>(noise(20'000'000));
  router.add("GET", "/large",
             [content](http::Request& request) { return http::serve_content(request, {content, "image/jpeg", "", {}, {}}); });
}

}  // namespace

TEST_CASE("http: idle and silent connections are cheap and do not keep others waiting") {
  http::ServerOptions options;
  options.reader_threads = 2;
  TestServer server(options);
  CHECK(time_of_hello(server.port()) < 5s);
  const std::size_t before = resident_bytes();
  std::vector<Client> parked;
  for (int i = 0; i < 400; ++i) {
    parked.emplace_back(server.port());
    if (i % 2 == 0) CHECK(parked.back().ask(get("/hello")).status == 200);
  }
  CHECK(eventually([&] { return server->stats().idle == 400; }));
  CHECK(usual_time_of_hello(server.port()) < 50ms);
  if (!test::kSanitized) CHECK(resident_bytes() < before + 400 * 16 * 1024);
  CHECK(server->stats().buffered_bytes < 64 * 1024);
  CHECK(parked[7].ask(get("/hello")).body == "hello");
}

TEST_CASE("http: an idle connection is closed after its time, and a slow head is told 408") {
  http::ServerOptions options;
  options.idle_timeout = 300ms;
  options.head_timeout = 400ms;
  TestServer server(options);
  Client idle(server.port());
  Client slow(server.port());
  slow.send("GET /hello HTTP/1.1\r\n");
  CHECK(idle.closed_within(3s));
  Reply reply;
  // One byte now and then does not help.
  for (int i = 0; i < 40 && reply.status == 0; ++i) {
    slow.send("A");
    try {
      reply = slow.read_reply(false, 50ms);
    } catch (const std::runtime_error&) {
      reply.status = 0;
    }
  }
  CHECK(reply.status == 408);
  CHECK(reply.field("Connection") == "close");
}

TEST_CASE("http: a slow body is cut at the minimum rate, in the loop and in a handler") {
  http::ServerOptions options;
  options.body_pace = {60s, 10'000, 300ms};
  TestServer server(options);
  {
    Client trickle(server.port());  // never gets as far as a thread
    trickle.send(get("/body", "Content-Length: 20000\r\n", "PUT") + "x");
    CHECK(server->stats().running == 0);
    CHECK(trickle.read_reply(false, 5s).status == 408);
  }
  {
    Client stalls(server.port());  // passes the prebuffer first
    stalls.send(get("/body", "Content-Length: 500000\r\n", "PUT") + std::string(50'000, 'x'));
    CHECK(stalls.read_reply(false, 5s).status == 408);
  }
  {
    Client steady(server.port());  // faster than the minimum, and longer than a window
    steady.send(get("/body", "Content-Length: 100000\r\n", "PUT"));
    for (int i = 0; i < 20; ++i) {
      steady.send(std::string(5'000, 'x'));
      std::this_thread::sleep_for(40ms);
    }
    CHECK(steady.read_reply().status == 200);
  }
  // A route whose clients can go on later says so.
  for (const std::size_t sent : {1U, 50'000U}) {
    Client stalls(server.port());
    stalls.send(get("/body", "Content-Length: 500000\r\n", "PATCH") + std::string(sent, 'x'));
    const Reply reply = stalls.read_reply(false, 5s);
    CHECK(reply.status == 503);
    CHECK(reply.field("Retry-After"));
    CHECK(reply.field("Connection") == "close");
  }
}

TEST_CASE("http: a body that takes too long in all is cut") {
  http::ServerOptions options;
  options.body_pace = {500ms, 0, 0ms};
  options.body_prebuffer_bytes = 0;
  TestServer server(options);
  Client client(server.port());
  client.send(get("/body", "Content-Length: 1000\r\n", "PUT"));
  for (int i = 0; i < 10; ++i) {
    client.send("x");
    std::this_thread::sleep_for(30ms);
  }
  CHECK(client.read_reply(false, 5s).status == 408);
}

TEST_CASE("http: slow bodies hold no thread, so that others can upload and read meanwhile") {
  http::ServerOptions options;
  options.body_threads = 2;
  options.reader_threads = 2;
  TestServer server(options);
  std::vector<Client> slow;
  for (int i = 0; i < 200; ++i) {
    slow.emplace_back(server.port());
    slow.back().send(i % 2 == 0 ? get("/body", "Content-Length: 900000\r\n", "PUT") + "some" : "GET /hello HTTP/1.1\r\nHost:");
  }
  CHECK(usual_time_of_hello(server.port()) < 50ms);
  CHECK(Client(server.port()).ask(put("/body", std::string(500'000, 'x'))).status == 200);
}

TEST_CASE("http: readers that do not read hold no thread, and are cut") {
  http::ServerOptions options;
  options.reader_threads = 2;
  options.write_window = 700ms;
  options.min_write_bytes_per_second = 100'000;
  TestServer server(options, add_large);
  std::vector<Client> slow;
  for (int i = 0; i < 20; ++i) {
    slow.emplace_back(server.port(), 4096);
    slow.back().send(get("/large"));
  }
  CHECK(eventually([&] { return server->stats().running == 0; }));
  CHECK(usual_time_of_hello(server.port()) < 50ms);
  CHECK(eventually([&] { return server->stats().connections == 0; }));
  for (const Access& access : server.accesses()) {
    if (access.path == "/large") CHECK_FALSE(access.complete);
  }
}

TEST_CASE("http: a reader that is slow but above the minimum gets everything") {
  http::ServerOptions options;
  options.write_window = 200ms;
  options.min_write_bytes_per_second = 1000;
  TestServer server(options, [](http::Router& router) {
    const auto content = std::make_shared<MemoryReader>(noise(300'000));
    router.add("GET", "/some",
               [content](http::Request& request) { return http::serve_content(request, {content, "image/jpeg", "", {}, {}}); });
  });
  Client client(server.port(), 4096);
  client.send(get("/some"));
  std::this_thread::sleep_for(100ms);
  const Reply reply = client.read_reply(false, 20s);
  CHECK(reply.complete);
}

TEST_CASE("http: a flood of header bytes or fields is refused in bounded memory") {
  TestServer server;
  const std::size_t before = resident_bytes();
  {
    Client client(server.port());
    client.send("GET /hello HTTP/1.1\r\nHost: h\r\nA: ");
    const std::string piece(100'000, 'x');
    for (int i = 0; i < 200 && client.send(piece); ++i) {
    }
    CHECK(client.read_reply().status == 431);
  }
  {
    Client client(server.port());
    std::string fields;
    for (int i = 0; i < 1000; ++i) fields += "A: b\r\n";
    for (int i = 0; i < 1000 && client.send(i == 0 ? "GET /hello HTTP/1.1\r\n" + fields : fields); ++i) {
    }
    CHECK(client.read_reply().status == 431);
  }
  {
    Client client(server.port());
    client.send("GET /" + std::string(20'000, 'a'));
    CHECK(client.read_reply().status == 414);
  }
  CHECK(resident_bytes() < before + 16 * 1024 * 1024);
}

TEST_CASE("http: a full queue says 503 with Retry-After, and the server goes on") {
  http::ServerOptions options;
  options.reader_threads = 1;
  options.reader_queue = 2;
  options.retry_after = std::chrono::seconds(7);
  TestServer server(options);
  std::vector<Client> clients;
  for (int i = 0; i < 12; ++i) {
    clients.emplace_back(server.port());
    clients.back().send(get("/sleep/400"));
    std::this_thread::sleep_for(5ms);
  }
  int good = 0;
  int refused = 0;
  for (Client& client : clients) {
    const Reply reply = client.read_reply();
    if (reply.status == 200) ++good;
    if (reply.status == 503) {
      ++refused;
      CHECK(reply.field("Retry-After") == "7");
      CHECK(reply.field("Content-Type") == "application/json");
    }
  }
  CHECK(good == 3);
  CHECK(refused == 9);
  CHECK(server->stats().refused == 9);
  CHECK(Client(server.port()).ask(get("/hello")).status == 200);
}

TEST_CASE("http: bodies and reads have threads of their own") {
  http::ServerOptions options;
  options.reader_threads = 1;
  options.body_threads = 1;
  options.body_prebuffer_bytes = 10;
  TestServer server(options);
  Client uploader(server.port());
  uploader.send(get("/body", "Content-Length: 50000\r\n", "PUT") + std::string(20'000, 'x'));
  CHECK(eventually([&] { return server->stats().running == 1; }));
  CHECK(Client(server.port()).ask(get("/hello")).body == "hello");
  uploader.send(std::string(30'000, 'x'));
  CHECK(uploader.read_reply().status == 200);
}

TEST_CASE("http: behind slow senders a body that is there is read at once, and one that is not is told 503 in time") {
  http::ServerOptions options;
  options.body_threads = 2;
  options.body_prebuffer_bytes = 10'000;
  options.queue_patience = 300ms;
  options.retry_after = std::chrono::seconds(3);
  options.body_pace = {60s, 1'000, 10s};
  TestServer server(options);
  std::vector<Client> slow;
  for (int i = 0; i < 2; ++i) {
    slow.emplace_back(server.port());
    slow.back().send(get("/body", "Content-Length: 50000\r\n", "PUT") + std::string(20'000, 'x'));
  }
  REQUIRE(eventually([&] { return server->stats().running == 2 && server->stats().queued == 0; }));
  const std::string chunks = "Transfer-Encoding: chunked\r\n";
  CHECK(Client(server.port()).ask(put("/body", "{}")).status == 200);
  CHECK(Client(server.port()).ask(get("/body", chunks, "PUT") + "2\r\n{}\r\n0\r\n\r\n").status == 200);
  CHECK(server->stats().running == 2);

  Client third(server.port());
  const auto begin = steady_clock::now();
  third.send(get("/body", "Content-Length: 50000\r\n", "PUT") + std::string(20'000, 'x'));
  const Reply told = third.read_reply(false, 5s);
  CHECK(told.status == 503);
  CHECK(told.field("Retry-After") == "3");
  CHECK(steady_clock::now() - begin >= 300ms);
  CHECK(server->stats().queued == 0);
  CHECK(server->stats().refused == 1);
  // Whoever has a thread keeps it.
  for (Client& client : slow) client.send(std::string(30'000, 'x'));
  for (Client& client : slow) CHECK(client.read_reply().status == 200);
  CHECK(Client(server.port()).ask(put("/body", std::string(20'000, 'x'))).status == 200);
}

TEST_CASE("http: above the limit of connections the longest idle one gives way, and busy ones do not") {
  http::ServerOptions options;
  options.max_connections = 3;
  TestServer server(options);
  // A client has its answer a moment before its connection counts as idle: who is idle longest must not be a matter of chance.
  const auto are_idle = [&](std::size_t count) { return eventually([&] { return server->stats().idle == count; }); };
  Client first(server.port());
  CHECK(first.ask(get("/hello")).status == 200);
  REQUIRE(are_idle(1));
  Client second(server.port());
  CHECK(second.ask(get("/hello")).status == 200);
  REQUIRE(are_idle(2));
  Client third(server.port());
  CHECK(third.ask(get("/hello")).status == 200);
  REQUIRE(are_idle(3));
  Client fourth(server.port());
  CHECK(fourth.ask(get("/hello")).status == 200);
  CHECK(first.closed_within(2s));
  CHECK(second.ask(get("/hello")).status == 200);

  for (Client* client : {&second, &third, &fourth}) client->send(get("/sleep/500"));
  CHECK(eventually([&] { return server->stats().running == 3; }));
  const Reply reply = Client(server.port()).read_reply();
  CHECK(reply.status == 503);
  CHECK(reply.field("Retry-After") == "1");
  for (Client* client : {&second, &third, &fourth}) CHECK(client->read_reply().body == "slept");
}

TEST_CASE("http: without descriptors the server waits instead of spinning, and recovers") {
  TestServer server;
  Client before(server.port());
  CHECK(before.ask(get("/hello")).status == 200);
  rlimit limit{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  std::vector<Client> waiting;
  for (int i = 0; i < 3; ++i) waiting.emplace_back(server.port());
  for (Client& client : waiting) client.send("GET /hello HTTP/1.1\r\n");  // not idle: they cannot give way
  before.send("GET /hello HTTP/1.1\r\n");
  CHECK(eventually([&] { return server->stats().connections == 4 && server->stats().idle == 0; }));
  // Room for exactly one descriptor more: the client's own end.
  http::Descriptor probe(::dup(0));
  rlimit tight = limit;
  tight.rlim_cur = static_cast<rlim_t>(probe.get()) + 1;
  probe.reset();
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &tight) == 0);
  Client late(server.port());
  late.send(get("/hello"));
  const clock_t cpu = std::clock();
  std::this_thread::sleep_for(500ms);
  const double used = static_cast<double>(std::clock() - cpu) / CLOCKS_PER_SEC;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  CHECK(used < 0.2);
  CHECK(late.read_reply().body == "hello");
}
