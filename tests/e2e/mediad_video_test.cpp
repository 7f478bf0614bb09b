// A video's way through the server: posters at upload, pictures of it on the fly, tiles for scrubbing.
#include <sqlite3.h>

#include <algorithm>
#include <filesystem>

#include "ffmpeg.hpp"
#include "media/digest.hpp"
#include "mediad_fixture.hpp"
#include "video_script.hpp"

using namespace test;
using nlohmann::json;

namespace {

std::string film(const std::vector<std::string>& coding, const std::string& name = "a.mp4") {
  std::vector<std::string> arguments{"-f", "lavfi", "-i", "testsrc2=s=640x360:r=25:d=3"};
  arguments.insert(arguments.end(), coding.begin(), coding.end());
  return text_of(test::film(name, arguments));
}

std::int64_t upload(Client& client, const std::string& content, const std::string& status) {
  const auto answer = client.post_raw(content, "video/mp4", "a.mp4");
  REQUIRE(answer);
  REQUIRE(answer->status == 200);
  const auto id = json::parse(answer->body)["id"].get<std::int64_t>();
  const json processed = client.wait_processed(id);
  INFO(processed.dump());
  CHECK(processed["status"] == status);
  return id;
}

httplib::Result order(Client& client, std::int64_t id, const json& wanted) {
  return client.http().Post((kApi + "/media/" + std::to_string(id) + "/videos").c_str(), wanted.dump(), "application/json");
}

json video_of(Client& client, std::int64_t id, const std::string& transform) {
  const auto answer = client.get("/media/" + std::to_string(id) + "/videos");
  REQUIRE(answer);
  REQUIRE(answer->status == 200);
  const json body = json::parse(answer->body);
  for (const json& each : body["data"]) {
    if (each["transform"] == transform) return each;
  }
  return nullptr;
}

/// Sees a video through, and that its progress never falls.
json wait_for_video(Client& client, std::int64_t id, const std::string& transform, const std::function<void(const json&)>& look = {}) {
  int before = 0;
  for (int i = 0; i < 6000; ++i) {
    const json video = video_of(client, id, transform);
    REQUIRE_FALSE(video.is_null());
    INFO(video.dump());
    const int progress = video["progress"].get<int>();
    REQUIRE(progress >= before);
    REQUIRE((progress == 100) == (video["state"] == "ready"));
    before = progress;
    if (video["state"] == "ready" || video["state"] == "failed") return video;
    if (look) look(video);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  FAIL("it is encoded for ever");
  return {};
}

json told_by_ffprobe(const std::string& content) {
  const TempFolder folder;
  write_file(folder / "a", content);
  const auto told = run({"ffprobe", "-v", "error", "-of", "json", "-show_format", "-show_streams", (folder / "a").string()});
  INFO(told.err);
  CHECK(told.exit_code == 0);
  CHECK(told.err.empty());
  return json::parse(told.out);
}

/// Processes of this server that encode at this moment: its video workers that use the processor.
std::vector<pid_t> video_workers(pid_t server) {
  std::vector<pid_t> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::string stat = read_text(entry.path() / "stat");
    const auto end = stat.rfind(')');
    if (end == std::string::npos || stat.find("(media-video-wor") == std::string::npos) continue;
    if (std::stol(stat.substr(end + 4)) == server) found.push_back(static_cast<pid_t>(std::stol(name)));
  }
  return found;
}

}  // namespace

TEST_CASE("mediad: an uploaded video gets its posters, and its pictures are served like any other's") {
  Mediad server;
  Client client(server.port);
  const auto id = upload(client, film({"-c:v", "libx264", "-g", "25", "-pix_fmt", "yuv420p"}), "Complete");
  const std::string path = "/media/" + std::to_string(id);
  const json media = json::parse(client.get(path)->body);
  CHECK(media["renditions"].size() == 9);
  CHECK(media["srcset"]["avif"].is_string());
  CHECK(media["thumbhash"].is_string());
  CHECK(media["placeholder"].is_string());
  CHECK(media["duration_ms"] == 3000);

  const auto thumbnail = client.get(path + "/image?w=320&format=jpeg");
  REQUIRE(thumbnail);
  CHECK(thumbnail->status == 200);
  CHECK(thumbnail->get_header_value("Content-Type") == "image/jpeg");
  CHECK(thumbnail->body.starts_with("\xFF\xD8\xFF"));
  const auto preset = client.get(path + "/renditions/thumb?format=webp");
  CHECK(preset->status == 200);
  CHECK(preset->body.substr(8, 4) == "WEBP");
  // What costs more takes a signature.
  CHECK(client.get(path + "/image?w=320&at=1")->status == 401);
  CHECK(client.get(path + "/image?w=320&frames=clip")->status == 401);

  const auto index = client.get(path + "/sheet.vtt");
  REQUIRE(index);
  REQUIRE(index->status == 200);
  CHECK(index->get_header_value("Content-Type").starts_with("text/vtt"));
  CHECK(index->body.starts_with("WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nhttp"));
  CHECK(index->body.find("#xywh=320,0,160,90\n") != std::string::npos);
  // The URL in it is signed: the sheet is there for whoever has it.
  const auto begin = index->body.find("/media/" + std::to_string(id) + "/image?");
  REQUIRE(begin != std::string::npos);
  const auto sheet = client.get(index->body.substr(begin, index->body.find('#', begin) - begin));
  REQUIRE(sheet);
  CHECK(sheet->status == 200);
  CHECK(sheet->get_header_value("Content-Type") == "image/webp");
  CHECK(client.get(path + "/sheet.vtt?w=320&format=jpeg")->status == 200);
  CHECK(client.get(path + "/sheet.vtt?w=321")->status == 401);
  CHECK(client.get(path + "/sheet.vtt?format=gif")->status == 400);
  CHECK(client.get(path + "/sheet.vtt?blur=2")->status == 400);
  CHECK(client.get(path + "/sheet.vtt?w=160&w=160")->status == 400);
}

TEST_CASE("mediad: what cannot be shown of a video is said, and the video is kept") {
  Mediad server;
  Client client(server.port);
  const auto locked = upload(client,
                             film({"-c:v", "libx264", "-encryption_scheme", "cenc-aes-ctr", "-encryption_key",
                                   "76a6c65c5ea762046bd749a2e632ccbb", "-encryption_kid", "a7e61c373e219033c21091fa607bf3b8"}),
                             "Complete");
  const std::string path = "/media/" + std::to_string(locked);
  CHECK(json::parse(client.get(path)->body)["renditions"].empty());
  const auto picture = client.get(path + "/image?w=320&format=jpeg");
  REQUIRE(picture);
  CHECK(picture->status == 404);
  CHECK(picture->body.find("encrypted") != std::string::npos);
  CHECK(client.get(path + "/download")->status == 200);

  const auto hollow = upload(client, text_of(mp4(64, 48, 1000, 500)), "Failed");
  CHECK(client.get("/media/" + std::to_string(hollow) + "/download")->status == 200);
  CHECK(client.get("/media/" + std::to_string(hollow) + "/image?w=320&format=jpeg")->status == 422);

  const auto photo = client.post_raw(text_of(gradient_png(64, 48)), "image/png", "a.png");
  CHECK(client.get("/media/" + json::parse(photo->body)["id"].dump() + "/sheet.vtt")->status == 404);
  CHECK(client.get("/media/9999/sheet.vtt")->status == 404);
}

TEST_CASE("mediad: an MP4 whose index comes last is delivered so that it plays while it comes") {
  Mediad server;
  Client client(server.port);
  const std::string source = film({"-c:v", "libx264", "-g", "25", "-pix_fmt", "yuv420p"});
  REQUIRE(source.find("mdat") < source.find("moov"));
  const auto id = upload(client, source, "Complete");
  const std::string path = "/media/" + std::to_string(id) + "/video?codecs=keep";
  const auto whole = client.get(path);
  REQUIRE(whole);
  REQUIRE(whole->status == 200);
  CHECK(whole->get_header_value("Content-Type") == "video/mp4");
  CHECK(whole->get_header_value("Accept-Ranges") == "bytes");
  CHECK(whole->body.size() == source.size());
  CHECK(whole->body.find("moov") < whole->body.find("mdat"));
  told_by_ffprobe(whole->body);
  const auto part = client.get(path, {{"Range", "bytes=1000-1999"}});
  CHECK(part->status == 206);
  CHECK(part->body == whole->body.substr(1000, 1000));
  CHECK(client.get(path)->get_header_value("ETag") == whole->get_header_value("ETag"));
  // It is no video that was ordered, and no copy is kept of it.
  CHECK(video_of(client, id, "format=mp4,codecs=keep").is_null());
  CHECK(client.get("/media/" + std::to_string(id) + "/image?w=320&format=mp4")->status == 401);
  CHECK(client.get("/media/" + std::to_string(id) + "/renditions/thumb?format=mp4")->status == 400);
}

TEST_CASE("mediad: a video is encoded by a job, whose progress rises to 100") {
  Mediad server;
  Client client(server.port);
  const auto id = upload(client, film({"-c:v", "libx264", "-g", "25", "-pix_fmt", "yuv420p"}), "Complete");
  const std::string path = "/media/" + std::to_string(id) + "/video";
  CHECK(client.get(path)->status == 404);
  const auto ordered = order(client, id, {{"format", "mp4"}});
  REQUIRE(ordered);
  REQUIRE(ordered->status == 202);
  CHECK(json::parse(ordered->body)["url"].is_null());
  // Once more is the same job, unless it is there already.
  const auto again = order(client, id, {{"format", "mp4"}});
  CHECK((again->status == 200 || json::parse(again->body)["job_id"] == json::parse(ordered->body)["job_id"]));
  const json video = wait_for_video(client, id, "format=mp4");
  CHECK(video["state"] == "ready");
  CHECK(video["width"] == 640);
  const auto content = client.get(path + "?format=mp4");
  REQUIRE(content->status == 200);
  CHECK(content->body.size() == video["size"].get<std::size_t>());
  CHECK(content->body.find("moov") < content->body.find("mdat"));
  CHECK(told_by_ffprobe(content->body)["streams"][0]["codec_name"] == "h264");
  CHECK(order(client, id, {{"format", "mp4"}})->status == 200);

  const auto photo = client.post_raw(text_of(gradient_png(64, 48)), "image/png", "a.png");
  CHECK(order(client, json::parse(photo->body)["id"].get<std::int64_t>(), {{"format", "mp4"}})->status == 422);
  const auto hollow = upload(client, text_of(mp4(64, 48, 86'400'000, 1500)), "Failed");
  REQUIRE(order(client, hollow, {{"format", "webm"}})->status == 202);
  const json failed = wait_for_video(client, hollow, "format=webm");
  CHECK(failed["state"] == "failed");
  CHECK_FALSE(failed["error_message"].get<std::string>().empty());
  CHECK(client.get("/media/" + std::to_string(hollow) + "/video?format=webm")->status == 422);
}

TEST_CASE("mediad: of one media sixteen videos are on their way at most") {
  Mediad server({"MEDIA_SERVICE_PROCESSING_ENCODINGS=0"});
  Client client(server.port);
  const auto id = upload(client, film({"-c:v", "libx264", "-g", "25", "-pix_fmt", "yuv420p"}), "Complete");
  for (int width = 16; width < 16 + 2 * 16; width += 2) CHECK(order(client, id, {{"format", "mp4"}, {"w", width}})->status == 202);
  CHECK(order(client, id, {{"format", "mp4"}, {"w", 100}})->status == 409);
  CHECK(order(client, id, {{"format", "mp4"}, {"w", 16}})->status == 202);
}

TEST_CASE("mediad: of a worker that lies about what it encoded nothing is published, and the job says why") {
  Mediad server({"MEDIA_VIDEO_WORKER=" ODD_WORKER});
  Client client(server.port);
  const std::vector<std::string> coding{"-vf", "scale=64:48", "-c:v", "libx264", "-pix_fmt", "yuv420p"};
  const std::string truth = film(coding);
  const auto ordered = [&](const std::string& lie) {
    const auto script = Script::of(std::as_bytes(std::span(lie)), 64, 48);
    const auto answer = client.post_raw(text_of(script.in(mp4(64, 48, 1000, 500))), "video/mp4", "a.mp4");
    REQUIRE(answer);
    REQUIRE(answer->status == 200);
    const auto id = json::parse(answer->body)["id"].get<std::int64_t>();
    client.wait_processed(id);
    REQUIRE(order(client, id, {{"format", "mp4"}})->status == 202);
    return id;
  };
  // It is the worker's lie that is refused: with the truth a video comes of it.
  const auto honest = ordered(truth);
  REQUIRE(wait_for_video(client, honest, "format=mp4")["state"] == "ready");
  const auto kept = [&] { return run({Mediad::mediactl(), "--store", server.store().string(), "--json", "renditions", "stat"}).out; };

  const std::vector<std::pair<std::string, std::string>> lies{
      {truth.substr(0, truth.find("moov") - 4), "without its movie box"},
      {"<html><script>alert(1)</script>", "the worker encoded something else than was ordered"},
      {film({"-vf", "scale=64:48", "-c:v", "libx265", "-x265-params", "log-level=none", "-pix_fmt", "yuv420p"}), "its pictures are hevc"},
      {film({"-vf", "scale=32:24", "-c:v", "libx264", "-pix_fmt", "yuv420p"}), "its size is not what it was told to be"},
      {truth + "PK", "something is behind it"},
  };
  for (const auto& [lie, reason] : lies) {
    const auto id = ordered(lie);
    const std::string before = kept();
    const json video = wait_for_video(client, id, "format=mp4");
    INFO(video.dump());
    CHECK(video["state"] == "failed");
    CHECK(video["error_message"].get<std::string>().find(reason) != std::string::npos);
    CHECK(video["url"].is_null());
    CHECK(video["size"].is_null());
    CHECK(client.get("/media/" + std::to_string(id) + "/video?format=mp4")->status == 422);
    CHECK(kept() == before);
  }
  CHECK(server.temps() == 0);
  CHECK(run({Mediad::mediactl(), "--store", server.store().string(), "verify"}).exit_code == 0);
}

TEST_CASE("mediad: where no video worker is installed no video is ordered, and all that needs none is served") {
  const TempFolder programs;
  for (const char* const name : {"mediad", "media-worker"}) {
    std::filesystem::copy_file(std::filesystem::path(Mediad::binary()).parent_path() / name, programs / name);
  }
  Mediad server({}, true, (programs / "mediad").string());
  Client client(server.port);
  const std::string source = film({"-c:v", "libx264", "-pix_fmt", "yuv420p"});
  const auto id = upload(client, source, "Complete");
  const auto refused = order(client, id, {{"format", "mp4"}});
  REQUIRE(refused);
  INFO(refused->body);
  CHECK(refused->status == 501);
  const json body = json::parse(refused->body);
  CHECK(body["error"] == "Not Implemented");
  CHECK(body["message"] == "no videos are encoded here");
  CHECK_FALSE(refused->has_header("Retry-After"));
  // What is wrong with the order itself is told first, and nothing of it is kept.
  CHECK(order(client, id, {{"format", "gif"}})->status == 400);
  CHECK(order(client, 9999, {{"format", "mp4"}})->status == 404);
  const auto list = client.get("/media/" + std::to_string(id) + "/videos");
  REQUIRE(list->status == 200);
  CHECK(json::parse(list->body)["data"].empty());
  CHECK(client.get("/media/" + std::to_string(id) + "/video?format=mp4")->status == 404);
  CHECK(client.get("/metrics")->body.find("media_jobs{kind=\"encode\",state=\"queued\"} 0\n") != std::string::npos);
  CHECK(client.get("/media/" + std::to_string(id) + "/video?codecs=keep")->body.size() == source.size());
}

TEST_CASE("mediad: an order beyond its owner's quota is refused, and an encoding that outgrows it ends and says so") {
  Mediad server;
  Client client(server.port);
  const std::string source = film({"-c:v", "libx264", "-crf", "51", "-pix_fmt", "yuv420p"});
  const auto id = upload(client, source, "Complete");
  const auto quota = [&](const std::vector<std::string>& what) {
    std::vector<std::string> command{Mediad::mediactl(), "--store", server.store().string(), "quota"};
    command.insert(command.end(), what.begin(), what.end());
    REQUIRE(run(command).exit_code == 0);
  };
  quota({"set", "local", "--bytes", std::to_string(source.size())});
  const auto refused = order(client, id, {{"format", "mp4"}});
  REQUIRE(refused);
  INFO(refused->body);
  CHECK(refused->status == 413);
  CHECK(json::parse(refused->body)["message"].get<std::string>().starts_with("quota: "));
  CHECK(video_of(client, id, "format=mp4").is_null());

  // Some bytes are left, and they are not enough.
  quota({"set", "local", "--bytes", std::to_string(source.size() + 5000)});
  REQUIRE(order(client, id, {{"format", "mp4"}})->status == 202);
  const json failed = wait_for_video(client, id, "format=mp4");
  INFO(failed.dump());
  CHECK(failed["state"] == "failed");
  CHECK(failed["error_message"].get<std::string>().find("quota") != std::string::npos);
  CHECK(failed["url"].is_null());
  const auto none = client.get("/media/" + std::to_string(id) + "/video?format=mp4");
  CHECK(none->status == 422);
  CHECK(none->body.find("quota") != std::string::npos);

  quota({"clear", "local"});
  REQUIRE(order(client, id, {{"format", "mp4"}})->status == 202);
  const json video = wait_for_video(client, id, "format=mp4");
  REQUIRE(video["state"] == "ready");
  // What was encoded counts: nothing else comes in, and what is there goes on being served.
  quota({"set", "local", "--bytes", std::to_string(source.size() + video["size"].get<std::size_t>())});
  CHECK(order(client, id, {{"format", "mp4"}, {"w", 16}})->status == 413);
  CHECK(order(client, id, {{"format", "mp4"}})->status == 200);
  CHECK(client.get("/media/" + std::to_string(id) + "/video?format=mp4")->status == 200);
  CHECK(client.post_raw(text_of(gradient_png(64, 48)), "image/png", "a.png")->status == 413);
}

TEST_CASE("mediad: a video whose sound could not be decoded says so") {
  Mediad server({"MEDIA_SERVICE_MIDDLEWARE_VALIDATION_ALLOWED_FILE_TYPES=mkv"});
  Client client(server.port);
  const std::string whole = film({"-f", "lavfi", "-i", "sine=d=3", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "flac"}, "a.mkv");
  std::string broken = whole;
  // Nothing is FLAC any more but the first frames: those behind have lost what they begin with.
  int kept = 0;
  int lost = 0;
  for (std::size_t at = 0; (at = broken.find("\xFF\xF8", at)) != std::string::npos; at += 2) {
    if (++kept <= 3) continue;
    broken.replace(at, 2, 2, '\0');
    ++lost;
  }
  REQUIRE(lost > 10);
  struct Row {
    const std::string& content;
    const char* remark;
  };
  for (const Row& row : {Row{whole, nullptr}, Row{broken, "without 3 seconds of its sound"}}) {
    const auto answer = client.post_raw(row.content, "video/x-matroska", "a.mkv");
    REQUIRE(answer);
    INFO(answer->body);
    REQUIRE(answer->status == 200);
    const auto id = json::parse(answer->body)["id"].get<std::int64_t>();
    client.wait_processed(id);
    const auto ordered = order(client, id, {{"format", "webm"}});
    REQUIRE(ordered->status == 202);
    CHECK(json::parse(ordered->body)["remark"].is_null());
    const json video = wait_for_video(client, id, "format=webm");
    INFO(video.dump());
    REQUIRE(video["state"] == "ready");
    if (row.remark == nullptr) {
      CHECK(video["remark"].is_null());
    } else {
      REQUIRE(video["remark"].is_string());
      CHECK(video["remark"].get<std::string>().starts_with(row.remark));
    }
    CHECK(order(client, id, {{"format", "webm"}})->status == 200);
  }
}

TEST_CASE("mediad: a catalog that takes no order is not told as a queue that is full") {
  Mediad server({"MEDIA_SERVICE_PROCESSING_ENCODINGS=0", "MEDIA_SERVICE_PROCESSING_ENCODING_QUEUE=1"});
  Client client(server.port);
  const auto id = upload(client, film({"-c:v", "libx264", "-g", "25", "-pix_fmt", "yuv420p"}), "Complete");
  sqlite3* catalog = nullptr;
  REQUIRE(sqlite3_open((server.store() / "catalog.db").c_str(), &catalog) == SQLITE_OK);
  const std::unique_ptr<sqlite3, decltype(&sqlite3_close)> closing(catalog, sqlite3_close);
  REQUIRE(sqlite3_busy_timeout(catalog, 10'000) == SQLITE_OK);
  // Somebody else writes, and does not come to an end: what is read goes on.
  REQUIRE(sqlite3_exec(catalog, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK);
  const auto away = order(client, id, {{"format", "mp4"}});
  REQUIRE(away);
  INFO(away->body);
  CHECK(away->status == 503);
  CHECK(std::stoi(away->get_header_value("Retry-After")) > 0);
  CHECK(away->body.find("too many") == std::string::npos);
  CHECK(read_text(server.log()).find("request failed") != std::string::npos);
  REQUIRE(sqlite3_exec(catalog, "ROLLBACK", nullptr, nullptr, nullptr) == SQLITE_OK);

  CHECK(order(client, id, {{"format", "mp4"}})->status == 202);
  const auto full = order(client, id, {{"format", "mp4"}, {"w", 16}});
  CHECK(full->status == 503);
  CHECK(full->body.find("too many videos wait") != std::string::npos);
}

TEST_CASE("mediad: what an earlier version encoded is ordered again, and gives way to what is made then") {
  Mediad server;
  Client client(server.port);
  const auto id = upload(client, film({"-c:v", "libx264", "-g", "25", "-pix_fmt", "yuv420p"}), "Complete");
  REQUIRE(order(client, id, {{"format", "mp4"}})->status == 202);
  const json made = wait_for_video(client, id, "format=mp4");
  REQUIRE(made["state"] == "ready");
  REQUIRE(server.stop() == 0);
  const auto catalog = [&](const std::string& statement) {
    sqlite3* open = nullptr;
    REQUIRE(sqlite3_open((server.store() / "catalog.db").c_str(), &open) == SQLITE_OK);
    const std::unique_ptr<sqlite3, decltype(&sqlite3_close)> closing(open, sqlite3_close);
    std::vector<std::string> rows;
    const auto take = [](void* into, int, char** fields, char**) {
      static_cast<std::vector<std::string>*>(into)->emplace_back(fields[0]);
      return 0;
    };
    REQUIRE(sqlite3_exec(open, statement.c_str(), take, &rows, nullptr) == SQLITE_OK);
    return rows;
  };
  const std::string encoders = "SELECT encoder FROM rendition WHERE transform = 'format=mp4'";
  const auto now = catalog(encoders);
  REQUIRE(now.size() == 1);
  catalog("UPDATE rendition SET encoder = 'h264-aac/v0' WHERE transform = 'format=mp4'");

  server.start();
  Client back(server.port);
  CHECK(video_of(back, id, "format=mp4").is_null());
  CHECK(back.get("/media/" + std::to_string(id) + "/video?format=mp4")->status == 404);
  REQUIRE(order(back, id, {{"format", "mp4"}})->status == 202);
  CHECK(wait_for_video(back, id, "format=mp4")["size"] == made["size"]);
  REQUIRE(server.stop() == 0);
  CHECK(catalog(encoders) == now);
}

TEST_CASE("mediad: an encoded video whose bytes are lost can be ordered again") {
  Mediad server({"MEDIA_SERVICE_STORAGE_PACK_BELOW=0"});
  Client client(server.port);
  const auto id = upload(client, film({"-c:v", "libx264", "-g", "25", "-pix_fmt", "yuv420p"}), "Complete");
  REQUIRE(order(client, id, {{"format", "mp4"}})->status == 202);
  REQUIRE(wait_for_video(client, id, "format=mp4")["state"] == "ready");
  const std::string path = "/media/" + std::to_string(id) + "/video?format=mp4";
  const auto content = client.get(path);
  REQUIRE(content->status == 200);
  REQUIRE(server.stop() == 0);
  const std::string name = media::Digest::of(std::as_bytes(std::span(content->body))).to_hex();
  int removed = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(server.store())) {
    if (entry.is_regular_file() && entry.path().filename() == name) removed += std::filesystem::remove(entry.path()) ? 1 : 0;
  }
  REQUIRE(removed == 1);
  server.start();
  Client back(server.port);
  CHECK(back.get(path)->status == 404);
  REQUIRE(order(back, id, {{"format", "mp4"}})->status == 202);
  CHECK(wait_for_video(back, id, "format=mp4")["state"] == "ready");
  CHECK(back.get(path)->body == content->body);
}

TEST_CASE("mediad: an encoding worker that is killed, and a server that is, leave nothing half made") {
  Mediad server;
  Client client(server.port);
  const auto id = upload(client,
                         film({"-vf", "scale=1280:720,loop=-1:75:0,setpts=N/25/TB", "-t", "40", "-c:v", "libx264", "-preset", "ultrafast",
                               "-pix_fmt", "yuv420p"}),
                         "Complete");
  REQUIRE(order(client, id, {{"format", "mp4"}})->status == 202);
  const std::string path = "/media/" + std::to_string(id) + "/video";
  bool worker_killed = false;
  std::string deaths;
  bool server_killed = false;
  std::size_t refused = 0;
  for (int i = 0; i < 6000 && !server_killed; ++i) {
    const json video = video_of(client, id, "format=mp4");
    REQUIRE(video["state"] != "failed");
    REQUIRE(video["state"] != "ready");
    const auto early = client.get(path);
    REQUIRE(early);
    CHECK(early->status == 503);
    ++refused;
    if (video["progress"].get<int>() >= 5 && !worker_killed) {
      for (const pid_t worker : video_workers(server.daemon->pid())) ::kill(worker, SIGKILL);
      worker_killed = true;
    } else if (worker_killed && video["progress"].get<int>() >= 20) {
      deaths = client.get("/metrics")->body;
      server.daemon->signal(SIGKILL);
      server.daemon->wait(30);
      server_killed = true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  REQUIRE(server_killed);
  CHECK(deaths.find("media_worker_deaths_total{reason=\"killed\",worker=\"video\"} 1") != std::string::npos);
  CHECK(refused > 0);
  // Its lease is the dead server's for a while: the job waits, and nothing of the video is to be seen.
  server.start();
  Client back(server.port);
  CHECK(back.get(path)->status == 503);
  const json video = video_of(back, id, "format=mp4");
  CHECK(video["state"] == "running");
  CHECK(video["progress"].get<int>() >= 20);
  // Then it is begun anew, without a word from anybody.
  CHECK(wait_for_video(back, id, "format=mp4")["state"] == "ready");
  CHECK(told_by_ffprobe(back.get(path)->body)["streams"][0]["codec_name"] == "h264");
  CHECK(run({Mediad::mediactl(), "--store", server.store().string(), "verify"}).exit_code == 0);
}
