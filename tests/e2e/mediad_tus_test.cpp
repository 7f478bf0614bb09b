// Resumable uploads over HTTP: tus 1.0.0 as its clients speak it, with connections and servers that end at the wrong moment.
#include <netinet/in.h>
#include <sys/socket.h>

#include "media/digest.hpp"
#include "mediad_fixture.hpp"

using namespace test;
using Json = nlohmann::json;
using Headers = httplib::Headers;

namespace {

constexpr const char* kOffsetStream = "application/offset+octet-stream";

/// A picture of some hundred KiB that cannot be compressed.
std::string photo(std::uint8_t shade, std::uint32_t side = 400) {
  return text_of(png(side, side, [&](std::uint32_t x, std::uint32_t y) {
    const std::uint32_t mixed = (x * 2654435761U) ^ (y * 40503U * (x + 1U)) ^ (shade * 977U);
    return Rgba{static_cast<std::uint8_t>(mixed), static_cast<std::uint8_t>(mixed >> 8U), static_cast<std::uint8_t>(mixed >> 16U), 255};
  }));
}

std::string base64(const std::string& bytes) {
  static constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) group = group << 8U | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k) out += i + k <= bytes.size() ? kAlphabet[group >> (18 - 6 * k) & 63U] : '=';
  }
  return out;
}

std::string sha256(const std::string& bytes) {
  const auto digest = media::Digest::of(std::as_bytes(std::span(bytes)));
  return "sha256 " + base64({reinterpret_cast<const char*>(digest.bytes().data()), media::Digest::kSize});
}

std::string field(const httplib::Result& answer, const char* name) { return answer->get_header_value(name); }

struct Tus : Mediad {
  using Mediad::Mediad;

  static Headers with_version(Headers headers) {
    headers.emplace("Tus-Resumable", "1.0.0");
    return headers;
  }
  httplib::Result post(const std::string& path, Headers headers, const std::string& body = {}, const std::string& type = kOffsetStream) {
    auto answer = Client(port).http().Post((kApi + path).c_str(), with_version(std::move(headers)), body, type.c_str());
    REQUIRE(answer);
    CHECK(field(answer, "Tus-Resumable") == "1.0.0");
    return answer;
  }
  /// The id of a new upload.
  std::string create(std::size_t size, const std::string& metadata = {}) {
    Headers headers{{"Upload-Length", std::to_string(size)}};
    if (!metadata.empty()) headers.emplace("Upload-Metadata", metadata);
    const auto answer = post("/uploads", std::move(headers));
    REQUIRE(answer->status == 201);
    return id_of(answer);
  }
  std::string id_of(const httplib::Result& answer) const {
    const std::string location = field(answer, "Location");
    const std::string prefix = "http://127.0.0.1:" + std::to_string(port) + kApi + "/uploads/";
    REQUIRE(location.starts_with(prefix));
    return location.substr(prefix.size());
  }
  httplib::Result patch(const std::string& id, std::size_t offset, const std::string& body, Headers headers = {},
                        const std::string& type = kOffsetStream) {
    headers.emplace("Upload-Offset", std::to_string(offset));
    auto answer = Client(port).http().Patch((kApi + "/uploads/" + id).c_str(), with_version(std::move(headers)), body, type.c_str());
    REQUIRE(answer);
    CHECK(field(answer, "Tus-Resumable") == "1.0.0");
    if (answer->status >= 400) CHECK(Json::parse(answer->body)["request_id"].is_string());
    return answer;
  }
  httplib::Result head(const std::string& id) {
    auto answer = Client(port).head("/uploads/" + id, with_version({}));
    REQUIRE(answer);
    CHECK(field(answer, "Tus-Resumable") == "1.0.0");
    CHECK(field(answer, "Cache-Control") == "no-store");
    return answer;
  }
  httplib::Result terminate(const std::string& id) {
    auto answer = Client(port).http().Delete((kApi + "/uploads/" + id).c_str(), with_version({}));
    REQUIRE(answer);
    return answer;
  }
  std::size_t offset(const std::string& id) {
    const auto answer = head(id);
    REQUIRE(answer->status == 200);
    return std::stoull(field(answer, "Upload-Offset"));
  }
  std::string download(const std::string& media_id) { return Client(port).get("/media/" + media_id + "/download")->body; }
  std::size_t spooled() const { return count_files(store() / "uploads"); }
};

/// A PATCH whose body is sent as slowly as the test likes.
class SlowPatch {
 public:
  SlowPatch(int port, const std::string& id, std::size_t offset, std::size_t length, const std::string& fields = {})
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    send("PATCH " + kApi + "/uploads/" + id + " HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nContent-Type: " + kOffsetStream +
         "\r\nUpload-Offset: " + std::to_string(offset) + "\r\nContent-Length: " + std::to_string(length) + "\r\n" + fields + "\r\n");
  }
  ~SlowPatch() { vanish(); }
  SlowPatch(const SlowPatch&) = delete;
  SlowPatch& operator=(const SlowPatch&) = delete;

  void send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t sent = ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  /// The first line of the answer.
  std::string status_line() {
    std::string text;
    std::array<char, 256> buffer{};
    while (text.find("\r\n") == std::string::npos) {
      const ssize_t got = ::recv(socket_, buffer.data(), buffer.size(), 0);
      if (got <= 0) break;
      text.append(buffer.data(), static_cast<std::size_t>(got));
    }
    return text.substr(0, text.find("\r\n"));
  }
  void vanish() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }

 private:
  int socket_;
};

void wait_for(const std::function<bool()>& condition) {
  for (int i = 0; i < 2'000; ++i) {
    if (condition()) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  FAIL("it never came about");
}

}  // namespace

TEST_CASE("mediad: a tus upload in three requests is an ordinary media afterwards") {
  Tus tus;
  const std::string content = photo(1);
  const std::string metadata = "filename " + base64("b\u00e4ch.png") + ",filetype " + base64("image/png") + ",is_mine";
  const std::string id = tus.create(content.size(), metadata);
  const auto fresh = tus.head(id);
  CHECK(fresh->status == 200);
  CHECK(field(fresh, "Upload-Offset") == "0");
  CHECK(field(fresh, "Upload-Length") == std::to_string(content.size()));
  CHECK(field(fresh, "Upload-Metadata") == metadata);
  CHECK(field(fresh, "Upload-Expires").ends_with(" GMT"));
  CHECK_FALSE(fresh->has_header("Media-Id"));

  const auto first = tus.patch(id, 0, content.substr(0, 1'000));
  CHECK(first->status == 204);
  CHECK(field(first, "Upload-Offset") == "1000");
  CHECK(field(first, "Upload-Expires") == field(fresh, "Upload-Expires"));
  CHECK_FALSE(first->has_header("Media-Id"));
  CHECK(tus.offset(id) == 1'000);
  CHECK(tus.patch(id, 1'000, content.substr(1'000, 1))->status == 204);
  const auto last = tus.patch(id, 1'001, content.substr(1'001));
  REQUIRE(last->status == 204);
  CHECK(field(last, "Upload-Offset") == std::to_string(content.size()));
  const std::string media_id = field(last, "Media-Id");
  const auto done = tus.head(id);
  CHECK(field(done, "Media-Id") == media_id);
  CHECK(field(done, "Upload-Offset") == std::to_string(content.size()));
  // The answer was lost: the same again, without a byte.
  const auto again = tus.patch(id, content.size(), "");
  CHECK(again->status == 204);
  CHECK(field(again, "Media-Id") == media_id);

  CHECK(tus.download(media_id) == content);
  const Json media = Json::parse(Client(tus.port).get("/media/" + media_id)->body);
  CHECK(media["original_filename"] == "b\u00e4ch.png");
  CHECK(media["media_type"] == "image/png");
  CHECK(Client(tus.port).wait_processed(std::stoll(media_id))["status"] == "Complete");
  CHECK(Client(tus.port).get("/media/" + media_id + "/renditions/thumb")->status == 200);
  CHECK(tus.spooled() == 0);
  CHECK(tus.temps() == 0);
  // What it became is not the upload's to take away.
  CHECK(tus.terminate(id)->status == 204);
  CHECK(tus.head(id)->status == 404);
  CHECK(tus.download(media_id) == content);
}

TEST_CASE("mediad: tus says what it offers, and wants to be spoken to in its version") {
  Tus tus({"MEDIA_SERVICE_SERVER_MAX_UPLOAD_SIZE=1000000"});
  for (const char* const path : {"/uploads", "/uploads/", "/uploads/x"}) {
    const auto offer = Client(tus.port).http().Options((kApi + path).c_str());
    REQUIRE(offer);
    CHECK(offer->status == 204);
    CHECK(field(offer, "Tus-Version") == "1.0.0");
    CHECK(field(offer, "Tus-Extension") == "creation,creation-with-upload,expiration,checksum,termination,concatenation");
    CHECK(field(offer, "Tus-Max-Size") == "1000000");
    CHECK(field(offer, "Tus-Checksum-Algorithm") == "sha1,sha256");
  }
  for (const Headers& headers : {Headers{}, Headers{{"Tus-Resumable", "0.2.2"}}}) {
    for (const auto& answer : {Client(tus.port).http().Post((kApi + "/uploads").c_str(), headers, "", kOffsetStream),
                               Client(tus.port).http().Patch((kApi + "/uploads/x").c_str(), headers, "", kOffsetStream),
                               Client(tus.port).http().Delete((kApi + "/uploads/x").c_str(), headers)}) {
      REQUIRE(answer);
      CHECK(answer->status == 412);
      CHECK(field(answer, "Tus-Version") == "1.0.0");
      CHECK(Json::parse(answer->body)["details"]["field"] == "Tus-Resumable");
    }
  }
  // What the HTTP layer answers by itself looks the same.
  const auto get = Client(tus.port).get("/uploads/x");
  CHECK(get->status == 405);
  CHECK(field(get, "Tus-Resumable") == "1.0.0");
  CHECK(field(get, "Allow").find("PATCH") != std::string::npos);
}

TEST_CASE("mediad: what tus does not take is told by its status, and keeps nothing") {
  Tus tus({"MEDIA_SERVICE_MIDDLEWARE_VALIDATION_MAX_FILE_SIZE_MB=1", "MEDIA_SERVICE_STORAGE_MAX_FILE_SIZE=2000000"});
  const auto status_of = [&](Headers headers, const std::string& body = {}, const std::string& type = kOffsetStream) {
    const auto answer = tus.post("/uploads", std::move(headers), body, type);
    if (answer->status >= 400) CHECK(Json::parse(answer->body)["request_id"].is_string());
    return answer->status;
  };
  const auto name = [](const std::string& value) { return "filename " + base64(value); };
  CHECK(status_of({}) == 400);
  CHECK(status_of({{"Upload-Length", "0"}}) == 400);
  CHECK(status_of({{"Upload-Length", "-1"}}) == 400);
  CHECK(status_of({{"Upload-Length", "1e3"}}) == 400);
  CHECK(status_of({{"Upload-Length", "99999999999999999999"}}) == 413);
  CHECK(status_of({{"Upload-Defer-Length", "1"}}) == 400);
  CHECK(status_of({{"Upload-Length", "2000001"}}) == 413);
  CHECK(status_of({{"Upload-Length", "1500000"}, {"Upload-Metadata", "filetype " + base64("image/png")}}) == 413);
  CHECK(status_of({{"Upload-Length", "5"}, {"Upload-Metadata", "filename !"}}) == 400);
  CHECK(status_of({{"Upload-Length", "5"}, {"Upload-Metadata", name("virus.exe")}}) == 400);
  CHECK(status_of({{"Upload-Length", "5"}, {"Upload-Metadata", "name " + base64("virus.exe.jpg")}}) == 400);
  CHECK(status_of({{"Upload-Length", "5"}, {"Upload-Metadata", name("a.png") + ",filetype " + base64("image/jpeg")}}) == 400);
  CHECK(status_of({{"Upload-Length", "5"}, {"Upload-Metadata", "filetype " + base64("text/html")}}) == 400);
  CHECK(status_of({{"Upload-Length", "5"}}, "12345", "text/plain") == 415);
  CHECK(status_of({{"Upload-Length", "5"}}, "123456") == 413);
  CHECK(status_of({{"Upload-Length", "5"}, {"Upload-Checksum", "md5 x"}}, "123") == 400);
  CHECK(status_of({{"Upload-Length", "5"}, {"Upload-Checksum", sha256("124")}}, "123") == 460);
  CHECK(status_of({{"Upload-Concat", "whole"}}) == 400);
  CHECK(status_of({{"Upload-Concat", "final;" + kApi + "/uploads/none"}}) == 404);
  CHECK(tus.spooled() == 0);

  const std::string id = tus.create(100);
  CHECK(tus.patch(id, 0, "x", {}, "application/octet-stream")->status == 415);
  CHECK(tus.patch(id, 1, "x")->status == 409);
  CHECK(tus.patch(id, 0, std::string(101, 'x'))->status == 413);
  CHECK(tus.patch(id, 0, "x", {{"Upload-Checksum", "crc32 AAAA"}})->status == 400);
  CHECK(tus.patch("none", 0, "x")->status == 404);
  CHECK(tus.head("none")->status == 404);
  CHECK(tus.terminate("none")->status == 404);
  CHECK(tus.offset(id) == 0);
  // Not judged before the last byte, and by its bytes then.
  CHECK(tus.patch(id, 0, std::string(99, 'x'))->status == 204);
  CHECK(tus.patch(id, 99, "x")->status == 415);
  CHECK(tus.head(id)->status == 404);
  const std::string jpeg = tus.create(photo(2).size(), "filetype " + base64("image/jpeg"));
  CHECK(tus.patch(jpeg, 0, photo(2))->status == 422);
  CHECK(tus.head(jpeg)->status == 404);
  CHECK(tus.spooled() == 0);
  CHECK(Json::parse(Client(tus.port).get("/media")->body)["data"].empty());
}

TEST_CASE("mediad: a tus upload is made with its first bytes, without a body, or by clients that know only POST") {
  Tus tus;
  const std::string content = photo(3);
  const auto with_bytes = tus.post("/uploads", {{"Upload-Length", std::to_string(content.size())}}, content.substr(0, 500));
  CHECK(with_bytes->status == 201);
  CHECK(field(with_bytes, "Upload-Offset") == "500");
  const std::string id = tus.id_of(with_bytes);
  CHECK(tus.offset(id) == 500);
  const auto whole =
      tus.post("/uploads", {{"Upload-Length", std::to_string(content.size())}, {"Upload-Checksum", sha256(content)}}, content);
  CHECK(whole->status == 201);
  CHECK(tus.download(field(whole, "Media-Id")) == content);
  CHECK(field(tus.head(tus.id_of(whole)), "Media-Id") == field(whole, "Media-Id"));

  const auto overridden =
      tus.post("/uploads/" + id, {{"X-HTTP-Method-Override", "PATCH"}, {"Upload-Offset", "500"}}, content.substr(500, 7));
  CHECK(overridden->status == 204);
  CHECK(tus.offset(id) == 507);
  CHECK(tus.post("/uploads/" + id, {{"X-HTTP-Method-Override", "GET"}})->status == 405);
  CHECK(tus.post("/uploads/" + id, {{"X-HTTP-Method-Override", "DELETE"}})->status == 204);
  CHECK(tus.head(id)->status == 404);

  // Neither a Content-Length nor chunks: no body.
  SlowPatch raw(tus.port, "none", 0, 0);
  CHECK(raw.status_line().find(" 404 ") != std::string::npos);
  const auto curled = run({"curl", "-s", "-i", "-X", "POST", "-H", "Tus-Resumable: 1.0.0", "-H", "Upload-Length: 10", "-H",
                           "Content-Length:", "http://127.0.0.1:" + std::to_string(tus.port) + kApi + "/uploads"});
  CHECK(curled.out.find(" 201 ") != std::string::npos);
}

TEST_CASE("mediad: the bytes of a tus request whose checksum is wrong are not kept") {
  Tus tus;
  const std::string content = photo(4);
  const std::string id = tus.create(content.size());
  CHECK(tus.patch(id, 0, content.substr(0, 1'000), {{"Upload-Checksum", sha256(content.substr(0, 1'000))}})->status == 204);
  const auto wrong = tus.patch(id, 1'000, content.substr(1'000), {{"Upload-Checksum", sha256("other")}});
  CHECK(wrong->status == 460);
  CHECK(Json::parse(wrong->body)["error"] == "Checksum Mismatch");
  CHECK(tus.offset(id) == 1'000);
  {
    // Nor are those of a request that ended before its checksum could be told.
    SlowPatch cut(tus.port, id, 1'000, content.size() - 1'000, "Upload-Checksum: " + sha256(content.substr(1'000)) + "\r\n");
    cut.send(content.substr(1'000, 100'000));
  }
  CHECK(tus.offset(id) == 1'000);
  const auto right = tus.patch(id, 1'000, content.substr(1'000), {{"Upload-Checksum", sha256(content.substr(1'000))}});
  CHECK(right->status == 204);
  CHECK(tus.download(field(right, "Media-Id")) == content);
}

TEST_CASE("mediad: parts that tus clients sent side by side become one media") {
  Tus tus;
  const std::string content = photo(5);
  const std::size_t cut = content.size() / 2;
  std::vector<std::string> ids;
  for (const std::string& part : {content.substr(0, cut), content.substr(cut)}) {
    const auto made = tus.post("/uploads", {{"Upload-Length", std::to_string(part.size())}, {"Upload-Concat", "partial"}});
    REQUIRE(made->status == 201);
    ids.push_back(tus.id_of(made));
    CHECK(tus.patch(ids.back(), 0, part.substr(0, 10))->status == 204);
    if (ids.size() == 2) {
      CHECK(tus.post("/uploads", {{"Upload-Concat", "final;" + kApi + "/uploads/" + ids[0] + " " + kApi + "/uploads/" + ids[1]}})->status ==
            409);
    }
    const auto sent = tus.patch(ids.back(), 10, part.substr(10));
    CHECK(sent->status == 204);
    CHECK_FALSE(sent->has_header("Media-Id"));
    CHECK(field(tus.head(ids.back()), "Upload-Concat") == "partial");
  }
  const std::string base = "http://127.0.0.1:" + std::to_string(tus.port) + kApi + "/uploads/";
  const std::string concat = "final;" + base + ids[0] + " " + base + ids[1];
  CHECK(tus.post("/uploads", {{"Upload-Concat", concat}, {"Upload-Length", "10"}})->status == 400);
  const auto joined = tus.post("/uploads", {{"Upload-Concat", concat}, {"Upload-Metadata", "filename " + base64("joined.png")}});
  REQUIRE(joined->status == 201);
  CHECK(tus.download(field(joined, "Media-Id")) == content);
  const std::string id = tus.id_of(joined);
  const auto told = tus.head(id);
  CHECK(field(told, "Upload-Concat") == concat);
  CHECK(field(told, "Upload-Length") == std::to_string(content.size()));
  CHECK(field(told, "Upload-Offset") == std::to_string(content.size()));
  CHECK(field(told, "Media-Id") == field(joined, "Media-Id"));
  CHECK(tus.patch(id, content.size(), "x")->status == 403);
}

TEST_CASE("mediad: a tus upload that ran out is gone") {
  Tus tus({"MEDIA_SERVICE_UPLOAD_RESUMABLE_LIFETIME_SECONDS=1"});
  const std::string id = tus.create(100);
  std::this_thread::sleep_for(std::chrono::milliseconds(1'100));
  CHECK(tus.head(id)->status == 410);
  CHECK(tus.patch(id, 0, "x")->status == 410);
  CHECK(tus.terminate(id)->status == 204);
  CHECK(tus.head(id)->status == 404);
  CHECK(tus.spooled() == 0);
}

TEST_CASE("mediad: a tus client that comes back takes over from its own request that hangs") {
  Tus tus;
  const std::string content = photo(6);
  const std::string id = tus.create(content.size());
  SlowPatch hanging(tus.port, id, 0, content.size());
  hanging.send(content.substr(0, 100'000));
  wait_for([&] { return std::filesystem::file_size(tus.store() / "uploads" / id) >= 100'000 + 4'096; });
  const auto begun = std::chrono::steady_clock::now();
  SECTION("with HEAD") {
    CHECK(tus.offset(id) == 100'000);
    CHECK(hanging.status_line().find(" 409 ") != std::string::npos);
  }
  SECTION("with another PATCH") {
    const auto second = tus.patch(id, 0, content);
    CHECK(second->status == 409);
    CHECK(field(second, "Upload-Offset") == "100000");
  }
  SECTION("after it vanished") {
    hanging.vanish();
    CHECK(tus.offset(id) == 100'000);
  }
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(8));
  const auto last = tus.patch(id, 100'000, content.substr(100'000));
  REQUIRE(last->status == 204);
  CHECK(tus.download(field(last, "Media-Id")) == content);
}

TEST_CASE("mediad: a tus client whose connection stalls is told to go on later") {
  Tus tus;
  const std::string content = photo(8);
  const std::string id = tus.create(content.size());
  CHECK(tus.patch(id, 0, content.substr(0, 1'000))->status == 204);
  SlowPatch stalled(tus.port, id, 1'000, content.size() - 1'000);
  stalled.send(content.substr(1'000, 100));
  // Not 408: clients take that for the end of the upload.
  CHECK(stalled.status_line().find(" 503 ") != std::string::npos);
  const std::size_t offset = tus.offset(id);
  CHECK((offset == 1'000 || offset == 1'100));
  const auto last = tus.patch(id, offset, content.substr(offset));
  REQUIRE(last->status == 204);
  CHECK(tus.download(field(last, "Media-Id")) == content);
}

TEST_CASE("mediad: two tus clients that send the same upload at once leave it whole") {
  Tus tus;
  const std::string content = photo(7);
  const std::string id = tus.create(content.size());
  std::vector<std::thread> clients;
  std::atomic<int> completed{0};
  for (int t = 0; t < 3; ++t) {
    clients.emplace_back([&] {
      for (int i = 0; i < 400; ++i) {
        httplib::Client http("127.0.0.1", tus.port);
        const auto told = http.Head((kApi + "/uploads/" + id).c_str(), {{"Tus-Resumable", "1.0.0"}});
        if (!told || told->status != 200) continue;
        if (told->has_header("Media-Id")) {
          ++completed;
          return;
        }
        const std::size_t offset = std::stoull(told->get_header_value("Upload-Offset"));
        http.Patch((kApi + "/uploads/" + id).c_str(), {{"Tus-Resumable", "1.0.0"}, {"Upload-Offset", std::to_string(offset)}},
                   content.substr(offset, 20'000), kOffsetStream);
      }
    });
  }
  for (auto& client : clients) client.join();
  CHECK(completed == 3);
  const std::string media_id = field(tus.head(id), "Media-Id");
  CHECK(tus.download(media_id) == content);
  CHECK(Json::parse(Client(tus.port).get("/media")->body)["data"].size() == 1);
}

TEST_CASE("mediad: killed in the middle of a tus upload, it tells the offset that is there, and the upload goes on") {
  Tus tus;
  // Larger than what is settled at once.
  const std::string content = photo(8, 2'400);
  REQUIRE(content.size() > 16U << 20U);
  const std::string id = tus.create(content.size());
  std::size_t offset = 0;
  for (int round = 1; round <= 3; ++round) {
    SlowPatch sending(tus.port, id, offset, content.size() - offset);
    const std::size_t upto = content.size() / 4 * static_cast<std::size_t>(round);
    sending.send(content.substr(offset, upto - offset));
    const auto file = tus.store() / "uploads" / id;
    wait_for([&] { return std::filesystem::file_size(file) > offset + 4'096; });
    tus.daemon->signal(SIGKILL);
    REQUIRE(tus.daemon->wait(30));
    tus.start();
    const std::size_t there = tus.offset(id);
    CHECK(there >= offset);
    CHECK(there <= upto);
    // All that was settled was synced; what is counted is what the file has.
    const std::string spooled = read_text(file);
    CHECK(spooled.substr(4'096, there) == content.substr(0, there));
    offset = there;
  }
  CHECK(tus.patch(id, offset + 1, content.substr(offset + 1))->status == 409);
  const auto last = tus.patch(id, offset, content.substr(offset));
  REQUIRE(last->status == 204);
  const std::string media_id = field(last, "Media-Id");
  // Killed once more: what was acknowledged is there.
  tus.daemon->signal(SIGKILL);
  REQUIRE(tus.daemon->wait(30));
  tus.start();
  CHECK(field(tus.head(id), "Media-Id") == media_id);
  CHECK(tus.download(media_id) == content);
  CHECK(tus.spooled() == 0);
  CHECK(tus.stop() == 0);
}
