#include <thread>

#include "catch.hpp"
#include "http_client.hpp"

using namespace media;
using namespace test;

TEST_CASE("http: an answer has what every answer must have, and nothing that gives the program away") {
  TestServer server;
  Client client(server.port());
  const Reply reply = client.ask(get("/hello"));
  CHECK(reply.status == 200);
  CHECK(reply.head.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(reply.body == "hello");
  CHECK(reply.field("Content-Length") == "5");
  CHECK(reply.field("Content-Type") == "text/plain; charset=utf-8");
  CHECK(reply.field("Server") == "mediad");
  CHECK(http::from_http_date(reply.field("Date").value()).has_value());
  CHECK(reply.field("X-Request-Id").value().size() == 32);
  CHECK_FALSE(reply.field("Keep-Alive"));
  CHECK_FALSE(reply.field("Connection"));
  CHECK_FALSE(reply.field("Accept-Ranges"));
}

TEST_CASE("http: a connection carries many requests, and pipelined ones are all answered in order") {
  TestServer server;
  Client client(server.port());
  for (int i = 0; i < 3; ++i) CHECK(client.ask(get("/hello")).body == "hello");
  client.send(get("/describe/a") + get("/describe/b") + put("/body", "12345") + get("/describe/c"));
  CHECK_THAT(client.read_reply().body, ContainsSubstring("name=a"));
  CHECK_THAT(client.read_reply().body, ContainsSubstring("name=b"));
  CHECK_THAT(client.read_reply().body, ContainsSubstring("5 "));
  CHECK_THAT(client.read_reply().body, ContainsSubstring("name=c"));
  std::string many;
  for (int i = 0; i < 200; ++i) many += get("/describe/" + std::to_string(i));
  client.send(many);
  for (int i = 0; i < 200; ++i) CHECK_THAT(client.read_reply().body, ContainsSubstring("name=" + std::to_string(i) + "\n"));
}

TEST_CASE("http: a request may arrive byte by byte") {
  TestServer server;
  Client client(server.port());
  for (const char c : put("/body", "hello") + get("/hello")) {
    client.send(std::string(1, c));
    std::this_thread::sleep_for(200us);
  }
  CHECK_THAT(client.read_reply().body, ContainsSubstring("5 2cf24dba5fb0a30e"));
  CHECK(client.read_reply().body == "hello");
}

TEST_CASE("http: HEAD, 204 and 304 have no body") {
  TestServer server;
  Client client(server.port());
  const Reply head = client.ask(get("/hello", "", "HEAD"));
  CHECK(head.status == 200);
  CHECK(head.field("Content-Length") == "5");
  const Reply nothing = client.ask(get("/nothing"));
  CHECK(nothing.status == 204);
  CHECK_FALSE(nothing.field("Content-Length"));
  const Reply missing = client.ask(get("/nowhere", "", "HEAD"));
  CHECK(missing.status == 404);
  CHECK(missing.field("Content-Length") != "0");
  CHECK(client.ask(get("/hello")).body == "hello");  // nothing of the above was left in the stream
}

TEST_CASE("http: HTTP/1.0 and Connection decide what becomes of the connection") {
  TestServer server;
  {
    Client client(server.port());
    const Reply reply = client.ask("GET /hello HTTP/1.0\r\n\r\n");
    CHECK(reply.body == "hello");
    CHECK(reply.field("Connection") == "close");
    CHECK(client.closed_within(2s));
  }
  {
    Client client(server.port());
    const Reply reply = client.ask("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    CHECK(reply.field("Connection") == "keep-alive");
    CHECK(client.ask(get("/hello")).body == "hello");
  }
  {
    Client client(server.port());
    CHECK(client.ask(get("/hello", "Connection: close\r\n")).field("Connection") == "close");
    CHECK(client.closed_within(2s));
  }
}

TEST_CASE("http: nothing, another method and OPTIONS are answered as such, in the one shape of errors") {
  TestServer server;
  Client client(server.port());
  const Reply missing = client.ask(get("/nowhere", "X-Request-Id: my-id.1\r\n"));
  CHECK(missing.status == 404);
  CHECK(missing.field("Content-Type") == "application/json");
  CHECK_THAT(missing.body, ContainsSubstring("\"request_id\": \"my-id.1\""));
  CHECK(missing.field("X-Request-Id") == "my-id.1");
  for (const auto* method : {"PUT", "PATCH", "TRACE", "BREW"}) {
    const Reply wrong = client.ask(get("/hello", "", method));
    CHECK(wrong.status == 405);
    CHECK(wrong.field("Allow") == "DELETE, GET, HEAD, OPTIONS");
    CHECK(wrong.count("Allow") == 1);
  }
  const Reply options = client.ask(get("/hello", "", "OPTIONS"));
  CHECK(options.status == 204);
  CHECK(options.field("Allow") == "DELETE, GET, HEAD, OPTIONS");
  CHECK(client.ask("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").status == 204);
  CHECK(client.ask(get("/hello/")).status == 200);
  const Reply own = client.ask(get("/missing"));
  CHECK(own.status == 404);
  CHECK(own.field("X-Why") == "test");
  CHECK(own.field("Content-Type") == "application/json");
}

TEST_CASE("http: a request id that could spoil a log is replaced") {
  TestServer server;
  Client client(server.port());
  for (const std::string& bad : {std::string("a b"), std::string("a\"b"), std::string(65, 'x'), std::string()}) {
    CHECK(client.ask(get("/hello", "X-Request-Id: " + bad + "\r\n")).field("X-Request-Id").value().size() == 32);
  }
}

TEST_CASE("http: header values reach a handler as they were sent, and addresses cannot be claimed") {
  TestServer server;
  Client client(server.port());
  const Reply reply = client.ask(get("/describe/a%20b?x=1&x=2&y=%26+", "X-P: a%0d%0ab\r\nREMOTE_ADDR: 6.6.6.6\r\nLOCAL_ADDR: 7.7.7.7\r\n"));
  CHECK_THAT(reply.body, ContainsSubstring("name=a b\nfrom=127.0.0.1\n"));
  CHECK_THAT(reply.body, ContainsSubstring("?x=1\n?x=2\n?y=& \n"));
  CHECK_THAT(reply.body, ContainsSubstring("X-P: a%0d%0ab\n"));
}

TEST_CASE("http: a field value that would break the answer is held back") {
  TestServer server;
  Client client(server.port());
  CHECK(client.ask(get("/inject?v=fine")).field("X-Echo") == "fine");
  for (const auto* value : {"a%0d%0aSet-Cookie:%20x=1", "a%0ab", "a%00b"}) {
    const Reply reply = client.ask(get(std::string("/inject?v=") + value));
    CHECK(reply.status == 500);
    CHECK_FALSE(reply.field("Set-Cookie"));
    CHECK_FALSE(reply.field("X-Echo"));
    CHECK(reply.field("Content-Type") == "application/json");
  }
  CHECK(server.faults().size() == 3);
}

TEST_CASE("http: an exception becomes a 500 that says nothing, and reaches the fault hook") {
  TestServer server;
  Client client(server.port());
  const Reply reply = client.ask(get("/throw"));
  CHECK(reply.status == 500);
  CHECK((reply.head + reply.body).find("secret") == std::string::npos);
  CHECK(client.ask(get("/memory")).status == 503);
  CHECK(client.ask(get("/hello")).status == 200);
  CHECK(server.faults() == std::vector<std::string>{"secret of the house", "out of memory"});
}

TEST_CASE("http: requests that could smuggle another are refused, and the connection is closed") {
  TestServer server;
  const std::string inner = get("/describe/smuggled");
  const std::vector<std::pair<std::string, int>> requests{
      {"POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner, 400},
      {"POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nContent-Length: 4\r\n\r\n" + inner, 400},
      {"POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: abc\r\n\r\n" + inner, 400},
      {"POST /body HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n" + inner, 400},
      {"POST /body HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n" + inner, 501},
      {"POST /body HTTP/1.1\r\nHost: h\r\nTransfer-Encoding : chunked\r\n\r\n" + inner, 400},
      {"POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Encoding: gzip\r\n\r\nabcde" + inner, 415},
      {"GET /hello HTTP/1.1\r\n\r\n" + inner, 400},
      {"GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + inner, 400},
      {"GET /hello HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n" + inner, 400},
      {"GET /hello HTTP/1.1\nHost: h\n\n" + inner, 400},
      {"GET /%2e%2e/etc HTTP/1.1\r\nHost: h\r\n\r\n" + inner, 400},
      {"GET /hello HTTP/3.0\r\nHost: h\r\n\r\n" + inner, 505},
  };
  for (const auto& [request, status] : requests) {
    INFO(request);
    Client client(server.port());
    client.send(request);
    const Reply reply = client.read_reply();
    CHECK(reply.status == status);
    CHECK(reply.field("Connection") == "close");
    CHECK(reply.field("Content-Type") == "application/json");
    CHECK(client.read_to_end().empty());
  }
}

TEST_CASE("http: the body of a GET is never taken for the next request") {
  TestServer server;
  const std::string inner = get("/describe/smuggled");
  {
    Client client(server.port());
    client.send(put("/hello", inner, "", "GET") + get("/describe/next"));
    CHECK(client.read_reply().body == "hello");
    CHECK_THAT(client.read_reply().body, ContainsSubstring("name=next"));
  }
  {
    // Larger than what arrives with the head: the answer, and then the end.
    Client client(server.port());
    client.send(get("/hello", "Content-Length: 100000\r\n") + inner);
    const Reply reply = client.read_reply();
    CHECK(reply.body == "hello");
    CHECK(reply.field("Connection") == "close");
    CHECK(client.read_to_end().empty());
  }
  {
    Client client(server.port());
    client.send(get("/hello", "Transfer-Encoding: chunked\r\n", "DELETE") + "3\r\nabc\r\n0\r\n\r\n" + get("/hello"));
    CHECK(client.read_reply().status == 204);
    CHECK(client.read_reply().body == "hello");
  }
}

TEST_CASE("http: finished exchanges are reported once, with the pattern and not the path as label") {
  TestServer server;
  {
    Client client(server.port());
    client.ask(get("/describe/x"));
    client.ask(put("/body", "12345"));
    client.ask(get("/nowhere"));
    client.send("nonsense\r\n\r\n");
    client.read_to_end();
  }
  const auto accesses = server.wait_for_accesses(4);
  REQUIRE(accesses.size() == 4);
  CHECK((accesses[0].method == "GET" && accesses[0].path == "/describe/x" && accesses[0].route == "/describe/{name}"));
  CHECK((accesses[0].status == 200 && accesses[0].complete && accesses[0].sent > 10));
  CHECK((accesses[1].received == 5 && accesses[1].sent == 66));
  CHECK((accesses[2].status == 404 && accesses[2].route.empty()));
  CHECK((accesses[3].status == 400 && accesses[3].method.empty()));
}

TEST_CASE("http: a port that is taken, and a host that is none, are errors of start") {
  TestServer server;
  http::ServerOptions options;
  options.port = server.port();
  CHECK(http::Server::start(options, http::Router()).error().code == Errc::already_exists);
  options.port = 0;
  options.host = "300.1.2.3";
  CHECK_FALSE(http::Server::start(options, http::Router()));
  options.host = "::1";
  if (const auto six = http::Server::start(options, http::Router())) CHECK((*six)->port() != 0);
}
