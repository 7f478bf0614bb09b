// What the tests of the SQLite catalog share.
#pragma once

#include <sqlite3.h>

#include <SQLiteCpp/SQLiteCpp.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "catch.hpp"
#include "media/repository.hpp"
#include "support.hpp"

namespace test {

inline media::Result<std::unique_ptr<media::Repository>> try_open(const std::filesystem::path& path, bool read_only = false) {
  media::SqliteRepositoryOptions options;
  options.path = path;
  options.read_only = read_only;
  return media::open_sqlite_repository(options);
}

inline std::unique_ptr<media::Repository> open(const std::filesystem::path& path, bool read_only = false) {
  auto opened = try_open(path, read_only);
  INFO((opened ? std::string() : opened.error().message));
  REQUIRE(opened.has_value());
  return std::move(opened).value();
}

inline media::Media a_media(std::string_view filename = "photo.jpg") {
  media::Media media;
  media.owner = "owner";
  media.filename = filename;
  return media;
}

/// Inserts one media in a transaction of its own.
inline media::Result<media::MediaId> insert(media::Repository& repository, const media::Media& media = a_media()) {
  media::MediaId id = 0;
  MEDIA_TRY(repository.write([&](media::Transaction& transaction) -> media::Result<void> {
    MEDIA_TRY_ASSIGN(id, transaction.insert_media(media));
    return {};
  }));
  return id;
}

inline std::size_t count_media(const media::Repository& repository) {
  media::MediaQuery query;
  query.limit = 1'000'000;
  query.scan_limit = query.limit;
  const auto listed = repository.list_media(query);
  return listed ? listed->media.size() : 0;
}

/// Runs SQL past the repository, as a stranger would.
inline void run_sql(const std::filesystem::path& path, const std::string& sql) {
  SQLite::Database(path.string(), SQLite::OPEN_READWRITE, 1000).exec(sql);
}

/// The first column of the first row.
inline std::string ask_sql(const std::filesystem::path& path, const std::string& sql) {
  SQLite::Database database(path.string(), SQLite::OPEN_READWRITE, 1000);
  SQLite::Statement statement(database, sql);
  return statement.executeStep() ? statement.getColumn(0).getString() : std::string();
}

}  // namespace test
