#include <atomic>
#include <fstream>
#include <thread>

#include "catch.hpp"
#include "http_client.hpp"
#include "support.hpp"

using namespace media;
using namespace test;

namespace {

/// A content without a window: every byte goes through read_at. `good_bytes` is where reading starts to fail, or to come short.
class SlowWayReader final : public ByteReader {
 public:
  enum class Fault { none, error, truncated };
  SlowWayReader(std::vector<std::byte> content, Fault fault = Fault::none, std::uint64_t good_bytes = 0)
      : content_(std::move(content)), fault_(fault), good_bytes_(good_bytes) {}
  [[nodiscard]] std::uint64_t size() const noexcept override { return content_.size(); }
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) const override {
    std::uint64_t end = std::min<std::uint64_t>(offset + into.size(), content_.size());
    if (fault_ != Fault::none && end > good_bytes_) {
      if (fault_ == Fault::error) return Error{Errc::io, "the disk is broken"};
      end = std::max(offset, good_bytes_);
    }
    std::copy(content_.begin() + static_cast<std::ptrdiff_t>(offset), content_.begin() + static_cast<std::ptrdiff_t>(end), into.begin());
    return static_cast<std::size_t>(end - offset);
  }

 private:
  std::vector<std::byte> content_;
  Fault fault_;
  std::uint64_t good_bytes_;
};

http::Handler serve(std::shared_ptr<const ByteReader> reader) {
  return [reader = std::move(reader)](http::Request& request) {
    return http::serve_content(request, {reader, "image/jpeg", "\"tag\"", from_rfc3339("2024-05-06T07:08:09Z").value(), "no-cache"});
  };
}

std::string text_of(std::span<const std::byte> content) { return {reinterpret_cast<const char*>(content.data()), content.size()}; }

struct Files {
  TempFolder folder;
  std::string content = text_of(noise(10'000'000));
  std::string small = text_of(noise(1'000, 7));
  std::shared_ptr<const ByteReader> file;
  TestServer server;

  Files()
      : file((write_file(folder / "f", content), FileReader::open(folder / "f").value())), server({}, [this](http::Router& router) {
          write_file(folder / "s", small);
          write_file(folder / "shrinks", content);
          write_file(folder / "empty", std::string_view());
          router.add("GET", "/file", serve(file));
          router.add("GET", "/small", serve(FileReader::open(folder / "s").value()));
          router.add("GET", "/empty", serve(FileReader::open(folder / "empty").value()));
          router.add("GET", "/shrinks", serve(FileReader::open(folder / "shrinks").value()));
          router.add("GET", "/memory-file", serve(std::make_shared<SlowWayReader>(bytes(content))));
          router.add("GET", "/broken", serve(std::make_shared<SlowWayReader>(bytes(content), SlowWayReader::Fault::error, 600'000)));
          router.add("GET", "/truncated", serve(std::make_shared<SlowWayReader>(bytes(content), SlowWayReader::Fault::truncated, 600'000)));
        }) {
    std::filesystem::resize_file(folder / "shrinks", 1'000'000);
  }
};

}  // namespace

TEST_CASE("http: contents go out byte for byte, by sendfile and without") {
  Files files;
  Client client(files.server.port());
  for (const auto* path : {"/file", "/memory-file"}) {
    const Reply reply = client.ask(get(path));
    CHECK(reply.status == 200);
    CHECK(reply.complete);
    CHECK(reply.body == files.content);
    CHECK(reply.field("Content-Type") == "image/jpeg");
    CHECK(reply.count("Content-Type") == 1);
    const Reply head = client.ask(get(path, "", "HEAD"));
    CHECK(head.field("Content-Length") == "10000000");
    CHECK(head.field("ETag") == "\"tag\"");
    CHECK(head.field("Accept-Ranges") == "bytes");
  }
  const Reply empty = client.ask(get("/empty"));
  CHECK((empty.status == 200 && empty.field("Content-Length") == "0" && empty.body.empty()));
  CHECK(empty.field("Content-Type") == "image/jpeg");
  CHECK(client.ask(get("/small")).body == files.small);
}

TEST_CASE("http: ranges over the wire are those of the content, and none reaches past its end") {
  Files files;
  Client client(files.server.port());
  struct Row {
    const char* range;
    int status;
    std::size_t offset;
    std::size_t length;
  };
  const std::vector<Row> rows{{"bytes=0-0", 206, 0, 1},
                              {"bytes=9999999-", 206, 9'999'999, 1},
                              {"bytes=-5", 206, 9'999'995, 5},
                              {"bytes=5000000-5065535", 206, 5'000'000, 65536},
                              {"bytes=9999990-20000000", 206, 9'999'990, 10},
                              {"bytes=10000000-", 416, 0, 0},
                              {"bytes=18446744073709551615-", 416, 0, 0},
                              {"items=0-1", 200, 0, 10'000'000},
                              {"bytes=x", 200, 0, 10'000'000}};
  for (const auto* path : {"/file", "/memory-file"}) {
    for (const Row& row : rows) {
      INFO(row.range);
      const Reply reply = client.ask(get(path, "Range: " + std::string(row.range) + "\r\n"));
      CHECK(reply.status == row.status);
      CHECK(reply.complete);
      if (row.status == 416) {
        CHECK(reply.field("Content-Range") == "bytes */10000000");
        CHECK(reply.field("Content-Type") == "application/json");
      } else {
        CHECK(reply.body == files.content.substr(row.offset, row.length));
      }
      if (row.status == 206) {
        CHECK(reply.field("Content-Range") ==
              "bytes " + std::to_string(row.offset) + "-" + std::to_string(row.offset + row.length - 1) + "/10000000");
      }
    }
  }
}

TEST_CASE("http: several ranges come as parts, and too many as the whole") {
  Files files;
  Client client(files.server.port());
  for (const auto* path : {"/file", "/memory-file"}) {
    const Reply reply = client.ask(get(path, "Range: bytes=0-9,5000000-5299999,-3\r\n"));
    CHECK(reply.status == 206);
    const std::string type = reply.field("Content-Type").value();
    REQUIRE(type.starts_with("multipart/byteranges; boundary="));
    const std::string boundary = type.substr(31);
    const auto head = [&](const std::string& range) {
      return "\r\n--" + boundary + "\r\nContent-Type: image/jpeg\r\nContent-Range: bytes " + range + "/10000000\r\n\r\n";
    };
    CHECK(reply.body == head("0-9") + files.content.substr(0, 10) + head("5000000-5299999") + files.content.substr(5'000'000, 300'000) +
                            head("9999997-9999999") + files.content.substr(9'999'997) + "\r\n--" + boundary + "--\r\n");
  }
  std::string many = "bytes=0-0";
  for (int i = 1; i < 2600; ++i) many += "," + std::to_string(2 * i) + "-" + std::to_string(2 * i);
  const Reply reply = client.ask(get("/small", "Range: " + many + "\r\n"));
  CHECK((reply.status == 200 && reply.body == files.small));
}

TEST_CASE("http: conditions work over the wire, in every form") {
  Files files;
  Client client(files.server.port());
  const Reply unchanged = client.ask(get("/file", "If-None-Match: \"tag\"\r\n"));
  CHECK(unchanged.status == 304);
  CHECK(unchanged.field("ETag") == "\"tag\"");
  CHECK_FALSE(unchanged.field("Content-Type"));
  CHECK_FALSE(unchanged.field("Content-Length"));
  CHECK(client.ask(get("/file", "If-None-Match: \"tag\"\r\n", "HEAD")).status == 304);
  const Reply failed = client.ask(get("/small", "If-Match: \"other\"\r\n"));
  CHECK(failed.status == 412);
  CHECK(failed.field("Content-Type") == "application/json");
  CHECK(client.ask(get("/small", "Range: bytes=0-9\r\nIf-Range: \"other\"\r\n")).body == files.small);
  CHECK(client.ask(get("/small", "Range: bytes=0-9\r\nIf-Range: \"tag\"\r\n")).body == files.small.substr(0, 10));
}

TEST_CASE("http: a content that cannot be read to its end breaks the connection") {
  Files files;
  for (const auto* path : {"/broken", "/truncated", "/shrinks"}) {
    INFO(path);
    Client client(files.server.port());
    client.send(get(path));
    const Reply reply = client.read_reply();
    CHECK(reply.status == 200);
    CHECK_FALSE(reply.complete);
    CHECK(reply.body.size() < files.content.size());
    CHECK(reply.body == files.content.substr(0, reply.body.size()));
  }
  const auto accesses = files.server.wait_for_accesses(3);
  for (const Access& access : accesses) CHECK_FALSE(access.complete);
}

TEST_CASE("http: many clients at once get their own bytes") {
  Files files;
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < 20; ++i) {
    threads.emplace_back([&, i] {
      Client client(files.server.port());
      client.send(get(i % 2 == 0 ? "/file" : "/memory-file", "Range: bytes=" + std::to_string(i * 1000) + "-\r\n"));
      const Reply reply = client.read_reply(false, 60s);
      if (reply.complete && reply.body == files.content.substr(i * 1000)) ++good;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(good == 20);
}

TEST_CASE("http: an answer that is blocked again and again goes on every time") {
  // A window of the receiver's that is small and read in small pieces: the connection is parked and taken up hundreds of times, which is
  // where an event between the parking and its bookkeeping was once lost.
  Files files;
  for (int round = 0; round < 3; ++round) {
    Client client(files.server.port(), 64 * 1024);
    const Reply reply = client.ask(get("/memory-file"));
    CHECK((reply.complete && reply.body == files.content));
  }
}
