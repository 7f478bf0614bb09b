#include <algorithm>
#include <utility>
#include <vector>

#include "hot_path.hpp"
#include "repository/list_statement.hpp"
#include "repository/sql.hpp"
#include "repository/sqlite_connection.hpp"
#include "repository_catalog.hpp"

using namespace media;

namespace {

std::string plan_of(SQLite::Database& database, const std::string& sql) {
  SQLite::Statement statement(database, "EXPLAIN QUERY PLAN " + sql);
  std::string plan;
  while (statement.executeStep()) plan += statement.getColumn(3).getString() + "\n";
  return plan;
}

}  // namespace

TEST_CASE("repository: no statement of the hot path walks a table or sorts") {
  const test::TempFolder folder;
  const auto path = folder / "catalog.db";
  test::open(path);
  SQLite::Database database(path.string(), SQLite::OPEN_READONLY);
  for (const std::string_view sql : test::kHotPath) {
    const std::string plan = plan_of(database, std::string(sql));
    INFO(sql << "\n" << plan);
    CHECK(plan.find("SEARCH") != std::string::npos);
    CHECK((plan.find("SCAN") == std::string::npos || plan.find("SCAN CONSTANT ROW") != std::string::npos));
    // Jobs of one media are few; everything else comes in the order of an index.
    CHECK((sql == sql::kClaimJobsOfMedia || plan.find("TEMP B-TREE") == std::string::npos));
  }
}

TEST_CASE("repository: a content under a name is found without a look at the owner's other copies of it") {
  const test::TempFolder folder;
  const auto path = folder / "catalog.db";
  test::open(path);
  SQLite::Database database(path.string(), SQLite::OPEN_READONLY);
  const std::string plan = plan_of(database, std::string(sql::kFindMediaByContentAndName));
  INFO(plan);
  CHECK(plan.find("media_by_content_and_name (digest=? AND owner=? AND filename=?)") != std::string::npos);
}

TEST_CASE("repository: media that look alike are found through a quarter of their hash, and the farther ones without the table") {
  const test::TempFolder folder;
  const auto path = folder / "catalog.db";
  test::open(path);
  SQLite::Database database(path.string(), SQLite::OPEN_READONLY);
  sqlite::add_functions(database.getHandle());
  for (std::size_t number = 0; number < sql::kFindSimilarMedia.size(); ++number) {
    const std::string plan = plan_of(database, std::string(sql::kFindSimilarMedia[number]));
    INFO(plan);
    CHECK(plan.find(" INDEX media_by_hash_quarter_" + std::to_string(number) + " (<expr>=?") != std::string::npos);
  }
  const std::string plan = plan_of(database, std::string(sql::kFindFarSimilarMedia));
  INFO(plan);
  CHECK(plan.find("SEARCH media USING COVERING INDEX media_by_hash_quarter_3 (<expr>>?") != std::string::npos);
}

TEST_CASE("repository: every list of media is a keyset walk over an index") {
  const test::TempFolder folder;
  const auto path = folder / "catalog.db";
  test::open(path);
  SQLite::Database database(path.string(), SQLite::OPEN_READONLY);
  for (const bool descending : {false, true}) {
    for (unsigned mask = 0; mask < 256; ++mask) {
      MediaQuery query;
      query.descending = descending;
      if ((mask & 1U) != 0) query.owner = "owner";
      if ((mask & 2U) != 0) query.status = MediaStatus::complete;
      if ((mask & 4U) != 0) query.media_type_prefix = "image/";
      if ((mask & 8U) != 0) query.filename_contains = "x";
      if ((mask & 16U) != 0) query.uploaded_from = Timestamp{};
      if ((mask & 32U) != 0) query.uploaded_to = Timestamp{};
      if ((mask & 64U) != 0) query.tag = "x";
      if ((mask & 128U) != 0) query.alive_at = Timestamp{};
      const ListStatement statement = list_media_statement(query, query.scan_limit + 1);
      const std::string plan = plan_of(database, statement.text);
      INFO(statement.text << "\n" << plan);
      CHECK(plan.find("SCAN") == std::string::npos);
      CHECK(plan.find("TEMP B-TREE") == std::string::npos);
      const std::string index = !query.owner ? "INTEGER PRIMARY KEY" : query.status ? "media_by_owner_status" : "media_by_owner ";
      CHECK(plan.find(index) != std::string::npos);
    }
  }
}

TEST_CASE("repository: a filter that nothing matches reads a bounded part of a large catalog") {
  const test::TempFolder folder;
  const auto path = folder / "catalog.db";
  const auto repository = test::open(path);
  constexpr MediaId kRows = 60'000;
  REQUIRE(repository->write([](Transaction& transaction) -> Result<void> {
    for (MediaId id = 1; id <= kRows; ++id) {
      Media media = test::a_media(id % 7000 == 0 ? "wanted" : "other");
      media.owner = id % 6 == 0 ? "stranger" : "owner";
      MEDIA_TRY(transaction.insert_media(media));
    }
    return {};
  }));
  // Statistics must not lure the planner away from the walk.
  test::run_sql(path, "ANALYZE");
  const auto reopened = test::open(path);
  for (const bool descending : {false, true}) {
    for (const std::string name : {"nowhere", "wanted"}) {
      MediaQuery query;
      query.owner = "owner";
      query.filename_contains = name;
      query.descending = descending;
      std::vector<MediaId> found;
      std::size_t calls = 0;
      for (;; ++calls) {
        const auto page = reopened->list_media(query).value();
        for (const Media& media : page.media) found.push_back(media.id);
        if (!page.scanned_to) break;
        SQLite::Database database(path.string(), SQLite::OPEN_READONLY);
        SQLite::Statement between(database, "SELECT count(*) FROM media WHERE owner = 'owner' AND id BETWEEN ?1 AND ?2");
        between.bind(1, descending ? *page.scanned_to : query.after + 1);
        between.bind(2, !descending ? *page.scanned_to : query.after == 0 ? kRows : query.after - 1);
        REQUIRE(between.executeStep());
        CHECK(between.getColumn(0).getInt64() == 10'000);
        query.after = *page.scanned_to;
      }
      CHECK(calls == 4);
      // 7000 to 56,000, but for two that are the stranger's.
      CHECK(found.size() == (name == "wanted" ? 6 : 0));
      CHECK(std::is_sorted(found.begin(), found.end(), [&](MediaId a, MediaId b) { return descending ? a > b : a < b; }));
      SQLite::Database database(path.string(), SQLite::OPEN_READONLY);
      const std::string plan = plan_of(database, list_media_statement(query, query.scan_limit + 1).text);
      INFO(plan);
      CHECK(plan.find("media_by_owner ") != std::string::npos);
      CHECK(plan.find("TEMP B-TREE") == std::string::npos);
    }
  }
}

TEST_CASE("repository: the text of a list statement does not depend on values") {
  MediaQuery one;
  one.owner = "a";
  one.limit = 1;
  MediaQuery other;
  other.owner = "b'; DROP TABLE media; --";
  other.limit = 99;
  other.after = 77;
  CHECK(list_media_statement(one, 51).text == list_media_statement(other, 100).text);
  CHECK(list_media_statement(one, 51).parameters.size() == 3);
}
