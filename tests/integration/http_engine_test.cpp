#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "catch.hpp"
#include "http/descriptor.hpp"
#include "http/engine.hpp"
#include "media/io.hpp"

using namespace media::http;

namespace {

struct Message {
  std::vector<std::string> head;  ///< The status line, and the fields in the order of their names: httplib has one of its own.
  std::string body;
  friend bool operator==(const Message&, const Message&) = default;
};

/// What goes out, and what the engine says of it.
Message compose(Engine& engine, const Envelope& envelope, Response response) {
  Output output;
  const std::size_t head_bytes = engine.compose(envelope, std::move(response), output);
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) == 0);
  {
    const Descriptor writing(ends[0]);
    REQUIRE(output.pump(writing.get(), 1 << 20) == Output::Outcome::done);
  }
  const Descriptor reading(ends[1]);
  std::string text;
  std::array<char, 4096> piece{};
  for (ssize_t got = 0; (got = ::read(reading.get(), piece.data(), piece.size())) > 0;)
    text.append(piece.data(), static_cast<std::size_t>(got));
  const auto end = text.find("\r\n\r\n");
  REQUIRE(end != std::string::npos);
  CHECK(head_bytes == end + 4);
  Message message;
  for (std::size_t at = 0; at < end;) {
    const auto line_end = text.find("\r\n", at);
    message.head.push_back(text.substr(at, line_end - at));
    at = line_end + 2;
  }
  std::sort(message.head.begin() + 1, message.head.end());
  std::erase_if(message.head, [](const std::string& line) { return line.starts_with("Date: "); });
  message.body = text.substr(end + 4);
  return message;
}

Response dressed(Response response) {
  response.headers.set("ETag", "\"a\"");
  response.headers.add("Vary", "Accept");
  response.headers.add("Vary", "Origin");
  response.headers.set("Content-Length", "7");  // not the answer's to say
  return response;
}

}  // namespace

TEST_CASE("http: a content goes out under the same head as a text") {
  Engine engine;
  const std::string bytes(70'000, 'x');
  for (const int status : {200, 206, 404, 599}) {
    for (const bool head_only : {false, true}) {
      for (const bool close : {false, true}) {
        for (const bool http_1_0 : {false, true}) {
          for (const std::string_view type : {"", "image/avif"}) {
            const Envelope envelope{head_only, "id-1", "mediad", close, http_1_0};
            const auto answer = [&](Piece piece) {
              Response response = dressed(Response::empty(status));
              if (!type.empty()) response.headers.set("Content-Type", std::string(type));
              response.pieces.push_back(std::move(piece));
              return response;
            };
            const auto reader = std::make_shared<media::MemoryReader>(std::as_bytes(std::span(bytes)));
            const Message text = compose(engine, envelope, answer({bytes, nullptr, 0, 0}));
            const Message content = compose(engine, envelope, answer({"", reader, 0, bytes.size()}));
            CHECK(content == text);
            CHECK(content.body == (head_only ? "" : bytes));
            CHECK(content.head.front().starts_with("HTTP/1.1 " + std::to_string(status) + " "));
            CHECK(std::count(content.head.begin(), content.head.end(), "Content-Length: 70000") == 1);
          }
        }
      }
    }
  }
}

TEST_CASE("http: answers without a body say what they must and no more") {
  Engine engine;
  const Envelope envelope{false, "id-1", "mediad", false, false};
  Response unchanged = dressed(Response::empty(304));
  unchanged.headers.set("Content-Type", "image/avif");
  CHECK(compose(engine, envelope, std::move(unchanged)) ==
        Message{{"HTTP/1.1 304 Not Modified", "ETag: \"a\"", "Server: mediad", "Vary: Accept", "Vary: Origin", "X-Request-Id: id-1"}, ""});
  Response none = Response::empty(204);
  none.pieces.push_back({"not to be sent", nullptr, 0, 0});
  CHECK(compose(engine, envelope, std::move(none)) == Message{{"HTTP/1.1 204 No Content", "Server: mediad", "X-Request-Id: id-1"}, ""});
  CHECK(compose(engine, envelope, Response::empty(200)) ==
        Message{{"HTTP/1.1 200 OK", "Content-Length: 0", "Server: mediad", "X-Request-Id: id-1"}, ""});
}
