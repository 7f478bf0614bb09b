// Listing, tags, expiry and promises under a key, over HTTP: what a front end sees of the catalog.
#include <SQLiteCpp/SQLiteCpp.h>

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
    return client.http().Post((kApi + path).c_str(), headers, body.dump(), "application/json");
  }
  Json list(const std::string& query) {
    const auto answer = client.get("/media?" + query);
    REQUIRE(answer);
    INFO(answer->body);
    REQUIRE(answer->status == 200);
    return Json::parse(answer->body);
  }
  /// After a restart the client and its port are others.
  void restart(std::vector<std::string> variables) {
    REQUIRE(stop() == 0);
    environment = std::move(variables);
    start();
    client_ = std::make_unique<Client>(port);
  }

 private:
  std::unique_ptr<Client> client_ = std::make_unique<Client>(port);

 public:
  Client& client = *client_;
};

}  // namespace
