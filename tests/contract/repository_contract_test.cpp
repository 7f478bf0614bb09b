#include "repository_contract.hpp"

#ifdef MEDIA_TEST_POSTGRES
#include "postgres.hpp"
#endif

using namespace media;

namespace {

/// The SQLite repository's file lives as long as the test.
struct Sqlite {
  std::unique_ptr<Repository> operator()() {
    folders.push_back(std::make_unique<test::TempFolder>());
    SqliteRepositoryOptions options;
    options.path = *folders.back() / "catalog.db";
    auto opened = open_sqlite_repository(options);
    INFO((opened ? std::string() : opened.error().message));
    REQUIRE(opened.has_value());
    return std::move(opened).value();
  }
  std::vector<std::unique_ptr<test::TempFolder>> folders;
};

/// Runs a part of the contract on every implementation. A new one is one more line here.
void on_each(void (*check)(const test::MakeRepository&)) {
  SECTION("memory") { check(make_memory_repository); }
  SECTION("sqlite") {
    Sqlite sqlite;
    check([&] { return sqlite(); });
  }
#ifdef MEDIA_TEST_POSTGRES
  SECTION("postgres") {
    check([] {
      auto opened = open_postgres_repository(test::PostgresServer::shared().fresh_catalog());
      INFO((opened ? std::string() : opened.error().message));
      REQUIRE(opened.has_value());
      return std::move(opened).value();
    });
  }
#endif
}

}  // namespace

TEST_CASE("repository: a media comes back exactly as it was written, whatever bytes are in it") { on_each(test::check_media_rows); }
TEST_CASE("repository: lists walk pages in both directions under every filter") { on_each(test::check_media_lists); }
TEST_CASE("repository: a list looks at a bounded number of rows and goes on from there") { on_each(test::check_bounded_lists); }
TEST_CASE("repository: similar media are found whatever differs, the nearest first, and only among those asked for") {
  on_each(test::check_similar_media);
}
TEST_CASE("repository: blobs keep their state, and references are seen through renditions") { on_each(test::check_blobs_and_references); }
TEST_CASE("repository: what nothing refers to is found by a walk of bounded steps") { on_each(test::check_bounded_reference_walk); }
TEST_CASE("repository: blobs tell their kind, their age and how they were read") { on_each(test::check_blob_uses); }
TEST_CASE("repository: renditions are found by source, transform and encoder") { on_each(test::check_renditions); }
TEST_CASE("repository: renditions are walked whole, summed up, and told apart by when they were used") {
  on_each(test::check_rendition_use);
}
TEST_CASE("repository: upload sessions change state by compare and set, and expire") { on_each(test::check_uploads); }
TEST_CASE("repository: resumable uploads expire, and go with the media they became") { on_each(test::check_resumable_uploads); }
TEST_CASE("repository: several jobs are finished at once, each only by its owner") { on_each(test::check_finishing_several); }
TEST_CASE("repository: links keep their order and need a media") { on_each(test::check_links); }
TEST_CASE("repository: API keys come back as they were written and are revoked once") { on_each(test::check_api_keys); }
TEST_CASE("repository: quotas are kept by owner") { on_each(test::check_quotas); }
TEST_CASE("repository: an owner's usage is what its media come to, whatever changes them") { on_each(test::check_usage_never_drifts); }
TEST_CASE("repository: bans are found by digest and by nearness") { on_each(test::check_bans); }
TEST_CASE("repository: quarantine is kept by digest, and media say that they are held") { on_each(test::check_quarantine); }
TEST_CASE("repository: removing a media takes its links, jobs and upload along") { on_each(test::check_removal_cascades); }
TEST_CASE("repository: video orders are a media's own, and their owners take turns") { on_each(test::check_video_orders); }
TEST_CASE("repository: a job that is given back as if untouched has as many attempts as before") { on_each(test::check_returned_job); }
TEST_CASE("repository: a job is leased to one owner at a time") { on_each(test::check_jobs); }
TEST_CASE("repository: a transaction is whole or nothing") { on_each(test::check_transactions); }
TEST_CASE("repository: sixteen threads write and read at once") { on_each(test::check_concurrency); }
