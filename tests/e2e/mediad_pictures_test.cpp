// Pictures on the fly when many are asked for at once: a line with an end, one making for all who want the same, and room for everybody
// else.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <sstream>

#include "mediad_fixture.hpp"

using namespace test;
using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

namespace {

/// A machine that does much else must not fail these tests.
constexpr const char* kPatient = "MEDIA_SERVICE_PROCESSING_DEADLINE_SECONDS=300";

/// One request on a connection of its own, whose answer is looked for now and then.
class Asker {
 public:
  Asker(int port, const std::string& path) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    REQUIRE(socket_ >= 0);
    REQUIRE(::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    const std::string head = "GET " + kApi + path + " HTTP/1.1\r\nHost: media.test\r\nConnection: close\r\n\r\n";
    REQUIRE(::send(socket_, head.data(), head.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(head.size()));
  }
  ~Asker() { hang_up(); }
  Asker(const Asker&) = delete;
  Asker& operator=(const Asker&) = delete;

  void hang_up() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }
  /// Reads what is there; true once the answer is whole.
  bool done(int wait_ms = 0) {
    while (!ended_) {
      pollfd wanted{socket_, POLLIN, 0};
      if (::poll(&wanted, 1, wait_ms) <= 0) return false;
      char piece[65536];
      const ssize_t got = ::recv(socket_, piece, sizeof piece, 0);
      if (got <= 0) {
        ended_ = true;
      } else {
        answer_.append(piece, static_cast<std::size_t>(got));
      }
    }
    return true;
  }
  int wait_status() {
    REQUIRE(done(60'000));
    return status();
  }
  /// 0 for none.
  [[nodiscard]] int status() const { return answer_.size() < 12 ? 0 : std::stoi(answer_.substr(9, 3)); }
  [[nodiscard]] std::string field(const std::string& name) const {
    const auto at = answer_.find("\r\n" + name + ": ");
    if (at == std::string::npos || at > answer_.find("\r\n\r\n")) return {};
    const auto begin = at + name.size() + 4;
    return answer_.substr(begin, answer_.find("\r\n", begin) - begin);
  }
  [[nodiscard]] std::string body() const {
    const auto end = answer_.find("\r\n\r\n");
    return end == std::string::npos ? std::string() : answer_.substr(end + 4);
  }

 private:
  int socket_;
  std::string answer_;
  bool ended_ = false;
};

/// A series of /metrics; -1 for one that is not there.
double metric(Client& client, const std::string& series) {
  const auto answer = client.http().Get("/metrics");
  REQUIRE(answer);
  std::istringstream lines(answer->body);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(series + " ")) return std::stod(line.substr(series.size() + 1));
  }
  return -1;
}
double running(Client& client) { return metric(client, R"(media_derivations_running{for="client"})"); }
double waiting(Client& client) { return metric(client, "media_derivations_waiting"); }
double outcome(Client& client, const std::string& name) { return metric(client, "media_derivations_total{outcome=\"" + name + "\"}"); }

bool eventually(const std::function<bool()>& condition, std::chrono::seconds patience = 30s) {
  const auto end = Steady::now() + patience;
  while (!condition()) {
    if (Steady::now() > end) return false;
    std::this_thread::sleep_for(2ms);
  }
  return true;
}

/// Hard to encode: no two of its pixels are alike.
std::string noisy_picture(std::uint32_t width, std::uint32_t height, std::uint64_t seed = 1) {
  const auto random = noise(1U << 16U, seed);
  return text_of(png(width, height, [&](std::uint32_t x, std::uint32_t y) {
    const auto at = [&](std::uint32_t k) { return std::to_integer<std::uint8_t>(random[(x * 31 + y * 977 + k) % random.size()]); };
    return Rgba{at(0), at(1), at(2), 255};
  }));
}

/// Media `/media/<id>` of it, its job done.
std::string upload(Client& client, const std::string& content, const std::string& type, const std::string& name) {
  const auto answer = client.post_raw(content, type, name);
  REQUIRE(answer);
  REQUIRE(answer->status == 200);
  const auto id = nlohmann::json::parse(answer->body)["id"].get<std::int64_t>();
  client.wait_processed(id);
  return "/media/" + std::to_string(id);
}

std::string free_sizes(std::uint32_t from, std::uint32_t to) {
  std::string list;
  for (std::uint32_t size = from; size <= to; ++size) list += (list.empty() ? "" : ",") + std::to_string(size);
  return "MEDIA_SERVICE_PROCESSING_FREE_SIZES=" + list;
}

std::string picture(const std::string& media, std::uint32_t width) { return media + "/image?w=" + std::to_string(width) + "&format=avif"; }

}  // namespace

TEST_CASE("mediad: a thousand pictures that are not there yet hold up nobody who wants something small") {
  rlimit files{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &files) == 0);
  files.rlim_cur = files.rlim_max;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &files) == 0);
  const Mediad mediad({free_sizes(401, 1400), kPatient, "MEDIA_SERVICE_PROCESSING_DERIVATIONS=2", "MEDIA_SERVICE_PROCESSING_WORKERS=2"});
  Client client(mediad.port);
  const std::string photo = upload(client, noisy_picture(1500, 1100), "image/png", "a.png");
  const std::string small = upload(client, text_of(mp4(16, 16, 1000, 300)), "video/mp4", "b.mp4");

  std::vector<std::unique_ptr<Asker>> gallery;
  for (std::uint32_t width = 401; width <= 1400; ++width) gallery.push_back(std::make_unique<Asker>(mediad.port, picture(photo, width)));
  std::vector<std::chrono::microseconds> times;
  for (int i = 0; i < 300; ++i) {
    const auto begun = Steady::now();
    const auto answer = client.get(small + "/download");
    times.push_back(std::chrono::duration_cast<std::chrono::microseconds>(Steady::now() - begun));
    REQUIRE(answer);
    CHECK(answer->status == 200);
  }
  std::sort(times.begin(), times.end());
  INFO("small downloads: median " << times[150].count() << " us, 99 % " << times[297].count() << " us, most " << times.back().count()
                                  << " us");
  CHECK(times[150] < 100ms);
  CHECK(times[297] < 1s);

  REQUIRE(eventually(
      [&] { return std::count_if(gallery.begin(), gallery.end(), [](const auto& each) { return each->done(); }) >= 1000 - 256 - 2; }));
  CHECK(waiting(client) > 100);
  CHECK(waiting(client) <= 256);
  CHECK(running(client) <= 2);
  CHECK(metric(client, "http_requests_waiting") > 100);
  int refused = 0;
  for (const auto& each : gallery) {
    if (!each->done()) continue;
    if (each->status() == 503) {
      ++refused;
      CHECK(std::stoi(each->field("Retry-After")) >= 1);
      CHECK(std::stoi(each->field("Retry-After")) <= 30);
      continue;
    }
    CHECK(each->status() == 200);
  }
  CHECK(refused >= 500);
  CHECK(outcome(client, "refused") >= refused);
  CHECK(mediad.daemon->status_kib("VmHWM") < 96U * 1024);

  // Who goes away makes room.
  gallery.clear();
  REQUIRE(eventually([&] { return waiting(client) == 0 && running(client) == 0; }));
  CHECK(outcome(client, "abandoned") > 100);
  CHECK(client.get(picture(photo, 401))->status == 200);
}

TEST_CASE("mediad: all who want the same picture at once are answered by one making") {
  const Mediad mediad({free_sizes(500, 1200), kPatient, "MEDIA_SERVICE_PROCESSING_DERIVATIONS=1"});
  Client client(mediad.port);
  const std::string photo = upload(client, noisy_picture(1500, 1100), "image/png", "a.png");
  Asker slow(mediad.port, picture(photo, 1200));
  REQUIRE(eventually([&] { return running(client) == 1; }));
  std::vector<std::unique_ptr<Asker>> crowd;
  for (int i = 0; i < 60; ++i) crowd.push_back(std::make_unique<Asker>(mediad.port, picture(photo, 500)));
  for (const auto& each : crowd) {
    CHECK(each->wait_status() == 200);
    CHECK(each->body() == crowd.front()->body());
    CHECK(each->field("Content-Type") == "image/avif");
  }
  CHECK(slow.wait_status() == 200);
  CHECK(outcome(client, "made") == 2);
  CHECK(metric(client, "media_derivations_shared_total") == 59);
  CHECK(client.get(picture(photo, 500))->body == crowd.front()->body());
  CHECK(outcome(client, "made") == 2);
}

TEST_CASE("mediad: beyond the queue a picture is answered 503 with the time to come back, and is there then") {
  const Mediad mediad(
      {free_sizes(900, 1300), kPatient, "MEDIA_SERVICE_PROCESSING_DERIVATIONS=1", "MEDIA_SERVICE_PROCESSING_DERIVATION_QUEUE=1"});
  Client client(mediad.port);
  const std::string photo = upload(client, noisy_picture(1500, 1100), "image/png", "a.png");
  Asker first(mediad.port, picture(photo, 1300));
  REQUIRE(eventually([&] { return running(client) == 1; }));
  Asker second(mediad.port, picture(photo, 1299));
  REQUIRE(eventually([&] { return waiting(client) == 1; }));
  const auto refused = client.get(picture(photo, 1298));
  REQUIRE(refused);
  CHECK(refused->status == 503);
  CHECK(std::stoi(refused->get_header_value("Retry-After")) >= 1);
  CHECK(refused->get_header_value("Cache-Control") == "no-store");
  const auto body = nlohmann::json::parse(refused->body);
  CHECK(body["error"] == "Service Unavailable");
  CHECK(body["request_id"].is_string());
  CHECK(outcome(client, "refused") == 1);
  // What is stored, and what is being made, is no further picture.
  CHECK(client.get(photo + "/renditions/thumb?format=webp")->status == 200);
  CHECK(client.get(picture(photo, 1299))->status == 200);
  CHECK(first.wait_status() == 200);
  CHECK(second.wait_status() == 200);
  CHECK(client.get(picture(photo, 1298))->status == 200);
}

TEST_CASE("mediad: told to stop, it answers those who wait for pictures, and ends") {
  Mediad mediad({free_sizes(900, 1300), kPatient, "MEDIA_SERVICE_PROCESSING_DERIVATIONS=1"});
  Client client(mediad.port);
  const std::string photo = upload(client, noisy_picture(1500, 1100), "image/png", "a.png");
  std::vector<std::unique_ptr<Asker>> askers;
  for (std::uint32_t width = 1280; width <= 1300; ++width) askers.push_back(std::make_unique<Asker>(mediad.port, picture(photo, width)));
  REQUIRE(eventually([&] { return waiting(client) > 10; }));
  const auto begun = Steady::now();
  CHECK(mediad.stop() == 0);
  CHECK(Steady::now() - begun < 20s);
  // As far as the time for ending goes they get their pictures; whoever asked too late is told to come back, and nobody is cut.
  int made = 0;
  for (const auto& each : askers) {
    const int status = each->wait_status();
    CHECK((status == 200 || status == 503));
    if (status == 200) ++made;
    if (status == 503) CHECK(std::stoi(each->field("Retry-After")) >= 1);
  }
  CHECK(made > 5);
}

TEST_CASE("mediad: pictures on the fly are kept within their budget, the least recently used go first") {
  Mediad mediad({kPatient});
  auto client = std::make_unique<Client>(mediad.port);
  std::vector<std::string> pictures;
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < 4; ++i) {
    const std::string media = upload(*client, noisy_picture(400, 300, i + 1), "image/png", std::to_string(i) + ".png");
    pictures.push_back(media + "/image?w=320&format=jpeg");
    if (i == 3) break;
    const auto made = client->get(pictures.back());
    REQUIRE(made->status == 200);
    sum += made->body.size();
  }
  CHECK(outcome(*client, "made") == 3);
  CHECK(client->get(pictures[0])->status == 200);  // the second is the one that nobody asked for the longest
  CHECK(mediad.stop() == 0);

  mediad.environment.push_back("MEDIA_SERVICE_STORAGE_RENDITION_BUDGET=" + std::to_string(sum + sum / 6));
  mediad.start();
  client = std::make_unique<Client>(mediad.port);
  CHECK(client->get(pictures[3])->status == 200);
  CHECK(outcome(*client, "made") == 1);
  // Room is made for it when it is stored, which is after it was handed out.
  CHECK(eventually([&] { return metric(*client, "media_renditions_evicted_total") == 1; }));
  for (const std::size_t kept : {0U, 2U, 3U}) {
    CHECK(client->get(pictures[kept])->status == 200);
    std::this_thread::sleep_for(3ms);  // The order of uses within a millisecond is not kept.
  }
  CHECK(outcome(*client, "made") == 1);
  CHECK(client->get(pictures[1])->status == 200);  // made again, and the first has to go for it
  CHECK(outcome(*client, "made") == 2);
  CHECK(eventually([&] { return metric(*client, "media_renditions_evicted_total") == 2; }));
  CHECK(client->get(pictures[2])->status == 200);
  CHECK(outcome(*client, "made") == 2);
  CHECK(client->get(pictures[0])->status == 200);
  CHECK(outcome(*client, "made") == 3);
  // Sums are made anew when somebody asks after a while: here, of a server that starts.
  CHECK(mediad.stop() == 0);
  mediad.start();
  client = std::make_unique<Client>(mediad.port);
  CHECK(metric(*client, R"(media_renditions{kind="on_demand"})") == 3);
  CHECK(metric(*client, R"(media_renditions_bytes{kind="on_demand"})") <= static_cast<double>(sum + sum / 6));
  CHECK(metric(*client, R"(media_renditions{kind="preset"})") == 36);
}
