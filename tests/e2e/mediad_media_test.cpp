// Listing, tags, expiry and promises under a key, over HTTP: what a front end sees of the catalog.
#include "media/clock.hpp"
#include "mediad_fixture.hpp"

using namespace test;
using Json = nlohmann::json;

namespace {

std::string photo(std::uint8_t shade) {
  return text_of(png(8, 6, [&](std::uint32_t x, std::uint32_t y) {
    return Rgba{shade, static_cast<std::uint8_t>(x), static_cast<std::uint8_t>(y), 255};
  }));
}

std::string in_seconds(int seconds) { return media::to_rfc3339(media::SystemClock().now() + std::chrono::seconds(seconds)); }

struct Api : Mediad {
  using Mediad::Mediad;

  std::int64_t upload(std::uint8_t shade, const std::string& name) {
    const auto answer = client.post_raw(photo(shade), "image/png", name);
    REQUIRE(answer);
    REQUIRE(answer->status == 200);
    return Json::parse(answer->body)["id"].get<std::int64_t>();
  }
  httplib::Result patch(std::int64_t id, const Json& body) {
    return client.http().Patch((kApi + "/media/" + std::to_string(id)).c_str(), {}, body.dump(), "application/json");
  }
  httplib::Result post_json(const std::string& path, const Json& body, const httplib::Headers& headers = {}) {
    // A client of its own: after a restart the port is another.
    return Client(port).http().Post((kApi + path).c_str(), headers, body.dump(), "application/json");
  }
  Json list(const std::string& query) {
    const auto answer = client.get("/media?" + query);
    REQUIRE(answer);
    INFO(answer->body);
    REQUIRE(answer->status == 200);
    return Json::parse(answer->body);
  }
  Json ask(const Json& body, const std::string& key) {
    const auto answer = post_json("/media/upload-request", body, {{"Idempotency-Key", key}});
    REQUIRE(answer);
    INFO(answer->body);
    REQUIRE(answer->status == 200);
    return Json::parse(answer->body);
  }
  int put(const std::string& url, const std::string& content) {
    const auto answer = Client(port).http().Put(url.substr(url.find(kApi)).c_str(), content, "application/octet-stream");
    REQUIRE(answer);
    return answer->status;
  }
  /// A command of mediactl on the same store; the first line of its JSON.
  [[nodiscard]] Json run(const std::string& arguments) const {
    const auto out = (folder / "out").string();
    REQUIRE(std::system((mediactl() + " --store " + store().string() + " " + arguments + " --json > " + out).c_str()) == 0);
    const std::string text = read_text(out);
    return Json::parse(text.substr(0, text.find('\n')));
  }

  Client client{port};
};

}  // namespace

TEST_CASE("mediad: a page knows what lies on both of its sides, empty or not") {
  Api api;
  std::vector<std::int64_t> ids;
  for (std::uint8_t i = 0; i < 7; ++i) ids.push_back(api.upload(i, i % 2 == 0 ? "even.png" : "odd.png"));
  for (const std::int64_t id : ids) api.client.wait_processed(id);  // pages are compared whole
  for (const std::string order : {"asc", "desc"}) {
    const std::string query = "order=" + order + "&q=even&limit=2";
    const Json first = api.list(query);
    CHECK(first["pagination"]["has_prev"] == false);
    CHECK(first["pagination"]["prev_cursor"].is_null());
    const Json second = api.list(query + "&cursor=" + first["pagination"]["next_cursor"].get<std::string>());
    CHECK(second["data"].size() == 2);
    CHECK(second["pagination"]["has_next"] == false);
    const Json back = api.list(query + "&cursor=" + second["pagination"]["prev_cursor"].get<std::string>());
    CHECK(back["data"] == first["data"]);
    CHECK(back["pagination"]["has_prev"] == false);
    CHECK(back["pagination"]["has_next"] == true);
    CHECK(api.list(query + "&cursor=" + back["pagination"]["next_cursor"].get<std::string>()) == second);
  }
  // base64 of {"id":90}: beyond everything, and not without a way back.
  const Json empty = api.list("limit=3&cursor=eyJpZCI6OTB9");
  CHECK(empty["data"].empty());
  CHECK(empty["pagination"]["has_next"] == false);
  CHECK(empty["pagination"]["has_prev"] == true);
  const Json last = api.list("limit=3&cursor=" + empty["pagination"]["prev_cursor"].get<std::string>());
  REQUIRE(last["data"].size() == 3);
  CHECK(last["data"][2]["id"] == ids[6]);

  CHECK(api.list("offset=5&limit=5").size() == 2);
  CHECK(api.client.get("/media?offset=1&cursor=eyJpZCI6OTB9")->status == 400);
  CHECK(api.client.get("/media?order=desc&cursor=eyJpZCI6MH0=")->status == 400);  // {"id":0}
}

TEST_CASE("mediad: a media is tagged, found by a tag, and expires") {
  Api api;
  const auto id = api.upload(1, "a.png");
  const auto other = api.upload(2, "b.png");
  const std::string path = "/media/" + std::to_string(id);
  Json changed = Json::parse(api.patch(id, {{"tags", {"summer", "Meer & Sand", "summer"}}})->body);
  CHECK(changed["tags"] == Json({"summer", "Meer & Sand"}));
  CHECK(changed["expires_at"].is_null());
  REQUIRE(api.list("tag=Meer%20%26%20Sand")["data"].size() == 1);
  CHECK(api.list("tag=summer")["data"][0]["id"] == id);
  CHECK(api.list("tag=sum")["data"].empty());
  CHECK(api.client.get("/media?tag=")->status == 400);

  const auto refused = [&](const Json& body, const std::string& field) {
    const auto answer = api.patch(id, body);
    REQUIRE(answer);
    INFO(body.dump() << answer->body);
    CHECK(answer->status == 400);
    CHECK(Json::parse(answer->body)["details"]["field"] == field);
  };
  refused({{"tags", "summer"}}, "tags");
  refused({{"tags", {1}}}, "tags");
  refused({{"tags", {""}}}, "tags");
  refused({{"tags", {std::string(65, 'x')}}}, "tags");
  refused({{"tags", {"a\nb"}}}, "tags");
  refused({{"tags", std::vector<std::string>(33, "x")}}, "tags");
  refused({{"expires_at", "2001-01-01T00:00:00Z"}}, "expires_at");
  refused({{"expires_at", "tomorrow"}}, "expires_at");
  refused({{"expires_at", 7}}, "expires_at");
  // Renaming is no way round what an upload may be called.
  refused({{"original_filename", "a.exe"}}, "original_filename");
  refused({{"original_filename", "a.exe.png"}}, "original_filename");
  refused({{"original_filename", "a\tb.png"}}, "original_filename");
  CHECK(Json::parse(api.client.get(path)->body)["tags"] == changed["tags"]);

  const std::string later = in_seconds(3600);
  CHECK(Json::parse(api.patch(id, {{"expires_at", later}})->body)["expires_at"] == later);
  // mediactl tells the same of a media, but for what each of them alone can know.
  api.client.wait_processed(id);
  Json served = Json::parse(api.client.get(path)->body);
  Json told = api.run("info " + std::to_string(id));
  for (const char* const name : {"renditions", "srcset", "error_message"}) {
    served.erase(name);
    told.erase(name);
  }
  for (const auto& [name, value] : served.items()) {
    INFO(name);
    CHECK(told[name] == value);
  }
  CHECK(Json::parse(api.patch(id, {{"expires_at", nullptr}})->body)["expires_at"].is_null());

  REQUIRE(api.patch(id, {{"expires_at", in_seconds(1)}})->status == 200);
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  for (const std::string route : {"", "/status", "/download", "/renditions/thumb"}) CHECK(api.client.get(path + route)->status == 404);
  CHECK(api.patch(id, {{"expires_at", nullptr}})->status == 404);
  CHECK(api.client.remove(path)->status == 404);
  CHECK(api.list("")["data"].size() == 1);
  CHECK(Json::parse(api.post_json("/media/bulk-delete", {{"ids", {id}}})->body)["not_found"] == Json({id}));
  CHECK(api.run("gc")["summary"]["expired"] == 1);
  CHECK(api.run("gc")["summary"]["expired"] == 0);
  // A media counts once, however often it is named.
  CHECK(Json::parse(api.post_json("/media/bulk-delete", {{"ids", {other, id, other, id}}})->body) ==
        Json({{"deleted", {other}}, {"not_found", {id}}}));
}

TEST_CASE("mediad: an upload request under a key is answered with a URL that works, whatever became of the first one") {
  const std::vector<std::string> old_key = {"UPLOAD_URL_SECRET=0123456789abcdef0123456789abcdef",
                                            "MEDIA_SERVICE_UPLOAD_URL_LIFETIME_SECONDS=1"};
  Api api(old_key);
  const std::string content = photo(1);
  const Json body = {{"filename", "folder/a.png"}, {"content_type", "image/png"}, {"file_size", content.size()}};
  const Json first = api.ask(body, "key");
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  CHECK(api.put(first["upload_url"], content) == 401);

  // Expired, then signed by a key that nobody has any more.
  REQUIRE(api.stop() == 0);
  api.environment = {"UPLOAD_URL_SECRET=fedcba9876543210fedcba9876543210"};
  api.start();
  const Json second = api.ask(body, "key");
  CHECK(second["media_id"] == first["media_id"]);
  CHECK(second["status"] == "Pending");
  CHECK(api.ask(body, "key") == second);
  REQUIRE(api.stop() == 0);
  api.environment = {"UPLOAD_URL_SECRET=00112233445566778899aabbccddeeff"};
  api.start();
  const Json renewed = api.ask(body, "key");
  CHECK(renewed["media_id"] == first["media_id"]);
  CHECK(renewed["upload_token"] != second["upload_token"]);
  CHECK(api.put(renewed["upload_url"], content) == 200);
  Client(api.port).wait_processed(first["media_id"].get<std::int64_t>());
  const Json done = api.ask(body, "key");
  CHECK(done["status"] == "Complete");
  CHECK(api.put(done["upload_url"], content) == 200);
}
