// A video's way through the server: posters at upload, pictures of it on the fly, tiles for scrubbing.
#include "mediad_fixture.hpp"

using namespace test;
using nlohmann::json;

namespace {

std::string film(const std::vector<std::string>& coding, const std::string& name = "a.mp4") {
  const TempFolder folder;
  std::vector<std::string> command{"ffmpeg", "-v", "error", "-nostdin", "-f", "lavfi", "-i", "testsrc2=s=640x360:r=25:d=3"};
  command.insert(command.end(), coding.begin(), coding.end());
  command.push_back((folder / name).string());
  const auto made = run(command);
  INFO(made.err);
  REQUIRE(made.exit_code == 0);
  return read_text(folder / name);
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
