// Who may do what: two owners, an admin and nobody, with real tokens at a real mediad.
#include <set>

#include "mediad_fixture.hpp"
#include "tokens.hpp"

using namespace test;
using Json = nlohmann::json;

namespace {

const std::string kJwtSecret = "6f1ed002ab5595859014ebf0951522d9";

std::int64_t now_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string token_of(const std::string& owner, const std::string& more = "", std::int64_t lifetime = 300) {
  const std::string claims = R"({"sub":")" + owner + R"(","exp":)" + std::to_string(now_seconds() + lifetime) + more + "}";
  return make_token(R"({"alg":"HS256","typ":"JWT"})", claims, [](std::string_view text) { return hs256(kJwtSecret, text); });
}

std::string photo(std::uint8_t shade) {
  return text_of(png(64, 48, [&](std::uint32_t x, std::uint32_t y) {
    return Rgba{shade, static_cast<std::uint8_t>(x), static_cast<std::uint8_t>(y), 255};
  }));
}

/// Tiles of all shades, in another order for each step: a picture that is known again in every size.
std::vector<std::byte> tiles(unsigned width, unsigned step) {
  return png(width, width, [=](std::uint32_t x, std::uint32_t y) {
    const unsigned tile = y * 8 / width * 8 + x * 8 / width;
    const auto shade = static_cast<std::uint8_t>((tile * tile * (31 + 14 * step) + tile * 101 * step) % 251);
    return Rgba{shade, static_cast<std::uint8_t>(255 - shade), shade, 255};
  });
}

/// One caller: a client that sends the same credential with everything.
class As {
 public:
  As(int port, std::string token) : client_(port) {
    if (!token.empty()) headers_.emplace("Authorization", "Bearer " + token);
    client_.http().set_keep_alive(false);
  }

  httplib::Result get(const std::string& path) { return client_.get(path, headers_); }
  httplib::Result send(const char* method, const std::string& path, const std::string& body = "") {
    httplib::Request request;
    request.method = method;
    request.path = kApi + path;
    request.headers = headers_;
    request.body = body;
    if (!body.empty()) request.headers.emplace("Content-Type", "application/json");
    return client_.http().send(request);
  }
  int status(const char* method, const std::string& path, const std::string& body = "") {
    const auto answer = send(method, path, body);
    REQUIRE(answer);
    return answer->status;
  }
  void wait_processed(std::int64_t id) { client_.wait_processed(id, headers_); }
  std::int64_t upload(std::uint8_t shade, const std::string& visibility = "private") { return upload_content(photo(shade), visibility); }
  std::int64_t upload_content(const std::string& content, const std::string& visibility) {
    const auto answer = client_.post_raw(content, "image/png", "photo.png", headers_);
    REQUIRE(answer);
    REQUIRE(answer->status == 200);
    const auto id = Json::parse(answer->body)["id"].get<std::int64_t>();
    if (visibility != "private") REQUIRE(status("PATCH", path_of(id), R"({"visibility":")" + visibility + "\"}") == 200);
    return id;
  }
  int upload_status() {
    const auto answer = client_.post_raw(photo(1), "image/png", "photo.png", headers_);
    REQUIRE(answer);
    return answer->status;
  }
  Client& client() { return client_; }
  static std::string path_of(std::int64_t id) { return "/media/" + std::to_string(id); }

 private:
  Client client_;
  httplib::Headers headers_;
};

/// Failures have one shape, a challenge where they are 401, and no word of the credential.
void check_refusal(const httplib::Result& answer, int status) {
  REQUIRE(answer);
  CHECK(answer->status == status);
  const Json body = Json::parse(answer->body);
  CHECK(body["request_id"].is_string());
  if (status == 401) CHECK(answer->get_header_value("WWW-Authenticate").starts_with("Bearer"));
  for (const char* const word : {"eyJ", "signature", "expired", "HS256"}) CHECK(answer->body.find(word) == std::string::npos);
}

}  // namespace

TEST_CASE("mediad: who sees and changes what, by visibility, owner and scope") {
  const Mediad mediad({"JWT_SECRET=" + kJwtSecret});
  As ann(mediad.port, token_of("ann"));
  As bob(mediad.port, token_of("bob"));
  As admin(mediad.port, token_of("root", R"(,"scope":"media:admin")"));
  As reader(mediad.port, token_of("ann", R"(,"scope":"media:read")"));
  As writer(mediad.port, token_of("ann", R"(,"scope":"media:write")"));
  As useless(mediad.port, token_of("ann", R"(,"scope":"openid")"));
  As nobody(mediad.port, "");

  const auto secret = As::path_of(ann.upload(10));
  const auto known = As::path_of(ann.upload(11, "authenticated"));
  const auto open = As::path_of(ann.upload(12, "public"));
  const std::string absent = "/media/4711";
  ann.client().wait_processed(std::stoll(open.substr(7)), {{"Authorization", "Bearer " + token_of("ann")}});
  const std::string url = Json::parse(ann.get(open)->body)["renditions"][0]["url"];
  const std::string picture = url.substr(url.find("/renditions/"), url.find('?') - url.find("/renditions/"));

  struct Row {
    As& caller;
    const char* name;
    int secret, known, open, absent;
  };
  for (const Row& row : {Row{ann, "ann", 200, 200, 200, 404}, Row{bob, "bob", 404, 200, 200, 404}, Row{admin, "admin", 200, 200, 200, 404},
                         Row{reader, "reader", 200, 200, 200, 404}, Row{writer, "writer", 403, 403, 200, 403},
                         Row{useless, "useless", 403, 403, 200, 403}, Row{nobody, "nobody", 401, 401, 200, 401}}) {
    for (const std::string& tail :
         {std::string(), std::string("/status"), std::string("/download"), picture, std::string("/image?w=320")}) {
      INFO(row.name << " " << tail);
      CHECK(row.caller.status("GET", secret + tail) == row.secret);
      CHECK(row.caller.status("GET", known + tail) == row.known);
      CHECK(row.caller.status("GET", open + tail) == row.open);
      CHECK(row.caller.status("HEAD", secret + tail) == row.secret);
      CHECK(row.caller.status("GET", absent + tail) == row.absent);
    }
  }

  const std::string rename = R"({"original_filename":"x.png"})";
  for (const char* const method : {"PATCH", "DELETE"}) {
    INFO(method);
    const std::string body = std::string_view(method) == "PATCH" ? rename : "";
    CHECK(bob.status(method, secret, body) == 404);
    CHECK(bob.status(method, known, body) == 403);
    CHECK(bob.status(method, open, body) == 403);
    CHECK(bob.status(method, absent, body) == 404);
    CHECK(reader.status(method, secret, body) == 403);
    CHECK(useless.status(method, secret, body) == 403);
    CHECK(nobody.status(method, open, body) == 401);
    CHECK(nobody.status(method, absent, body) == 401);
  }
  CHECK(writer.status("PATCH", secret, rename) == 200);
  CHECK(admin.status("PATCH", secret, rename) == 200);
  CHECK(bob.status("PUT", "/media/recipe/1" + secret) == 404);
  CHECK(bob.status("PUT", "/media/recipe/1" + open) == 403);
  CHECK(ann.status("PUT", "/media/recipe/1" + secret) == 204);
  CHECK(ann.status("PUT", "/media/recipe/1" + open) == 204);
  CHECK(Json::parse(ann.get("/media/recipe/1")->body).size() == 2);
  CHECK(Json::parse(bob.get("/media/recipe/1")->body).size() == 1);
  CHECK(nobody.status("GET", "/media/recipe/1") == 401);

  // Each lists his own; others' are "not found" to a bulk deletion.
  CHECK(Json::parse(ann.get("/media")->body)["data"].size() == 3);
  CHECK(Json::parse(bob.get("/media")->body)["data"].empty());
  CHECK(nobody.status("GET", "/media") == 401);
  CHECK(writer.status("GET", "/media") == 403);
  const std::string ids = R"({"ids":[)" + secret.substr(7) + "," + open.substr(7) + "]}";
  CHECK(nobody.status("POST", "/media/bulk-delete", ids) == 401);
  CHECK(reader.status("POST", "/media/bulk-delete", ids) == 403);
  CHECK(Json::parse(bob.send("POST", "/media/bulk-delete", ids)->body)["deleted"].empty());
  CHECK(nobody.upload_status() == 401);
  CHECK(reader.upload_status() == 403);
  CHECK(nobody.status("POST", "/media/upload-request", R"({"filename":"a.png","content_type":"image/png","file_size":9})") == 401);
  for (const char* const path : {"/live", "/health", "/ready"}) CHECK(nobody.status("GET", path) == 200);
  CHECK(admin.status("DELETE", secret) == 204);
  check_refusal(nobody.get(absent), 401);
  check_refusal(bob.send("DELETE", open), 403);
}

TEST_CASE("mediad: a credential that is wrong is refused everywhere but at health and signed URLs, without a word why") {
  const Mediad mediad({"JWT_SECRET=" + kJwtSecret, "MEDIA_SERVICE_AUTH_AUDIENCE=media"});
  As ann(mediad.port, token_of("ann", R"(,"aud":"media")"));
  const auto id = ann.upload(20, "public");
  const std::string good = token_of("ann", R"(,"aud":"media")");
  const std::string none =
      make_token(R"({"alg":"none"})", R"({"sub":"ann","exp":1900000000})", [](std::string_view) { return std::string(); });
  for (const std::string& bad :
       {token_of("ann", R"(,"aud":"media")", -100), token_of("ann"), token_of("ann", R"(,"aud":"other")"), good + "x",
        good.substr(0, good.size() - 2), none, std::string("x"), std::string("a.b.c"), std::string(9000, 'a'), good + " " + good}) {
    As caller(mediad.port, bad);
    check_refusal(caller.get("/media"), 401);
    check_refusal(caller.get(As::path_of(id)), 401);
    CHECK(caller.get("/media")->get_header_value("WWW-Authenticate").find("invalid_token") != std::string::npos);
    CHECK(caller.upload_status() == 401);
    CHECK(caller.status("GET", "/health") == 200);
  }
  Client plain(mediad.port);
  CHECK(plain.get("/media", {{"Authorization", "Basic YTpi"}})->status == 401);
  CHECK(plain.get("/media", {{"Authorization", "Bearer"}})->status == 401);
  CHECK(plain.get("/media", {{"Authorization", "bearer " + good}})->status == 200);
  CHECK(plain.get("/media", {{"Authorization", "Bearer " + good}, {"Authorization", "Bearer " + good}})->status == 401);
  CHECK(read_text(mediad.log()).find(good) == std::string::npos);
}

TEST_CASE("mediad: a signed URL is a credential of its own, whatever else is sent along") {
  const Mediad mediad({"JWT_SECRET=" + kJwtSecret});
  As ann(mediad.port, token_of("ann"));
  As nobody(mediad.port, "");
  As wrong(mediad.port, "wrong");
  const std::string content = photo(30);
  const auto asked = ann.send("POST", "/media/upload-request",
                              R"({"filename":"a.png","content_type":"image/png","file_size":)" + std::to_string(content.size()) + "}");
  REQUIRE(asked);
  REQUIRE(asked->status == 200);
  const Json promise = Json::parse(asked->body);
  const std::string url = promise["upload_url"];
  const std::string upload = url.substr(url.find(kApi) + kApi.size());
  CHECK(nobody.status("PUT", upload.substr(0, upload.size() - 1), content) == 401);
  CHECK(wrong.status("PUT", upload, content) == 200);
  const auto id = promise["media_id"].get<std::int64_t>();
  CHECK(ann.client().wait_processed(id, {{"Authorization", "Bearer " + token_of("ann")}})["status"] == "Complete");

  const Json renditions = Json::parse(ann.get(As::path_of(id))->body)["renditions"];
  REQUIRE_FALSE(renditions.empty());
  const std::string full = renditions[0]["url"];
  const std::string picture = full.substr(full.find(kApi) + kApi.size());
  CHECK(nobody.status("GET", picture) == 200);
  CHECK(nobody.status("HEAD", picture) == 200);
  CHECK(wrong.status("GET", picture) == 200);
  CHECK(nobody.status("GET", picture + "0") == 401);
  CHECK(nobody.status("GET", picture.substr(0, picture.find('?'))) == 401);
  // Without a signature that is checked there, a parameter of that name lets nobody in.
  CHECK(nobody.status("GET", "/media?signature=x") == 401);
  CHECK(ann.status("GET", "/media?signature=x") == 401);
  CHECK(ann.status("DELETE", As::path_of(id) + "?signature=x") == 401);
  CHECK(nobody.status("GET", As::path_of(id) + "?signature=x") == 401);
}

TEST_CASE("mediad: keys come from a file, and another file's keys are taken without a restart") {
  const TempFolder folder;
  const IssuerKey first = IssuerKey::rsa();
  const IssuerKey second = IssuerKey::ec();
  write_file(folder / "keys.json", key_set({first.jwk("one")}));
  const Mediad mediad({"MEDIA_SERVICE_AUTH_JWKS_FILE=" + (folder / "keys.json").string()});
  const std::string claims = R"({"user_id":7,"exp":)" + std::to_string(now_seconds() + 300) + "}";
  As by_first(mediad.port, make_token(R"({"alg":"RS256","kid":"one"})", claims, [&](std::string_view text) { return first.sign(text); }));
  As by_second(mediad.port, make_token(R"({"alg":"ES256","kid":"two"})", claims, [&](std::string_view text) { return second.sign(text); }));
  const auto id = by_first.upload(40);
  CHECK(Json::parse(by_first.get(As::path_of(id))->body)["owner_id"] == "7");
  CHECK(by_second.status("GET", "/media") == 401);
  write_file(folder / "keys.json.part", key_set({second.jwk("two")}));
  std::filesystem::rename(folder / "keys.json.part", folder / "keys.json");
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  CHECK(by_second.status("GET", As::path_of(id)) == 200);
  CHECK(by_first.status("GET", "/media") == 401);
  std::filesystem::remove(folder / "keys.json");
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  CHECK(by_second.status("GET", "/media") == 200);
}

TEST_CASE("mediad: an issuer judges tokens, and while it is silent nobody new comes in") {
  httplib::Server issuer;
  std::atomic<bool> revoked{false};
  issuer.Post("/oauth2/introspect", [&](const httplib::Request& request, httplib::Response& response) {
    const bool known = !revoked && request.get_param_value("token") == "opaque" && request.has_header("Authorization");
    response.set_content(known ? R"({"active":true,"user_id":7,"scope":"media:read media:write"})" : R"({"active":false})",
                         "application/json");
  });
  const int port = issuer.bind_to_any_port("127.0.0.1");
  auto serving = std::make_unique<std::jthread>([&] { issuer.listen_after_bind(); });
  while (!issuer.is_running()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const Mediad mediad({"OAUTH2_SERVICE_ENABLED=true", "OAUTH2_INTROSPECTION_ENABLED=true", "OAUTH2_CLIENT_ID=media",
                       "OAUTH2_CLIENT_SECRET=b7d4e09c1f5a2836", "OAUTH2_TOKEN_CACHE_TTL_SECONDS=1",
                       "OAUTH2_SERVICE_BASE_URL=http://127.0.0.1:" + std::to_string(port)});
  As ann(mediad.port, "opaque");
  As other(mediad.port, "other");
  const auto id = ann.upload(70);
  CHECK(Json::parse(ann.get(As::path_of(id))->body)["owner_id"] == "7");
  check_refusal(other.get(As::path_of(id)), 401);
  revoked = true;
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  CHECK(ann.status("GET", "/media") == 401);
  issuer.stop();
  serving.reset();
  As third(mediad.port, "third");
  const auto silent = third.get(As::path_of(id));
  check_refusal(silent, 503);
  CHECK_FALSE(silent->get_header_value("Retry-After").empty());
  CHECK(third.status("GET", "/health") == 200);
  CHECK(As(mediad.port, "").status("GET", As::path_of(id)) == 401);
}

TEST_CASE("mediad: a key file that is of no use stops the start") {
  Mediad mediad({"MEDIA_SERVICE_AUTH_JWKS_FILE=/no/such/file"}, false);
  CHECK(mediad.daemon->wait(20) == 3);
}

TEST_CASE("mediad: a program comes with an API key until it is revoked or runs out") {
  const Mediad mediad({"MEDIA_SERVICE_MIDDLEWARE_AUTH_ENABLED=true"});
  const auto apikey = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {Mediad::mediactl(), "apikey"});
    arguments.insert(arguments.end(), {"--store", mediad.store().string(), "--json"});
    const auto ran = run(arguments);
    REQUIRE(ran.exit_code == 0);
    std::vector<Json> lines;
    std::istringstream text(ran.out);
    for (std::string line; std::getline(text, line);) lines.push_back(Json::parse(line));
    return lines;
  };
  const Json made = apikey({"create", "--owner", "ann", "--label", "importer"})[0];
  const std::string token = made["token"];
  CHECK(made["scopes"] == Json::array({"media:read", "media:write"}));
  As program(mediad.port, token);
  const auto id = program.upload(60);
  CHECK(Json::parse(program.get(As::path_of(id))->body)["owner_id"] == "ann");
  Client plain(mediad.port);
  CHECK(plain.get("/media", {{"X-API-Key", token}})->status == 200);
  CHECK(plain.get("/media", {{"X-API-Key", token}, {"Authorization", "Bearer " + token}})->status == 401);
  CHECK(plain.get("/media", {{"X-API-Key", "eyJ.eyJ.x"}})->status == 401);
  CHECK(plain.get("/media", {{"Authorization", "Bearer " + token_of("ann")}})->status == 401);
  check_refusal(plain.get("/media", {{"X-API-Key", token.substr(0, token.size() - 1) + "x"}}), 401);
  check_refusal(plain.get("/media"), 401);

  const Json reading = apikey({"create", "--owner", "ann", "--scope", "media:read", "--expires", "2s"})[0];
  As reader(mediad.port, reading["token"]);
  CHECK(reader.status("GET", As::path_of(id)) == 200);
  CHECK(reader.status("DELETE", As::path_of(id)) == 403);

  CHECK(apikey({"revoke", made["id"]})[0]["status"] == "revoked");
  CHECK(program.status("GET", "/media") == 401);
  std::this_thread::sleep_for(std::chrono::milliseconds(2100));
  CHECK(reader.status("GET", "/media") == 401);
  const auto listed = apikey({"list"});
  REQUIRE(listed.size() == 3);
  CHECK(listed[0]["state"] == "revoked");
  CHECK(listed[1]["state"] == "expired");
  for (const Json& line : listed) CHECK(line.dump().find(token.substr(20)) == std::string::npos);
  CHECK(read_text(mediad.log()).find(token.substr(20)) == std::string::npos);
  CHECK(run({Mediad::mediactl(), "--store", mediad.store().string(), "apikey", "revoke", made["id"]}).exit_code == 1);
  CHECK(run({Mediad::mediactl(), "--store", mediad.store().string(), "apikey", "create", "--owner", ""}).exit_code == 2);
  CHECK(run({Mediad::mediactl(), "--store", mediad.store().string(), "apikey", "create", "--owner", "a", "--quiet"}).exit_code == 2);
}

TEST_CASE("mediad: locally and without a source everybody is the local user") {
  const Mediad mediad;
  As nobody(mediad.port, "");
  As with_token(mediad.port, token_of("ann"));
  const auto id = nobody.upload(50);
  CHECK(with_token.status("GET", As::path_of(id)) == 200);
  CHECK(nobody.status("DELETE", As::path_of(id)) == 204);
}

TEST_CASE("mediad: similar media are told only of what the caller may see, the nearest first") {
  Mediad server({"JWT_SECRET=" + kJwtSecret, "MEDIA_SERVICE_PROCESSING_JOB_THREADS=2"});
  As ann(server.port, token_of("ann"));
  As bob(server.port, token_of("bob"));
  As root(server.port, token_of("root", R"(,"scope":"media:admin")"));
  As writer(server.port, token_of("ann", R"(,"scope":"media:write")"));
  As nobody(server.port, "");
  const auto upload = [&](As& who, unsigned width, unsigned step, const std::string& visibility) {
    const auto id = who.upload_content(text_of(tiles(width, step)), visibility);
    who.wait_processed(id);
    return id;
  };
  const auto mine = upload(ann, 240, 1, "private");
  const auto copy = upload(ann, 120, 1, "private");
  const auto other = upload(ann, 240, 2, "private");
  const auto bobs = upload(bob, 200, 1, "private");
  const auto known = upload(bob, 160, 1, "authenticated");
  const auto shown = upload(bob, 80, 1, "public");

  using Ids = std::set<std::int64_t>;
  const auto ids_of = [](const httplib::Result& answer) {
    REQUIRE(answer);
    REQUIRE(answer->status == 200);
    Ids ids;
    int last = 0;
    const Json body = Json::parse(answer->body);
    CHECK(body["perceptual_hash"].get<std::string>().size() == 16);
    for (const Json& each : body["data"]) {
      CHECK(each["distance"].get<int>() >= last);
      last = each["distance"].get<int>();
      CHECK_FALSE(each["media"].contains("renditions"));
      ids.insert(each["media"]["id"].get<std::int64_t>());
    }
    return ids;
  };
  const auto similar = [](std::int64_t id) { return "/media/" + std::to_string(id) + "/similar"; };
  CHECK(ids_of(ann.get(similar(mine))) == Ids{copy, known, shown});
  CHECK(ids_of(bob.get(similar(bobs))) == Ids{known, shown});
  CHECK(ids_of(bob.get(similar(shown))) == Ids{bobs, known});
  CHECK(ids_of(root.get(similar(mine))) == Ids{copy, bobs, known, shown});
  CHECK(ids_of(root.get(similar(mine) + "?limit=2")).size() == 2);
  CHECK(ids_of(ann.get(similar(other))).empty());
  CHECK(ids_of(ann.get(similar(mine) + "?distance=32")).contains(copy));
  CHECK(ids_of(nobody.get(similar(shown))).empty());
  CHECK(ids_of(writer.get(similar(shown))).empty());

  CHECK(nobody.status("GET", similar(mine)) == 401);
  CHECK(writer.status("GET", similar(mine)) == 403);
  CHECK(bob.status("GET", similar(mine)) == 404);
  CHECK(ann.status("GET", similar(4711)) == 404);
  for (const char* bad :
       {"?distance=33", "?distance=-1", "?distance=x", "?distance=", "?distance=1&distance=2", "?limit=0", "?limit=101", "?limit=1x"}) {
    INFO(bad);
    const auto answer = ann.get(similar(mine) + bad);
    REQUIRE(answer);
    CHECK(answer->status == 400);
    CHECK_THAT(answer->body, ContainsSubstring("accepts"));
  }

  // One colour: nothing to tell it by, and so nothing like it.
  const auto plain = ann.upload_content(text_of(png(50, 50, [](std::uint32_t, std::uint32_t) { return Rgba{9, 9, 9, 255}; })), "private");
  ann.wait_processed(plain);
  const Json nothing = Json::parse(ann.get(similar(plain))->body);
  CHECK(nothing["perceptual_hash"].is_null());
  CHECK(nothing["data"].empty());
}
