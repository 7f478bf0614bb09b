// mediad with a cold tier below its folder: moved in the background, promoted when read, and missed when it is away.
#include <thread>

#include "media/digest.hpp"
#include "mediad_fixture.hpp"

using nlohmann::json;
using namespace test;

namespace {

std::vector<std::string> settings(const std::filesystem::path& cold, std::vector<std::string> more = {}) {
  std::vector<std::string> all = {"MEDIA_SERVICE_STORAGE_COLD=" + cold.string(), "MEDIA_SERVICE_PROCESSING_WORKERS=1",
                                  "MEDIA_SERVICE_PROCESSING_JOB_THREADS=1", "MEDIA_SERVICE_STORAGE_PACK_BELOW=0"};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

std::int64_t upload(Client& client, const std::vector<std::byte>& photo) {
  const auto answer = client.post_raw(text_of(photo), "image/png", "photo.png");
  REQUIRE(answer);
  INFO(answer->body);
  REQUIRE(answer->status == 200);
  const auto id = json::parse(answer->body)["id"].get<std::int64_t>();
  client.wait_processed(id);
  return id;
}

/// What is asked for is kept open for two seconds, whatever becomes of its file.
void let_go() { std::this_thread::sleep_for(std::chrono::milliseconds(2'500)); }

}  // namespace

TEST_CASE("mediad: what lies in a lower tier is served, and promoted where that is wanted") {
  const TempFolder folder;
  Mediad server(settings(folder / "cold", {"MEDIA_SERVICE_STORAGE_PROMOTE_BELOW_BYTES=10000000"}));
  Client client(server.port);
  const auto photo = gradient_png(500, 400);
  const auto id = upload(client, photo);
  const std::string hex = media::Digest::of(photo).to_hex();
  REQUIRE(find_blob(server.store(), hex));
  // By another program, while this one serves.
  const auto moved = run({Mediad::mediactl(), "--store", server.store().string(), "tier", "apply", "--cold-rule", "size>0"});
  INFO(moved.err);
  CHECK(moved.exit_code == 0);
  CHECK(find_blob(folder / "cold", hex));
  CHECK_FALSE(find_blob(server.store(), hex));
  let_go();
  const std::string path = "/media/" + std::to_string(id) + "/download";
  CHECK(client.get(path)->body == text_of(photo));
  for (int i = 0; i < 100 && !find_blob(server.store(), hex); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(100));
  CHECK(find_blob(server.store(), hex));
  CHECK(find_blob(folder / "cold", hex));
  CHECK(server.stop() == 0);
  const auto uses = run({Mediad::mediactl(), "--store", server.store().string(), "tier", "plan", "--explain", "--cold-rule", "reads>=1"});
  INFO(uses.out << uses.err);
  CHECK(uses.out.find(hex) != std::string::npos);
}

TEST_CASE("mediad: with a tier away it serves what is elsewhere, says what it cannot, and its health is degraded") {
  const TempFolder folder;
  Mediad server(settings(folder / "cold"));
  {
    Client client(server.port);
    const auto healthy = json::parse(client.get("/health")->body);
    CHECK(healthy["status"] == "healthy");
    CHECK(healthy["checks"]["storage_cold"]["status"] == "healthy");
  }
  Client client(server.port);
  const auto cold_photo = gradient_png(500, 400);
  const auto cold_id = upload(client, cold_photo);
  CHECK(run({Mediad::mediactl(), "--store", server.store().string(), "tier", "apply", "--cold-rule", "size>0"}).exit_code == 0);
  const auto hot_photo = gradient_png(300, 200);
  const auto hot_id = upload(client, hot_photo);
  CHECK(server.stop() == 0);

  std::filesystem::rename(folder / "cold", folder / "away");
  server.start();
  Client again(server.port);
  CHECK(again.get("/media/" + std::to_string(hot_id) + "/download")->body == text_of(hot_photo));
  const auto missing = again.get("/media/" + std::to_string(cold_id) + "/download");
  REQUIRE(missing);
  CHECK(missing->status == 503);
  CHECK(again.get("/media/" + std::to_string(cold_id))->status == 200);
  CHECK(upload(again, gradient_png(320, 200)) > hot_id);
  const auto health = again.get("/health");
  REQUIRE(health);
  CHECK(health->status == 200);
  const auto body = json::parse(health->body);
  CHECK(body["status"] == "degraded");
  CHECK(body["checks"]["storage"]["status"] == "healthy");
  CHECK(body["checks"]["storage_cold"]["status"] == "unhealthy");
  // No other replica would fare better.
  CHECK(again.get("/ready")->status == 200);

  // It comes back without a restart.
  std::filesystem::rename(folder / "away", folder / "cold");
  httplib::Result back = again.get("/media/" + std::to_string(cold_id) + "/download");
  for (int i = 0; i < 100 && (!back || back->status != 200); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    back = again.get("/media/" + std::to_string(cold_id) + "/download");
  }
  REQUIRE(back);
  CHECK(back->body == text_of(cold_photo));
  CHECK(json::parse(again.get("/health")->body)["status"] == "healthy");
}

TEST_CASE("mediad: settings of tiers that cannot be are refused at the start") {
  const TempFolder folder;
  const auto check = [&](const std::vector<std::string>& more) {
    std::vector<std::string> variables = {"RUN_MODE=local", "MEDIA_SERVICE_STORAGE_BASE_PATH=" + (folder / "store").string()};
    variables.insert(variables.end(), more.begin(), more.end());
    return run({Mediad::binary(), "--check-config"}, variables);
  };
  CHECK(check({"MEDIA_SERVICE_STORAGE_COLD_RULE=unread>30d size>=1M"}).exit_code == 0);
  const auto wrong = check({"MEDIA_SERVICE_STORAGE_COLD_RULE=unread>often"});
  CHECK(wrong.exit_code == 2);
  CHECK(wrong.err.find("MEDIA_SERVICE_STORAGE_COLD_RULE: accepts") != std::string::npos);
  CHECK(check({"MEDIA_SERVICE_STORAGE_TIER_INTERVAL_SECONDS=5"}).exit_code == 2);
  CHECK(check({"MEDIA_SERVICE_STORAGE_S3_BUCKET=media", "MEDIA_SERVICE_STORAGE_S3_REDIRECT=true", "MEDIA_SERVICE_STORAGE_WARM=/x"})
            .err.find("_REDIRECT") != std::string::npos);
}
