#include <libpq-fe.h>

#include <limits>
#include <regex>
#include <string>
#include <vector>

#include "hot_path.hpp"
#include "repository/list_statement.hpp"
#include "repository/postgres_dialect.hpp"
#include "repository/sql.hpp"
#include "repository_postgres_fixture.hpp"

using namespace media;

namespace {

constexpr int kRows = 100'000;

/// Rows by SQL: what matters here is how many there are, and how their values are spread.
void fill(test::PostgresServer& server, const std::string& schema) {
  const std::string rows = std::to_string(kRows);
  server.ask("SET search_path = " + schema + R"(;
    INSERT INTO media_item (owner, digest, filename, media_type, size_bytes, status, error_message, visibility, format, width, height, frames,
      orientation, has_alpha, placeholder, idempotency_key, uploaded_at, updated_at, tags, expires_at, thumbhash, dominant_colour,
      perceptual_hash)
    SELECT 'owner-' || i % 50, sha256(int4send(i / 2)), convert_to('photo ' || i, 'UTF8'), 'image/jpeg', i,
      CASE WHEN i % 1000 = 0 THEN 3 ELSE 2 END, '', 0, 'jpeg', 1, 1, 1, 1, 0, '', CASE WHEN i % 3 = 0 THEN 'k' || i ELSE '' END, i, i, '',
      CASE WHEN i % 100 = 0 THEN i END, '', '', (hashint8extended(i, 7) # (i % 5))
    FROM generate_series(1, )" +
             rows + R"() AS i;
    INSERT INTO media_blob SELECT sha256(int4send(i)), i * 10, CASE WHEN i % 500 = 0 THEN 1 ELSE 0 END, '', '', NULL,
      CASE WHEN i % 500 = 0 THEN i END FROM generate_series(1, )" +
             rows + R"() AS i;
    INSERT INTO media_blob_read SELECT sha256(int4send(i)), i, i FROM generate_series(1, )" +
             rows + R"() AS i;
    INSERT INTO media_rendition SELECT sha256(int4send(i / 4)), 't' || i % 4, 'e', sha256(int4send(i)), 'webp', 1, 1, i, i, i % 2, i
      FROM generate_series(1, )" +
             rows + R"() AS i;
    INSERT INTO media_job (kind, media_id, state, attempts, run_after, lease_owner, progress, last_error, created_at, payload)
      SELECT 'derive', i, CASE WHEN i % 1000 = 0 THEN 2 ELSE 0 END, 0, i, '', 0, '', i, '' FROM generate_series(1, )" +
             rows + R"() AS i;
    INSERT INTO media_video_order SELECT i, 'format=mp4', 'owner-' || i % 50, i, i, 0, '', i FROM generate_series(1, )" +
             rows + R"() AS i;
    INSERT INTO media_upload SELECT 't' || i, i, 'owner', '', '', 1, NULL, 0, i, i FROM generate_series(1, )" +
             rows + R"() AS i;
    INSERT INTO media_resumable_upload SELECT 'r' || i, 'owner', 0, '', '', '', '', 1, NULL, i, i FROM generate_series(1, )" +
             rows + R"() AS i;
    INSERT INTO media_link SELECT 'recipe/' || i / 10, i, i FROM generate_series(1, )" +
             rows + R"() AS i;
    INSERT INTO media_quota SELECT 'owner-' || i, i, i FROM generate_series(1, )" +
             rows + R"() AS i;
    INSERT INTO media_owner_usage SELECT 'owner-' || i, i, i FROM generate_series(1, )" +
             rows + R"() AS i;
    INSERT INTO media_quarantine SELECT sha256(int4send(i)), 4, '', i, NULL, '', 0 FROM generate_series(1, )" +
             rows + R"() AS i;
    INSERT INTO media_api_key SELECT 'id' || i, sha256(int4send(i)), 'owner', '', '', i FROM generate_series(1, 1000) AS i;
    ANALYZE)");
}

/// Plans of statements with parameters, as a prepared statement gets them once its values are not looked at any more.
class Planner {
 public:
  /// With sequential scans allowed: an index must be what the planner prefers, and not the last thing that is left to it.
  Planner(const PostgresRepositoryOptions& options, bool as_the_repository)
      : connection_(PQconnectdb(("host=127.0.0.1 port=" + std::to_string(options.port) + " dbname=" + options.database +
                                 " user=" + options.user + " password=" + options.password)
                                    .c_str()),
                    PQfinish) {
    run("SET search_path = " + options.schema +
        "; SET plan_cache_mode = force_generic_plan; SET enable_incremental_sort = off; SET enable_seqscan = " +
        (as_the_repository ? "off" : "on"));
  }

  std::string plan_of(const std::string& text) {
    static const std::regex kParameter("\\$([0-9]+)");
    int parameters = 0;
    for (std::sregex_iterator at(text.begin(), text.end(), kParameter), end; at != end; ++at)
      parameters = std::max(parameters, std::stoi((*at)[1]));
    run("PREPARE statement AS " + text);
    std::string values;
    for (int i = 0; i < parameters; ++i) values += i == 0 ? "NULL" : ", NULL";
    const auto explained = run("EXPLAIN EXECUTE statement" + (parameters == 0 ? std::string() : "(" + values + ")"));
    std::string plan;
    for (int row = 0; row < PQntuples(explained.get()); ++row) plan += std::string(PQgetvalue(explained.get(), row, 0)) + "\n";
    run("DEALLOCATE statement");
    return plan;
  }

  /// Pages that a statement touches, its parameters put in as they stand.
  std::size_t pages_of(std::string text, const std::vector<std::string>& values) {
    for (std::size_t i = values.size(); i-- > 0;)
      text = std::regex_replace(text, std::regex("\\$" + std::to_string(i + 1) + "\\b"), values[i]);
    const auto explained = run("EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF) " + text);
    static const std::regex kPages("shared (?:hit=([0-9]+))?(?: ?read=([0-9]+))?");
    for (int row = 0; row < PQntuples(explained.get()); ++row) {
      const std::string line = PQgetvalue(explained.get(), row, 0);
      std::smatch found;
      // The first is the whole statement's.
      if (!std::regex_search(line, found, kPages)) continue;
      return (found[1].matched ? std::stoul(found[1]) : 0) + (found[2].matched ? std::stoul(found[2]) : 0);
    }
    return 0;
  }

 private:
  std::unique_ptr<PGresult, void (*)(PGresult*)> run(const std::string& text) {
    std::unique_ptr<PGresult, void (*)(PGresult*)> result(PQexec(connection_.get(), text.c_str()), PQclear);
    INFO(text << "\n" << PQerrorMessage(connection_.get()));
    const auto status = PQresultStatus(result.get());
    REQUIRE((status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK));
    return result;
  }
  std::unique_ptr<PGconn, void (*)(PGconn*)> connection_;
};

/// Every combination of filters, in both directions.
std::vector<MediaQuery> every_list() {
  std::vector<MediaQuery> queries;
  for (unsigned mask = 0; mask < 512; ++mask) {
    MediaQuery query;
    query.descending = (mask & 256U) != 0;
    if ((mask & 1U) != 0) query.owner = "owner";
    if ((mask & 2U) != 0) query.status = MediaStatus::complete;
    if ((mask & 4U) != 0) query.media_type_prefix = "image/";
    if ((mask & 8U) != 0) query.filename_contains = "x";
    if ((mask & 16U) != 0) query.uploaded_from = Timestamp{};
    if ((mask & 32U) != 0) query.uploaded_to = Timestamp{};
    if ((mask & 64U) != 0) query.tag = "x";
    if ((mask & 128U) != 0) query.alive_at = Timestamp{};
    queries.push_back(std::move(query));
  }
  return queries;
}

}  // namespace

TEST_CASE("postgres: no statement of the hot path walks a table of 100,000 rows, and no list sorts") {
  auto& server = test::PostgresServer::shared();
  const auto options = server.fresh_catalog();
  const auto repository = test::open(options);
  fill(server, options.schema);
  for (const bool as_the_repository : {true, false}) {
    Planner planner(options, as_the_repository);
    std::vector<std::string_view> hot(test::kHotPath.begin(), test::kHotPath.end());
    // An array is this engine's own, and it has an index for what SQLite walks for people, or sorts a few of.
    hot.insert(hot.end(), {sql::kFindSeveralMedia, sql::kListJobs, sql::kListJobsInState, sql::kFindUploadOfMedia, sql::kFinishJobs});
    for (const std::string_view shared : hot) {
      const std::string text = postgres::postgres_text(shared);
      const std::string plan = planner.plan_of(text);
      INFO(text << "\n" << plan);
      CHECK(plan.find("Seq Scan") == std::string::npos);
      CHECK(plan.find("Index") != std::string::npos);
    }
    for (const std::string_view shared : sql::kFindSimilarMedia) {
      const std::string plan = planner.plan_of(postgres::postgres_text(shared));
      INFO(plan);
      CHECK(plan.find("media_item_by_hash_quarter_") != std::string::npos);
      CHECK(plan.find("Seq Scan") == std::string::npos);
    }
    for (const MediaQuery& query : every_list()) {
      const ListStatement statement = list_media_statement(query, 51, Dialect::postgres);
      const std::string plan = planner.plan_of(postgres::postgres_text(statement.text));
      INFO(statement.text << "\n" << plan);
      CHECK(plan.find("Seq Scan") == std::string::npos);
      CHECK(plan.find("Sort") == std::string::npos);
      CHECK(plan.find(query.owner ? "media_item_by_owner" : "media_item_pkey") != std::string::npos);
    }
  }
  // And they are what they were.
  CHECK(repository->list_media({.owner = "owner-7", .status = MediaStatus::failed}).value().media.empty());
  CHECK(repository->list_media({.owner = "owner-0", .status = MediaStatus::failed, .limit = 50}).value().media.size() == 50);
}

TEST_CASE("postgres: a page of one status ends where the status does, however much else its owner has") {
  auto& server = test::PostgresServer::shared();
  const auto options = server.fresh_catalog();
  const auto repository = test::open(options);
  server.ask("SET search_path = " + options.schema + R"(;
    INSERT INTO media_item (owner, digest, filename, media_type, size_bytes, status, error_message, visibility, format, width, height, frames,
      orientation, has_alpha, placeholder, idempotency_key, uploaded_at, updated_at, tags, thumbhash, dominant_colour)
    SELECT 'many', NULL, '', 'image/jpeg', i, CASE WHEN i % 1000 = 500 THEN 1 WHEN i % 1000 = 0 THEN 3 ELSE 2 END, '', 0, 'jpeg', 1, 1, 1, 1, 0, '', '',
      i, i, '', '', '' FROM generate_series(1, 50000) AS i;
    ANALYZE media_item)");
  Planner planner(options, true);
  const auto pages = [&](MediaStatus status, bool descending, MediaId after) {
    MediaQuery query;
    query.owner = "many";
    query.status = status;
    query.descending = descending;
    query.after = after;
    const ListStatement statement = list_media_statement(query, 51, Dialect::postgres);
    INFO(statement.text);
    REQUIRE(statement.parameters.size() == 4);
    return planner.pages_of(postgres::postgres_text(statement.text),
                            {"'many'", std::to_string(static_cast<int>(status)), std::to_string(after), "51"});
  };
  // Behind the last and before the first there is nothing of it, and thousands of others.
  for (const MediaStatus status : {MediaStatus::processing, MediaStatus::complete, MediaStatus::failed}) {
    CAPTURE(static_cast<int>(status));
    for (const auto& [descending, after] : {std::pair(true, MediaId{1}), std::pair(false, MediaId{50'000})}) {
      const std::size_t touched = pages(status, descending, after);
      CHECK(touched >= 1);
      CHECK(touched <= 12);
    }
    CHECK(pages(status, false, 25'000) <= 120);
    CHECK(pages(status, true, 25'000) <= 120);
  }
}
