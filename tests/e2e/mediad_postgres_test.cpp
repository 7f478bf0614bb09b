// mediad with its catalog in PostgreSQL: alone, several on one database and one folder, and through the database's bad days.
#include <array>
#include <atomic>
#include <chrono>
#include <set>
#include <thread>
#include <vector>

#include "mediad_fixture.hpp"
#include "postgres.hpp"

using namespace test;
using Json = nlohmann::json;

namespace {

/// What mediad is told of a database; every process that is told the same shares a catalog.
std::vector<std::string> catalog_in(PostgresServer& server, std::vector<std::string> more = {}) {
  const auto options = server.fresh_catalog();
  std::vector<std::string> all = {"POSTGRES_HOST=127.0.0.1",         "POSTGRES_PORT=" + std::to_string(options.port),
                                  "POSTGRES_DB=" + options.database, "POSTGRES_SCHEMA=" + options.schema,
                                  "POSTGRES_USER=" + options.user,   "POSTGRES_PASSWORD=" + options.password,
                                  "MEDIA_SERVICE_LOGGING_LEVEL=warn"};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

std::vector<std::string> with(std::vector<std::string> all, const std::vector<std::string>& more) {
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

std::string a_picture(std::uint8_t shade) {
  return text_of(png(40, 30, [&](std::uint32_t x, std::uint32_t y) {
    return Rgba{shade, static_cast<std::uint8_t>(x * 6), static_cast<std::uint8_t>(y * 8), 255};
  }));
}

std::int64_t upload(Client& client, std::uint8_t shade, const std::string& name) {
  const auto answer = client.post_raw(a_picture(shade), "image/png", name);
  REQUIRE(answer);
  INFO(answer->body);
  REQUIRE(answer->status == 200);
  return Json::parse(answer->body)["media_id"];
}

std::string database_status(Client& client) {
  const auto answer = client.get("/health");
  if (!answer) return "no answer";
  return Json::parse(answer->body)["checks"]["database"]["status"];
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

TEST_CASE("mediad: with its catalog in PostgreSQL it takes, processes, lists, resumes, serves and removes") {
  auto& server = PostgresServer::shared();
  Mediad mediad(catalog_in(server));
  Client client(mediad.port);
  const std::int64_t id = upload(client, 1, "one.png");
  CHECK(client.wait_processed(id)["status"] == "Complete");
  CHECK_FALSE(std::filesystem::exists(mediad.store() / "catalog.db"));

  const auto again = client.post_raw(a_picture(1), "image/png", "one.png");
  REQUIRE(again);
  CHECK(Json::parse(again->body)["media_id"] == id);
  upload(client, 2, "two.png");
  const auto page = client.get("/media?limit=1");
  REQUIRE(page);
  const Json first = Json::parse(page->body);
  CHECK(first["data"].size() == 1);
  CHECK(first["pagination"]["has_next"] == true);
  const auto rest = client.get("/media?q=TWO&limit=10");
  REQUIRE(rest);
  CHECK(Json::parse(rest->body)["data"].size() == 1);
  const auto similar = client.get("/media/" + std::to_string(id) + "/similar");
  REQUIRE(similar);
  CHECK(similar->status == 200);

  const auto rendition = client.get("/media/" + std::to_string(id) + "/renditions/thumb?format=webp");
  REQUIRE(rendition);
  CHECK(rendition->status == 200);
  CHECK(rendition->get_header_value("Content-Type") == "image/webp");
  const auto original = client.get("/media/" + std::to_string(id) + "/download");
  REQUIRE(original);
  CHECK(original->body == a_picture(1));

  // Begun, interrupted and gone on with by tus.
  const std::string content = a_picture(3);
  const auto begun = client.http().Post((kApi + "/uploads").c_str(),
                                        {{"Tus-Resumable", "1.0.0"}, {"Upload-Length", std::to_string(content.size())}}, "", "text/plain");
  REQUIRE(begun);
  REQUIRE(begun->status == 201);
  std::string location = begun->get_header_value("Location");
  location = location.substr(location.find(kApi) + kApi.size());
  const auto send = [&](std::size_t from, std::size_t count) {
    return client.http().Patch((kApi + location).c_str(), {{"Tus-Resumable", "1.0.0"}, {"Upload-Offset", std::to_string(from)}},
                               content.substr(from, count), "application/offset+octet-stream");
  };
  auto sent = send(0, 20);
  REQUIRE(sent);
  CHECK(sent->status == 204);
  sent = send(20, content.size() - 20);
  REQUIRE(sent);
  CHECK(sent->status == 204);
  const std::int64_t resumed = std::stoll(sent->get_header_value("Media-Id"));
  CHECK(client.wait_processed(resumed)["status"] == "Complete");

  const auto removed = client.remove("/media/" + std::to_string(id));
  REQUIRE(removed);
  CHECK(removed->status == 204);
  CHECK(client.get("/media/" + std::to_string(id))->status == 404);

  // Started again it knows what it knew.
  CHECK(mediad.stop() == 0);
  mediad.start();
  Client next(mediad.port);
  CHECK(Json::parse(next.get("/media")->body)["data"].size() == 2);
}

TEST_CASE("mediad: api and worker processes on one database and one folder divide the work, and the command line sees it") {
  auto& server = PostgresServer::shared();
  const auto environment = catalog_in(server);
  Mediad first(with(environment, {"MEDIA_SERVICE_SERVER_ROLE=api"}));
  const std::string folder = "MEDIA_SERVICE_STORAGE_BASE_PATH=" + first.store().string();
  Mediad second(with(environment, {"MEDIA_SERVICE_SERVER_ROLE=api", folder}));
  Client one(first.port);
  Client two(second.port);
  const std::int64_t id = upload(one, 9, "shared.png");
  std::this_thread::sleep_for(std::chrono::milliseconds(700));
  CHECK(Json::parse(two.get("/media/" + std::to_string(id) + "/status")->body)["status"] == "Processing");

  Mediad worker(with(environment, {"MEDIA_SERVICE_SERVER_ROLE=worker", folder}));
  CHECK(two.wait_processed(id)["status"] == "Complete");
  CHECK(two.get("/media/" + std::to_string(id) + "/download")->body == a_picture(9));
  Client health(worker.port);
  CHECK(health.get("/health")->status == 200);
  CHECK(health.get("/live")->status == 200);
  CHECK(health.get("/metrics")->status == 200);
  CHECK(health.get("/media")->status == 404);

  // A worker that waits is woken, and does not find it by chance: it looks by itself twice a second.
  double longest = 0;
  for (std::uint8_t shade = 20; shade < 26; ++shade) {
    const auto start = std::chrono::steady_clock::now();
    const std::int64_t queued = upload(shade % 2 == 0 ? one : two, shade, "woken.png");
    CHECK(two.wait_processed(queued)["status"] == "Complete");
    longest = std::max(longest, seconds_since(start));
  }
  std::printf("longest from upload to Complete by another process: %.0f ms\n", longest * 1000);

  // Everybody at once: one media for one content under one name, whoever was asked.
  std::set<std::int64_t> ids;
  std::mutex mutex;
  std::vector<std::thread> clients;
  for (int number = 0; number < 12; ++number) {
    clients.emplace_back([&, number] {
      Client client(number % 2 == 0 ? first.port : second.port);
      const auto answer = client.post_raw(a_picture(77), "image/png", "same.png");
      const std::lock_guard lock(mutex);
      ids.insert(answer && answer->status == 200 ? Json::parse(answer->body)["media_id"].get<std::int64_t>() : -number - 1);
    });
  }
  for (std::thread& client : clients) client.join();
  CHECK(ids.size() == 1);
  CHECK(*ids.begin() > 0);

  const std::vector<std::string> catalog = {"MEDIA_CATALOG=postgresql://postgres@127.0.0.1:" + std::to_string(server.port()) + "/postgres",
                                            "MEDIA_CATALOG_SCHEMA=" + environment[3].substr(environment[3].find('=') + 1),
                                            std::string("PGPASSWORD=") + PostgresServer::kPassword};
  const auto listed = run({Mediad::mediactl(), "--store", first.store().string(), "ls", "--json"}, catalog);
  INFO(listed.err);
  CHECK(listed.exit_code == 0);
  CHECK(listed.out.find("shared.png") != std::string::npos);
  const auto verified = run({Mediad::mediactl(), "--store", first.store().string(), "verify"}, catalog);
  CHECK(verified.exit_code == 0);
  auto elsewhere = catalog;
  elsewhere[1] = "MEDIA_CATALOG_SCHEMA=nowhere";
  const auto missing = run({Mediad::mediactl(), "--store", first.store().string(), "ls"}, elsewhere);
  CHECK(missing.exit_code == 3);
  CHECK(missing.err.find(PostgresServer::kPassword) == std::string::npos);
}

TEST_CASE("mediactl jobs: lists what waits and what was given up with its error, and queues that again") {
  auto& server = PostgresServer::shared();
  const auto environment = catalog_in(server, {"MEDIA_SERVICE_PROCESSING_JOB_THREADS=0"});
  Mediad mediad(environment);
  Client client(mediad.port);
  const std::int64_t id = upload(client, 31, "waits.png");
  const auto value_of = [](const std::string& variable) { return variable.substr(variable.find('=') + 1); };
  const std::string schema = value_of(environment[3]);
  server.ask("INSERT INTO " + schema +
             ".media_job (id, kind, state, attempts, run_after, lease_owner, progress, last_error, created_at, payload) OVERRIDING SYSTEM "
             "VALUE VALUES (900, 'notify', 2, 12, 0, '', 0, 'the receiver said 410', 0, '')");
  const std::vector<std::string> catalog = {
      "MEDIA_CATALOG=host=127.0.0.1 user=postgres dbname=postgres port=" + std::to_string(server.port()), "MEDIA_CATALOG_SCHEMA=" + schema,
      std::string("PGPASSWORD=") + PostgresServer::kPassword, "MEDIA_STORE=" + mediad.store().string()};
  const auto jobs = [&](const std::vector<std::string>& arguments) {
    std::vector<std::string> command = {Mediad::mediactl(), "jobs"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return run(command, catalog);
  };
  const auto waiting = jobs({"list", "--state", "queued", "--json"});
  INFO(waiting.err);
  CHECK(waiting.exit_code == 0);
  const Json first = Json::parse(waiting.out.substr(0, waiting.out.find('\n')));
  CHECK(first["kind"] == "derive");
  CHECK(first["media_id"] == id);
  const auto dead = jobs({"list", "--state", "dead"});
  CHECK(dead.out.find("900  dead  notify") == 0);
  CHECK(dead.out.find("attempts 12  the receiver said 410") != std::string::npos);
  CHECK(jobs({"retry"}).exit_code == 2);
  CHECK(jobs({"retry", "--all", "900"}).exit_code == 2);
  CHECK(jobs({"retry", "901"}).exit_code == 1);
  CHECK(jobs({"retry", "--all"}).exit_code == 0);
  CHECK(jobs({"list", "--state", "dead", "--json"}).out == "{\"summary\":{\"count\":0}}\n");
  CHECK(jobs({"list", "--json"}).out.find("\"id\":900,\"kind\":\"notify\",\"media_id\":null,\"state\":\"queued\",\"attempts\":0") !=
        std::string::npos);
}

TEST_CASE("mediad: health tells of a database that is gone or silent, and it is used again once it is back") {
  PostgresServer server;
  Mediad mediad(catalog_in(server, {"POSTGRES_STATEMENT_TIMEOUT_SECONDS=2"}));
  Client client(mediad.port);
  upload(client, 5, "before.png");
  CHECK(database_status(client) == "healthy");

  server.stop_immediately();
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));  // an answer a second old is given again
  auto start = std::chrono::steady_clock::now();
  CHECK(database_status(client) == "unhealthy");
  CHECK(seconds_since(start) < 2.2);
  CHECK(client.get("/live")->status == 200);
  const auto refused = client.post_raw(a_picture(6), "image/png", "during.png");
  REQUIRE(refused);
  CHECK(refused->status == 503);
  CHECK(refused->body.find("postgres") == std::string::npos);

  server.start();
  start = std::chrono::steady_clock::now();
  for (;;) {
    const auto answer = client.post_raw(a_picture(7), "image/png", "after.png");
    if ((answer && answer->status == 200) || seconds_since(start) > 10) break;
  }
  CHECK(seconds_since(start) < 5);

  server.freeze();
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  start = std::chrono::steady_clock::now();
  CHECK(database_status(client) == "timeout");
  CHECK(seconds_since(start) < 2.5);
  start = std::chrono::steady_clock::now();
  const auto silent = client.get("/media");
  REQUIRE(silent);
  CHECK(silent->status == 503);
  CHECK(seconds_since(start) < 8);
  // Nobody waits for one time-out after the other: not behind others who wait in vain, and not again alone after them.
  std::array<double, 6> took{};
  std::array<int, 6> statuses{};
  std::vector<std::thread> senders;
  for (unsigned i = 0; i < took.size(); ++i) {
    senders.emplace_back([&, i] {
      std::this_thread::sleep_for(std::chrono::milliseconds(250 * i));
      Client own(mediad.port);
      const auto began = std::chrono::steady_clock::now();
      const auto answer = own.post_raw(a_picture(static_cast<std::uint8_t>(20 + i)), "image/png", "silent.png");
      took[i] = seconds_since(began);
      statuses[i] = answer ? answer->status : 0;
    });
  }
  for (auto& sender : senders) sender.join();
  for (unsigned i = 0; i < took.size(); ++i) {
    CHECK(statuses[i] == 503);
    CHECK(took[i] < 4.5);
  }
  server.thaw();
  start = std::chrono::steady_clock::now();
  while (client.get("/media")->status != 200 && seconds_since(start) < 10) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK(seconds_since(start) < 5);
  CHECK(Json::parse(client.get("/media?q=before")->body)["data"].size() == 1);
  CHECK(Json::parse(client.get("/media?q=after")->body)["data"].size() == 1);
}

TEST_CASE("mediad: what is wrong with the database stops the start with one sentence, and settings with their faults") {
  auto& server = PostgresServer::shared();
  const auto ended = [](const std::vector<std::string>& environment) {
    Mediad mediad(environment, false);
    const auto code = mediad.daemon->wait(30);
    REQUIRE(code);
    const std::string said = read_text(mediad.log());
    INFO(said);
    CHECK(said.find(PostgresServer::kPassword) == std::string::npos);
    CHECK(said.find("hunter2") == std::string::npos);
    return std::pair(*code, said);
  };
  auto [code, said] = ended(with(catalog_in(server), {"POSTGRES_PASSWORD=hunter2"}));
  CHECK(code == 3);
  CHECK(said.find("cannot start: open catalog postgres on 127.0.0.1") != std::string::npos);
  CHECK(said.find("password authentication failed") != std::string::npos);
  std::tie(code, said) = ended(with(catalog_in(server), {"POSTGRES_PORT=1"}));
  CHECK(code == 3);
  CHECK(said.find("Connection refused") != std::string::npos);
  std::tie(code, said) = ended(with(catalog_in(server), {"POSTGRES_PORT=0"}));
  CHECK(code == 2);
  CHECK(said.find("POSTGRES_PORT: accepts 1 to 65535") != std::string::npos);
  std::tie(code, said) = ended(with(catalog_in(server), {"MEDIA_MANAGEMENT_DB_USER=somebody-else"}));
  CHECK(code == 2);
  std::tie(code, said) = ended(with(catalog_in(server), {"POSTGRES_MIN_CONNECTIONS=11"}));
  CHECK(code == 2);
  std::tie(code, said) = ended({"MEDIA_SERVICE_SERVER_ROLE=boss"});
  CHECK(code == 2);
  CHECK(said.find("MEDIA_SERVICE_SERVER_ROLE: accepts api, worker or all") != std::string::npos);
}
