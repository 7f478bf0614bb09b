#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <thread>

#include "catch.hpp"
#include "http_client.hpp"
#include "media/digest.hpp"
#include "sanitized.hpp"
#include "support.hpp"

using namespace media;
using namespace test;

namespace {

std::string text_of(const std::vector<std::byte>& content) { return {reinterpret_cast<const char*>(content.data()), content.size()}; }
std::string expected(const std::vector<std::byte>& content) { return std::to_string(content.size()) + " " + Digest::of(content).to_hex(); }
std::string expected(std::string_view content) {
  const auto* const bytes = reinterpret_cast<const std::byte*>(content.data());
  return expected(std::vector<std::byte>(bytes, bytes + content.size()));
}

std::string chunked(std::string_view body, std::size_t piece) {
  std::string out;
  for (std::size_t at = 0; at < body.size(); at += piece) {
    const std::string_view part = body.substr(at, piece);
    std::array<char, 32> size{};
    std::snprintf(size.data(), size.size(), "%zx\r\n", part.size());
    out += size.data() + std::string(part) + "\r\n";
  }
  return out + "0\r\n\r\n";
}

const std::string kChunked = "Transfer-Encoding: chunked\r\n";

/// Reads a form: "name[file]:digest of content;" for each part.
http::Response read_form(http::Request& request) {
  if (!request.body->limit(std::uint64_t{1} << 30U)) return http::Response::empty(413);
  const auto boundary = http::multipart_boundary(request.header("Content-Type").value_or(""));
  if (!boundary) return http::Response::empty(415);
  http::MultipartReader reader(*request.body, *boundary);
  std::string out;
  std::vector<std::byte> buffer(64 * 1024);
  while (true) {
    const auto part = reader.next();
    if (!part) return http::Response::text(400, part.error().message);
    if (!*part) return http::Response::text(200, out);
    Sha256 hasher;
    while (true) {
      const auto got = reader.content().read(buffer);
      if (!got) return http::Response::text(400, got.error().message);
      if (*got == 0) break;
      hasher.update(std::span(buffer).first(*got));
    }
    out += (*part)->name + "[" + (*part)->file_name.value_or("-") + "]:" + hasher.finish().to_hex() + ";";
  }
}

void add_form(http::Router& router) { router.add("POST", "/form", read_form, {.accepts_body = true}); }

}  // namespace

TEST_CASE("http: bodies of every size arrive whole, sized and in chunks, one after the other") {
  TestServer server;
  Client client(server.port());
  for (const std::size_t size : {0U, 1U, 9'999U, 32'767U, 32'768U, 32'769U, 65'536U, 300'000U, 1'000'000U}) {
    const auto content = noise(size, size);
    const std::string body = text_of(content);
    INFO(size);
    CHECK(client.ask(put("/body", body)).body == expected(content));
    CHECK(client.ask(get("/body", kChunked, "POST") + chunked(body, 10'000)).body == expected(content));
    if (size < 10'000) CHECK(client.ask(get("/body", kChunked, "POST") + chunked(body, 1)).body == expected(content));
  }
}

TEST_CASE("http: a body in chunks ends where its last chunk says, whatever stands there") {
  TestServer server;
  const std::string begun = get("/body", kChunked, "PUT") + "5\r\nhello\r\n";
  const std::string next = put("/body", "next");
  const std::string hello = expected("hello");
  for (const std::string end : {"0\r\n\r\n", "00\r\n\r\n", "0;x=y\r\n\r\n", "0\r\nX-Sum: 1\r\nY: 2\r\n\r\n"}) {
    CAPTURE(end);
    const auto sent = std::chrono::steady_clock::now();
    Client together(server.port());
    CHECK(together.ask(begun + end + next).body == hello);
    CHECK(together.read_reply().body == expected("next"));
    Client in_pieces(server.port());
    for (const char c : begun + end) in_pieces.send(std::string(1, c));
    CHECK(in_pieces.read_reply().body == hello);
    CHECK(in_pieces.ask(next).body == expected("next"));
    CHECK(std::chrono::steady_clock::now() - sent < 5s);
  }
}

TEST_CASE("http: a limit holds for sized and chunked bodies, known and unknown paths") {
  TestServer server;
  const std::string large(1'000'001, 'x');
  {
    Client client(server.port());
    client.send(get("/body", "Content-Length: 200000000\r\n", "PUT"));
    client.send(std::string(40'000, 'x'));
    const Reply reply = client.read_reply();
    CHECK(reply.status == 413);
    CHECK(reply.field("Connection") == "close");
    CHECK(reply.field("Content-Type") == "application/json");
  }
  {
    Client client(server.port());
    CHECK(client.ask(get("/body", kChunked, "PUT") + chunked(large, 50'000)).status == 413);
  }
  {
    Client client(server.port());
    CHECK(client.ask(get("/body", kChunked, "PUT") + "ffffffff\r\n" + std::string(40'000, 'x')).status == 413);
  }
  {
    Client client(server.port());
    client.send(get("/nowhere", kChunked, "PUT"));
    CHECK(client.read_reply().status == 404);
    std::string chunk = "10000\r\n" + std::string(65536, 'x') + "\r\n";
    const std::size_t before = resident_bytes();
    for (int i = 0; i < 320 && client.send(chunk); ++i) {
    }
    CHECK(resident_bytes() < before + 16 * 1024 * 1024);
  }
  CHECK(server.wait_for_accesses(4).size() == 4);
}

TEST_CASE("http: the limit before a route sets one is the server's") {
  http::ServerOptions options;
  options.default_body_limit = 100;
  TestServer server(options, [](http::Router& router) {
    router.add("PUT", "/plain",
               [](http::Request& request) {
                 std::vector<std::byte> buffer(1000);
                 const auto got = request.body->read(buffer);
                 return got ? http::Response::text(200, std::to_string(*got)) : http::Response::empty(500);
               },
               {.accepts_body = true});
  });
  CHECK(Client(server.port()).ask(put("/plain", std::string(100, 'x'))).body == "100");
  CHECK(Client(server.port()).ask(put("/plain", std::string(101, 'x'))).status == 413);
}

TEST_CASE("http: a body without a length is refused where one is expected") {
  TestServer server;
  Client client(server.port());
  CHECK(client.ask(get("/body", "", "POST")).status == 411);
  CHECK(client.ask(get("/body", "", "PUT")).status == 411);
  CHECK(client.ask(get("/no-body", "", "POST")).body == "0");
  CHECK(client.ask(get("/nowhere", "", "POST")).status == 404);
  CHECK(client.ask(put("/body", "")).status == 200);
}

TEST_CASE("http: a route that takes requests without a body takes them without a length too") {
  TestServer server({}, [](http::Router& router) {
    const auto size = [](http::Request& request) {
      std::vector<std::byte> buffer(1000);
      const auto got = request.body->read(buffer);
      return http::Response::text(200, got ? std::to_string(*got) : got.error().message);
    };
    router.add("POST", "/optional", size, {.accepts_body = true, .body_optional = true});
  });
  Client client(server.port());
  CHECK(client.ask(get("/optional", "", "POST")).body == "0");
  CHECK(client.ask(put("/optional", "abc", "", "POST")).body == "3");
  CHECK(client.ask(get("/optional", "", "POST")).body == "0");
}

TEST_CASE("http: a body that is cancelled from elsewhere ends a read that waits for it, and the answer still goes out") {
  std::atomic<http::Body*> waiting{nullptr};
  std::atomic<int> cancelled{0};  // calls that are over: a body must outlive the call
  TestServer server({}, [&](http::Router& router) {
    const auto read = [&](http::Request& request) {
      const int before = cancelled;
      waiting = request.body;
      std::vector<std::byte> buffer(1000);
      while (true) {
        const auto got = request.body->read(buffer);
        if (got && *got > 0) continue;
        waiting = nullptr;
        if (got) return http::Response::text(200, "whole");
        CHECK(got.error().code == Errc::cancelled);
        CHECK(request.body->read(buffer).error().code == Errc::cancelled);
        while (cancelled == before) std::this_thread::sleep_for(1ms);
        return http::Response::text(request.header("Succeed") ? 200 : 500, "cancelled");
      }
    };
    router.add("PATCH", "/slow", read, {.accepts_body = true});
  });
  for (const bool succeed : {false, true}) {
    Client client(server.port());
    const std::string fields = std::string(succeed ? "Succeed: yes\r\n" : "") + "Content-Length: 100000\r\n";
    REQUIRE(client.send(get("/slow", fields, "PATCH") + std::string(50'000, 'x')));
    while (waiting == nullptr) std::this_thread::sleep_for(1ms);
    waiting.load()->cancel();
    ++cancelled;
    const Reply reply = client.read_reply();
    CHECK(reply.status == (succeed ? 200 : 409));
    CHECK(client.closed_within(10s));
  }
  Client whole(server.port());
  CHECK(whole.ask(put("/slow", std::string(50'000, 'x'), "", "PATCH")).body == "whole");
}

TEST_CASE("http: a client that expects to be told is told when the handler reads, and not before") {
  TestServer server;
  const std::string expect = "Expect: 100-continue\r\n";
  {
    Client client(server.port());
    client.send(get("/body", expect + "Content-Length: 5\r\n", "PUT"));
    CHECK(client.read_reply().status == 100);
    client.send("hello");
    CHECK(client.read_reply().status == 200);
    CHECK(client.ask(get("/hello")).status == 200);
  }
  {
    Client client(server.port());
    client.send(get("/body", expect + "Content-Length: 2000000\r\n", "PUT"));
    CHECK(client.read_reply().status == 413);
  }
  {
    Client client(server.port());
    client.send(get("/unread", expect + "Content-Length: 5\r\n", "POST"));
    const Reply reply = client.read_reply();
    CHECK(reply.status == 200);
    CHECK(reply.field("Connection") == "close");
  }
  {
    Client client(server.port());
    client.send(put("/body", "hello", expect));  // does not wait
    Reply reply = client.read_reply();
    if (reply.status == 100) reply = client.read_reply();
    CHECK(reply.status == 200);
  }
  CHECK(Client(server.port()).ask(put("/body", "x", "Expect: something\r\n")).status == 417);
}

TEST_CASE("http: a body that a handler leaves is dropped where it is there, and ends the connection where not") {
  TestServer server;
  {
    Client client(server.port());
    client.send(put("/unread", std::string(1000, 'x'), "", "POST") + get("/hello"));
    CHECK(client.read_reply().body == "unread");
    CHECK(client.read_reply().body == "hello");
  }
  {
    Client client(server.port());
    client.send(get("/unread", "Content-Length: 500000\r\n", "POST") + std::string(100'000, 'x'));
    const Reply reply = client.read_reply();
    CHECK(reply.body == "unread");
    CHECK(reply.field("Connection") == "close");
    // It goes on sending and must still be able to read the answer: no reset for a while.
    CHECK(client.send(std::string(100'000, 'x')));
    client.finish_sending();
    CHECK(client.read_to_end().empty());
  }
}

TEST_CASE("http: malformed chunks are answered with 400 and the end") {
  TestServer server;
  for (const auto* body : {"5\nhello\r\n0\r\n\r\n", "5\r\nhelloworld\r\n0\r\n\r\n", "zz\r\n", "5\r\nhello\r\n0\r\nA: b\n\r\n"}) {
    Client client(server.port());
    client.send(get("/body", kChunked, "PUT") + body);
    INFO(body);
    const Reply reply = client.read_reply();
    CHECK(reply.status == 400);
    CHECK(client.read_to_end().empty());
  }
}

TEST_CASE("http: a client that ends or vanishes in the middle of a body costs nothing that stays") {
  TestServer server;
  {
    Client short_one(server.port());
    short_one.send(get("/body", "Content-Length: 10\r\n", "PUT") + "hello");
    short_one.finish_sending();
    CHECK(short_one.read_reply().status == 400);
    Client long_one(server.port());
    long_one.send(get("/body", "Content-Length: 500000\r\n", "PUT") + std::string(100'000, 'x'));
    long_one.finish_sending();
    CHECK(long_one.read_reply().status == 400);
  }
  CHECK(eventually([&] { return server->stats().connections == 0; }));
  const std::size_t before = open_descriptors();
  const std::string body(160'000, 'x');
  for (int round = 0; round < 3; ++round) {
    for (std::size_t sixteenth = 0; sixteenth <= 16; ++sixteenth) {
      Client sized(server.port());
      sized.send(get("/body", "Content-Length: 160000\r\n", "PUT") + body.substr(0, sixteenth * 10'000));
      Client in_chunks(server.port());
      const std::string chunks = chunked(body, 1000);
      in_chunks.send(get("/body", kChunked, "PUT") + chunks.substr(0, chunks.size() * sixteenth / 16));
      if (sixteenth % 2 == 0) {
        sized.vanish();
        in_chunks.vanish();
      }
    }
  }
  CHECK(eventually([&] { return server->stats().connections == 0 && open_descriptors() <= before; }));
  CHECK(Client(server.port()).ask(get("/hello")).body == "hello");
}

TEST_CASE("http: forms stream through, with large files and hostile ends") {
  TestServer server({}, add_form);
  const auto content = noise(3'000'000);
  const std::string form =
      "--B\r\nContent-Disposition: form-data; name=\"filename\"\r\n\r\nholiday\r\n--B\r\nContent-Disposition: form-data; name=\"file\"; "
      "filename=\"a \\\"b\\\".jpg\"\r\nContent-Type: image/jpeg\r\n\r\n" +
      text_of(content) + "\r\n--B--\r\n";
  const std::string type = "Content-Type: multipart/form-data; boundary=B\r\n";
  const std::string want =
      "filename[-]:" + Digest::of(bytes("holiday")).to_hex() + ";file[a \"b\".jpg]:" + Digest::of(content).to_hex() + ";";
  Client client(server.port());
  CHECK(client.ask(put("/form", form, type, "POST")).body == want);
  CHECK(client.ask(get("/form", type + kChunked, "POST") + chunked(form, 7777)).body == want);
  CHECK(client.ask(put("/form", form.substr(0, form.size() - 9), type, "POST")).status == 400);
  CHECK(Client(server.port()).ask(put("/form", "x", "Content-Type: text/plain\r\n", "POST")).status == 415);
}

TEST_CASE("http: fifty parallel uploads of 5 MB come through byte for byte, in little memory") {
  TestServer server({}, add_form);
  const auto content = noise(5'000'000);
  const std::string head = "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=x\r\n\r\n";
  const std::string form = head + text_of(content) + "\r\n--B--\r\n";
  const std::string request = put("/form", form, "Content-Type: multipart/form-data; boundary=B\r\n", "POST");
  const std::string want = "file[x]:" + Digest::of(content).to_hex() + ";";
  const std::size_t before = resident_bytes();
  std::atomic<int> good{0};
  std::atomic<std::size_t> peak{0};
  std::vector<std::thread> threads;
  threads.reserve(50);
  for (int i = 0; i < 50; ++i) {
    threads.emplace_back([&] {
      Client client(server.port());
      client.send(request);
      peak = std::max(peak.load(), resident_bytes());
      if (client.read_reply(false, 60s).body == want) ++good;
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(good == 50);
  if (!test::kSanitized) CHECK(peak < before + 48 * 1024 * 1024);
}
