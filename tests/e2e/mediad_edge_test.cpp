// The edges of mediad: who may ask how often, from which pages, through which proxies, and what every answer carries.
#include <set>

#include "mediad_fixture.hpp"
#include "tokens.hpp"

using namespace test;

namespace {

constexpr const char* kSecret = "6f1ed002ab5595859014ebf0951522d9";

std::string token_for(const std::string& owner) {
  const std::string claims = R"({"sub":")" + owner + R"(","exp":)" + std::to_string(::time(nullptr) + 600) + "}";
  return make_token(R"({"alg":"HS256"})", claims, [](std::string_view text) { return hs256(kSecret, text); });
}

}  // namespace

TEST_CASE("mediad: a caller who asks too often is told when to come back, and others are not hindered") {
  const Mediad mediad({std::string("JWT_SECRET=") + kSecret, "MEDIA_SERVICE_MIDDLEWARE_RATE_LIMITING_ENABLED=true",
                       "MEDIA_SERVICE_MIDDLEWARE_RATE_LIMITING_AUTHENTICATED_PER_MINUTE=30",
                       "MEDIA_SERVICE_MIDDLEWARE_RATE_LIMITING_PUBLIC_PER_MINUTE=5"});
  Client client(mediad.port);
  const auto as = [](const std::string& owner) { return httplib::Headers{{"Authorization", "Bearer " + token_for(owner)}}; };
  for (int i = 0; i < 30; ++i) {
    const auto answer = client.get("/media", as("ann"));
    REQUIRE(answer->status == 200);
    CHECK(answer->get_header_value("X-RateLimit-Limit") == "30");
    CHECK(std::stoi(answer->get_header_value("X-RateLimit-Remaining")) >= 29 - i);
    CHECK(answer->has_header("X-RateLimit-Reset"));
  }
  httplib::Result refused = client.get("/media", as("ann"));
  for (int i = 0; i < 5 && refused->status == 200; ++i) refused = client.get("/media", as("ann"));
  REQUIRE(refused->status == 429);
  CHECK(std::stoi(refused->get_header_value("Retry-After")) >= 1);
  CHECK(refused->get_header_value("X-RateLimit-Remaining") == "0");
  const auto body = nlohmann::json::parse(refused->body);
  CHECK(body["error"] == "Too Many Requests");
  CHECK(body.contains("request_id"));
  // Another owner from the same address, other kinds of requests, and health go on.
  CHECK(client.get("/media", as("bob"))->status == 200);
  CHECK(client.get("/media/1/download", as("ann"))->status == 404);
  CHECK(client.get("/health")->status == 200);
  // Guessing at credentials is limited too, by address.
  std::set<int> statuses;
  for (int i = 0; i < 12; ++i) statuses.insert(client.get("/media", {{"Authorization", "Bearer guess" + std::to_string(i)}})->status);
  CHECK(statuses == std::set<int>{401, 429});
  CHECK(client.get("/media", as("bob"))->status == 200);
}

TEST_CASE("mediad: behind a trusted proxy clients are told apart and addressed as they address it") {
  const Mediad mediad({"MEDIA_SERVICE_SERVER_TRUSTED_PROXIES=127.0.0.1", "MEDIA_SERVICE_MIDDLEWARE_RATE_LIMITING_ENABLED=true",
                       "MEDIA_SERVICE_MIDDLEWARE_RATE_LIMITING_AUTHENTICATED_PER_MINUTE=3"});
  Client client(mediad.port);
  const auto from = [&](const std::string& address) { return client.get("/media", {{"X-Forwarded-For", address}})->status; };
  for (int i = 0; i < 3; ++i) CHECK(from("198.51.100.7") == 200);
  CHECK(from("198.51.100.7") == 429);
  CHECK(from("203.0.113.1, 198.51.100.7") == 429);
  CHECK(from("198.51.100.8") == 200);
  CHECK(from("2001:db8::1") == 200);
  CHECK(from("2001:db8::2") == 200);
  CHECK(from("2001:db8::3") == 200);
  CHECK(from("2001:db8::ffff:1") == 429);  // the same /64
  const auto answer =
      client.http().Post((kApi + "/media/upload-request").c_str(),
                         {{"X-Forwarded-For", "192.0.2.9"}, {"X-Forwarded-Proto", "https"}, {"X-Forwarded-Host", "media.example"}},
                         R"({"filename":"a.jpg","content_type":"image/jpeg","file_size":10})", "application/json");
  REQUIRE(answer->status == 200);
  CHECK(
      nlohmann::json::parse(answer->body)["upload_url"].get<std::string>().starts_with("https://media.example" + kApi + "/media/upload/"));
  CHECK_FALSE(answer->has_header("Strict-Transport-Security"));
}

TEST_CASE("mediad: a proxy that is not trusted changes nothing") {
  const Mediad mediad(
      {"MEDIA_SERVICE_MIDDLEWARE_RATE_LIMITING_ENABLED=true", "MEDIA_SERVICE_MIDDLEWARE_RATE_LIMITING_AUTHENTICATED_PER_MINUTE=3"});
  Client client(mediad.port);
  std::set<int> statuses;
  for (int i = 0; i < 6; ++i) statuses.insert(client.get("/media", {{"X-Forwarded-For", "198.51.100." + std::to_string(i)}})->status);
  CHECK(statuses == std::set<int>{200, 429});
}

TEST_CASE("mediad: pages of an allowed origin call it, preflight and all") {
  const Mediad mediad({"MEDIA_SERVICE_MIDDLEWARE_CORS_ALLOWED_ORIGINS=https://app.example,http://localhost:5173"});
  Client client(mediad.port);
  const auto preflight = [&](const std::string& path, const std::string& origin) {
    return client.http().Options((kApi + path).c_str(), {{"Origin", origin},
                                                         {"Access-Control-Request-Method", "PATCH"},
                                                         {"Access-Control-Request-Headers", "tus-resumable,upload-offset"}});
  };
  for (const char* const path : {"/media", "/media/1", "/uploads", "/uploads/x", "/no/such/route"}) {
    INFO(path);
    const auto answer = preflight(path, "https://app.example");
    CHECK(answer->status == 204);
    CHECK(answer->body.empty());
    CHECK(answer->get_header_value("Access-Control-Allow-Origin") == "https://app.example");
    CHECK_THAT(answer->get_header_value("Access-Control-Allow-Methods"), ContainsSubstring("PATCH"));
  }
  CHECK_FALSE(preflight("/media", "https://evil.example")->has_header("Access-Control-Allow-Origin"));
  const auto failed = client.get("/media/77", {{"Origin", "http://localhost:5173"}});
  CHECK(failed->status == 404);
  CHECK(failed->get_header_value("Access-Control-Allow-Origin") == "http://localhost:5173");
  CHECK_THAT(failed->get_header_value("Access-Control-Expose-Headers"), ContainsSubstring("X-Request-Id"));
  CHECK(failed->get_header_value("Vary") == "Origin");
}

TEST_CASE("mediad: JSON travels compressed, under a tag of its own that works like the other") {
  const Mediad mediad;
  Client client(mediad.port);
  for (unsigned i = 0; i < 5; ++i) {
    REQUIRE(client.post_raw(text_of(gradient_png(40 + i, 30)), "image/png", "p" + std::to_string(i) + ".png")->status == 200);
  }
  client.wait_processed(1);
  client.http().set_decompress(false);
  const auto plain = client.get("/media", {{"Accept-Encoding", "identity"}});
  const auto packed = client.get("/media", {{"Accept-Encoding", "gzip"}});
  CHECK_FALSE(plain->has_header("Content-Encoding"));
  CHECK(plain->get_header_value("Vary") == "Accept-Encoding");
  CHECK(packed->get_header_value("Content-Encoding") == "gzip");
  CHECK(packed->body.size() < plain->body.size() / 2);
  CHECK(packed->body.substr(0, 2) == "\x1f\x8b");

  const auto one = client.get("/media/1", {{"Accept-Encoding", "gzip"}});
  const std::string tag = one->get_header_value("ETag");
  REQUIRE(tag.ends_with("-gzip\""));
  CHECK(client.get("/media/1", {{"Accept-Encoding", "identity"}})->get_header_value("ETag") == tag.substr(0, tag.size() - 6) + "\"");
  const auto same = client.get("/media/1", {{"If-None-Match", tag}, {"Accept-Encoding", "gzip"}, {"Connection", "close"}});
  CHECK(same->status == 304);
  CHECK(same->get_header_value("ETag") == tag);
  const auto patch = [&](const std::string& match) {
    return client.http()
        .Patch((kApi + "/media/1").c_str(), {{"If-Match", match}}, R"({"original_filename":"q.png"})", "application/json")
        ->status;
  };
  CHECK(patch("\"0-gzip\"") == 412);
  CHECK(patch(tag) == 200);
}

TEST_CASE("mediad: every answer says what it is to a browser, and carries the trace on") {
  const Mediad mediad(
      {"MEDIA_SERVICE_SERVER_PUBLIC_URL=https://media.example", "MEDIA_SERVICE_MIDDLEWARE_SECURITY_HSTS_MAX_AGE_SECONDS=600"});
  Client client(mediad.port);
  const std::string trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  for (const char* const path : {"/health", "/media", "/media/99", "/no/such/route", "/media/x"}) {
    INFO(path);
    const auto answer = client.get(path, {{"traceparent", trace}});
    CHECK(answer->get_header_value("X-Content-Type-Options") == "nosniff");
    CHECK_THAT(answer->get_header_value("Content-Security-Policy"), ContainsSubstring("default-src 'none'"));
    CHECK(answer->get_header_value("X-Frame-Options") == "DENY");
    CHECK(answer->get_header_value("Referrer-Policy") == "no-referrer");
    CHECK(answer->get_header_value("Strict-Transport-Security") == "max-age=600");
    CHECK(answer->get_header_value("traceparent") == trace);
    CHECK_FALSE(answer->has_header("X-RateLimit-Limit"));
  }
  CHECK_FALSE(client.get("/health", {{"traceparent", "nonsense"}})->has_header("traceparent"));
  CHECK_THAT(read_text(mediad.log()), ContainsSubstring("trace_id=4bf92f3577b34da6a3ce929d0e0e4736"));
}
