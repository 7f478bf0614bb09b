// mediad with its blobs in an object store.
#include <atomic>
#include <thread>

#include "mediad_fixture.hpp"
#include "s3_places.hpp"

using nlohmann::json;
using namespace test;

namespace {

std::vector<std::string> settings(const std::string& prefix, const std::string& endpoint = gateway().endpoint()) {
  const std::string s3 = "MEDIA_SERVICE_STORAGE_S3_";
  return {s3 + "BUCKET=media",
          s3 + "PREFIX=" + prefix,
          s3 + "ENDPOINT=" + endpoint,
          s3 + "ACCESS_KEY_ID=" + ObjectStore::kAccessKey,
          s3 + "SECRET_ACCESS_KEY=" + ObjectStore::kSecretKey,
          "MEDIA_SERVICE_PROCESSING_WORKERS=1",
          "MEDIA_SERVICE_PROCESSING_JOB_THREADS=1"};
}

json upload(Client& client, const std::string& bytes, const std::string& type, const std::string& name) {
  const auto answer = client.post_raw(bytes, type, name);
  REQUIRE(answer);
  INFO(answer->body);
  REQUIRE(answer->status == 200);
  return json::parse(answer->body);
}

std::string storage_health(Client& client) {
  const auto answer = client.get("/health");
  REQUIRE(answer);
  INFO(answer->body);
  return json::parse(answer->body)["checks"]["storage"]["status"];
}

}  // namespace

TEST_CASE("mediad: with a bucket for its blobs it does all that it does with a folder") {
  const std::string prefix = new_prefix();
  Mediad server(settings(prefix));
  Client client(server.port);
  const auto bucket = open_place(url_of(prefix));
  const auto photo = gradient_png(1200, 900);
  const json stored = upload(client, text_of(photo), "image/png", "photo.png");
  const auto id = stored["id"].get<std::int64_t>();
  REQUIRE(client.wait_processed(id)["status"] == "Complete");
  const std::string path = "/media/" + std::to_string(id);

  const auto whole = client.get(path + "/download");
  REQUIRE(whole);
  CHECK(whole->status == 200);
  CHECK(whole->body == text_of(photo));
  const auto range = client.get(path + "/download", {{"Range", "bytes=1000-1999"}});
  REQUIRE(range);
  CHECK(range->status == 206);
  CHECK(range->body == text_of(photo).substr(1000, 1000));
  const auto head = client.head(path + "/download");
  REQUIRE(head);
  CHECK(head->get_header_value("Content-Length") == std::to_string(photo.size()));
  const auto on_the_fly = client.get(path + "/image?w=320");
  REQUIRE(on_the_fly);
  CHECK(on_the_fly->status == 200);

  // The original and its renditions are in the bucket, and nowhere else.
  const auto there = whole_blobs(*bucket);
  CHECK(there.contains(media::Digest::of(photo)));
  CHECK(there.size() > 2);
  CHECK_FALSE(std::filesystem::exists(server.store() / "segments"));
  CHECK(server.temps() == 0);
  CHECK(storage_health(client) == "healthy");

  // One that goes up in parts, and comes back through several reads ahead.
  const auto film = mp4(640, 360, 5'000, 20U << 20U);
  const json stored_film = upload(client, text_of(film), "video/mp4", "film.mp4");
  const std::string film_path = "/media/" + std::to_string(stored_film["id"].get<std::int64_t>());
  const auto film_back = client.get(film_path + "/download");
  REQUIRE(film_back);
  CHECK(film_back->body == text_of(film));
  const auto tail = client.get(film_path + "/download", {{"Range", "bytes=-1000"}});
  REQUIRE(tail);
  CHECK(tail->body == text_of(film).substr(film.size() - 1000));

  // Killed, it has lost nothing that it acknowledged.
  server.daemon->signal(SIGKILL);
  server.daemon->wait(10);
  server.start();
  Client again(server.port);
  CHECK(again.get(path + "/download")->body == text_of(photo));

  CHECK(again.remove(path)->status / 100 == 2);
  CHECK(again.remove(film_path)->status / 100 == 2);
  for (int i = 0; i < 2; ++i) {
    const auto collected = run({Mediad::mediactl(), "--store", server.store().string(), "gc", "--grace", "0s"}, credentials());
    INFO(collected.err);
    CHECK(collected.exit_code == 0);
  }
  CHECK(whole_blobs(*bucket).empty());
  CHECK(server.stop() == 0);
}

TEST_CASE("mediad: renditions in a bucket are fetched once, and served from memory until they are removed") {
  const std::string prefix = new_prefix();
  std::atomic<int> fetched{0};
  const FaultProxy proxy(gateway().port(), [&](const ProxiedRequest& request) {
    if (request.method == "GET" && request.headers.contains("range")) ++fetched;
    return ProxyFault{};
  });
  Mediad server(settings(prefix, proxy.endpoint()));
  Client client(server.port);
  const auto photo = gradient_png(1200, 900);
  const auto id = upload(client, text_of(photo), "image/png", "photo.png")["id"].get<std::int64_t>();
  REQUIRE(client.wait_processed(id)["status"] == "Complete");
  const std::string path = "/media/" + std::to_string(id) + "/renditions/thumb?format=webp";
  const auto first = client.get(path);
  REQUIRE(first);
  REQUIRE(first->status == 200);
  const int after_first = fetched;
  const auto start = std::chrono::steady_clock::now();
  // Beyond the two seconds for which whatever was opened stays open.
  for (int i = 0; std::chrono::steady_clock::now() - start < std::chrono::seconds(5); ++i) {
    const auto again = client.get(path);
    REQUIRE(again);
    REQUIRE(again->body == first->body);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  CHECK(fetched == after_first);
  const auto part = client.get(path, {{"Range", "bytes=100-199"}});
  REQUIRE(part);
  CHECK(part->status == 206);
  CHECK(part->body == first->body.substr(100, 100));
  CHECK(fetched == after_first);
  const auto metrics = client.get("/metrics");
  REQUIRE(metrics);
  CHECK(metrics->body.find(R"(media_read_cache_reads_total{from="memory"})") != std::string::npos);
  CHECK(metrics->body.find("media_read_cache_budget_bytes 67108864") != std::string::npos);

  CHECK(client.remove("/media/" + std::to_string(id))->status / 100 == 2);
  const auto gone = client.get(path);
  REQUIRE(gone);
  CHECK(gone->status == 404);
  CHECK(server.stop() == 0);
}

TEST_CASE("mediad: bytes that are damaged on their way from the object store are not served as the file") {
  const std::string prefix = new_prefix();
  std::atomic<bool> damaging{false};
  const FaultProxy proxy(gateway().port(), [&](const ProxiedRequest& request) {
    ProxyFault fault;
    const bool content = request.method == "GET" && request.headers.contains("range");
    if (damaging && content) fault.kind = ProxyFault::Kind::corrupt_answer;
    return fault;
  });
  Mediad server(settings(prefix, proxy.endpoint()));
  Client client(server.port);
  const auto photo = gradient_png(600, 500);
  const json stored = upload(client, text_of(photo), "image/png", "photo.png");
  const auto id = stored["id"].get<std::int64_t>();
  client.wait_processed(id);
  std::this_thread::sleep_for(std::chrono::milliseconds(2'500));  // what was opened a moment ago is kept for two seconds
  damaging = true;
  const auto damaged = client.get("/media/" + std::to_string(id) + "/download");
  // Either refused, or broken off before the end: never whole and wrong.
  if (damaged) CHECK_FALSE(damaged->status == 200);
  damaging = false;
  Client again(server.port);
  CHECK(again.get("/media/" + std::to_string(id) + "/download")->body == text_of(photo));
}

TEST_CASE("mediad: whole downloads are handed to the object store where that is wanted, and nothing else is") {
  const std::string prefix = new_prefix();
  auto environment = settings(prefix);
  environment.emplace_back("MEDIA_SERVICE_STORAGE_S3_REDIRECT=true");
  environment.emplace_back("MEDIA_SERVICE_PROCESSING_JOB_THREADS=0");
  const Mediad server(environment);
  Client client(server.port);
  const auto photo = gradient_png(400, 300);
  const json stored = upload(client, text_of(photo), "image/png", "a \"photo\".png");
  const std::string path = "/media/" + std::to_string(stored["id"].get<std::int64_t>()) + "/download";

  const auto handed = client.get(path, {{"Connection", "close"}});
  REQUIRE(handed);
  REQUIRE(handed->status == 302);
  CHECK(handed->get_header_value("Cache-Control") == "no-store");
  // The client library takes the escapes out of what it reads.
  const std::string url = run({"curl", "-sS", "--noproxy", "*", "-o", "/dev/null", "-w", "%{redirect_url}",
                               "http://127.0.0.1:" + std::to_string(server.port) + kApi + path})
                              .out;
  CHECK(url.starts_with(gateway().endpoint() + "/media/" + prefix + "/"));
  CHECK(url.find(ObjectStore::kSecretKey) == std::string::npos);
  const TempFolder folder;
  const auto fetched = run({"curl", "-sS", "--noproxy", "*", "-D", (folder / "head").string(), "-o", (folder / "body").string(), url});
  CHECK(fetched.exit_code == 0);
  CHECK(read_file(folder / "body") == photo);
  const std::string head = read_text(folder / "head");
  CHECK(head.find("image/png") != std::string::npos);
  CHECK(head.find("attachment; filename=") != std::string::npos);

  CHECK(client.get(path, {{"Range", "bytes=0-9"}})->status == 206);
  CHECK(client.head(path)->status == 200);
  CHECK(client.get(path, {{"If-None-Match", "\"" + stored["content_hash"].get<std::string>() + "\""}, {"Connection", "close"}})->status ==
        304);
  CHECK(client.get("/media/999999/download")->status == 404);
}

TEST_CASE("mediad: an object store that does not answer is the storage that health names, within its time") {
  std::atomic<bool> down{false};
  const FaultProxy proxy(gateway().port(), [&](const ProxiedRequest&) {
    ProxyFault fault;
    if (down) fault.kind = ProxyFault::Kind::black_hole;
    return fault;
  });
  const Mediad server(settings(new_prefix(), proxy.endpoint()));
  Client client(server.port);
  CHECK(storage_health(client) == "healthy");
  down = true;
  std::this_thread::sleep_for(std::chrono::milliseconds(1'200));  // answers a second old are given again
  const auto began = std::chrono::steady_clock::now();
  CHECK(storage_health(client) != "healthy");
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::milliseconds(3'000));
  down = false;
}

TEST_CASE("mediad: it does not start with blobs that it cannot reach, nor without those that it had") {
  const std::string prefix = new_prefix();
  auto wrong = settings(prefix);
  wrong.emplace_back("MEDIA_SERVICE_STORAGE_S3_SECRET_ACCESS_KEY=hidden-secret");
  {
    Mediad server(wrong, false);
    CHECK(server.daemon->wait(20) == 3);
    const std::string log = read_text(server.log());
    CHECK(log.find("the secret key does not fit the access key") != std::string::npos);
    CHECK(log.find("hidden-secret") == std::string::npos);
  }
  Mediad server(settings(prefix));
  CHECK(server.stop() == 0);
  server.environment.clear();
  server.start(false);
  CHECK(server.daemon->wait(20) == 3);
  CHECK(read_text(server.log()).find("keeps its blobs in s3://media/" + prefix) != std::string::npos);
}

TEST_CASE("mediad: settings of S3 that do not go together are refused") {
  const auto faults = [](const std::vector<std::string>& environment) {
    const auto checked = run({Mediad::binary(), "--check-config"}, environment);
    CHECK(checked.exit_code == 2);
    return checked.err;
  };
  CHECK(faults({"RUN_MODE=local", "MEDIA_SERVICE_STORAGE_S3_ENDPOINT=http://127.0.0.1:1"}).find("S3_BUCKET") != std::string::npos);
  CHECK(faults({"RUN_MODE=local", "MEDIA_SERVICE_STORAGE_S3_BUCKET=media", "MEDIA_SERVICE_STORAGE_S3_ACCESS_KEY_ID=a"})
            .find("SECRET_ACCESS_KEY") != std::string::npos);
  CHECK(faults({"RUN_MODE=local", "MEDIA_SERVICE_STORAGE_S3_BUCKET=media", "MEDIA_SERVICE_STORAGE_S3_PREFIX=/a"}).find("S3_PREFIX") !=
        std::string::npos);
  const auto shown = run({Mediad::binary(), "--print-config"},
                         {"RUN_MODE=local", "MEDIA_SERVICE_STORAGE_S3_BUCKET=media", "MEDIA_SERVICE_STORAGE_S3_ACCESS_KEY_ID=a",
                          "MEDIA_SERVICE_STORAGE_S3_SECRET_ACCESS_KEY=hidden-secret"});
  CHECK(shown.exit_code == 0);
  CHECK(shown.out.find("MEDIA_SERVICE_STORAGE_S3_BUCKET=media") != std::string::npos);
  CHECK(shown.out.find("hidden-secret") == std::string::npos);
}
