// Quotas, bans, scanning, quarantine and polyglots over HTTP.
#include <unistd.h>

#include <fstream>

#include "clamd.hpp"
#include "mediad_fixture.hpp"
#include "sockets.hpp"

using namespace test;
using Json = nlohmann::json;

namespace {

std::string photo(std::uint8_t shade, const std::string& text = {}) {
  return text_of(png(
      64, 48,
      [&](std::uint32_t x, std::uint32_t y) {
        return Rgba{shade, static_cast<std::uint8_t>(x * (shade % 5 + 1)), static_cast<std::uint8_t>(y), 255};
      },
      false, text));
}

struct Gated : Mediad {
  using Mediad::Mediad;

  httplib::Result post(const std::string& content, const std::string& name = "a.png") {
    return client.post_raw(content, "image/png", name);
  }
  httplib::Result ask(std::size_t size) {
    const Json body{{"filename", "a.png"}, {"content_type", "image/png"}, {"file_size", size}};
    return client.http().Post((kApi + "/media/upload-request").c_str(), body.dump(), "application/json");
  }
  httplib::Result begin_tus(std::size_t size) {
    return client.http().Post((kApi + "/uploads").c_str(),
                              httplib::Headers{{"Tus-Resumable", "1.0.0"}, {"Upload-Length", std::to_string(size)}}, "",
                              "application/offset+octet-stream");
  }
  RunResult control(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {mediactl(), "--store", store().string()});
    return run(arguments);
  }
  std::int64_t id_of(const httplib::Result& answer) {
    REQUIRE(answer);
    INFO(answer->body);
    REQUIRE(answer->status == 200);
    return Json::parse(answer->body)["id"].get<std::int64_t>();
  }
  int status(const std::string& path) {
    const auto answer = client.get(path);
    REQUIRE(answer);
    return answer->status;
  }
  /// An answer is given again for a second: asked after that, it is of now.
  Json health() {
    std::this_thread::sleep_for(std::chrono::milliseconds(1100));
    return Json::parse(client.get("/health")->body);
  }

  Client client{port};
};

void check_quota_refusal(const httplib::Result& answer) {
  REQUIRE(answer);
  INFO(answer->body);
  CHECK(answer->status == 413);
  const Json body = Json::parse(answer->body);
  CHECK(body["error"] == "Content Too Large");
  CHECK(body["message"].get<std::string>().starts_with("quota: its owner has "));
}

}  // namespace

TEST_CASE("mediad: a quota is kept on every way in, and before the body where its size is told") {
  Gated mediad({"MEDIA_SERVICE_QUOTA_MEDIA=2"});
  mediad.id_of(mediad.post(photo(1), "1.png"));
  const auto promised = mediad.ask(photo(2).size());
  REQUIRE(promised);
  REQUIRE(promised->status == 200);
  const auto refused = mediad.post(photo(3), "3.png");
  check_quota_refusal(refused);
  CHECK(Json::parse(refused->body)["details"]["accepts"] == "over_quota");
  check_quota_refusal(mediad.ask(100));
  check_quota_refusal(mediad.begin_tus(100));
  // What was promised is kept.
  const std::string url = Json::parse(promised->body)["upload_url"];
  const auto sent = mediad.client.http().Put(url.substr(url.find(kApi)).c_str(), photo(2), "application/octet-stream");
  REQUIRE(sent);
  CHECK(sent->status == 200);

  const auto set = mediad.control({"quota", "set", "local", "--bytes", "1000000", "--json"});
  REQUIRE(set.exit_code == 0);
  const auto shown = mediad.control({"quota", "show", "local", "--json"});
  const Json state = Json::parse(shown.out.substr(0, shown.out.find('\n')));
  CHECK(state["media"] == 2);
  CHECK(state["bytes"] == photo(1).size() + photo(2).size());
  CHECK(state["max_media"].is_null());
  const int socket = connect_locally(static_cast<std::uint16_t>(mediad.port));
  REQUIRE(socket >= 0);
  REQUIRE(send_all(socket, "POST " + kApi +
                               "/media HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nX-Filename: a.png\r\n"
                               "Content-Length: 20000000\r\nExpect: 100-continue\r\n\r\n"));
  std::string answer;
  while (answer.find("\r\n\r\n") == std::string::npos && receive_some(socket, answer)) {
  }
  ::close(socket);
  INFO(answer);
  CHECK(answer.starts_with("HTTP/1.1 413"));
  mediad.id_of(mediad.post(photo(4), "4.png"));
}

TEST_CASE("mediad: an infected file does not come in, and what clamd has not seen is downloaded by nobody") {
  const TempFolder folder;
  Clamd clamd(folder.path());
  Gated mediad({"MEDIA_SERVICE_SCANNER_CLAMD_ADDRESS=" + clamd.unix_address(), "MEDIA_SERVICE_SCANNER_UNSCANNED=hold"});
  const auto clean = mediad.id_of(mediad.post(photo(1)));
  CHECK(mediad.client.wait_processed(clean)["status"] == "Complete");
  const auto infected = mediad.post(photo(2, kMalware));
  REQUIRE(infected);
  CHECK(infected->status == 422);
  CHECK(Json::parse(infected->body)["message"] == "The file is infected (Test.Malware.UNOFFICIAL).");
  CHECK(mediad.health()["status"] == "healthy");
  CHECK(mediad.health()["checks"]["scanner"]["status"] == "healthy");

  clamd.kill();
  const auto held = mediad.post(photo(3));
  const auto id = mediad.id_of(held);
  CHECK(Json::parse(held->body)["held"] == "unscanned");
  const std::string media = "/media/" + std::to_string(id);
  const Json status = Json::parse(mediad.client.get(media + "/status")->body);
  CHECK(status["status"] == "Processing");
  CHECK(status["held"] == "unscanned");
  for (const char* const path : {"/download", "/renditions/thumb", "/image?w=320"}) {
    INFO(path);
    const auto answer = mediad.client.get(media + path);
    REQUIRE(answer);
    CHECK(answer->status == 409);
    CHECK(Json::parse(answer->body)["details"]["accepts"] == "unscanned");
  }
  const Json health = mediad.health();
  CHECK(health["status"] == "degraded");
  CHECK(health["checks"]["quarantine"]["reason"] == "1 kept back, 1 of them unscanned");
  CHECK(mediad.status("/ready") == 200);
  const std::string metrics = mediad.client.get("/metrics")->body;
  CHECK(metrics.find("media_quarantine{reason=\"unscanned\"} 1") != std::string::npos);
  CHECK(metrics.find("media_scanner_up 0") != std::string::npos);
  CHECK(metrics.find("media_scans_total{finding=\"infected\"} 1") != std::string::npos);

  clamd.start();
  CHECK(mediad.client.wait_processed(id)["status"] == "Complete");
  CHECK(mediad.client.get(media + "/download")->body == photo(3));
}

TEST_CASE("mediad: while clamd is down uploads are refused for the time being where that is the rule") {
  const TempFolder folder;
  Gated mediad({"MEDIA_SERVICE_SCANNER_CLAMD_ADDRESS=unix:" + (folder / "nobody.sock").string()});
  const auto refused = mediad.post(photo(1));
  REQUIRE(refused);
  CHECK(refused->status == 503);
  CHECK(refused->has_header("Retry-After"));
  CHECK(refused->body.find(folder.path().string()) == std::string::npos);
  const Json health = mediad.health();
  CHECK(health["status"] == "degraded");
  CHECK(health["checks"]["scanner"]["reason"] == "clamd does not answer");
  CHECK(Json::parse(mediad.client.get("/ready")->body)["checks"].contains("scanner") == false);
}

TEST_CASE("mediad: banned bytes and polyglots do not come in, and what is put away goes out to nobody until it is released") {
  Gated mediad;
  const auto polyglot = mediad.post(photo(1) + "<html><script>alert(1)</script></html>");
  REQUIRE(polyglot);
  CHECK(polyglot->status == 422);
  CHECK(Json::parse(polyglot->body)["details"]["accepts"] == "polyglot");

  const auto id = mediad.id_of(mediad.post(photo(2)));
  mediad.client.wait_processed(id);
  const std::string media = "/media/" + std::to_string(id);
  const Json described = Json::parse(mediad.client.get(media)->body);
  const std::string rendition = described["renditions"][0]["url"];
  const std::string signed_path = rendition.substr(rendition.find(kApi) + kApi.size());
  CHECK(mediad.status(signed_path) == 200);
  const auto added = mediad.control({"ban", "add", "--content", std::to_string(id), "--reason", "stolen", "--put-away", "--json"});
  REQUIRE(added.exit_code == 0);
  CHECK(added.out.find("\"status\":\"put_away\"") != std::string::npos);
  CHECK(mediad.status(media + "/download") == 409);
  CHECK(mediad.status(signed_path) == 409);
  const Json banned = Json::parse(mediad.client.get(media + "/status")->body);
  CHECK(banned["status"] == "Failed");
  CHECK(banned["held"] == "banned");
  // Nor is it told how it looks.
  CHECK_FALSE(described["thumbhash"].is_null());
  const auto looks_told = [](const Json& told) {
    for (const char* const name : {"placeholder", "dominant_color", "thumbhash", "perceptual_hash"}) {
      if (!told[name].is_null()) return true;
    }
    return false;
  };
  const Json shown = Json::parse(mediad.client.get(media)->body);
  CHECK_FALSE(looks_told(shown));
  CHECK(shown["renditions"].empty());
  CHECK(shown["srcset"].empty());
  for (const Json& each : Json::parse(mediad.client.get("/media")->body)["data"]) CHECK_FALSE(looks_told(each));
  const Json similar = Json::parse(mediad.client.get(media + "/similar?distance=32")->body);
  CHECK(similar["perceptual_hash"].is_null());
  CHECK(similar["data"].empty());
  const auto again = mediad.post(photo(2), "other.png");
  REQUIRE(again);
  CHECK(again->status == 422);

  CHECK(mediad.control({"quarantine", "release", std::to_string(id)}).exit_code == 1);
  REQUIRE(mediad.control({"ban", "remove", "1"}).exit_code == 0);
  REQUIRE(mediad.control({"quarantine", "release", std::to_string(id), "--note", "cleared"}).exit_code == 0);
  CHECK(mediad.client.wait_processed(id)["status"] == "Complete");
  CHECK(mediad.client.get(media + "/download")->body == photo(2));
  CHECK(mediad.status(signed_path) == 200);
}

TEST_CASE("mediad: damage that is found shows in health and in the metrics until it is mended") {
  Gated mediad({"MEDIA_SERVICE_STORAGE_PACK_BELOW=0"});
  const auto id = mediad.id_of(mediad.post(photo(1)));
  mediad.client.wait_processed(id);
  CHECK(mediad.health()["checks"]["integrity"]["status"] == "healthy");
  const Json media = Json::parse(mediad.client.get("/media/" + std::to_string(id))->body);
  const auto path = mediad.store() / media["media_path"].get<std::string>();
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(30);
    file.put('\x55');
  }
  CHECK(mediad.control({"verify"}).exit_code == 1);
  const Json health = mediad.health();
  CHECK(health["status"] == "degraded");
  CHECK(health["checks"]["integrity"]["reason"] == "1 damaged, 0 missing");
  CHECK(mediad.client.get("/metrics")->body.find("media_quarantine{reason=\"damaged\"} 1") != std::string::npos);
  mediad.id_of(mediad.post(photo(1), "again.png"));
  CHECK(mediad.health()["checks"]["integrity"]["status"] == "healthy");
  CHECK(mediad.client.get("/media/" + std::to_string(id) + "/download")->body == photo(1));
}
