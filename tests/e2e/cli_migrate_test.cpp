// mediactl migrate: a library moves its catalog to PostgreSQL and back, killed on the way.
#include <signal.h>

#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "catch.hpp"
#include "daemon.hpp"
#include "media/digest.hpp"
#include "postgres.hpp"
#include "support.hpp"

using namespace test;
using Json = nlohmann::json;
namespace fs = std::filesystem;

namespace {

struct House {
  House() {
    fs::create_directories(folder / "in");
    for (unsigned i = 0; i < 40; ++i) write_file(folder / "in" / (std::to_string(i) + ".bin"), noise(500 + i, i));
    const auto ingested = mediactl({"--store", store(), "ingest", "--any", "--quiet", (folder / "in").string()});
    INFO(ingested.err);
    REQUIRE(ingested.exit_code == 0);
    schema = server.fresh_catalog().schema;
  }
  [[nodiscard]] std::string store() const { return (folder / "store").string(); }
  [[nodiscard]] std::string dsn() const { return "postgresql://postgres@127.0.0.1:" + std::to_string(server.port()) + "/postgres"; }
  [[nodiscard]] std::vector<std::string> environment() const {
    return {std::string("PGPASSWORD=") + PostgresServer::kPassword, "MEDIA_CATALOG_SCHEMA=" + schema};
  }
  static std::string program() { return std::string(MEDIA_BINARY_DIR) + "/bin/mediactl"; }
  RunResult mediactl(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), program());
    return run(arguments, environment());
  }
  std::string rows() const { return server.ask("SELECT count(*) FROM " + schema + ".media_item"); }

  PostgresServer& server = PostgresServer::shared();
  TempFolder folder;
  std::string schema;
};

Json summary_of(const RunResult& result) {
  INFO(result.err << result.out);
  REQUIRE(result.out.size() > 2);
  const auto last = result.out.rfind('\n', result.out.size() - 2);
  return Json::parse(result.out.substr(last == std::string::npos ? 0 : last + 1))["summary"];
}

}  // namespace

TEST_CASE("mediactl migrate: to PostgreSQL and back, with the folder's note switched each time") {
  const House house;
  const auto listed = house.mediactl({"--store", house.store(), "ls", "--json"}).out;
  const auto there = house.mediactl({"migrate", house.store(), house.dsn(), "--switch", "--json"});
  INFO(there.err << there.out);
  REQUIRE(there.exit_code == 0);
  CHECK(summary_of(there)["equal"] == true);
  const Json first = Json::parse(there.out.substr(0, there.out.find('\n')));
  CHECK(first["source_sha256"] == first["destination_sha256"]);
  CHECK(there.err.find(PostgresServer::kPassword) == std::string::npos);

  // The former catalog is not opened by mistake, and the new one is the same.
  CHECK_FALSE(fs::exists(house.folder / "store/catalog.db"));
  const auto former = house.mediactl({"--store", house.store(), "ls"});
  CHECK(former.exit_code == 8);
  CHECK(former.err.find("belong to the catalog in postgresql, schema " + house.schema) != std::string::npos);
  CHECK(house.mediactl({"--store", house.store(), "--catalog", house.dsn(), "ls", "--json"}).out == listed);
  CHECK(house.mediactl({"--store", house.store(), "--catalog", house.dsn(), "verify"}).exit_code == 0);

  const auto back = house.mediactl({"migrate", house.dsn(), house.store(), "--switch"});
  INFO(back.err << back.out);
  REQUIRE(back.exit_code == 0);
  CHECK(back.out.find("both sides are the same") != std::string::npos);
  CHECK(house.mediactl({"--store", house.store(), "ls", "--json"}).out == listed);
  CHECK(house.mediactl({"--store", house.store(), "verify"}).exit_code == 0);
}

TEST_CASE("mediactl migrate: without --switch programs go on as before") {
  const House house;
  const auto listed = house.mediactl({"--store", house.store(), "ls", "--json"}).out;
  const auto there = house.mediactl({"migrate", house.store(), house.dsn()});
  REQUIRE(there.exit_code == 0);
  CHECK(there.err.find("--switch") != std::string::npos);
  CHECK(house.mediactl({"--store", house.store(), "ls", "--json"}).out == listed);
  // Nobody takes the folder's bytes for the other catalog's.
  CHECK(house.mediactl({"--store", house.store(), "--catalog", house.dsn(), "ls"}).exit_code == 8);
  const auto again = house.mediactl({"migrate", house.store(), house.dsn()});
  CHECK(again.exit_code == 8);
  CHECK(again.err.find("has rows") != std::string::npos);
}

TEST_CASE("mediactl migrate: what cannot be is one clear sentence") {
  const House house;
  const auto refused = [&](const std::vector<std::string>& arguments, int code, const std::string& words) {
    const auto result = house.mediactl(arguments);
    INFO(result.err);
    CHECK(result.exit_code == code);
    CHECK(std::count(result.err.begin(), result.err.end(), '\n') == 1);
    CHECK(result.err.find(words) != std::string::npos);
  };
  refused({"migrate", house.store(), house.store()}, 2, "one catalog is in SQLite and the other in PostgreSQL");
  refused({"migrate", house.dsn(), house.dsn()}, 2, "pg_dump");
  refused({"migrate", (house.folder / "none").string(), house.dsn()}, 3, "is neither a store's folder nor");
  refused({"migrate", house.dsn(), (house.folder / "in").string()}, 3, "there is none in the schema");
  refused({"migrate", house.store(), "postgresql://postgres@127.0.0.1:1/postgres"}, 8, "127.0.0.1");
  const auto wrong = run({House::program(), "migrate", house.store(), house.dsn()}, {"PGPASSWORD=hidden-secret"});
  CHECK(wrong.exit_code == 4);
  CHECK(wrong.err.find("hidden-secret") == std::string::npos);
  CHECK_FALSE(fs::exists(house.folder / "in/catalog.db"));
}

TEST_CASE("mediactl migrate: where the switch cannot be noted it says so, and programs go on with the former catalog") {
  const House house;
  const auto listed = house.mediactl({"--store", house.store(), "ls", "--json"}).out;
  // The disk has no room for the note's name.
  const auto there = run({"strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=rename:error=ENOSPC:when=1", House::program(), "migrate",
                          house.store(), house.dsn(), "--switch"},
                         house.environment());
  INFO(there.err << there.out);
  CHECK(there.exit_code == 5);
  CHECK(there.err.find("migrated, but not switched over, so that programs go on with the former catalog: ") != std::string::npos);
  CHECK(house.rows() == "40");
  CHECK(fs::exists(house.folder / "store/catalog.db"));
  CHECK(house.mediactl({"--store", house.store(), "ls", "--json"}).out == listed);
}

TEST_CASE("mediactl migrate: killed at random moments the source is as it was, and the destination has nothing or everything") {
  const House house;
  // Enough that it takes a while.
  run({"sqlite3", (house.folder / "store/catalog.db").string(),
       "INSERT INTO blob SELECT randomblob(32), 1, 0, '', '', NULL, NULL FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 "
       "FROM n "
       "WHERE i < 20000) SELECT i FROM n)"});
  const auto listed = house.mediactl({"--store", house.store(), "ls", "--json"}).out;
  std::mt19937 random(20'261'202);
  int killed = 0;
  int ended = 0;
  for (int round = 0; round < 8; ++round) {
    Daemon migrate({House::program(), "migrate", house.store(), house.dsn(), "--quiet"}, house.environment(), house.folder / "log");
    std::this_thread::sleep_for(std::chrono::milliseconds(std::uniform_int_distribution<int>(20, 700)(random)));
    migrate.signal(SIGKILL);
    const auto code = migrate.wait(10);
    killed += code == 128 + SIGKILL ? 1 : 0;
    const bool exists =
        house.server.ask("SELECT count(*) FROM pg_tables WHERE schemaname = '" + house.schema + "' AND tablename = 'media_item'") == "1";
    const std::string rows = exists ? house.rows() : "0";
    CHECK((rows == "0" || rows == "40"));
    CHECK(house.mediactl({"--store", house.store(), "ls", "--json"}).out == listed);
    if (rows == "40") {
      ++ended;
      house.server.ask("DROP SCHEMA " + house.schema + " CASCADE");
    }
  }
  CHECK(killed + ended > 0);
  const auto whole = house.mediactl({"migrate", house.store(), house.dsn()});
  INFO(whole.err);
  CHECK(whole.exit_code == 0);
  CHECK(house.rows() == "40");
}
