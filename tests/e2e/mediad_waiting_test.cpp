// Clients that want to hear of a media's end: by waiting at its status, or by a webhook.
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "mediad_fixture.hpp"
#include "tokens.hpp"

using namespace test;
using namespace std::chrono_literals;
using Json = nlohmann::json;
using Steady = std::chrono::steady_clock;

namespace {

constexpr const char* kWebhookSecret = "whsec_NmYxZWQwMDJhYjU1OTU4NTkwMTRlYmYwOTUxNTIyZDk=";
constexpr const char* kWebhookKey = "6f1ed002ab5595859014ebf0951522d9";  // what that base64 means

/// A service that is told things, on loopback; may refuse them for a while.
class Receiver {
 public:
  struct Delivery {
    std::string id, time, signature, body;
  };

  explicit Receiver(int port = 0) {
    server_.Post("/hook", [this](const httplib::Request& request, httplib::Response& response) {
      const std::lock_guard lock(mutex_);
      seen_.push_back({request.get_header_value("webhook-id"), request.get_header_value("webhook-timestamp"),
                       request.get_header_value("webhook-signature"), request.body});
      response.status = status_;
      changed_.notify_all();
    });
    port_ = port == 0 ? server_.bind_to_any_port("127.0.0.1") : (server_.bind_to_port("127.0.0.1", port) ? port : -1);
    thread_ = std::jthread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::sleep_for(1ms);
  }
  ~Receiver() { server_.stop(); }

  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/hook"; }
  void answer(int status) {
    const std::lock_guard lock(mutex_);
    status_ = status;
  }
  std::vector<Delivery> wait_for(std::size_t count, std::chrono::seconds patience = 30s) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, patience, [&] { return seen_.size() >= count; });
    return seen_;
  }

 private:
  httplib::Server server_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Delivery> seen_;
  int status_ = 200;
  int port_ = 0;
  std::jthread thread_;
};

std::string base64_of(const std::string& bytes) {
  std::string text = base64url(bytes);
  std::replace(text.begin(), text.end(), '-', '+');
  std::replace(text.begin(), text.end(), '_', '/');
  while (text.size() % 4 != 0) text += '=';
  return text;
}

std::vector<std::string> webhook_to(const Receiver& receiver) {
  return {"MEDIA_SERVICE_WEBHOOK_URL=" + receiver.url(), std::string("MEDIA_SERVICE_WEBHOOK_SECRET=") + kWebhookSecret};
}

}  // namespace

TEST_CASE("mediad: a client that waits at the status hears of the end as soon as it is there") {
  const Mediad mediad;
  Client client(mediad.port);
  const std::string photo = text_of(gradient_png(700, 500));
  const auto promised = client.http().Post((kApi + "/media/upload-request").c_str(),
                                           Json{{"filename", "a.png"}, {"content_type", "image/png"}, {"file_size", photo.size()}}.dump(),
                                           "application/json");
  REQUIRE(promised->status == 200);
  const Json promise = Json::parse(promised->body);
  const std::string url = promise["upload_url"];
  const std::string status = "/media/" + std::to_string(promise["media_id"].get<int>()) + "/status";

  std::jthread sender([&] {
    std::this_thread::sleep_for(700ms);
    httplib::Client other("127.0.0.1", mediad.port);
    static_cast<void>(other.Put(url.substr(url.find("/api")).c_str(), photo, "image/png"));
  });
  const auto begun = Steady::now();
  const auto answer = client.get(status + "?wait=20");
  REQUIRE(answer->status == 200);
  CHECK(Json::parse(answer->body)["status"] == "Complete");
  CHECK(Steady::now() - begun >= 650ms);
  CHECK(Steady::now() - begun < 15s);
  sender.join();

  // What is through, and what is not asked to wait, is answered at once.
  const auto again = Steady::now();
  CHECK(Json::parse(client.get(status + "?wait=20")->body)["progress"] == 100);
  CHECK(Json::parse(client.get(status)->body)["status"] == "Complete");
  CHECK(Steady::now() - again < 1s);
  for (const char* const wrong : {"?wait=21", "?wait=-1", "?wait=x", "?wait=", "?wait=1&wait=2"}) {
    INFO(wrong);
    CHECK(client.get(status + wrong)->status == 400);
  }
}

TEST_CASE("mediad: a client that waited long enough is told how things stand, and one whose media goes is told that") {
  const Mediad mediad;
  Client client(mediad.port);
  const auto promise = [&] {
    const auto answer = client.http().Post((kApi + "/media/upload-request").c_str(),
                                           R"({"filename":"a.png","content_type":"image/png","file_size":100})", "application/json");
    return "/media/" + std::to_string(Json::parse(answer->body)["media_id"].get<int>());
  };
  const auto begun = Steady::now();
  const auto answer = client.get(promise() + "/status?wait=2");
  CHECK(Json::parse(answer->body)["status"] == "Pending");
  CHECK(Steady::now() - begun >= 1900ms);
  CHECK(Steady::now() - begun < 6s);

  const std::string doomed = promise();
  std::jthread remover([&] {
    std::this_thread::sleep_for(300ms);
    static_cast<void>(Client(mediad.port).remove(doomed));
  });
  const auto later = Steady::now();
  CHECK(client.get(doomed + "/status?wait=20")->status == 404);
  CHECK(Steady::now() - later < 10s);
}

TEST_CASE("mediad: a webhook tells what became of a media, signed, in order") {
  Receiver receiver;
  const Mediad mediad(webhook_to(receiver));
  Client client(mediad.port);
  const auto stored = client.post_raw(text_of(gradient_png(60, 40)), "image/png", "good.png");
  REQUIRE(stored->status == 200);
  const auto id = Json::parse(stored->body)["id"].get<std::int64_t>();
  auto seen = receiver.wait_for(1);
  REQUIRE(seen.size() == 1);
  CHECK(client.remove("/media/" + std::to_string(id))->status == 204);
  seen = receiver.wait_for(2);
  REQUIRE(seen.size() == 2);
  CHECK(Json::parse(seen[0].body)["type"] == "media.completed");
  CHECK(Json::parse(seen[1].body)["type"] == "media.deleted");
  CHECK(seen[0].id != seen[1].id);
  for (const auto& one : seen) {
    const Json body = Json::parse(one.body);
    CHECK(body["data"]["id"] == id);
    CHECK(body["data"]["original_filename"] == "good.png");
    CHECK(body["timestamp"].is_string());
    CHECK(std::abs(std::stoll(one.time) - ::time(nullptr)) < 60);
    CHECK(one.signature == "v1," + base64_of(hs256(kWebhookKey, one.id + "." + one.time + "." + one.body)));
  }
  CHECK(read_text(mediad.log()).find(kWebhookKey) == std::string::npos);
}

TEST_CASE("mediad: a webhook tells of a media that failed, with the reason, and ends where the receiver says so") {
  Receiver receiver;
  const Mediad mediad(webhook_to(receiver));
  Client client(mediad.port);
  // Its chunks are whole; the first block of what is compressed in them contradicts itself.
  std::string picture = text_of(gradient_png(60, 40));
  picture.at(picture.find("IDAT") + 4 + 2 + 3) ^= 1;
  const auto broken = client.post_raw(picture, "image/png", "broken.png");
  REQUIRE(broken->status == 200);
  const auto id = Json::parse(broken->body)["id"].get<std::int64_t>();
  auto seen = receiver.wait_for(1);
  REQUIRE(seen.size() == 1);
  const Json told = Json::parse(seen[0].body);
  CHECK(told["type"] == "media.failed");
  CHECK(told["data"]["id"] == id);
  CHECK(told["data"]["processing_status"] == "Failed");
  const Json status = Json::parse(client.get("/media/" + std::to_string(id) + "/status")->body);
  CHECK(status["status"] == "Failed");
  CHECK_FALSE(status["error_message"].get<std::string>().empty());
  CHECK(seen[0].signature == "v1," + base64_of(hs256(kWebhookKey, seen[0].id + "." + seen[0].time + "." + seen[0].body)));

  receiver.answer(410);
  CHECK(client.remove("/media/" + std::to_string(id))->status == 204);
  REQUIRE(receiver.wait_for(2).size() == 2);
  // Anything else than 410 would be told again after ten seconds.
  CHECK(receiver.wait_for(3, 14s).size() == 2);
  receiver.answer(200);
  REQUIRE(client.post_raw(text_of(gradient_png(61, 40)), "image/png", "good.png")->status == 200);
  seen = receiver.wait_for(3);
  REQUIRE(seen.size() == 3);
  CHECK(Json::parse(seen[2].body)["type"] == "media.completed");
}

TEST_CASE("mediad: what a webhook's receiver did not take is told again, even after a kill") {
  Receiver receiver;
  receiver.answer(503);
  Mediad mediad(webhook_to(receiver));
  {
    Client client(mediad.port);
    REQUIRE(client.post_raw(text_of(gradient_png(60, 40)), "image/png", "good.png")->status == 200);
  }
  const auto first = receiver.wait_for(1);
  REQUIRE(first.size() == 1);
  receiver.answer(204);
  std::this_thread::sleep_for(1s);  // Until the failure is noted, with the time of the next attempt.
  mediad.daemon->signal(SIGKILL);
  REQUIRE(mediad.daemon->wait(20));
  mediad.start();
  const auto seen = receiver.wait_for(2, 150s);  // 10 s after the first; two minutes where the kill came before it was noted
  REQUIRE(seen.size() == 2);
  CHECK(seen[1].id == first[0].id);
  CHECK(seen[1].body == first[0].body);
}
