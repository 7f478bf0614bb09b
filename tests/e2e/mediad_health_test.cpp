// mediad --healthcheck: what a container engine, a service manager and a script ask.

#include <algorithm>

#include "mediad_fixture.hpp"

using namespace test;

namespace {

/// As whoever probes has it: the same environment as the server, and the port where the server was given one.
std::vector<std::string> environment_of(const Mediad& server) {
  return {"RUN_MODE=local", "MEDIA_SERVICE_SERVER_PORT=" + std::to_string(server.port),
          "MEDIA_SERVICE_STORAGE_BASE_PATH=" + server.store().string()};
}

RunResult probe(const std::vector<std::string>& environment, const std::string& how = "--healthcheck") {
  return run({Mediad::binary(), how}, environment, 20);
}

void check_unhealthy(const RunResult& result, const std::string& reason) {
  CHECK(result.exit_code == 1);
  CHECK(result.out.empty());
  CHECK(std::count(result.err.begin(), result.err.end(), '\n') == 1);
  CHECK_THAT(result.err, ContainsSubstring("mediad: not healthy: "));
  CHECK_THAT(result.err, ContainsSubstring(reason));
}

}  // namespace

TEST_CASE("mediad: its health check says nothing where it is well, and in one line what is wrong") {
  Mediad server;
  auto environment = environment_of(server);
  for (const char* const how : {"--healthcheck", "--healthcheck=ready", "--healthcheck=live"}) {
    const auto well = probe(environment, how);
    INFO(how << ": " << well.err);
    CHECK(well.exit_code == 0);
    CHECK(well.out.empty());
    CHECK(well.err.empty());
  }
  CHECK(run({Mediad::binary(), "--healthcheck", "--port-file", server.port_file().string()},
            {"RUN_MODE=local", "MEDIA_SERVICE_SERVER_PORT=0"})
            .exit_code == 0);

  std::filesystem::remove_all(server.store() / "temp");
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));  // answers a second old are given again
  check_unhealthy(probe(environment), "/ready answers 503: storage not_ready");
  CHECK(probe(environment, "--healthcheck=live").exit_code == 0);

  CHECK(server.stop() == 0);
  check_unhealthy(probe(environment), "no answer from 127.0.0.1");
  check_unhealthy(probe(environment, "--healthcheck=live"), "no answer from 127.0.0.1");
}

TEST_CASE("mediad: its health check goes past proxies, and asks by loopback where the server listens everywhere") {
  const Mediad server({"MEDIA_SERVICE_SERVER_HOST=0.0.0.0", "MEDIA_SERVICE_SERVER_ROLE=worker"});
  auto environment = environment_of(server);
  environment.insert(environment.end(), {"MEDIA_SERVICE_SERVER_HOST=0.0.0.0", "http_proxy=http://127.0.0.1:1",
                                         "HTTP_PROXY=http://127.0.0.1:1", "all_proxy=http://127.0.0.1:1"});
  const auto well = probe(environment);
  INFO(well.err);
  CHECK(well.exit_code == 0);
}

TEST_CASE("mediad: a health check that cannot be asked fails, and says why") {
  check_unhealthy(probe({"RUN_MODE=local", "MEDIA_SERVICE_SERVER_PORT=0"}), "MEDIA_SERVICE_SERVER_PORT is 0, and no --port-file");
  const TempFolder folder;
  check_unhealthy(run({Mediad::binary(), "--healthcheck", "--port-file", (folder / "none").string()},
                      {"RUN_MODE=local", "MEDIA_SERVICE_SERVER_PORT=0"}),
                  "names no port");
  const auto misconfigured = probe({"RUN_MODE=local", "MEDIA_SERVICE_SERVER_PORT=x"});
  CHECK(misconfigured.exit_code == 1);
  CHECK_THAT(misconfigured.err, ContainsSubstring("MEDIA_SERVICE_SERVER_PORT: accepts"));
  CHECK(probe({"RUN_MODE=local"}, "--healthcheck=well").exit_code == 2);
}
