#include "repository/earlier_catalog.hpp"

#include <chrono>
#include <utility>

#include "repository/postgres_connection.hpp"

namespace media {
namespace postgres {
namespace {

// Quoted, for `media` alone is a name of ours.
constexpr std::string_view kHasTables =
    "SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname = ?1 AND tablename IN ('media', 'recipe_media', 'ingredient_media', "
    "'step_media')";
constexpr std::string_view kListMedia =
    "SELECT media_id, CAST(user_id AS TEXT), CAST(media_type AS TEXT), media_path, coalesce(content_hash, ''), "
    "coalesce(original_filename, ''), CAST(processing_status AS TEXT), file_size, "
    "CAST(extract(epoch FROM coalesce(created_at, now())) * 1000 AS BIGINT), "
    "CAST(extract(epoch FROM coalesce(updated_at, created_at, now())) * 1000 AS BIGINT) "
    "FROM \"media\" WHERE media_id > ?1 ORDER BY media_id LIMIT ?2";
constexpr std::string_view kListLinks =
    "SELECT 'recipe/' || recipe_id, media_id FROM recipe_media WHERE media_id = ANY (?1) UNION ALL "
    "SELECT 'recipe/' || recipe_id || '/ingredient/' || ingredient_id, media_id FROM ingredient_media WHERE media_id = ANY (?1) UNION ALL "
    "SELECT 'recipe/' || recipe_id || '/step/' || step_id, media_id FROM step_media WHERE media_id = ANY (?1)";
constexpr std::int64_t kTables = 4;

class PostgresEarlierCatalog final : public EarlierCatalog {
 public:
  PostgresEarlierCatalog(std::unique_ptr<Connection> connection, PostgresRepositoryOptions options)
      : connection_(std::move(connection)), options_(std::move(options)) {}

  Result<void> look_for_tables() {
    return run("look for the earlier catalog", [&]() -> Result<void> {
      Query query(*connection_, kHasTables, options_.schema);
      if (query.next() && query.integer() == kTables) return {};
      return Error{Errc::not_found, "open the earlier catalog: there is none in the schema \"" + options_.schema + "\""};
    });
  }

  Result<std::vector<EarlierMedia>> list_media(MediaId after, std::size_t limit) override {
    return run("list earlier media", [&]() -> Result<std::vector<EarlierMedia>> {
      Query row(*connection_, kListMedia, after, static_cast<std::int64_t>(limit));
      std::vector<EarlierMedia> rows;
      while (row.next()) {
        rows.push_back({.id = row.integer(),
                        .owner = row.string(),
                        .type = row.string(),
                        .path = row.string(),
                        .hash = row.string(),
                        .filename = row.string(),
                        .status = row.string(),
                        .size_bytes = row.optional(&Query::integer),
                        .created_at = row.time(),
                        .updated_at = row.time()});
      }
      return rows;
    });
  }

  Result<std::vector<Link>> list_links(const std::vector<MediaId>& ids) override {
    return run("list earlier links", [&]() -> Result<std::vector<Link>> {
      Query row(*connection_, kListLinks, ids);
      std::vector<Link> links;
      while (row.next()) links.push_back({.subject = row.string(), .media_id = row.integer()});
      return links;
    });
  }

 private:
  template <class Work>
  auto run(std::string_view what, const Work& work) -> std::invoke_result_t<const Work&> {
    connection_->wait_until(std::chrono::steady_clock::now() + options_.statement_timeout);
    return guarded(*connection_, what, work);
  }

  std::unique_ptr<Connection> connection_;
  PostgresRepositoryOptions options_;
};

}  // namespace
}  // namespace postgres

Result<std::unique_ptr<EarlierCatalog>> open_earlier_catalog(const PostgresRepositoryOptions& options) {
  PostgresRepositoryOptions reading = options;
  reading.read_only = true;
  MEDIA_TRY_ASSIGN(auto connection, postgres::Connection::open(reading, std::chrono::steady_clock::now() + options.connect_timeout));
  auto catalog = std::make_unique<postgres::PostgresEarlierCatalog>(std::move(connection), std::move(reading));
  MEDIA_TRY(catalog->look_for_tables());
  return std::unique_ptr<EarlierCatalog>(std::move(catalog));
}

}  // namespace media
