#include <thread>
#include <vector>

#include "media/doctor.hpp"
#include "repository_postgres_fixture.hpp"

using namespace media;

namespace {

/// The error of opening, which is one clear sentence and tells no password.
Error refusal(const PostgresRepositoryOptions& options) {
  const auto opened = open_postgres_repository(options);
  REQUIRE_FALSE(opened.has_value());
  const std::string& message = opened.error().message;
  INFO(message);
  CHECK(message.starts_with("open catalog"));
  CHECK(message.find('\n') == std::string::npos);
  CHECK(message.size() < 250);
  CHECK(message.find(test::PostgresServer::kPassword) == std::string::npos);
  CHECK(message.find("hunter2") == std::string::npos);
  return opened.error();
}

bool says(const Error& error, std::string_view part) {
  INFO(error.message);
  CHECK(error.message.find(part) != std::string::npos);
  return true;
}

}  // namespace

TEST_CASE("postgres: ten processes may open an empty database at once") {
  const auto options = test::PostgresServer::shared().fresh_catalog();
  std::vector<std::thread> openers;
  std::vector<Result<std::unique_ptr<Repository>>> opened;
  for (int i = 0; i < 10; ++i) opened.emplace_back(Error{});
  for (auto& each : opened) openers.emplace_back([&] { each = open_postgres_repository(options); });
  for (std::thread& opener : openers) opener.join();
  for (auto& each : opened) {
    INFO((each ? std::string() : each.error().message));
    REQUIRE(each.has_value());
    CHECK(test::insert(**each).has_value());
  }
  CHECK(test::count_media(*opened[0].value()) == 10);
}

TEST_CASE("postgres: a connection string says what the fields say, and a schema may have any name") {
  auto& server = test::PostgresServer::shared();
  auto options = server.fresh_catalog();
  options.connection = "postgresql://" + options.user + ":" + options.password + "@127.0.0.1:" + std::to_string(server.port()) +
                       "/postgres?application_name=somebody";
  options.host.clear();
  options.port = 0;
  options.database.clear();
  options.user.clear();
  options.password.clear();
  options.schema = "a \"name\", with; all' of it";
  const auto repository = test::open(options);
  CHECK(test::insert(*repository).has_value());
  CHECK(repository->check().has_value());
  CHECK(server.ask("SELECT count(*) FROM \"a \"\"name\"\", with; all' of it\".media_item") == "1");
}

TEST_CASE("postgres: what stands in the way of opening is told in one sentence without a secret") {
  auto& server = test::PostgresServer::shared();
  auto options = server.fresh_catalog();

  auto wrong = options;
  wrong.password = "hunter2";
  CHECK(refusal(wrong).code == Errc::denied);
  says(refusal(wrong), "password authentication failed");

  wrong = options;
  wrong.user = "nobody-here";
  CHECK(refusal(wrong).code == Errc::denied);

  wrong = options;
  wrong.database = "missing";
  CHECK(refusal(wrong).code == Errc::not_found);
  says(refusal(wrong), "database \"missing\" does not exist");

  wrong = options;
  wrong.port = 1;
  wrong.outage_patience = std::chrono::milliseconds(200);
  CHECK(refusal(wrong).code == Errc::unavailable);
  says(refusal(wrong), "Connection refused");

  wrong = options;
  wrong.connection = "postgresql://me:hunter2@host:port:5432/x?what";
  CHECK(refusal(wrong).code == Errc::invalid_argument);
  wrong.connection = "me:hunter2@somewhere";
  CHECK(refusal(wrong).code == Errc::invalid_argument);
  wrong = options;
  wrong.schema.clear();
  CHECK(refusal(wrong).code == Errc::invalid_argument);
}

TEST_CASE("postgres: a role without rights is refused, and one with the rights to the rows alone will do") {
  auto& server = test::PostgresServer::shared();
  auto options = server.fresh_catalog();
  server.ask("CREATE ROLE guest LOGIN PASSWORD 'guest-pass'");
  auto as_guest = options;
  as_guest.user = "guest";
  as_guest.password = "guest-pass";
  const Error denied = refusal(as_guest);
  CHECK(denied.code == Errc::denied);
  says(denied, "permission denied");
  CHECK(denied.message.find("guest-pass") == std::string::npos);

  test::open(options);
  CHECK(refusal(as_guest).code == Errc::denied);
  server.ask("GRANT USAGE ON SCHEMA " + options.schema + " TO guest; GRANT ALL ON ALL TABLES IN SCHEMA " + options.schema +
             " TO guest; GRANT ALL ON ALL SEQUENCES IN SCHEMA " + options.schema + " TO guest");
  const auto repository = test::open(as_guest);
  CHECK(test::insert(*repository).has_value());
}

TEST_CASE("postgres: a catalog of a newer version, and one whose migrations are others, are refused") {
  auto& server = test::PostgresServer::shared();
  const auto options = server.fresh_catalog();
  test::open(options);
  server.ask("INSERT INTO " + options.schema + ".media_schema_migration VALUES (99, '0099_to_come', decode(repeat('00', 32), 'hex'))");
  CHECK(refusal(options).code == Errc::unsupported);
  says(refusal(options), "made by a newer version");
  server.ask("DELETE FROM " + options.schema + ".media_schema_migration WHERE number = 99");
  test::open(options);
  server.ask("UPDATE " + options.schema + ".media_schema_migration SET checksum = decode(repeat('00', 32), 'hex') WHERE number = 1");
  CHECK(refusal(options).code == Errc::corrupt);
  says(refusal(options), "0001_catalog");
}

TEST_CASE("postgres: what is opened for reading only makes no tables and writes nothing") {
  auto& server = test::PostgresServer::shared();
  auto options = server.fresh_catalog();
  options.read_only = true;
  CHECK(refusal(options).code == Errc::not_found);
  CHECK(server.ask("SELECT count(*) FROM pg_namespace WHERE nspname = '" + options.schema + "'") == "0");
  options.read_only = false;
  CHECK(test::insert(*test::open(options)).has_value());
  options.read_only = true;
  const auto repository = test::open(options);
  CHECK(test::count_media(*repository) == 1);
  CHECK(test::insert(*repository).error().code == Errc::denied);
}

TEST_CASE("postgres: the pool keeps to its limit, and says so when nobody gives a connection back") {
  auto& server = test::PostgresServer::shared();
  auto options = server.fresh_catalog();
  options.max_connections = 2;
  options.acquire_timeout = std::chrono::milliseconds(300);
  const auto repository = test::open(options);
  // Each of these closures holds a connection, and there are two.
  const auto outcome = repository->write([&](Transaction&) -> Result<void> {
    std::thread([&] {
      CHECK(repository
                ->write([&](Transaction&) -> Result<void> {
                  const auto read = repository->find_media(1);
                  CHECK_FALSE(read.has_value());
                  if (!read) CHECK(read.error().code == Errc::unavailable);
                  return {};
                })
                .has_value());
    }).join();
    return {};
  });
  CHECK(outcome.has_value());
  CHECK(repository->find_media(1).has_value());
}

TEST_CASE("postgres: the server tells its version and what safety depends on") {
  const auto options = test::PostgresServer::shared().fresh_catalog();
  test::open(options);
  const auto facts = postgres_facts(options).value();
  CHECK(facts.engine.starts_with("PostgreSQL "));
  bool found = false;
  for (const CatalogSetting& setting : facts.settings) {
    if (setting.name != "fsync") continue;
    found = true;
    CHECK((setting.value == "on" || setting.value == "off"));
    CHECK(setting.fault.empty() == (setting.value == "on"));
  }
  CHECK(found);
  auto nowhere = options;
  nowhere.port = 1;
  CHECK(postgres_facts(nowhere).error().code == Errc::unavailable);
}
