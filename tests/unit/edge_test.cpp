// What stands between the socket and the routes: whose address it is, how often it may ask, and what answers carry.
#include <zlib.h>

#include <fstream>
#include <set>
#include <sstream>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "edge/compression.hpp"
#include "edge/cors.hpp"
#include "edge/fields.hpp"
#include "edge/forwarding.hpp"
#include "edge/rate_limiter.hpp"
#include "edge/security_headers.hpp"
#include "edge/trace_context.hpp"

using namespace media::server;
using namespace std::chrono_literals;
namespace http = media::http;

namespace {

std::vector<Network> networks(const std::vector<std::string>& texts) {
  std::vector<Network> found;
  for (const std::string& text : texts) found.push_back(Network::parse(text).value());
  return found;
}

http::Request request_with(const std::vector<std::pair<std::string, std::string>>& fields) {
  http::Request request;
  request.method = "GET";
  request.path = "/x";
  request.remote_address = "10.0.0.1";
  for (const auto& [name, value] : fields) request.headers.add(name, value);
  return request;
}

std::string gunzip(const std::string& packed) {
  std::string text(1U << 20U, '\0');
  z_stream stream{};
  REQUIRE(::inflateInit2(&stream, 31) == Z_OK);
  std::string input = packed;
  stream.next_in = reinterpret_cast<Bytef*>(input.data());
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = reinterpret_cast<Bytef*>(text.data());
  stream.avail_out = static_cast<uInt>(text.size());
  CHECK(::inflate(&stream, Z_FINISH) == Z_STREAM_END);
  text.resize(stream.total_out);
  ::inflateEnd(&stream);
  return text;
}

}  // namespace

TEST_CASE("edge: networks hold the addresses of their prefix and no others") {
  const auto in = [](const char* network, const char* address) { return contains(networks({network}), address); };
  CHECK(in("10.0.0.0/8", "10.255.3.4"));
  CHECK_FALSE(in("10.0.0.0/8", "11.0.0.0"));
  CHECK(in("10.0.0.0/8", "::ffff:10.1.2.3"));
  CHECK(in("192.168.1.128/25", "192.168.1.200"));
  CHECK_FALSE(in("192.168.1.128/25", "192.168.1.127"));
  CHECK(in("0.0.0.0/0", "203.0.113.9"));
  CHECK_FALSE(in("0.0.0.0/0", "2001:db8::1"));
  CHECK(in("fd00::/8", "fdab::1"));
  CHECK(in("::1", "::1"));
  CHECK(in("127.0.0.1", "127.0.0.1"));
  CHECK_FALSE(in("127.0.0.1", "127.0.0.2"));
  CHECK_FALSE(in("127.0.0.1", "localhost"));
  CHECK_FALSE(in("127.0.0.1", ""));
  for (const char* const text : {"", "/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8x", "10.1.0.0/8", "10.0.0", "fd00::/129",
                                 "localhost", "10.0.0.0 /8", "256.0.0.1"}) {
    INFO(text);
    CHECK_FALSE(Network::parse(text));
  }
}

TEST_CASE("edge: forwarded fields are believed of trusted proxies only, and only as far back as they reach") {
  const auto trusted = networks({"10.0.0.0/8", "fd00::/8"});
  const auto address = [&](const std::string& remote, const std::vector<std::string>& lines) {
    auto request = request_with({});
    request.remote_address = remote;
    for (const auto& line : lines) request.headers.add("X-Forwarded-For", line);
    return find_origin(request, trusted).address;
  };
  CHECK(address("203.0.113.5", {"1.2.3.4"}) == "203.0.113.5");
  CHECK(address("10.0.0.1", {}) == "10.0.0.1");
  CHECK(address("10.0.0.1", {"1.2.3.4"}) == "1.2.3.4");
  CHECK(address("10.0.0.1", {"6.6.6.6, 1.2.3.4"}) == "1.2.3.4");
  CHECK(address("10.0.0.1", {"6.6.6.6, 1.2.3.4, 10.9.9.9"}) == "1.2.3.4");
  CHECK(address("10.0.0.1", {"6.6.6.6", "1.2.3.4,,10.9.9.9"}) == "1.2.3.4");
  CHECK(address("10.0.0.1", {"10.1.1.1, 10.2.2.2"}) == "10.1.1.1");
  CHECK(address("10.0.0.1", {"1.2.3.4:4711"}) == "1.2.3.4");
  CHECK(address("10.0.0.1", {"[2001:db8::1]:4711"}) == "2001:db8::1");
  CHECK(address("10.0.0.1", {"2001:db8::1"}) == "2001:db8::1");
  CHECK(address("10.0.0.1", {"1.2.3.4, unknown"}) == "10.0.0.1");
  CHECK(address("10.0.0.1", {"[", "]"}) == "10.0.0.1");
  CHECK(address("fd00::7", {"1.2.3.4"}) == "1.2.3.4");

  auto request = request_with({{"Host", "inside:3000"}, {"X-Forwarded-Proto", "https"}, {"X-Forwarded-Host", "media.example"}});
  auto origin = find_origin(request, trusted);
  CHECK(origin.scheme == "https");
  CHECK(origin.host == "media.example");
  request.remote_address = "203.0.113.5";
  origin = find_origin(request, trusted);
  CHECK(origin.scheme == "http");
  CHECK(origin.host == "inside:3000");
  CHECK(find_origin(request_with({{"Host", "evil/\"><script>"}}), trusted).host.empty());
  CHECK(find_origin(request_with({{"Host", "a"}, {"X-Forwarded-Host", "b@c"}}), trusted).host.empty());
  CHECK(find_origin(request_with({{"X-Forwarded-Proto", "gopher"}}), trusted).scheme == "http");
}

TEST_CASE("edge: a bucket lets its burst through at once and then its rate, to the request") {
  RateLimiter limiter;
  const auto start = RateLimiter::Clock::now();
  const RateLimit limit{60, 10};
  for (std::uint32_t i = 0; i < 10; ++i) {
    const auto decision = limiter.take("a", limit, start);
    REQUIRE(decision.allowed);
    CHECK(decision.remaining == 9 - i);
    CHECK(decision.limit == 10);
  }
  const auto refused = limiter.take("a", limit, start);
  CHECK_FALSE(refused.allowed);
  CHECK(refused.remaining == 0);
  CHECK(refused.retry_in == 1s);
  CHECK(refused.full_in == 10s);
  CHECK(limiter.take("b", limit, start).allowed);
  CHECK_FALSE(limiter.take("a", limit, start + 999ms).allowed);
  CHECK(limiter.take("a", limit, start + 1s).allowed);
  CHECK_FALSE(limiter.take("a", limit, start + 1s).allowed);
  // Over an hour of asking all the time: the burst once, and one a second.
  int let_through = 0;
  for (int i = 0; i < 36'000; ++i) let_through += limiter.take("c", limit, start + i * 100ms).allowed ? 1 : 0;
  CHECK(let_through >= 3600 + 8);
  CHECK(let_through <= 3600 + 10);
  // A whole minute's worth where no burst is said; nothing limits where there is no limit.
  CHECK(limiter.take("d", {100, 0}, start).remaining == 99);
  for (int i = 0; i < 1000; ++i) CHECK(limiter.take("e", {0, 5}, start).allowed);
}

TEST_CASE("edge: ever new keys cannot grow a limiter, and full buckets make room first") {
  RateLimiter limiter(1600);
  const auto start = RateLimiter::Clock::now();
  for (int i = 0; i < 100'000; ++i) limiter.take("k" + std::to_string(i), {600, 0}, start + std::chrono::microseconds(i));
  CHECK(limiter.size() <= 1600);
  CHECK(limiter.size() >= 800);
  for (int i = 0; i < 3200; ++i) limiter.take("n" + std::to_string(i), {600, 0}, start + 1h);
  CHECK(limiter.size() <= 1600);
}

TEST_CASE("edge: many threads on one bucket get exactly what it holds") {
  RateLimiter limiter;
  const auto now = RateLimiter::Clock::now();
  std::atomic<int> let_through{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 500; ++i) let_through += limiter.take("one", {1000, 0}, now).allowed ? 1 : 0;
      });
    }
  }
  CHECK(let_through == 1000);
}

TEST_CASE("edge: text is compressed for those who take it, and its tag is another") {
  const std::string text(4000, 'a');
  const auto answer = [&] { return http::Response::text(200, text, "application/json").with("ETag", "\"abc\""); };
  auto response = answer();
  compress(request_with({{"Accept-Encoding", "br, gzip;q=0.8"}}), response);
  CHECK(response.headers.find("Content-Encoding") == "gzip");
  CHECK(response.headers.find("ETag") == "\"abc-gzip\"");
  CHECK(response.headers.find("Vary") == "Accept-Encoding");
  REQUIRE(response.pieces.size() == 1);
  CHECK(gunzip(response.pieces[0].text) == text);

  for (const char* const encoding : {"", "identity", "gzip;q=0", "br", "gzip;q=0.0, *", "gzip; q=x"}) {
    INFO(encoding);
    response = answer();
    compress(request_with({{"Accept-Encoding", encoding}}), response);
    CHECK_FALSE(response.headers.find("Content-Encoding"));
    CHECK(response.headers.find("Vary") == "Accept-Encoding");
    CHECK(response.headers.find("ETag") == "\"abc\"");
  }
  CHECK(accepts_gzip(request_with({{"Accept-Encoding", "*"}})));
  CHECK(accepts_gzip(request_with({{"Accept-Encoding", "GZIP"}})));

  const auto untouched = [](http::Response other) {
    compress(request_with({{"Accept-Encoding", "gzip"}}), other);
    return !other.headers.find("Content-Encoding");
  };
  CHECK(untouched(http::Response::text(200, std::string(4000, 'a'), "image/jpeg")));
  CHECK(untouched(http::Response::text(200, std::string(1000, 'a'), "application/json")));
  {
    auto packed = answer().with("Content-Encoding", "br");
    compress(request_with({{"Accept-Encoding", "gzip"}}), packed);
    CHECK(packed.headers.find("Content-Encoding") == "br");
    CHECK(packed.pieces[0].text == text);
  }
  CHECK(untouched(http::Response::empty(204)));
  auto part = answer();
  part.status = 206;
  CHECK(untouched(std::move(part)));
}

TEST_CASE("edge: the tags of compressed answers mean the thing itself") {
  auto request = request_with({{"If-None-Match", "W/\"a\", \"abc-gzip\""}, {"If-Match", "\"def-gzip\""}});
  CHECK(strip_gzip_tags(request));
  CHECK(request.header("If-None-Match") == "W/\"a\", \"abc\"");
  CHECK(request.header("If-Match") == "\"def\"");
  CHECK_FALSE(strip_gzip_tags(request));
  auto response = http::Response::empty(304).with("ETag", "\"abc\"");
  mark_not_modified(response);
  CHECK(response.headers.find("ETag") == "\"abc-gzip\"");
  mark_not_modified(response);
  CHECK(response.headers.find("ETag") == "\"abc-gzip\"");
}

TEST_CASE("edge: pages of allowed origins may read answers, others see no field of ours") {
  const std::vector<std::string> allowed = {"https://app.example"};
  auto response = http::Response::text(200, "x");
  add_cors(allowed, request_with({{"Origin", "https://app.example"}}), response);
  CHECK(response.headers.find("Access-Control-Allow-Origin") == "https://app.example");
  CHECK(response.headers.find("Access-Control-Expose-Headers"));
  CHECK(response.headers.find("Vary") == "Origin");
  CHECK_FALSE(response.headers.find("Access-Control-Allow-Credentials"));

  for (const char* const other : {"https://app.example.evil", "http://app.example", "https://app.example:8443", "null"}) {
    response = http::Response::text(200, "x").with("Vary", "Accept");
    add_cors(allowed, request_with({{"Origin", other}}), response);
    CHECK_FALSE(response.headers.find("Access-Control-Allow-Origin"));
    CHECK(response.headers.find("Vary") == "Accept, Origin");
  }
  response = http::Response::text(200, "x");
  add_cors({"*"}, request_with({{"Origin", "https://anybody.example"}}), response);
  CHECK(response.headers.find("Access-Control-Allow-Origin") == "*");
  CHECK_FALSE(response.headers.find("Vary"));
  response = http::Response::text(200, "x");
  add_cors({}, request_with({{"Origin", "https://anybody.example"}}), response);
  CHECK(response.headers.size() == http::Response::text(200, "x").headers.size());

  auto preflight = request_with({{"Origin", "https://app.example"}, {"Access-Control-Request-Method", "PATCH"}});
  preflight.method = "OPTIONS";
  response = http::Response::text(404, "{}", "application/json");
  add_cors(allowed, preflight, response);
  CHECK(response.status == 204);
  CHECK(response.pieces.empty());
  CHECK(response.headers.find("Access-Control-Allow-Methods")->find("PATCH") != std::string_view::npos);
  CHECK(response.headers.find("Access-Control-Allow-Headers")->find("Upload-Offset") != std::string_view::npos);

  CHECK(is_origin("https://app.example"));
  CHECK(is_origin("http://localhost:5173"));
  CHECK(is_origin("*"));
  for (const char* const text : {"", "app.example", "https://", "https://app.example/", "https://App.example", "https://a b", "://a"}) {
    INFO(text);
    CHECK_FALSE(is_origin(text));
  }
}

TEST_CASE("edge: pages may send every field that the interface knows") {
  auto preflight = request_with({{"Origin", "https://app.example"}, {"Access-Control-Request-Method", "GET"}});
  preflight.method = "OPTIONS";
  auto response = http::Response::text(404, "");
  add_cors({"*"}, preflight, response);
  std::set<std::string> allowed;
  std::istringstream list(std::string(response.headers.find("Access-Control-Allow-Headers").value()));
  for (std::string name; std::getline(list, name, ',');) allowed.insert(name.substr(name.find_first_not_of(' ')));
  for (const char* const name : {"X-API-Key", "If-Unmodified-Since", "Cache-Control", "Pragma", "baggage"}) {
    INFO(name);
    CHECK(allowed.contains(name));
  }
  // The name of a parameter stands before or behind its "in: header".
  std::ifstream document(std::string(MEDIA_SOURCE_DIR) + "/docs/api/openapi.yaml");
  REQUIRE(document);
  std::string name;
  bool is_header = false;
  std::set<std::string> known;
  for (std::string line; std::getline(document, line);) {
    const auto at = line.find_first_not_of(" -");
    const std::string text = at == std::string::npos ? std::string() : line.substr(at);
    if (line.starts_with("    ") && text.starts_with("name: ")) name = text.substr(6);
    if (text == "in: header") is_header = true;
    if (text.starts_with("in: ") && text != "in: header") is_header = false;
    if (is_header && !name.empty()) {
      known.insert(name);
      name.clear();
      is_header = false;
    }
    if (text.starts_with("schema:") || text.starts_with("type: apiKey")) name.clear();
  }
  CHECK(known.size() > 12);
  for (const std::string& each : known) {
    INFO(each);
    // What we send to webhooks is no page's.
    CHECK((allowed.contains(each) || each.starts_with("webhook-")));
  }
}

TEST_CASE("edge: security fields are there unless an answer has its own") {
  auto response = http::Response::text(200, "x").with("Content-Security-Policy", "default-src 'none'; sandbox");
  add_security_headers({.hsts_max_age_seconds = 10}, false, response);
  CHECK(response.headers.find("X-Content-Type-Options") == "nosniff");
  CHECK(response.headers.find("Content-Security-Policy") == "default-src 'none'; sandbox");
  CHECK(response.headers.find("X-Frame-Options") == "DENY");
  CHECK(response.headers.find("Referrer-Policy") == "no-referrer");
  CHECK_FALSE(response.headers.find("Strict-Transport-Security"));
  add_security_headers({.hsts_max_age_seconds = 10}, true, response);
  CHECK(response.headers.find("Strict-Transport-Security") == "max-age=10");
  auto plain = http::Response::empty(204);
  add_security_headers({.enabled = false}, true, plain);
  CHECK(plain.headers.size() == 0);
}

TEST_CASE("edge: a trace context is carried where it is one") {
  const std::string good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const auto of = [](const std::string& text) { return find_traceparent(request_with({{"traceparent", text}})).has_value(); };
  CHECK(of(good));
  CHECK(trace_id_of(good) == "4bf92f3577b34da6a3ce929d0e0e4736");
  CHECK_FALSE(of("ff" + good.substr(2)));
  CHECK_FALSE(of(good + "-x"));
  CHECK_FALSE(of(good.substr(0, 54)));
  CHECK_FALSE(of("00-" + std::string(32, '0') + good.substr(35)));
  CHECK_FALSE(of("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"));
  CHECK_FALSE(find_traceparent(request_with({{"traceparent", good}, {"traceparent", good}})));
}
