// A mediad of its own for a test: a free port, a store in a temp folder, and a client that knows where both are.
#pragma once

#include <httplib.h>
#include <signal.h>

#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "daemon.hpp"
#include "pictures.hpp"
#include "support.hpp"

namespace test {

inline const std::string kApi = "/api/v1/media-management";

inline std::string text_of(const std::vector<std::byte>& content) {
  return {reinterpret_cast<const char*>(content.data()), content.size()};
}

/// HTTP over 127.0.0.1 with the paths of the contract. (Debian 12's client waits for a body after a 304 until the connection
/// closes: requests that expect one say `Connection: close`.)
class Client {
 public:
  explicit Client(int port) : http_("127.0.0.1", port) {
    http_.set_keep_alive(true);
    http_.set_read_timeout(60);
  }
  httplib::Result get(const std::string& path, const httplib::Headers& headers = {}) { return http_.Get((kApi + path).c_str(), headers); }
  httplib::Result head(const std::string& path, const httplib::Headers& headers = {}) { return http_.Head((kApi + path).c_str(), headers); }
  httplib::Result remove(const std::string& path) { return http_.Delete((kApi + path).c_str()); }
  httplib::Result post_raw(const std::string& body, const std::string& type, const std::string& name, httplib::Headers headers = {}) {
    headers.emplace("X-Filename", name);
    return http_.Post((kApi + "/media").c_str(), headers, body, type.c_str());
  }
  httplib::Result post_form(const httplib::MultipartFormDataItems& items) { return http_.Post((kApi + "/media").c_str(), items); }
  httplib::Client& http() { return http_; }

  /// Polls until a media is no longer Processing.
  nlohmann::json wait_processed(std::int64_t id, const httplib::Headers& headers = {}) {
    for (int i = 0; i < 6000; ++i) {
      const auto answer = get("/media/" + std::to_string(id) + "/status", headers);
      REQUIRE(answer);
      REQUIRE(answer->status == 200);
      auto status = nlohmann::json::parse(answer->body);
      if (status["status"] != "Processing") return status;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    FAIL("media " << id << " is processing for ever");
    return {};
  }

 private:
  httplib::Client http_;
};

struct Mediad {
  explicit Mediad(std::vector<std::string> extra = {}, bool expect_start = true, std::string binary = Mediad::binary())
      : environment(std::move(extra)), program(std::move(binary)) {
    ::signal(SIGPIPE, SIG_IGN);  // the client library writes to servers that are gone
    start(expect_start);
  }

  void start(bool expect_start = true) {
    std::filesystem::remove(port_file());
    std::vector<std::string> variables = {"RUN_MODE=local", "MEDIA_SERVICE_SERVER_PORT=0",
                                          "MEDIA_SERVICE_STORAGE_BASE_PATH=" + (folder / "store").string()};
    for (const auto& variable : environment) {
      const std::string name = variable.substr(0, variable.find('=') + 1);
      std::erase_if(variables, [&](const std::string& one) { return one.starts_with(name); });
      variables.push_back(variable);
    }
    daemon = std::make_unique<Daemon>(std::vector<std::string>{program, "--port-file", port_file().string()}, variables, log());
    if (!expect_start) return;
    const auto announced = wait_for_number(port_file(), 20);
    if (!announced) FAIL("mediad did not start:\n" << read_text(log()));
    port = static_cast<int>(*announced);
    warm_up();
  }
  /// Stops it as an operator would; its exit code.
  int stop() {
    daemon->signal(SIGTERM);
    const auto code = daemon->wait(30);
    REQUIRE(code);
    return *code;
  }

  [[nodiscard]] static std::string binary() { return std::string(MEDIA_BINARY_DIR) + "/bin/mediad"; }
  [[nodiscard]] static std::string mediactl() { return std::string(MEDIA_BINARY_DIR) + "/bin/mediactl"; }
  [[nodiscard]] std::filesystem::path store() const { return folder / "store"; }
  [[nodiscard]] std::filesystem::path log() const { return folder / "log"; }
  [[nodiscard]] std::filesystem::path port_file() const { return folder / "port"; }
  /// Files below temp/, lock files aside.
  [[nodiscard]] std::size_t temps() const {
    std::size_t count = 0;
    if (!std::filesystem::exists(store() / "temp")) return 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(store() / "temp")) {
      count += entry.is_regular_file() && entry.path().filename().string().find("lock") == std::string::npos ? 1U : 0U;
    }
    return count;
  }

  /// The client library makes the expressions that it reads answers by once, for all threads. ThreadSanitizer cannot see how it guards
  /// them, for the library is built without it, so they are made before a test has threads. Nothing is at that path: no rate limit counts
  /// it.
  void warm_up() const {
    static std::once_flag once;
    std::call_once(once, [this] { static_cast<void>(httplib::Client("127.0.0.1", port).Get("/")); });
  }

  TempFolder folder;
  std::vector<std::string> environment;
  std::string program;
  std::unique_ptr<Daemon> daemon;
  int port = 0;
};

}  // namespace test
