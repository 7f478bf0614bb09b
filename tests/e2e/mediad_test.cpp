// mediad as its clients and its operator meet it: the binary, a real socket, a real store.

#include <sys/mount.h>
#include <sys/socket.h>

#include <atomic>
#include <mutex>

#include "mediad_fixture.hpp"
#include "sanitized.hpp"

using nlohmann::json;
using namespace test;

namespace {

const std::string kNoRenditions = "MEDIA_SERVICE_PROCESSING_JOB_THREADS=0";

json parsed(const httplib::Result& answer, int status) {
  REQUIRE(answer);
  INFO(answer->body);
  REQUIRE(answer->status == status);
  return json::parse(answer->body);
}

void check_error(const httplib::Result& answer, int status) {
  const json body = parsed(answer, status);
  CHECK(body["error"].is_string());
  CHECK(body["message"].get<std::string>().size() > 5);
  CHECK(body["request_id"].get<std::string>().size() > 5);
  CHECK(answer->get_header_value("Content-Type").starts_with("application/json"));
}

/// Sends bytes as they are and reads until the other side closes, or says nothing for a second.
std::string raw_exchange(int port, const std::string& request, bool half_close) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  timeval patience{5, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  REQUIRE(::send(fd, request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size()));
  if (half_close) ::shutdown(fd, SHUT_WR);
  std::string answer;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::recv(fd, buffer, sizeof buffer, 0)) > 0;) answer.append(buffer, static_cast<std::size_t>(got));
  ::close(fd);
  return answer;
}

}  // namespace

TEST_CASE("mediad: a photo goes in and comes back in every size and format") {
  Mediad server;
  Client client(server.port);
  const auto photo = text_of(gradient_png(1200, 900));

  const auto answer = client.post_form({{"file", photo, "holiday photo.png", "image/png"}});
  const json stored = parsed(answer, 200);
  const auto id = stored["id"].get<std::int64_t>();
  CHECK(stored["media_id"] == id);
  CHECK(stored["media_type"] == "image/png");
  CHECK(stored["original_filename"] == "holiday photo.png");
  CHECK(stored["file_size"] == photo.size());
  CHECK(stored["width"] == 1200);
  CHECK(stored["height"] == 900);
  CHECK(stored["deduplicated"] == false);
  const std::string hash = stored["content_hash"];
  CHECK(stored["media_path"] == hash.substr(0, 2) + "/" + hash.substr(2, 2) + "/" + hash.substr(4, 2) + "/" + hash);
  CHECK(stored["upload_url"] == "http://127.0.0.1:" + std::to_string(server.port) + kApi + "/media/" + std::to_string(id) + "/download");

  const json status = client.wait_processed(id);
  CHECK(status["status"] == "Complete");
  CHECK(status["progress"] == 100);
  CHECK(status["error_message"].is_null());
  CHECK(status["processing_time_ms"].get<int>() > 0);

  const std::string path = "/media/" + std::to_string(id);
  const json media = parsed(client.get(path), 200);
  CHECK(media["renditions"].size() == 9);
  CHECK(media["placeholder"].get<std::string>().starts_with("#"));
  CHECK(media["dominant_color"].get<std::string>().size() == 7);
  CHECK(media["thumbhash"].get<std::string>().size() >= 24);
  // What a page puts into an element: each width once, rising, by the very URLs of the renditions.
  CHECK(media["srcset"].size() == 3);
  for (const char* format : {"avif", "webp", "jpeg"}) {
    std::string expected;
    for (const auto& [preset, width] : {std::pair("thumb", 320), std::pair("medium", 800), std::pair("large", 1200)}) {
      for (const auto& rendition : media["renditions"]) {
        if (rendition["format"] != format || rendition["preset"] != preset) continue;
        CHECK(rendition["width"] == width);
        expected += (expected.empty() ? "" : ", ") + rendition["url"].get<std::string>() + " " + std::to_string(width) + "w";
      }
    }
    CHECK(media["srcset"][format] == expected);
  }
  for (const auto& rendition : media["renditions"]) {
    const std::string url = rendition["url"];
    const auto fetched = client.http().Get(url.substr(url.find("/api/")).c_str());
    REQUIRE(fetched);
    CHECK(fetched->status == 200);
    CHECK(fetched->body.size() == rendition["size"]);
    CHECK(fetched->get_header_value("Content-Type") == rendition["media_type"].get<std::string>());
    CHECK_THAT(fetched->get_header_value("Cache-Control"), ContainsSubstring("immutable"));
  }

  const auto avif = client.get(path + "/renditions/thumb", {{"Accept", "image/avif,image/webp,*/*"}});
  REQUIRE(avif);
  CHECK(avif->status == 200);
  CHECK(avif->get_header_value("Content-Type") == "image/avif");
  CHECK(avif->body.substr(4, 8) == "ftypavif");
  CHECK(avif->get_header_value("Vary") == "Accept");
  CHECK(avif->get_header_value("X-Content-Type-Options") == "nosniff");
  CHECK(client.get(path + "/renditions/thumb", {{"Accept", "image/webp"}})->body.substr(0, 4) == "RIFF");
  CHECK(client.get(path + "/renditions/thumb", {{"Accept", "*/*"}})->body.substr(0, 2) == "\xFF\xD8");
  CHECK(client.get(path + "/renditions/large?format=png")->body.substr(1, 3) == "PNG");
  const auto unchanged = client.get(path + "/renditions/thumb",
                                    {{"Accept", "image/avif"}, {"If-None-Match", avif->get_header_value("ETag")}, {"Connection", "close"}});
  CHECK(unchanged->status == 304);
  check_error(client.get(path + "/renditions/huge"), 404);
  check_error(client.get(path + "/renditions/thumb?format=bmp"), 400);
}

TEST_CASE("mediad: the original comes back byte for byte, whole and in parts") {
  Mediad server({kNoRenditions});
  Client client(server.port);
  const auto photo = text_of(gradient_png(300, 200));
  const json stored = parsed(client.post_raw(photo, "image/png", "na\u00efve \"x\".png"), 200);
  const std::string path = "/media/" + stored["id"].dump() + "/download";

  const auto whole = client.get(path);
  REQUIRE(whole);
  CHECK(whole->status == 200);
  CHECK(whole->body == photo);
  CHECK(whole->get_header_value("ETag") == "\"" + stored["content_hash"].get<std::string>() + "\"");
  // The client decodes percent signs in fields; the exact spelling is the unit tests' business.
  CHECK(whole->get_header_value("Content-Disposition").starts_with("attachment; filename=\"na_ve _x_.png\"; filename*=UTF-8''na"));
  CHECK(whole->get_header_value("Repr-Digest").starts_with("sha-256=:"));
  CHECK(client.get(path + "?disposition=inline")->get_header_value("Content-Disposition").starts_with("inline"));

  const auto part = client.get(path, {{"Range", "bytes=100-199"}});
  CHECK(part->status == 206);
  CHECK(part->body == photo.substr(100, 100));
  CHECK(part->get_header_value("Content-Range") == "bytes 100-199/" + std::to_string(photo.size()));
  CHECK(client.get(path, {{"Range", "bytes=-50"}})->body == photo.substr(photo.size() - 50));
  check_error(client.get(path, {{"Range", "bytes=99999999-"}}), 416);
  CHECK(client.get(path, {{"If-None-Match", whole->get_header_value("ETag")}, {"Connection", "close"}})->status == 304);
  const auto head = client.head(path);
  CHECK(head->status == 200);
  CHECK(head->body.empty());
  CHECK(head->get_header_value("Content-Length") == std::to_string(photo.size()));
}

TEST_CASE("mediad: the list walks forward and back by its cursors") {
  Mediad server({kNoRenditions});
  Client client(server.port);
  std::vector<std::int64_t> ids;
  for (int i = 0; i < 7; ++i) {
    ids.push_back(
        parsed(client.post_raw(text_of(gradient_png(4, 4, std::to_string(i))), "image/png", std::to_string(i) + ".png"), 200)["id"]);
  }
  const auto page_ids = [](const json& page) {
    std::vector<std::int64_t> out;
    for (const auto& item : page["data"]) out.push_back(item["id"]);
    return out;
  };
  std::vector<std::int64_t> walked;
  std::vector<json> pages;
  std::string cursor;
  do {
    pages.push_back(parsed(client.get("/media/?limit=3" + (cursor.empty() ? "" : "&cursor=" + cursor)), 200));
    for (const auto id : page_ids(pages.back())) walked.push_back(id);
    const json& next = pages.back()["pagination"]["next_cursor"];
    CHECK(next.is_null() != pages.back()["pagination"]["has_next"].get<bool>());
    cursor = next.is_null() ? "" : next.get<std::string>();
  } while (!cursor.empty());
  CHECK(walked == ids);
  REQUIRE(pages.size() == 3);
  CHECK(pages[0]["pagination"]["has_prev"] == false);
  CHECK(pages[2]["pagination"]["has_prev"] == true);
  const json back = parsed(client.get("/media?limit=3&cursor=" + pages[2]["pagination"]["prev_cursor"].get<std::string>()), 200);
  CHECK(page_ids(back) == page_ids(pages[1]));
  CHECK(back["pagination"]["has_next"] == true);
  CHECK(page_ids(parsed(client.get("/media?order=desc&limit=2"), 200)) == std::vector<std::int64_t>{ids[6], ids[5]});
  CHECK(parsed(client.get("/media?offset=5"), 200).size() == 2);
  CHECK(parsed(client.get("/media?status=Processing"), 200)["data"].size() == 7);
  CHECK(parsed(client.get("/media?type=video/"), 200)["data"].empty());
  CHECK(parsed(client.get("/media?q=3.PNG"), 200)["data"].size() == 1);
  for (const char* bad :
       {"?limit=0", "?limit=101", "?limit=x", "?cursor=%25", "?status=complete", "?order=up", "?from=yesterday", "?offset=-1"}) {
    check_error(client.get(std::string("/media") + bad), 400);
  }
}

TEST_CASE("mediad: delete answers 204 with nothing, and the media is gone") {
  Mediad server({kNoRenditions});
  Client client(server.port);
  const json stored = parsed(client.post_raw(text_of(gradient_png(4, 4)), "image/png", "a.png"), 200);
  const std::string path = "/media/" + stored["id"].dump();
  const auto etag = client.get(path)->get_header_value("ETag");
  CHECK(client.get(path, {{"If-None-Match", etag}, {"Connection", "close"}})->status == 304);
  const auto removed = client.remove(path);
  CHECK(removed->status == 204);
  CHECK(removed->body.empty());
  check_error(client.get(path), 404);
  check_error(client.get(path + "/download"), 404);
  check_error(client.remove(path), 404);
}

TEST_CASE("mediad: every failure has the one shape and the right status") {
  Mediad server({kNoRenditions, "MEDIA_SERVICE_MIDDLEWARE_VALIDATION_MAX_FILE_SIZE_MB=1", "MEDIA_SERVICE_STORAGE_MAX_FILE_SIZE=2000000"});
  Client client(server.port);
  check_error(client.get("/nothing"), 404);
  check_error(client.get("/media/0"), 400);
  check_error(client.get("/media/x"), 400);
  check_error(client.get("/media/9007199254740992"), 400);
  check_error(client.get("/media/7"), 404);
  const auto not_allowed = client.http().Put((kApi + "/media").c_str(), "x", "text/plain");
  check_error(not_allowed, 405);
  CHECK_THAT(not_allowed->get_header_value("Allow"), ContainsSubstring("POST"));

  const auto picture = text_of(gradient_png(40, 40));
  check_error(client.post_raw("", "image/png", "a.png"), 400);
  check_error(client.post_raw("<!doctype html><p>hi", "image/jpeg", "a.jpg"), 415);
  check_error(client.post_raw(picture, "image/jpeg", "a.jpg"), 422);
  check_error(client.post_raw(picture.substr(0, picture.size() - 20), "image/png", "a.png"), 422);
  check_error(client.post_raw(std::string(1'500'000, 'x'), "image/png", "a.png"), 413);
  check_error(client.post_raw(std::string(1'500'000, 'x'), "application/octet-stream", "a.png"), 415);
  check_error(client.post_raw(text_of(gradient_png(700, 700)), "image/png", "a.png"), 413);
  check_error(client.post_raw(std::string(3'000'000, 'x'), "image/png", "a.png"), 413);
  check_error(client.post_form({{"other", "x", "", ""}}), 400);
  check_error(client.post_form({{"file", picture, "a.png", "image/png"}, {"file", picture, "b.png", "image/png"}}), 400);

  const std::string head = "POST " + kApi + "/media HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=B\r\n";
  const std::string endless = "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n\r\n" + picture;
  CHECK_THAT(raw_exchange(server.port,
                          head + "Connection: close\r\nContent-Length: " + std::to_string(endless.size()) + "\r\n\r\n" + endless, false),
             ContainsSubstring(" 400 "));
  CHECK_THAT(raw_exchange(server.port,
                          "POST " + kApi + "/media HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + picture.substr(0, 100), true),
             ContainsSubstring(" 400 "));
  CHECK(parsed(client.get("/media"), 200)["data"].empty());
  CHECK(server.temps() == 0);
  CHECK(server.stop() == 0);
  CHECK(run({Mediad::mediactl(), "--store", server.store().string(), "verify"}).exit_code == 0);
}

TEST_CASE("mediad: a form may name its file before or after it") {
  Mediad server({kNoRenditions});
  Client client(server.port);
  const auto picture = text_of(gradient_png(5, 5));
  CHECK(parsed(client.post_form({{"file", picture, "x.png", "image/png"}, {"filename", "after.png", "", ""}}), 200)["original_filename"] ==
        "after.png");
  CHECK(parsed(client.post_form({{"filename", "../../before.png", "", ""}, {"file", picture, "x.png", "image/png"}}),
               200)["original_filename"] == "before.png");
  const auto keyed = parsed(client.post_raw(picture, "image/png", "k.png", {{"Idempotency-Key", "one"}}), 200);
  CHECK(parsed(client.post_raw(picture, "image/png", "other.png", {{"Idempotency-Key", "one"}}), 200)["id"] == keyed["id"]);
  check_error(client.post_raw(text_of(gradient_png(6, 6)), "image/png", "k.png", {{"Idempotency-Key", "one"}}), 409);
}

TEST_CASE("mediad: fifty uploads at once all come back byte-identical") {
  Mediad server({kNoRenditions});
  std::atomic<int> identical{0};
  std::vector<std::jthread> clients;
  for (int t = 0; t < 50; ++t) {
    clients.emplace_back([&, t] {
      const auto content = text_of(mp4(320, 240, 1000, 5'000'000 + static_cast<std::size_t>(t)));
      Client client(server.port);
      const auto stored = client.post_raw(content, "video/mp4", std::to_string(t) + ".mp4");
      if (!stored || stored->status != 200) return;
      const auto fetched = client.get("/media/" + json::parse(stored->body)["id"].dump() + "/download");
      if (fetched && fetched->status == 200 && fetched->body == content) ++identical;
    });
  }
  clients.clear();
  CHECK(identical == 50);
  if (!test::kSanitized) CHECK(server.daemon->status_kib("VmHWM") < 64 * 1024);
}

TEST_CASE("mediad: a 500 MB upload never takes it above 64 MiB") {
  Mediad server({kNoRenditions});
  const auto content = mp4(1920, 1080, 60'000, 499'000'000);
  Client client(server.port);
  std::size_t sent = 0;
  const auto stored = client.http().Post((kApi + "/media").c_str(), {{"X-Filename", "long.mp4"}}, content.size(),
                                         [&](std::size_t offset, std::size_t length, httplib::DataSink& sink) {
                                           const std::size_t step = std::min<std::size_t>(length, 1U << 20U);
                                           sent += step;
                                           return sink.write(reinterpret_cast<const char*>(content.data()) + offset, step);
                                         },
                                         "video/mp4");
  const json media = parsed(stored, 200);
  CHECK(media["file_size"] == content.size());
  CHECK(media["duration_ms"] == 60'000);
  const auto peak = server.daemon->status_kib("VmHWM");
  WARN("peak resident memory of mediad: " << peak << " KiB");
  CHECK(peak > 0);
  if (!test::kSanitized) CHECK(peak < 64 * 1024);
}

TEST_CASE("mediad: killed under load, it loses nothing that it acknowledged") {
  const char* const wanted = std::getenv("MEDIA_TEST_KILLS");
  const int rounds = wanted != nullptr ? std::atoi(wanted) : 5;
  Mediad server;
  std::vector<std::pair<std::int64_t, std::string>> acknowledged;
  std::mutex mutex;
  const auto count = [&] {
    const std::lock_guard lock(mutex);
    return acknowledged.size();
  };
  for (int round = 0; round < rounds; ++round) {
    std::atomic<bool> stop{false};
    const std::size_t before = count();
    {
      std::vector<std::jthread> uploaders;
      for (int t = 0; t < 4; ++t) {
        uploaders.emplace_back([&, t] {
          Client client(server.port);
          for (int i = 0; !stop; ++i) {
            const auto content = text_of(gradient_png(64 + static_cast<std::uint32_t>(i % 50), 64,
                                                      std::to_string(round) + "." + std::to_string(t) + "." + std::to_string(i)));
            const auto stored = client.post_raw(content, "image/png", std::to_string(i) + ".png");
            if (!stored || stored->status != 200) continue;
            const auto id = json::parse(stored->body, nullptr, false);
            if (!id.is_object()) continue;
            const std::lock_guard lock(mutex);
            acknowledged.emplace_back(id["id"], content);
          }
        });
      }
      // Not before there is something to lose, however slow the machine.
      for (int i = 0; i < 2000 && count() < before + 3; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
      std::this_thread::sleep_for(std::chrono::milliseconds(97 * round % 400));
      server.daemon->signal(SIGKILL);
      server.daemon->wait(10);
      stop = true;
    }
    const auto verified = run({Mediad::mediactl(), "--store", server.store().string(), "verify", "--json"});
    INFO(verified.out << verified.err);
    CHECK(verified.out.find("\"damaged\",") == std::string::npos);
    CHECK(verified.out.find("\"problem\":\"damaged\"") == std::string::npos);
    CHECK(verified.out.find("\"problem\":\"missing\"") == std::string::npos);
    server.start();
  }
  CHECK(server.temps() == 0);
  Client client(server.port);
  REQUIRE(acknowledged.size() > 10);
  std::size_t whole = 0;
  for (const auto& [id, content] : acknowledged) {
    const auto fetched = client.get("/media/" + std::to_string(id) + "/download");
    whole += fetched && fetched->status == 200 && fetched->body == content ? 1U : 0U;
  }
  CHECK(whole == acknowledged.size());
  // What was queued when it died is done now.
  CHECK(client.wait_processed(acknowledged.front().first)["status"] == "Complete");
  CHECK(client.wait_processed(acknowledged.back().first)["status"] == "Complete");
}

TEST_CASE("mediad: told to stop, it finishes uploads in flight and ends with 0") {
  Mediad server({kNoRenditions});
  const auto content = text_of(mp4(320, 240, 1000, 3'000'000));
  std::atomic<bool> begun{false};
  std::atomic<int> status{0};
  std::jthread uploader([&] {
    Client client(server.port);
    const auto stored = client.http().Post((kApi + "/media").c_str(), {{"X-Filename", "a.mp4"}}, content.size(),
                                           [&](std::size_t offset, std::size_t length, httplib::DataSink& sink) {
                                             std::this_thread::sleep_for(std::chrono::milliseconds(20));
                                             if (offset > 500'000) begun = true;
                                             return sink.write(content.data() + offset, std::min<std::size_t>(length, 100'000));
                                           },
                                           "video/mp4");
    status = stored ? stored->status : -1;
  });
  while (!begun) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  const auto started = std::chrono::steady_clock::now();
  CHECK(server.stop() == 0);
  CHECK(std::chrono::steady_clock::now() - started < std::chrono::seconds(10));
  uploader.join();
  CHECK(status == 200);
  server.start();
  Client client(server.port);
  CHECK(client.get("/media/1/download")->body == content);
}

TEST_CASE("mediad: told by SIGHUP, it logs more and less without a restart") {
  const auto wait_for = [](const Mediad& server, const std::string& text) {
    for (int i = 0; i < 200 && read_text(server.log()).find(text) == std::string::npos; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return read_text(server.log()).find(text) != std::string::npos;
  };
  SECTION("to debug and back") {
    Mediad server({kNoRenditions, "MEDIA_SERVICE_LOGGING_LEVEL=warn"});
    Client client(server.port);
    client.get("/media/111");
    client.get("/media/112");  // A request is logged before the next one of its connection is read, but after it was answered.
    server.daemon->signal(SIGHUP);
    CHECK(wait_for(server, "level=debug"));
    client.get("/media/222");
    CHECK(wait_for(server, "/media/222"));
    server.daemon->signal(SIGHUP);
    // At warn the change is no line; that it came shows in what is not logged any more.
    for (int id = 300; id < 500; ++id) {
      const std::string path = "/media/" + std::to_string(id);
      client.get(path);
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      if (read_text(server.log()).find(path) == std::string::npos) break;
      REQUIRE(id < 499);
    }
    CHECK(read_text(server.log()).find("/media/111") == std::string::npos);
    CHECK(server.stop() == 0);
  }
  SECTION("to what a file says") {
    const TempFolder folder;
    const auto file = folder / "level";
    write_file(file, "error\n");
    Mediad server({kNoRenditions, "MEDIA_SERVICE_LOGGING_LEVEL_FILE=" + file.string()});
    Client client(server.port);
    client.get("/media/111");
    write_file(file, "loud\n");
    server.daemon->signal(SIGHUP);
    CHECK(wait_for(server, "names none"));
    client.get("/media/222");
    write_file(file, "info\n");
    server.daemon->signal(SIGHUP);
    CHECK(wait_for(server, "level=info"));
    client.get("/media/333");
    CHECK(wait_for(server, "/media/333"));
    const std::string log = read_text(server.log());
    CHECK(log.find("/media/111") == std::string::npos);
    CHECK(log.find("/media/222") == std::string::npos);
  }
}

TEST_CASE("mediad: health, readiness and liveness answer as the contract has them") {
  Mediad server({kNoRenditions});
  Client client(server.port);
  for (const auto& [path, word] : {std::pair{"/health", "healthy"}, std::pair{"/ready", "ready"}, std::pair{"/health/", "healthy"}}) {
    const json body = parsed(client.get(path), 200);
    CHECK(body["status"] == word);
    CHECK(body["service"] == "media-management-service");
    CHECK(body["checks"]["database"]["status"] == word);
    CHECK(body["checks"]["storage"]["status"] == word);
    CHECK(body["checks"]["overall"] == word);
    CHECK(body["response_time_ms"].is_number());
  }
  CHECK(parsed(client.get("/live"), 200)["status"] == "alive");
}

TEST_CASE("mediad: a wrong configuration stops the start with a line for each fault") {
  const auto answer = run({Mediad::binary()}, {"MEDIA_SERVICE_SERVER_PORT=x", "MEDIA_SERVICE_TYPO=1", "RUN_MODE=local"});
  CHECK(answer.exit_code == 2);
  CHECK_THAT(answer.err, ContainsSubstring("MEDIA_SERVICE_SERVER_PORT: accepts"));
  CHECK_THAT(answer.err, ContainsSubstring("MEDIA_SERVICE_TYPO: not a setting"));
  CHECK(run({Mediad::binary(), "--check-config"}, {"RUN_MODE=local"}).exit_code == 0);
  CHECK(run({Mediad::binary(), "--frobnicate"}).exit_code == 2);
  CHECK_THAT(run({Mediad::binary(), "--print-config"}, {"RUN_MODE=local"}).out, ContainsSubstring("MEDIA_SERVICE_SERVER_PORT=3000"));
  CHECK_THAT(run({Mediad::binary(), "--version"}).out, ContainsSubstring("mediad "));
}

TEST_CASE("mediad: a port that is taken and a store from the future are said in one sentence") {
  Mediad server({kNoRenditions});
  Mediad second({"MEDIA_SERVICE_SERVER_PORT=" + std::to_string(server.port)}, false);
  CHECK(second.daemon->wait(10) == 3);
  CHECK_THAT(read_text(second.log()), ContainsSubstring("mediad: cannot start: "));
}

TEST_CASE("mediad: a full disk is 507, keeps nothing half-done, and passes") {
  const TempFolder folder;
  if (::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=24m") != 0) {
    WARN("skipped: this needs the right to mount a tmpfs");
    return;
  }
  {
    Mediad server({kNoRenditions, "MEDIA_SERVICE_STORAGE_BASE_PATH=" + (folder / "store").string()});
    Client client(server.port);
    int stored = 0;
    int full = 0;
    std::vector<std::string> ids;
    for (int i = 0; i < 12; ++i) {
      const auto answer = client.post_raw(text_of(mp4(320, 240, 1000, 3'000'000 + static_cast<std::size_t>(i))), "video/mp4", "a.mp4");
      REQUIRE(answer);
      if (answer->status == 200) {
        ++stored;
        ids.push_back(json::parse(answer->body)["id"].dump());
      } else {
        ++full;
        check_error(answer, 507);
      }
    }
    CHECK(stored >= 3);
    CHECK(full >= 3);
    for (const auto& id : ids) CHECK(client.get("/media/" + id + "/download")->status == 200);
    CHECK(server.stop() == 0);
    REQUIRE(::mount("tmpfs", folder.path().c_str(), "tmpfs", MS_REMOUNT, "size=64m") == 0);
    server.start();
    Client after(server.port);
    CHECK(after.post_raw(text_of(mp4(320, 240, 1000, 3'500'000)), "video/mp4", "b.mp4")->status == 200);
    CHECK(server.stop() == 0);
    const auto verified = run({Mediad::mediactl(), "--store", (folder / "store").string(), "verify", "--json"});
    INFO(verified.out);
    CHECK(verified.exit_code == 0);
  }
  CHECK(::umount(folder.path().c_str()) == 0);
}

TEST_CASE("mediad: mediactl works on the store that it serves") {
  Mediad server({kNoRenditions});
  Client client(server.port);
  write_file(server.folder / "in" / "a.png", gradient_png(30, 30, "cli"));
  const auto ingested = run({Mediad::mediactl(), "--store", server.store().string(), "ingest", "--json", (server.folder / "in").string()});
  INFO(ingested.out << ingested.err);
  CHECK(ingested.exit_code == 0);
  const json first = json::parse(ingested.out.substr(0, ingested.out.find('\n')));
  CHECK(first["status"] == "stored");
  CHECK(parsed(client.get("/media/" + first["id"].dump()), 200)["processing_status"] == "Complete");
  for (int i = 0; i < 20; ++i) CHECK(client.post_raw(text_of(gradient_png(4, 4, std::to_string(i))), "image/png", "x.png")->status == 200);
  CHECK(run({Mediad::mediactl(), "--store", server.store().string(), "verify"}).exit_code == 0);
}
