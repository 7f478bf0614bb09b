// Everything malformed that a client may send, each as the bytes of a request in a file that names the status it deserves:
// tests/fuzz/corpus/fuzz_http_request/<status>-<area>-<what>.http, which the fuzz target of that name starts from too.
//
// Files named auth- go to a server that asks for credentials. `{upload}`, `{token}` and `{query}` in a file stand for a resumable upload of
// 100 bytes, and for the token and the parameters of the URL of a promised one.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <map>

#include "mediad_fixture.hpp"

using namespace test;
using nlohmann::json;

namespace {

const std::string kUrlSecret = "1f0e9d8c7b6a59483726150493827160";
const std::string kJwtSecret = "7c0de5a1b2c3d4e5f60718293a4b5c6d";

struct Row {
  std::string name;
  int status = 0;
  bool is_auth = false;
  std::string request;
};

std::vector<Row> read_rows() {
  std::vector<Row> rows;
  for (const auto& entry : std::filesystem::directory_iterator(MEDIA_SOURCE_DIR "/tests/fuzz/corpus/fuzz_http_request")) {
    const std::string name = entry.path().filename().string();
    rows.push_back({name, std::stoi(name.substr(0, 3)), name.substr(4).starts_with("auth-"), read_text(entry.path())});
  }
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.name < b.name; });
  return rows;
}

struct Answer {
  std::string text;  ///< As it came.
  int status = 0;
  std::string phrase;
  std::multimap<std::string, std::string> fields;  ///< Names in lower case.
  std::string body;

  [[nodiscard]] std::string field(const std::string& name) const {
    const auto found = fields.find(name);
    return found == fields.end() ? std::string() : found->second;
  }
};

/// Sends it all, with `is_all` says that nothing more comes, and reads to the end.
std::string ask_raw(int port, const std::string& request, bool is_all) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(socket >= 0);
  const timeval patience{30, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  // A refusal may come before all is sent: then the rest does not matter.
  for (std::size_t sent = 0; sent < request.size();) {
    const ssize_t step = ::send(socket, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
    if (step <= 0) break;
    sent += static_cast<std::size_t>(step);
  }
  if (is_all) ::shutdown(socket, SHUT_WR);
  std::string text;
  char buffer[16384];
  for (;;) {
    const ssize_t got = ::recv(socket, buffer, sizeof buffer, 0);
    if (got <= 0) break;
    text.append(buffer, static_cast<std::size_t>(got));
  }
  ::close(socket);
  return text;
}

Answer parse(const std::string& text) {
  Answer answer;
  answer.text = text;
  const std::size_t end = text.find("\r\n\r\n");
  if (!text.starts_with("HTTP/1.1 ") || end == std::string::npos) return answer;
  std::istringstream head(text.substr(0, end));
  std::string line;
  std::getline(head, line);
  answer.status = std::stoi(line.substr(9, 3));
  answer.phrase = line.substr(13, line.find('\r') == std::string::npos ? std::string::npos : line.find('\r') - 13);
  while (std::getline(head, line)) {
    if (line.ends_with('\r')) line.pop_back();
    const std::size_t colon = line.find(": ");
    if (colon == std::string::npos) return {};
    std::string name = line.substr(0, colon);
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    answer.fields.emplace(name, line.substr(colon + 2));
  }
  answer.body = text.substr(end + 4);
  return answer;
}

void replace_all(std::string& text, const std::string& what, const std::string& by) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) text.replace(at, what.size(), by);
}

/// The one shape of every failure.
void check_shape(const Answer& answer) {
  CHECK(answer.field("content-type") == "application/json");
  const json body = json::parse(answer.body, nullptr, false);
  REQUIRE(body.is_object());
  CHECK(body.value("error", json()) == answer.phrase);
  CHECK(!body.value("message", json("")).get<std::string>().empty());
  CHECK(body.value("request_id", json()) == answer.field("x-request-id"));
  for (const auto& [name, value] : body.items()) {
    CAPTURE(name);
    CHECK((name == "error" || name == "message" || name == "request_id" || (name == "details" && value.is_object())));
  }
}

/// Whatever went wrong, nobody learns how the server is made inside.
void check_silence(const Mediad& server, const Answer& answer) {
  std::string text = answer.text;
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const std::string& secret :
       std::vector<std::string>{"/tmp/", server.folder.path().string(), "catalog.db", "select ", "insert ", "sqlite", "json.exception",
                                "std::", "errno", "no such file", ".cpp", kUrlSecret, kJwtSecret}) {
    CAPTURE(secret);
    CHECK(text.find(secret) == std::string::npos);
  }
}

/// What is cut short would be waited for; all else the server must see through by itself.
bool is_cut_short(const Row& row) {
  for (const char* const mark : {"-cut", "-no-end", "-none", "-short"}) {
    if (row.name.find(mark) != std::string::npos) return true;
  }
  return false;
}

/// The rows that are asked for, at one server.
void check_rows(const Mediad& server, const std::vector<Row>& rows, const std::map<std::string, std::string>& places) {
  for (const Row& row : rows) {
    CAPTURE(row.name);
    std::string request = row.request;
    for (const auto& [place, value] : places) replace_all(request, place, value);
    const Answer answer = parse(ask_raw(server.port, request, is_cut_short(row)));
    CAPTURE(answer.text.substr(0, 2000));
    CHECK(answer.status == row.status);
    check_silence(server, answer);
    CHECK(answer.fields.count("x-request-id") == 1);
    CHECK(answer.fields.count("content-length") == (answer.status == 204 || answer.status == 304 ? 0U : 1U));
    if (answer.status == 401) CHECK(!answer.field("www-authenticate").empty());
    if (answer.status == 405) CHECK(!answer.field("allow").empty());
    if (answer.status == 416) CHECK(answer.field("content-range").starts_with("bytes */"));
    if (answer.status < 400) continue;
    if (request.starts_with("HEAD ")) {
      CHECK(answer.body.empty());
    } else {
      check_shape(answer);
    }
  }
}

std::string photo() { return text_of(gradient_png(640, 480)); }

}  // namespace

TEST_CASE("mediad: whatever is malformed gets its status in the one shape, and leaves nothing behind") {
  std::vector<Row> rows = read_rows();
  std::erase_if(rows, [](const Row& row) { return row.is_auth; });
  REQUIRE(rows.size() > 800);
  const Mediad server({"UPLOAD_URL_SECRET=" + kUrlSecret});
  Client client(server.port);
  client.http().set_keep_alive(false);
  const auto stored = client.post_raw(photo(), "image/png", "photo.png");
  REQUIRE(stored);
  REQUIRE(stored->status == 200);
  REQUIRE(json::parse(stored->body)["id"] == 1);
  CHECK(client.wait_processed(1)["status"] == "Complete");
  const auto begun = client.http().Post((kApi + "/uploads").c_str(), {{"Tus-Resumable", "1.0.0"}, {"Upload-Length", "100"}}, "", "");
  REQUIRE(begun);
  REQUIRE(begun->status == 201);
  const std::string location = begun->get_header_value("Location");
  const auto promised = client.http().Post((kApi + "/media/upload-request").c_str(),
                                           R"({"filename":"a.png","content_type":"image/png","file_size":100})", "application/json");
  REQUIRE(promised);
  REQUIRE(promised->status == 200);
  const std::string url = json::parse(promised->body)["upload_url"];
  const auto media_before = client.get("/media/1");
  const auto list_before = client.get("/media");
  REQUIRE(media_before);
  REQUIRE(list_before);

  check_rows(server, rows,
             {{"{upload}", location.substr(location.rfind('/') + 1)},
              {"{token}", json::parse(promised->body)["upload_token"]},
              {"{query}", url.substr(url.find('?') + 1)}});

  const auto live = client.get("/live");
  REQUIRE(live);
  CHECK(live->status == 200);
  const auto media = client.get("/media/1");
  const auto list = client.get("/media");
  REQUIRE(media);
  REQUIRE(list);
  CHECK(media->body == media_before->body);
  CHECK(list->body == list_before->body);
  const auto links = client.get("/media/recipe/7");
  REQUIRE(links);
  CHECK(links->body == "[]");
  const auto upload = client.http().Head(("/" + location.substr(location.find("api/"))).c_str(), {{"Tus-Resumable", "1.0.0"}});
  REQUIRE(upload);
  CHECK(upload->get_header_value("Upload-Offset") == "0");
  CHECK(server.temps() == 0);
  CHECK(count_files(server.store() / "uploads") == 1);
}

TEST_CASE("mediad: whoever has no good credential is told so in the one shape, and no more") {
  std::vector<Row> rows = read_rows();
  std::erase_if(rows, [](const Row& row) { return !row.is_auth; });
  REQUIRE(rows.size() > 40);
  const Mediad server({"UPLOAD_URL_SECRET=" + kUrlSecret, "JWT_SECRET=" + kJwtSecret});
  check_rows(server, rows, {});
  CHECK(server.temps() == 0);
  CHECK(read_text(server.log()).find(kJwtSecret) == std::string::npos);
}
