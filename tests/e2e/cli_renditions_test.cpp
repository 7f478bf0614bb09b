// mediactl renditions: counted, dropped, proven; and the budget of gc.
#include <sqlite3.h>

#include "catch.hpp"
#include "cli_support.hpp"

namespace fs = std::filesystem;
using cli::json_lines;
using cli::mediactl;

namespace {

/// A store with two pictures, media 1 and 2, and their presets' renditions.
struct Filled {
  test::TempFolder folder;
  std::string store = (folder / "store").string();

  Filled() {
    test::write_file(folder / "in/a.png", cli::png(400, 300, 1));
    test::write_file(folder / "in/b.png", cli::png(200, 150, 2));
    REQUIRE(mediactl({"--store", store, "ingest", "--jobs", "1", (folder / "in/a.png").string()}).exit_code == 0);
    REQUIRE(mediactl({"--store", store, "ingest", "--jobs", "1", (folder / "in/b.png").string()}).exit_code == 0);
  }
  [[nodiscard]] cli::Json summary(std::vector<std::string> arguments, int exit_code = 0) const {
    arguments.insert(arguments.begin(), {"--store", store, "--json"});
    const auto result = mediactl(arguments);
    INFO(result.out << result.err);
    CHECK(result.exit_code == exit_code);
    return json_lines(result.out).summary;
  }
  void sql(const std::string& text) const {
    sqlite3* database = nullptr;
    REQUIRE(sqlite3_open((fs::path(store) / "catalog.db").c_str(), &database) == SQLITE_OK);
    CHECK(sqlite3_exec(database, text.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(database);
  }
};

}  // namespace

TEST_CASE("cli renditions: they are counted, dropped, and their bytes go with gc") {
  const Filled filled;
  const auto counted = filled.summary({"renditions", "stat"});
  CHECK(counted.at("renditions") == 18);
  CHECK(counted.at("on_demand") == 0);
  CHECK(counted.at("on_demand_bytes") == 0);
  const auto bytes = counted.at("bytes").get<std::uint64_t>();
  CHECK(bytes > 1000);

  CHECK(filled.summary({"renditions", "drop", "--unused-for", "1h"}).at("dropped") == 0);
  const auto one = filled.summary({"renditions", "drop", "--media", "1"});
  CHECK(one.at("dropped") == 9);
  CHECK(one.at("bytes").get<std::uint64_t>() < bytes);
  const auto rest = filled.summary({"renditions", "drop", "--all"});
  CHECK(rest.at("dropped") == 9);
  CHECK(one.at("bytes").get<std::uint64_t>() + rest.at("bytes").get<std::uint64_t>() == bytes);
  CHECK(filled.summary({"renditions", "stat"}).at("renditions") == 0);

  CHECK(filled.summary({"gc"}).at("removed") == 0);
  CHECK(filled.summary({"gc", "--grace", "0s"}).at("removed").get<int>() > 0);
  CHECK(filled.summary({"verify"}).at("blobs") == 2);
  const auto text = mediactl({"--store", filled.store, "renditions", "drop", "--all"});
  CHECK(text.exit_code == 0);
  CHECK_THAT(text.out, ContainsSubstring("dropped 0 renditions"));
}

TEST_CASE("cli renditions: what is to be dropped must be said, and said well") {
  const Filled filled;
  for (const std::vector<std::string>& wrong : {std::vector<std::string>{},
                                                {"--all", "--media", "1"},
                                                {"--all", "--unused-for", "1h"},
                                                {"--media", "one"},
                                                {"--media", "0"},
                                                {"--unused-for", "soon"},
                                                {"--unused-for", "-1s"}}) {
    std::vector<std::string> arguments{"--store", filled.store, "renditions", "drop"};
    arguments.insert(arguments.end(), wrong.begin(), wrong.end());
    const auto result = mediactl(arguments);
    INFO(result.err);
    CHECK(result.exit_code == 2);
  }
  CHECK(mediactl({"--store", filled.store, "renditions", "drop", "--media", "7"}).exit_code == 3);
  CHECK(mediactl({"--store", filled.store, "renditions"}).exit_code == 2);
  CHECK(mediactl({"--store", filled.store, "renditions", "verify", "--all", "--sample", "3"}).exit_code == 2);
  CHECK(mediactl({"--store", filled.store, "renditions", "verify", "--sample", "0"}).exit_code == 2);
  CHECK(mediactl({"--store", (filled.folder / "none").string(), "renditions", "stat"}).exit_code == 3);
  CHECK(filled.summary({"renditions", "stat"}).at("renditions") == 18);
}

TEST_CASE("cli renditions: verify makes them again, names those that differ, and counts those of other encoders") {
  const Filled filled;
  const auto good = filled.summary({"renditions", "verify", "--all"});
  CHECK(good.at("checked") == 18);
  CHECK(good.at("same") == 18);
  CHECK(good.at("reproducible") == true);
  CHECK(filled.summary({"renditions", "verify", "--sample", "4", "--isolation", "none"}).at("checked") == 4);
  CHECK(filled.summary({"renditions", "verify"}).at("checked") == 18);

  // One that was made by another encoder, and one whose bytes are not those of its name: the other media's.
  filled.sql(
      "UPDATE rendition SET encoder = 'webp-0.1' WHERE transform = 'w=320,h=320,format=webp' AND source = "
      "(SELECT digest FROM media WHERE id = 1)");
  filled.sql(
      "UPDATE rendition SET digest = (SELECT digest FROM media WHERE id = 2) WHERE transform = 'w=320,h=320,format=jpeg' AND source = "
      "(SELECT digest FROM media WHERE id = 1)");
  const auto result = mediactl({"--store", filled.store, "--json", "renditions", "verify", "--all"});
  CHECK(result.exit_code == 1);
  const auto lines = json_lines(result.out);
  REQUIRE(lines.objects.size() == 1);
  CHECK(lines.objects[0].at("transform") == "w=320,h=320,format=jpeg");
  CHECK(lines.objects[0].at("problem") == "differs");
  CHECK_FALSE(lines.objects[0].at("reason").get<std::string>().empty());
  CHECK(lines.summary.at("differing") == 1);
  CHECK(lines.summary.at("same") == 16);
  CHECK(lines.summary.at("outdated") == 1);
  CHECK(lines.summary.at("reproducible") == false);
  const auto text = mediactl({"--store", filled.store, "renditions", "verify", "--all"});
  CHECK(text.exit_code == 1);
  CHECK_THAT(text.out, ContainsSubstring("w=320,h=320,format=jpeg"));
  CHECK_THAT(text.out, ContainsSubstring("1 differ"));
}

TEST_CASE("cli gc: with a budget the renditions that nobody used for the longest are dropped") {
  const Filled filled;
  // As a server would have made them, one after the other.
  filled.sql(
      "UPDATE rendition SET on_demand = 1, used_at = numbered.n FROM (SELECT source AS s, transform AS t, row_number() OVER (ORDER BY "
      "source, transform) AS n FROM rendition) AS numbered WHERE source = s AND transform = t");
  const auto before = filled.summary({"renditions", "stat"});
  REQUIRE(before.at("on_demand") == 18);
  const auto half = before.at("on_demand_bytes").get<std::uint64_t>() / 2;
  CHECK(filled.summary({"gc"}).at("renditions_evicted") == 0);
  CHECK(mediactl({"--store", filled.store, "gc", "--rendition-budget", "-1"}).exit_code == 2);
  CHECK(mediactl({"--store", filled.store, "gc", "--rendition-budget", "much"}).exit_code == 2);
  const auto evicted = filled.summary({"gc", "--rendition-budget", std::to_string(half)});
  CHECK(evicted.at("renditions_evicted").get<int>() > 0);
  CHECK(evicted.at("condemned").get<int>() > 0);
  const auto after = filled.summary({"renditions", "stat"});
  CHECK(after.at("on_demand_bytes").get<std::uint64_t>() <= half);
  CHECK(after.at("on_demand").get<int>() == 18 - evicted.at("renditions_evicted").get<int>());
  const auto by_environment = mediactl({"--store", filled.store, "--json", "gc"}, {"MEDIA_RENDITION_BUDGET=1"});
  CHECK(json_lines(by_environment.out).summary.at("renditions_evicted") == after.at("on_demand"));
}
