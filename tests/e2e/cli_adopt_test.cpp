// Taking over from a database and a tree as the earlier service left them.
#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "media/digest.hpp"
#include "pictures.hpp"
#include "postgres.hpp"
#include "support.hpp"

using namespace test;
using Json = nlohmann::json;

namespace {

/// The earlier service's tables, its enumerations labelled as either of its two programs would.
constexpr const char* kTables = R"(
  CREATE SCHEMA recipe_manager; SET search_path = recipe_manager;
  CREATE TYPE media_type_enum AS ENUM ('image/png', 'IMAGE_JPEG', 'VIDEO_MP4');
  CREATE TYPE processing_status_enum AS ENUM ('PENDING', 'INITIATED', 'PROCESSING', 'COMPLETE', 'FAILED');
  CREATE TABLE users (user_id UUID PRIMARY KEY);
  CREATE TABLE media (
    media_id BIGSERIAL PRIMARY KEY, user_id UUID NOT NULL REFERENCES users ON DELETE CASCADE, media_type MEDIA_TYPE_ENUM NOT NULL,
    media_path TEXT NOT NULL, file_size BIGINT, content_hash VARCHAR(64), original_filename TEXT,
    processing_status PROCESSING_STATUS_ENUM NOT NULL, created_at TIMESTAMPTZ DEFAULT now(), updated_at TIMESTAMPTZ DEFAULT now());
  CREATE TABLE recipe_media (media_id BIGINT REFERENCES media ON DELETE CASCADE, recipe_id BIGINT, PRIMARY KEY (media_id, recipe_id));
  CREATE TABLE ingredient_media (recipe_id BIGINT, ingredient_id BIGINT, media_id BIGINT REFERENCES media ON DELETE CASCADE,
    PRIMARY KEY (recipe_id, ingredient_id, media_id));
  CREATE TABLE step_media (recipe_id BIGINT, step_id BIGINT, media_id BIGINT REFERENCES media ON DELETE CASCADE,
    PRIMARY KEY (step_id, media_id));
  INSERT INTO users VALUES ('11111111-2222-3333-4444-555555555555'), ('99999999-2222-3333-4444-555555555555'))";

struct Earlier {
  Earlier() {
    server.ask(kTables);
    first = add(7, "image/png", "first.png", "COMPLETE", "2024-05-06T07:08:09.123Z");
    add_row(12, "IMAGE_JPEG", path_of(first), "'" + first + "'", "NULL", "COMPLETE", "'99999999-2222-3333-4444-555555555555'");
    add_row(13, "image/png", "pending", "'" + std::string(64, '0') + "'", "'never.png'", "PENDING");
    add_row(14, "IMAGE_JPEG", path_of(std::string(64, 'a')), "'" + std::string(64, 'a') + "'", "'lost.jpg'", "COMPLETE");
    // The recipe service's own row: no hash, and a URL for a path.
    second = add(20, "VIDEO_MP4", "film.mp4", "FAILED", "2024-05-06T07:08:10Z");
    add_row(21, "image/png", "http://old/api/v1/media-management/media/20/" + second, "NULL", "NULL", "INITIATED");
    server.ask(
        "SET search_path = recipe_manager; INSERT INTO recipe_media VALUES (7, 42), (12, 42), (13, 42); INSERT INTO ingredient_media "
        "VALUES "
        "(42, 3, 7); INSERT INTO step_media VALUES (42, 9, 20)");
  }

  static std::string path_of(const std::string& hex) {
    return hex.substr(0, 2) + "/" + hex.substr(2, 2) + "/" + hex.substr(4, 2) + "/" + hex;
  }

  void add_row(int id, const std::string& type, const std::string& path, const std::string& hash, const std::string& name,
               const std::string& status, const std::string& user = "'11111111-2222-3333-4444-555555555555'",
               const std::string& size = "NULL", const std::string& time = "2024-01-01T00:00:00Z") {
    server.ask("INSERT INTO recipe_manager.media VALUES (" + std::to_string(id) + ", " + user + ", '" + type + "', '" + path + "', " +
               size + ", " + hash + ", " + name + ", '" + status + "', '" + time + "', '" + time + "')");
  }
  /// With a file of its own.
  std::string add(int id, const std::string& type, const std::string& name, const std::string& status, const std::string& time) {
    const auto content =
        type == "image/png"
            ? png(8, 6,
                  [&](std::uint32_t x, std::uint32_t) { return Rgba{static_cast<std::uint8_t>(id), static_cast<std::uint8_t>(x), 0, 255}; })
            : noise(5000, static_cast<std::uint64_t>(id));
    const std::string hex = media::Digest::of(content).to_hex();
    std::filesystem::create_directories((tree.path() / path_of(hex)).parent_path());
    write_file(tree.path() / path_of(hex), content);
    add_row(id, type, path_of(hex), "'" + hex + "'", "'" + name + "'", status, "'11111111-2222-3333-4444-555555555555'",
            std::to_string(content.size()), time);
    return hex;
  }
  RunResult adopt(const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {
        std::string(MEDIA_BINARY_DIR) + "/bin/mediactl", "adopt", "--json", "--dsn", dsn(), "--base", tree.path().string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments, {std::string("PGPASSWORD=") + PostgresServer::kPassword});
  }
  [[nodiscard]] std::string dsn() const { return "postgresql://postgres@127.0.0.1:" + std::to_string(server.port()) + "/postgres"; }
  /// Everything that is in the earlier tables.
  std::string dump() {
    return server.ask("SELECT string_agg(m::text, ';' ORDER BY media_id) FROM recipe_manager.media AS m") +
           server.ask("SELECT string_agg(m::text, ';' ORDER BY media_id) FROM recipe_manager.recipe_media AS m");
  }

  PostgresServer server;
  TempFolder tree;
  std::string first;
  std::string second;
};

Json summary_of(const RunResult& result) {
  const auto last = result.out.rfind('\n', result.out.size() - 2);
  return Json::parse(result.out.substr(last == std::string::npos ? 0 : last + 1))["summary"];
}

}  // namespace

TEST_CASE("mediactl adopt: takes over the earlier service's rows, links and files as they are, and only once") {
  Earlier earlier;
  const std::string before = earlier.dump();
  const std::size_t files = count_files(earlier.tree.path());

  const auto tried = earlier.adopt({"--dry-run"});
  INFO(tried.err << tried.out);
  CHECK(tried.exit_code == 1);  // a file is missing
  const Json would = summary_of(tried);
  CHECK(would["adopted"] == 4);
  CHECK(would["empty"] == 1);
  CHECK(would["missing"] == 1);
  CHECK(would["links"] == 4);
  CHECK(earlier.server.ask("SELECT count(*) FROM pg_tables WHERE tablename = 'media_item'") == "0");
  CHECK(count_files(earlier.tree.path()) == files);

  const auto done = earlier.adopt();
  INFO(done.err << done.out);
  CHECK(done.exit_code == 1);
  CHECK(summary_of(done)["adopted"] == 4);
  CHECK(earlier.dump() == before);
  CHECK(std::filesystem::exists(earlier.tree.path() / Earlier::path_of(earlier.first)));
  const auto ask = [&](const std::string& sql) { return earlier.server.ask("SET search_path = recipe_manager; " + sql); };
  CHECK(ask("SELECT string_agg(id::text, ',' ORDER BY id) FROM media_item") == "7,12,20,21");
  CHECK(ask("SELECT owner FROM media_item WHERE id = 12") == "99999999-2222-3333-4444-555555555555");
  CHECK(ask("SELECT uploaded_at FROM media_item WHERE id = 7") == "1714979289123");
  CHECK(ask("SELECT media_type || ' ' || width || 'x' || height FROM media_item WHERE id = 12") == "image/png 8x6");
  CHECK(ask("SELECT media_type FROM media_item WHERE id = 20") == "video/mp4");
  CHECK(ask("SELECT string_agg(subject || ':' || media_id, ' ' ORDER BY subject, media_id) FROM media_link") ==
        "recipe/42:7 recipe/42:12 recipe/42/ingredient/3:7 recipe/42/step/9:20");

  const auto again = earlier.adopt();
  CHECK(summary_of(again)["known"] == 4);
  CHECK(summary_of(again)["adopted"] == 0);

  // From here on it is a store like any other: proven, and with ids beyond the old ones.
  const std::vector<std::string> environment = {"MEDIA_CATALOG=" + earlier.dsn(), std::string("PGPASSWORD=") + PostgresServer::kPassword,
                                                "MEDIA_STORE=" + earlier.tree.path().string()};
  const std::string mediactl = std::string(MEDIA_BINARY_DIR) + "/bin/mediactl";
  const auto verified = run({mediactl, "verify", "--json"}, environment);
  INFO(verified.out << verified.err);
  CHECK(verified.exit_code == 0);
  CHECK(summary_of(verified)["blobs"] == 2);
  write_file(earlier.tree.path() / "new.png", png(5, 5, [](std::uint32_t, std::uint32_t) { return Rgba{1, 2, 3, 255}; }));
  const auto ingested = run({mediactl, "ingest", "--no-renditions", "--json", (earlier.tree.path() / "new.png").string()}, environment);
  INFO(ingested.out << ingested.err);
  CHECK(ingested.exit_code == 0);
  CHECK(std::stoll(ask("SELECT max(id) FROM media_item")) > 21);
}

TEST_CASE("mediactl adopt: a database without the earlier tables, and a folder that is not there, are told") {
  PostgresServer& server = PostgresServer::shared();
  const TempFolder tree;
  const std::string mediactl = std::string(MEDIA_BINARY_DIR) + "/bin/mediactl";
  const std::string dsn = "postgresql://postgres@127.0.0.1:" + std::to_string(server.port()) + "/postgres";
  const std::vector<std::string> environment = {std::string("PGPASSWORD=") + PostgresServer::kPassword};
  const auto nothing = run({mediactl, "adopt", "--dsn", dsn, "--base", tree.path().string(), "--dry-run"}, environment);
  CHECK(nothing.exit_code == 3);
  CHECK(nothing.err.find("open the earlier catalog: there is none in the schema") != std::string::npos);
  const auto no_folder = run({mediactl, "adopt", "--dsn", dsn, "--base", "/nonexistent", "--dry-run"}, environment);
  CHECK(no_folder.exit_code == 3);
}
