// What mediad tells Prometheus. That the text itself is well-formed is for tests/e2e/openapi_test.py, with Prometheus's own parser.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <map>
#include <sstream>

#include "media/version.hpp"
#include "mediad_fixture.hpp"
#include "tokens.hpp"

using namespace test;

namespace {

constexpr const char* kSecret = "6f1ed002ab5595859014ebf0951522d9";

/// Values by series, spelled as in the text.
class Samples {
 public:
  explicit Samples(const std::string& text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      const auto space = line.rfind(' ');
      if (!line.starts_with('#') && space != std::string::npos) values_[line.substr(0, space)] = std::stod(line.substr(space + 1));
    }
  }
  /// -1 for a series that is not there.
  [[nodiscard]] double at(const std::string& series) const {
    const auto found = values_.find(series);
    return found == values_.end() ? -1 : found->second;
  }
  [[nodiscard]] std::size_t size() const { return values_.size(); }

 private:
  std::map<std::string, double> values_;
};

/// One connection: what it was answered on is counted before its next request is looked at.
class OneConnection : public httplib::Client {
 public:
  explicit OneConnection(int port) : httplib::Client("127.0.0.1", port) { set_keep_alive(true); }
};

Samples scrape(httplib::Client& client, const std::string& path = "/metrics") {
  const auto answer = client.Get(path.c_str());
  REQUIRE(answer);
  REQUIRE(answer->status == 200);
  CHECK(answer->get_header_value("Content-Type") == "text/plain; version=0.0.4; charset=utf-8");
  CHECK(answer->get_header_value("Cache-Control") == "no-store");
  return Samples(answer->body);
}

/// Of a request by method, route below the API's base, and status.
std::string requests(const std::string& method, const std::string& route, const std::string& status) {
  return R"(http_requests_total{method=")" + method + R"(",route=")" + kApi + route + R"(",status=")" + status + R"("})";
}

int free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  REQUIRE(::bind(socket, reinterpret_cast<const sockaddr*>(&address), length) == 0);
  REQUIRE(::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &length) == 0);
  ::close(socket);
  return ntohs(address.sin_port);
}

}  // namespace

TEST_CASE("mediad: metrics count what came in, what went out and what was refused") {
  const Mediad mediad({std::string("JWT_SECRET=") + kSecret, "MEDIA_SERVICE_MIDDLEWARE_RATE_LIMITING_ENABLED=true",
                       "MEDIA_SERVICE_MIDDLEWARE_RATE_LIMITING_PUBLIC_PER_MINUTE=3"});
  Client client(mediad.port);
  const std::string claims = R"({"sub":"ann","exp":)" + std::to_string(::time(nullptr) + 600) + "}";
  const httplib::Headers ann = {
      {"Authorization", "Bearer " + make_token(R"({"alg":"HS256"})", claims, [](std::string_view text) { return hs256(kSecret, text); })}};
  const std::string photo = text_of(gradient_png(40, 30));
  const auto first = client.post_raw(photo, "image/png", "a.png", ann);
  REQUIRE(first->status == 200);
  const std::string id = std::to_string(nlohmann::json::parse(first->body)["id"].get<int>());
  CHECK(client.post_raw(photo, "image/png", "a.png", ann)->status == 200);
  CHECK(client.post_raw("no picture", "image/png", "b.png", ann)->status == 415);
  client.wait_processed(std::stoi(id), ann);
  CHECK(client.get("/media/" + id + "/download", ann)->status == 200);
  httplib::Headers part = ann;
  part.emplace("Range", "bytes=0-9");
  CHECK(client.get("/media/" + id + "/download", part)->status == 206);
  CHECK(client.get("/media/" + id + "/renditions/thumb", ann)->status == 200);
  CHECK(client.head("/media/" + id + "/download", ann)->status == 200);  // no bytes: no download
  CHECK(client.get("/media/999", ann)->status == 404);
  for (int i = 0; i < 3; ++i) CHECK(client.get("/media", {{"Authorization", "Bearer guess"}})->status == 401);
  CHECK(client.get("/media", {{"Authorization", "Bearer guess"}})->status == 429);

  const Samples samples = scrape(client.http());
  CHECK(samples.at(R"(media_uploads_total{outcome="stored"})") == 1);
  CHECK(samples.at(R"(media_uploads_total{outcome="duplicate"})") == 1);
  CHECK(samples.at(R"(media_uploads_total{outcome="refused"})") == 1);
  CHECK(samples.at(R"(media_downloads_total{kind="original"})") == 2);
  CHECK(samples.at(R"(media_downloads_total{kind="rendition"})") == 1);
  CHECK(samples.at(requests("POST", "/media", "200")) == 2);
  CHECK(samples.at(requests("POST", "/media", "415")) == 1);
  CHECK(samples.at(requests("GET", "/media/{id}/download", "200")) == 1);
  CHECK(samples.at(requests("GET", "/media/{id}", "404")) == 1);
  CHECK(samples.at(requests("GET", "/media", "429")) == 1);
  CHECK(samples.at(R"(http_errors_total{method="GET",route=")" + kApi + R"(/media",status="401"})") == 3);
  CHECK(samples.at(R"(http_errors_total{method="POST",route=")" + kApi + R"(/media",status="200"})") == -1);
  const std::string download = R"({method="GET",route=")" + kApi + R"(/media/{id}/download"})";
  CHECK(samples.at("http_response_size_bytes_sum" + download) == static_cast<double>(photo.size()) + 10);
  CHECK(samples.at("http_request_duration_seconds_count" + download) == 2);
  CHECK(samples.at(R"(http_request_size_bytes_sum{method="POST",route=")" + kApi + R"(/media"})") ==
        static_cast<double>(2 * photo.size() + 10));
  CHECK(samples.at("auth_failures_total{reason=\"refused\"}") == 4);
  CHECK(samples.at("auth_attempts_total") > 10);
  CHECK(samples.at("rate_limit_exceeded_total{tier=\"public\"}") == 1);
  CHECK(samples.at("rate_limit_exceeded_total{tier=\"upload\"}") == 0);
  CHECK(samples.at("media_storage_bytes") >= static_cast<double>(photo.size()));
  CHECK(samples.at("media_storage_blobs") >= 2);
  CHECK(samples.at("http_requests_active") == 1);
  CHECK(samples.at("http_connections{state=\"busy\"}") == 1);
  CHECK(samples.at("http_connections_accepted_total") >= 1);
}

TEST_CASE("mediad: no client can make the number of time series grow") {
  const Mediad mediad;
  OneConnection http(mediad.port);
  static_cast<void>(http.Get("/nowhere"));
  static_cast<void>(http.Get((kApi + "/media/7").c_str()));
  static_cast<void>(scrape(http));  // its own series are there from now on
  const std::size_t before = scrape(http).size();
  for (int i = 0; i < 50; ++i) {
    static_cast<void>(http.Get(("/nowhere/" + std::to_string(i)).c_str()));
    static_cast<void>(http.Get((kApi + "/media/" + std::to_string(i + 1000)).c_str()));
  }
  CHECK(scrape(http).size() == before);
  for (int i = 0; i < 20; ++i) {
    httplib::Request request;
    request.method = "BREW" + std::string(static_cast<std::size_t>(i), 'A');
    request.path = kApi + "/media";
    httplib::Response response;
    httplib::Error error{};
    static_cast<void>(http.send(request, response, error));
  }
  const Samples after = scrape(http);
  CHECK(after.size() < before + 60);
  CHECK(after.at(R"(http_requests_total{method="GET",route="none",status="404"})") >= 51);
}

TEST_CASE("mediad: what waits in the queue is told as it is now, and not as it was a minute ago") {
  using namespace std::chrono_literals;
  // Nobody takes the jobs.
  const Mediad mediad({"MEDIA_SERVICE_SERVER_ROLE=api"});
  Client client(mediad.port);
  const std::string queued = R"(media_jobs{kind="derive",state="queued"})";
  const std::string waiting = R"(media_jobs_waiting_seconds{kind="derive"})";
  const Samples before = scrape(client.http());
  CHECK(before.at(queued) == 0);
  CHECK(before.at(waiting) == 0);
  CHECK(before.at("media_disk_available_bytes") > 0);
  CHECK(before.at("media_disk_size_bytes") >= before.at("media_disk_available_bytes"));
  CHECK(client.post_raw(text_of(gradient_png(40, 30)), "image/png", "a.png")->status == 200);
  std::this_thread::sleep_for(2500ms);
  const Samples then = scrape(client.http());
  CHECK(then.at(queued) == 1);
  CHECK(then.at(waiting) >= 2);
  std::this_thread::sleep_for(1500ms);
  CHECK(scrape(client.http()).at(waiting) >= then.at(waiting) + 1);
}

TEST_CASE("mediad: metrics are where they were asked for, or nowhere") {
  SECTION("at the root and below the base path") {
    const Mediad mediad;
    OneConnection http(mediad.port);
    CHECK(scrape(http).at("http_requests_active") == 1);
    CHECK(scrape(http, kApi + "/metrics").at("mediad_build_info{version=\"" MEDIA_VERSION "\"}") == 1);
  }
  SECTION("at another path") {
    const Mediad mediad({"MEDIA_SERVICE_MIDDLEWARE_METRICS_PATH=/internal/numbers"});
    OneConnection http(mediad.port);
    CHECK(http.Get("/metrics")->status == 404);
    CHECK(scrape(http, "/internal/numbers").at("http_requests_active") == 1);
    CHECK(scrape(http, kApi + "/internal/numbers").at("http_requests_active") == 1);
  }
  SECTION("at a port of their own, and no other thing there") {
    const int port = free_port();
    const Mediad mediad({"MEDIA_SERVICE_MIDDLEWARE_METRICS_PORT=" + std::to_string(port)});
    OneConnection own(port);
    OneConnection main(mediad.port);
    CHECK(main.Get("/metrics")->status == 404);
    CHECK(main.Get((kApi + "/metrics").c_str())->status == 404);
    CHECK(main.Get((kApi + "/media").c_str())->status == 200);
    CHECK(main.Get((kApi + "/media").c_str())->status == 200);  // the first one is counted now
    CHECK(scrape(own).at(requests("GET", "/media", "200")) >= 1);
    CHECK(own.Get((kApi + "/media").c_str())->status == 404);
  }
  SECTION("nowhere") {
    const Mediad mediad({"MEDIA_SERVICE_MIDDLEWARE_METRICS_ENABLED=false"});
    OneConnection http(mediad.port);
    CHECK(http.Get("/metrics")->status == 404);
    CHECK(http.Get((kApi + "/metrics").c_str())->status == 404);
  }
  SECTION("not where something else is") {
    for (const char* const taken : {"/media", "/uploads/7", "/docs"}) {
      Mediad mediad({std::string("MEDIA_SERVICE_MIDDLEWARE_METRICS_PATH=") + taken}, false);
      CHECK(mediad.daemon->wait(30) == 2);
      CHECK(read_text(mediad.log()).find("MEDIA_SERVICE_MIDDLEWARE_METRICS_PATH: accepts a path") != std::string::npos);
    }
  }
  SECTION("not at a port that somebody has") {
    const Mediad other;
    Mediad mediad({"MEDIA_SERVICE_MIDDLEWARE_METRICS_PORT=" + std::to_string(other.port)}, false);
    CHECK(mediad.daemon->wait(30) == 3);
    CHECK_FALSE(std::filesystem::exists(mediad.port_file()));
    CHECK(read_text(mediad.log()).find("cannot start") != std::string::npos);
  }
}

TEST_CASE("mediad: what rots in the store is found in the background, counted, named in the log, and served to nobody") {
  using namespace std::chrono_literals;
  const std::string damaged = R"(media_scrub_findings_total{problem="damaged"})";
  Mediad mediad({"MEDIA_SERVICE_STORAGE_SCRUB_INTERVAL_SECONDS=1", "MEDIA_SERVICE_STORAGE_VERIFY_INTERVAL_SECONDS=31536000"});
  auto client = std::make_unique<Client>(mediad.port);
  const auto answer = client->post_raw(
      text_of(png(60, 40, [](std::uint32_t x, std::uint32_t) { return Rgba{static_cast<std::uint8_t>(x)}; })), "image/png", "a.png");
  REQUIRE(answer);
  const auto stored = nlohmann::json::parse(answer->body);
  const std::string digest = stored["content_hash"];
  client->wait_processed(stored["media_id"]);
  std::this_thread::sleep_for(1500ms);
  // Verified when it came: nothing is read again.
  CHECK(scrape(client->http()).at("media_scrub_blobs_total") == 0);
  CHECK(scrape(client->http()).at(damaged) == 0);
  CHECK(mediad.stop() == 0);

  damage_blob(mediad.store(), digest, 20);
  mediad.environment.push_back("MEDIA_SERVICE_STORAGE_VERIFY_INTERVAL_SECONDS=0");
  mediad.start();
  client = std::make_unique<Client>(mediad.port);
  const auto until = std::chrono::steady_clock::now() + 20s;
  while (scrape(client->http()).at("media_scrub_blobs_total") < 1 && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(50ms);
  CHECK(scrape(client->http()).at("media_scrub_blobs_total") >= 2);
  CHECK(scrape(client->http()).at(damaged) >= 1);
  CHECK(scrape(client->http()).at(R"(media_scrub_findings_total{problem="missing"})") == 0);
  CHECK(read_text(mediad.log()).find(digest) != std::string::npos);
  const auto refused = client->get("/media/" + std::to_string(stored["media_id"].get<int>()) + "/download");
  REQUIRE(refused);
  CHECK(refused->status >= 500);
}

TEST_CASE("mediad: collections are counted, and one that cannot wipe what an erasure left says so") {
  using namespace std::chrono_literals;
  const std::string done = R"(media_collections_total{outcome="done"})";
  const std::string failed = R"(media_collections_total{outcome="failed"})";
  Mediad mediad({"MEDIA_SERVICE_STORAGE_COLLECT_INTERVAL_SECONDS=1"});
  auto client = std::make_unique<Client>(mediad.port);
  const auto answer = client->post_raw(text_of(png(8, 8, [](std::uint32_t, std::uint32_t) { return Rgba{7}; })), "image/png", "a.png");
  REQUIRE(answer);
  const auto media = nlohmann::json::parse(answer->body)["media_id"].get<int>();
  const auto wait_for = [&](const std::string& series) {
    const auto until = std::chrono::steady_clock::now() + 20s;
    while (scrape(client->http()).at(series) < 1 && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(50ms);
    return scrape(client->http());
  };
  const auto well = wait_for(done);
  CHECK(well.at(done) >= 1);
  CHECK(well.at(failed) == 0);
  CHECK(client->http().Delete((kApi + "/media/" + std::to_string(media)).c_str())->status == 204);
  CHECK(mediad.stop() == 0);
  // As one that died leaves it, in a place where what was set aside cannot be looked for.
  const std::string claimed = "UPDATE blob SET state = 2, condemned_at = 1";
  REQUIRE(run({"python3", "-c", "import sqlite3, sys\nwith sqlite3.connect(sys.argv[1]) as catalog: catalog.execute(sys.argv[2])",
               (mediad.store() / "catalog.db").string(), claimed})
              .exit_code == 0);
  std::filesystem::remove_all(mediad.store() / "quarantine");
  write_file(mediad.store() / "quarantine", "in the way");
  mediad.start();
  client = std::make_unique<Client>(mediad.port);
  CHECK(wait_for(failed).at(failed) >= 1);
  CHECK(read_text(mediad.log()).find("removed blobs cannot be wiped") != std::string::npos);
}
