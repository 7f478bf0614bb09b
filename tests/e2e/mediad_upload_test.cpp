// Signed URLs, links and changes over HTTP: what the existing clients do, through a real mediad.
#include <sys/resource.h>

#include "mediad_fixture.hpp"
#include "sanitized.hpp"
#include "sockets.hpp"
#include "tokens.hpp"

using namespace test;
using Json = nlohmann::json;

namespace {

std::string photo(std::uint8_t shade) {
  return text_of(png(64, 48, [&](std::uint32_t x, std::uint32_t y) {
    return Rgba{shade, static_cast<std::uint8_t>(x), static_cast<std::uint8_t>(y), 255};
  }));
}

std::string base64(const std::string& bytes) {
  std::string text = base64url(bytes);
  std::replace(text.begin(), text.end(), '-', '+');
  std::replace(text.begin(), text.end(), '_', '/');
  text.append((4 - text.size() % 4) % 4, '=');
  return text;
}

struct Api : Mediad {
  using Mediad::Mediad;

  httplib::Result post_json(const std::string& path, const Json& body, const httplib::Headers& headers = {}) {
    return client.http().Post((kApi + path).c_str(), headers, body.dump(), "application/json");
  }
  /// Asks for an upload; the answer's body.
  Json ask(const std::string& content, const std::string& name = "photo.png", const std::string& type = "image/png") {
    const auto answer = post_json("/media/upload-request", {{"filename", name}, {"content_type", type}, {"file_size", content.size()}});
    REQUIRE(answer);
    REQUIRE(answer->status == 200);
    return Json::parse(answer->body);
  }
  /// Sends to a URL as it was given out.
  httplib::Result put(const std::string& url, const std::string& content) {
    return Client(port).http().Put(url.substr(url.find(kApi)).c_str(), content, "application/octet-stream");
  }
  std::size_t media_count() { return Json::parse(client.get("/media")->body)["data"].size(); }

  Client client{port};
};

}  // namespace

TEST_CASE("mediad: an upload that was asked for is sent to its URL, and again when the answer was lost") {
  Api api;
  const std::string content = photo(10);
  const Json promise = api.ask(content);
  const auto id = promise["media_id"].get<std::int64_t>();
  CHECK(promise["status"] == "Pending");
  CHECK(promise["upload_url"].get<std::string>().starts_with("http://127.0.0.1:" + std::to_string(api.port) + kApi + "/media/upload/"));
  CHECK(promise["upload_url"].get<std::string>().find(promise["upload_token"].get<std::string>()) != std::string::npos);
  const Json pending = Json::parse(api.client.get("/media/" + std::to_string(id))->body);
  CHECK(pending["content_hash"].is_null());
  CHECK(pending["processing_status"] == "Pending");
  CHECK(api.client.get("/media/" + std::to_string(id) + "/download")->status == 404);

  for (int i = 0; i < 2; ++i) {
    const auto sent = api.put(promise["upload_url"], content);
    REQUIRE(sent);
    REQUIRE(sent->status == 200);
    const Json body = Json::parse(sent->body);
    CHECK(body["media_id"] == id);
    CHECK(body["content_hash"].get<std::string>().size() == 64);
    CHECK(body["upload_url"].is_null());
  }
  CHECK(api.client.wait_processed(id)["status"] == "Complete");
  CHECK(api.client.get("/media/" + std::to_string(id) + "/download")->body == content);
  CHECK(api.media_count() == 1);
  std::string other = photo(11);
  REQUIRE(other.size() == content.size());
  CHECK(api.put(promise["upload_url"], other)->status == 409);
  // Refused means not kept either: the same bytes find nothing to be the same as.
  CHECK(Json::parse(api.client.post_raw(other, "image/png", "other.png")->body)["deduplicated"] == false);
  CHECK(api.client.remove("/media/2")->status == 204);

  // The URL is made for clients that put it together again: another order of the same values is the same URL.
  const Json second = api.ask(other);
  const std::string url = second["upload_url"];
  const auto question = url.find('?');
  std::vector<std::string> parts;
  std::istringstream query(url.substr(question + 1));
  for (std::string part; std::getline(query, part, '&');) parts.push_back(part);
  REQUIRE(parts.size() == 4);
  CHECK(api.put(url.substr(0, question + 1) + parts[3] + "&" + parts[1] + "&" + parts[0] + "&" + parts[2], other)->status == 200);
}

TEST_CASE("mediad: a signed upload URL is refused before its body, and keeps nothing that breaks its promise") {
  Api api;
  const std::string content = photo(20);
  const std::string url = api.ask(content)["upload_url"];
  const auto status = [&](const std::string& changed, const std::string& body) {
    const auto answer = api.put(changed, body);
    REQUIRE(answer);
    if (answer->status >= 400) CHECK(Json::parse(answer->body)["request_id"].is_string());
    return answer->status;
  };
  const auto replaced = [&](const std::string& what, const std::string& with) {
    std::string changed = url;
    changed.replace(changed.find(what), what.size(), with);
    return changed;
  };
  CHECK(status(replaced("size=", "size=1"), content) == 401);
  CHECK(status(replaced("type=image%2Fpng", "type=image%2Fjpeg"), content) == 401);
  CHECK(status(replaced("expires=1", "expires=2"), content) == 401);
  CHECK(status(replaced("/upload/upload_", "/upload/upload_0"), content) == 401);
  CHECK(status(url + "&size=1", content) == 400);
  CHECK(status(url + "&more=1", content) == 400);
  CHECK(status(replaced("&type=image%2Fpng", ""), content) == 401);
  CHECK(status(url, content + "x") == 400);
  CHECK(status(url, content.substr(1)) == 400);
  // Bytes of the promised size that are no PNG, or media of a kind that nobody may send.
  CHECK(status(url, std::string(content.size(), 'x')) == 422);
  std::string svg = R"(<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1">)";
  svg += std::string(content.size() - svg.size() - 6, ' ') + "</svg>";
  CHECK(status(url, svg) == 422);
  // A body of chunks tells its length only at its end.
  for (const std::size_t more : {std::size_t{1}, std::size_t{2}, std::size_t{100'000}}) {
    const auto chunked = Client(api.port).http().Put(
        url.substr(url.find(kApi)).c_str(),
        [&, sent = false](std::size_t, httplib::DataSink& sink) mutable {
          if (!sent) {
            const std::string body = content + std::string(more, 'x');
            sink.write(body.data(), body.size());
            sent = true;
          } else {
            sink.done();
          }
          return true;
        },
        "application/octet-stream");
    REQUIRE(chunked);
    CHECK(chunked->status == 400);
  }
  // None of these was the upload: it is still there to be made.
  CHECK(status(url, content) == 200);
  CHECK(api.client.get("/media/1/download")->body == content);
  CHECK(api.temps() == 0);
}

TEST_CASE("mediad: what comes in one way comes in every way") {
  Api api;
  const std::string film = text_of(mp4(64, 48, 1000, 500));
  const std::string picture = photo(70);
  const auto is_taken = [](int status) { return status == 200 || status == 201; };
  const auto check = [&](const std::string& name, const std::string& type, const std::string& content, bool good) {
    INFO(name << " as " << type);
    const auto direct = api.client.post_raw(content, type, name);
    REQUIRE(direct);
    CHECK(is_taken(direct->status) == good);
    const auto form = api.client.post_form({{"file", content, name, type}});
    REQUIRE(form);
    CHECK(is_taken(form->status) == good);
    const auto promise =
        api.post_json("/media/upload-request", {{"filename", name}, {"content_type", type}, {"file_size", content.size()}});
    REQUIRE(promise);
    CHECK(is_taken(promise->status) == good);
    if (promise->status == 200) CHECK(api.put(Json::parse(promise->body)["upload_url"], content)->status == 200);
    const std::string metadata = "filename " + base64(name) + ",filetype " + base64(type);
    const auto tus = Client(api.port).http().Post(
        (kApi + "/uploads").c_str(),
        {{"Tus-Resumable", "1.0.0"}, {"Upload-Length", std::to_string(content.size())}, {"Upload-Metadata", metadata}}, content,
        "application/offset+octet-stream");
    REQUIRE(tus);
    CHECK(is_taken(tus->status) == good);
  };
  for (const char* const type : {"video/mp4", "video/quicktime", "video/x-m4v", "video/3gpp", "video/3gpp2", "application/mp4"}) {
    for (const char* const name : {"a.mp4", "a.m4v", "a.mov", "a.3gp"}) check(name, type, film, true);
    check("a.webm", type, film, false);
  }
  check("a.png", "image/apng", picture, true);
  check("a.png", "IMAGE/PNG", picture, true);
  check("a.jpg", "image/png", picture, false);
  check("a.bmp", "image/bmp", picture, false);
  check("a.txt", "text/plain", picture, false);
}

TEST_CASE("mediad: what is too large or of a kind that is not let in is told before its body") {
  Api api({"MEDIA_SERVICE_MIDDLEWARE_VALIDATION_MAX_FILE_SIZE_MB=1", "MEDIA_SERVICE_STORAGE_MAX_FILE_SIZE=2000000"});
  const auto first_line = [&](const std::string& type, std::size_t size, const std::string& begun = {}) {
    const int socket = connect_locally(static_cast<std::uint16_t>(api.port));
    REQUIRE(socket >= 0);
    const std::string expect = begun.empty() ? "Expect: 100-continue\r\n" : "";
    REQUIRE(send_all(socket, "POST " + kApi + "/media HTTP/1.1\r\nHost: x\r\nContent-Type: " + type +
                                 "\r\nContent-Length: " + std::to_string(size) + "\r\n" + expect + "\r\n" + begun));
    std::string answer;
    while (answer.find("\r\n") == std::string::npos && receive_some(socket, answer)) {
    }
    ::close(socket);
    return answer.substr(9, 3);
  };
  CHECK(first_line("image/png", 1'000'000) == "100");
  CHECK(first_line("image/png", 1'500'000) == "413");
  CHECK(first_line("image/apng", 1'500'000) == "413");
  CHECK(first_line("video/3gpp", 1'500'000) == "100");
  CHECK(first_line("video/3gpp", 2'500'000) == "413");
  CHECK(first_line("application/octet-stream", 1'500'000) == "100");
  for (const char* const type : {"image/bmp", "image/svg+xml", "text/html", "application/json"}) CHECK(first_line(type, 1000) == "415");
  // Of a form the file's own part says it: what has come so far is enough to be told.
  const auto part = [](const std::string& type) {
    return "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\nContent-Type: " + type + "\r\n\r\n";
  };
  const std::string form = "multipart/form-data; boundary=B";
  CHECK(first_line(form, 1'900'000, part("image/bmp") + std::string(100'000, 'x')) == "415");
  CHECK(first_line(form, 1'900'000, part("image/png") + std::string(1'500'000, 'x')) == "413");
  CHECK(api.media_count() == 0);
  CHECK(api.temps() == 0);
}

TEST_CASE("mediad: a signed upload is judged before its client is told to go on") {
  Api api({"MEDIA_SERVICE_UPLOAD_URL_LIFETIME_SECONDS=2"});
  const std::string content = photo(21);
  const std::string url = api.ask(content)["upload_url"];
  const auto first_status = [&](std::string target, std::size_t size) {
    target = target.substr(target.find(kApi));
    const int socket = connect_locally(static_cast<std::uint16_t>(api.port));
    REQUIRE(socket >= 0);
    REQUIRE(send_all(
        socket, "PUT " + target + " HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(size) + "\r\nExpect: 100-continue\r\n\r\n"));
    std::string answer;
    while (answer.find("\r\n") == std::string::npos && receive_some(socket, answer)) {
    }
    ::close(socket);
    return answer.substr(0, answer.find("\r\n")).substr(9, 3);
  };
  CHECK(first_status(url, content.size()) == "100");
  std::string forged = url;
  char& digit = forged[forged.find("signature=") + 10];
  digit = digit == '0' ? '1' : '0';
  CHECK(first_status(forged, content.size()) == "401");
  CHECK(first_status(url, content.size() + 1) == "400");
  CHECK(first_status(url, content.size() - 1) == "400");
  CHECK(first_status(url + "&more=1", content.size()) == "400");
  std::string expired;
  for (int i = 0; i < 100 && expired != "401"; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    expired = first_status(url, content.size());
  }
  CHECK(expired == "401");
  CHECK(api.put(url, content)->status == 401);
}

TEST_CASE("mediad: an upload request says what it does not accept") {
  Api api({"MEDIA_SERVICE_SERVER_MAX_UPLOAD_SIZE=1000000"});
  const auto refused = [&](Json change, const std::string& field) {
    Json body = {{"filename", "a.png"}, {"content_type", "image/png"}, {"file_size", 100}};
    body.update(change);
    const auto answer = api.post_json("/media/upload-request", body);
    REQUIRE(answer);
    INFO(body.dump() << answer->body);
    CHECK(answer->status == 400);
    const Json error = Json::parse(answer->body);
    CHECK(error["error"] == "Bad Request");
    CHECK(error["details"]["field"] == field);
  };
  refused({{"filename", ""}}, "filename");
  refused({{"filename", std::string(256, 'x')}}, "filename");
  refused({{"filename", 7}}, "filename");
  for (const char* const name : {"a.exe", "a.EXE", "a.exe.png", "run.bat", "x.cmd", "x.com", "x.scr", "x.vbs", "x.js", ".js", "a.exe ",
                                 "a.exe .png", "a.exe:x", "a\nb.png", "a.jpg"}) {
    refused({{"filename", name}}, "filename");
  }
  refused({{"file_size", 0}}, "file_size");
  refused({{"file_size", -1}}, "file_size");
  refused({{"file_size", 1.5}}, "file_size");
  refused({{"file_size", "100"}}, "file_size");
  refused({{"file_size", 1000001}}, "file_size");
  refused({{"file_size", UINT64_MAX}}, "file_size");
  refused({{"content_type", "text/html"}}, "content_type");
  refused({{"content_type", "image/svg+xml"}}, "content_type");
  refused({{"content_type", ""}}, "content_type");
  refused({{"sha256", "abc"}}, "sha256");
  refused({{"sha256", nullptr}}, "sha256");
  for (const std::string body : {"", "[]", "{", "null", "7", R"({"filename":"a.png","filename":"b.png"})", "{}{}"}) {
    INFO(body);
    CHECK(api.client.http().Post((kApi + "/media/upload-request").c_str(), body, "application/json")->status == 400);
  }
  CHECK(api.post_json("/media/upload-request", {{"filename", std::string(100'000, 'x')}})->status == 413);
  // What a page of another site can make a browser send without being asked: text, but not JSON.
  const std::string good = R"({"filename":"a.png","content_type":"image/png","file_size":100})";
  for (const char* const type : {"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"}) {
    CHECK(api.client.http().Post((kApi + "/media/upload-request").c_str(), good, type)->status == 415);
  }
  CHECK(api.client.http().Post((kApi + "/media/bulk-delete").c_str(), R"({"ids":[1]})", "text/plain")->status == 415);
  CHECK(api.client.get("/media/upload-request")->status == 405);
  CHECK(api.media_count() == 0);
  // Names without harm that only look like it.
  for (const char* const name : {"exe.png", "a.exec.png", "com", "a.jsx.png", "\xd0\xb6.png"}) {
    INFO(name);
    CHECK(api.post_json("/media/upload-request", {{"filename", name}, {"content_type", "image/png"}, {"file_size", 100}})->status == 200);
  }
}

TEST_CASE("mediad: a bound digest holds, a key answers the same promise, and keys survive a restart") {
  Api api;
  const std::string content = photo(30);
  const std::string other = photo(31);
  const std::string digest = Json::parse(api.client.post_raw(content, "image/png", "same.png")->body)["content_hash"];
  const Json body = {{"filename", "a.png"}, {"content_type", "image/png"}, {"file_size", content.size()}, {"sha256", digest}};
  const httplib::Headers key = {{"Idempotency-Key", "one"}};
  const Json first = Json::parse(api.post_json("/media/upload-request", body, key)->body);
  CHECK(Json::parse(api.post_json("/media/upload-request", body, key)->body)["upload_url"] == first["upload_url"]);
  Json another = body;
  another["filename"] = "b.png";
  CHECK(api.post_json("/media/upload-request", another, key)->status == 409);
  CHECK(api.put(first["upload_url"], other)->status == 400);
  CHECK(api.stop() == 0);
  api.start();
  CHECK(api.put(first["upload_url"], content)->status == 200);
  CHECK(std::filesystem::status(api.store() / "url-signing.key").permissions() == std::filesystem::perms(0600));
}

TEST_CASE("mediad: pictures by signed URL, and on the fly in the sizes that are free") {
  Api api;
  const auto uploaded = api.client.post_raw(photo(40), "image/png", "a.png");
  REQUIRE(uploaded);
  const auto id = Json::parse(uploaded->body)["id"].get<std::int64_t>();
  const std::string media = "/media/" + std::to_string(id);
  api.client.wait_processed(id);
  const Json object = Json::parse(api.client.get(media)->body);
  REQUIRE_FALSE(object["renditions"].empty());
  for (const Json& rendition : object["renditions"]) {
    const std::string url = rendition["url"];
    const std::string path = url.substr(url.find(kApi) + kApi.size());
    const auto got = api.client.get(path);
    REQUIRE(got);
    CHECK(got->status == 200);
    CHECK(got->get_header_value("Content-Type") == rendition["media_type"].get<std::string>());
    CHECK(got->body.size() == rendition["size"]);
    CHECK(got->get_header_value("Cache-Control").find("immutable") != std::string::npos);
    CHECK(api.client.head(path)->status == 200);
    CHECK(api.client.get(path + "0")->status == 401);
    CHECK(api.client.get(path + "&w=1")->status == 401);
    CHECK(api.client.get(path + "&signature=1")->status == 400);
  }
  // The answer stays the same answer: its signed URLs do not change with every request.
  const auto etag = api.client.get(media)->get_header_value("ETag");
  CHECK(api.client.get(media, {{"If-None-Match", etag}, {"Connection", "close"}})->status == 304);

  CHECK(api.client.get(media + "/image?w=320")->status == 200);
  CHECK(api.client.get(media + "/image?w=320&h=320&fit=cover&format=webp")->get_header_value("Content-Type") == "image/webp");
  const auto negotiated = api.client.get(media + "/image?w=320", {{"Accept", "image/avif,*/*"}});
  CHECK(negotiated->get_header_value("Content-Type") == "image/avif");
  CHECK(negotiated->get_header_value("Vary").find("Accept") != std::string::npos);
  CHECK(api.client.get(media + "/image?w=320&h=320&fit=cover&gravity=north&format=webp")->status == 200);
  CHECK(api.client.get(media + "/image?w=320&h=320&fit=cover&gravity=0.5:0&format=webp")->status == 200);  // North, by another name.
  CHECK(api.client.get(media + "/image?w=320&h=320&fit=pad&format=webp")->status == 200);
  CHECK(api.client.get(media + "/image?w=320&h=320&fit=none&format=webp")->status == 200);
  // The same rendition, and free although 160 is not.
  const auto doubled = api.client.get(media + "/image?w=160&dpr=2&format=webp");
  CHECK(doubled->status == 200);
  CHECK(doubled->get_header_value("ETag") == api.client.get(media + "/image?w=320&format=webp")->get_header_value("ETag"));
  CHECK(api.client.get(media + "/image?w=160&format=webp")->status == 401);
  CHECK(api.client.get(media + "/image?w=320&dpr=2&format=webp")->status == 401);
  CHECK(api.client.get(media + "/image?w=321")->status == 401);
  CHECK(api.client.get(media + "/image?w=320&q=90")->status == 401);
  CHECK(api.client.get(media + "/image?w=320&frames=all")->status == 401);
  CHECK(api.client.get(media + "/image?w=320&format=gif")->status == 401);
  CHECK(api.client.get(media + "/renditions/thumb?format=gif")->status == 400);
  CHECK(api.client.get(media + "/image?format=webp")->status == 400);
  CHECK(api.client.get(media + "/image?w=0")->status == 400);
  CHECK(api.client.get(media + "/image?w=320&w=320")->status == 400);
  CHECK(api.client.get(media + "/image?w=320&colour=red")->status == 400);
}

TEST_CASE("mediad: media are attached to recipes, ingredients and steps, in order") {
  Api api;
  std::vector<std::int64_t> ids;
  for (std::uint8_t i = 0; i < 3; ++i) {
    ids.push_back(
        Json::parse(api.client.post_raw(photo(static_cast<std::uint8_t>(50 + i)), "image/png", "a.png")->body)["id"].get<std::int64_t>());
  }
  const auto put = [&](const std::string& path) {
    return api.client.http().Put((kApi + "/media" + path).c_str(), "", "text/plain")->status;
  };
  const auto list = [&](const std::string& path) { return Json::parse(api.client.get("/media" + path)->body); };
  for (const std::string subject : {"/recipe/42", "/recipe/42/ingredient/7", "/recipe/42/step/7"}) {
    CHECK(list(subject) == Json::array());
    CHECK(put(subject + "/media/" + std::to_string(ids[0]) + "?position=5") == 204);
    CHECK(put(subject + "/media/" + std::to_string(ids[2]) + "?position=1") == 204);
    CHECK(put(subject + "/media/" + std::to_string(ids[1]) + "?position=5") == 204);
    CHECK(list(subject) == Json({ids[2], ids[0], ids[1]}));
    CHECK(list(subject + "/") == Json({ids[2], ids[0], ids[1]}));
    CHECK(api.client.remove("/media" + subject + "/media/" + std::to_string(ids[2]))->status == 204);
    CHECK(api.client.remove("/media" + subject + "/media/" + std::to_string(ids[2]))->status == 404);
    CHECK(list(subject) == Json({ids[0], ids[1]}));
    CHECK(put(subject + "/media/999") == 404);
    CHECK(put(subject + "/media/" + std::to_string(ids[0]) + "?position=-1") == 400);
    CHECK(put(subject + "/media/x") == 400);
  }
  CHECK(api.client.get("/media/recipe/0")->status == 400);
  CHECK(api.client.get("/media/recipe/x")->status == 400);
  CHECK(api.client.get("/media/recipe/1/step/9007199254740992")->status == 400);
  // A media that goes takes its links with it.
  CHECK(api.client.remove("/media/" + std::to_string(ids[0]))->status == 204);
  CHECK(list("/recipe/42") == Json({ids[1]}));
}

TEST_CASE("mediad: a media is renamed and opened to others, many are deleted at once") {
  Api api;
  const auto id = Json::parse(api.client.post_raw(photo(60), "image/png", "a.png")->body)["id"].get<std::int64_t>();
  const std::string media = "/media/" + std::to_string(id);
  api.client.wait_processed(id);
  const auto patch = [&](const std::string& body, const httplib::Headers& headers = {}) {
    return api.client.http().Patch((kApi + media).c_str(), headers, body, "application/json");
  };
  const auto before = api.client.get(media);
  const auto changed = patch(R"({"original_filename":"b.png","visibility":"public"})", {{"If-Match", before->get_header_value("ETag")}});
  REQUIRE(changed);
  CHECK(changed->status == 200);
  CHECK(Json::parse(changed->body)["original_filename"] == "b.png");
  CHECK(Json::parse(changed->body)["visibility"] == "public");
  CHECK(api.client.get(media)->get_header_value("ETag") == changed->get_header_value("ETag"));
  CHECK(patch(R"({"original_filename":"c.png"})", {{"If-Match", before->get_header_value("ETag")}})->status == 412);
  for (const std::string body : {R"({"original_filename":""})", R"({"original_filename":"a/b"})", R"({"original_filename":7})",
                                 R"({"visibility":"everyone"})", R"({"owner":"me"})", R"([])", R"()"}) {
    INFO(body);
    CHECK(patch(body)->status == 400);
  }
  CHECK(Json::parse(api.client.get(media)->body)["original_filename"] == "b.png");

  const auto second = Json::parse(api.client.post_raw(photo(61), "image/png", "b.png")->body)["id"].get<std::int64_t>();
  const auto answer = api.post_json("/media/bulk-delete", {{"ids", {id, 999, second}}});
  REQUIRE(answer);
  CHECK(answer->status == 200);
  CHECK(Json::parse(answer->body) == Json({{"deleted", {id, second}}, {"not_found", {999}}}));
  CHECK(api.media_count() == 0);
  for (const Json& body : {Json::object(), Json{{"ids", Json::array()}}, Json{{"ids", {0}}}, Json{{"ids", {-1}}}, Json{{"ids", {"1"}}},
                           Json{{"ids", std::vector<int>(101, 1)}}, Json{{"ids", {1}}, {"all", true}}}) {
    INFO(body.dump());
    CHECK(api.post_json("/media/bulk-delete", body)->status == 400);
  }
}

TEST_CASE("mediad: If-Match asks for the media, If-None-Match for its URLs too") {
  Api api;
  const auto id = Json::parse(api.client.post_raw(photo(65), "image/png", "a.png")->body)["id"].get<std::int64_t>();
  const std::string media = "/media/" + std::to_string(id);
  api.client.wait_processed(id);
  const auto seen = api.client.get(media, {{"Host", "one.example"}});
  const std::string tag = seen->get_header_value("ETag");
  // By another name the URLs are others, as they are after an hour.
  const auto elsewhere = api.client.get(media, {{"Host", "two.example"}});
  REQUIRE(Json::parse(seen->body)["renditions"][0]["url"] != Json::parse(elsewhere->body)["renditions"][0]["url"]);
  REQUIRE(elsewhere->get_header_value("ETag") != tag);
  CHECK(api.client.get(media, {{"Host", "two.example"}, {"If-None-Match", tag}})->status == 200);
  CHECK(api.client.get(media, {{"Host", "one.example"}, {"If-None-Match", tag}, {"Connection", "close"}})->status == 304);
  CHECK(api.client.get(media, {{"Host", "two.example"}, {"If-Match", tag}})->status == 200);
  const auto patch = [&](const std::string& body, const std::string& condition) {
    return Client(api.port)
        .http()
        .Patch((kApi + media).c_str(), {{"Host", "two.example"}, {"If-Match", condition}}, body, "application/json")
        ->status;
  };
  CHECK(patch(R"({"original_filename":"b.png"})", "W/" + tag) == 412);
  CHECK(patch(R"({"original_filename":"b.png"})", "\"0123456789abcdef" + tag.substr(17)) == 412);
  CHECK(patch(R"({"original_filename":"b.png"})", "\"x\", " + tag) == 200);
  CHECK(patch(R"({"original_filename":"c.png"})", tag) == 412);
  CHECK(patch(R"({"original_filename":"c.png"})", "*") == 200);
}

TEST_CASE("mediad: a listing takes each of its parameters once") {
  Api api;
  for (const char* const query :
       {"limit=1&limit=1", "limit=1&limit=x", "offset=0&offset=0", "status=Complete&status=Failed", "order=asc&order=asc",
        "type=image/&type=image/", "q=a&q=b", "tag=a&tag=b", "from=2026-01-01T00:00:00Z&from=2026-01-01T00:00:00Z",
        "to=2026-01-01T00:00:00Z&to=2027-01-01T00:00:00Z", "cursor=1&cursor=1"}) {
    INFO(query);
    CHECK(api.client.get(std::string("/media?") + query)->status == 400);
  }
  // What is not ours may be there as often as it likes.
  CHECK(api.client.get("/media?_=1&_=2&limit=1")->status == 200);
}

TEST_CASE("mediad: hundreds of idle connections fit, whatever the shell's soft limit of open files is") {
  struct rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  if (before.rlim_max < 2048) {
    WARN("skipped: the hard limit of open files is below 2048 here");
    return;
  }
  struct rlimit low = before;
  low.rlim_cur = 256;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
  Mediad server;
  struct rlimit high = before;
  high.rlim_cur = std::min<rlim_t>(before.rlim_max, 4096);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &high) == 0);
  const auto resident = server.daemon->status_kib("VmRSS");
  std::vector<std::unique_ptr<Client>> idle;
  std::size_t answered = 0;
  for (int i = 0; i < 600; ++i) {
    idle.push_back(std::make_unique<Client>(server.port));
    const auto answer = idle.back()->get("/live");
    answered += answer && answer->status == 200;
  }
  CHECK(answered == 600);
  // All of them are still open: the first answers on the connection that it had.
  CHECK(idle.front()->get("/live")->status == 200);
  if (!kSanitized) CHECK(server.daemon->status_kib("VmRSS") < resident + 600 * 16);
  ::setrlimit(RLIMIT_NOFILE, &before);
}
