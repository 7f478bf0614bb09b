// What the tests of the catalog in PostgreSQL share.
#pragma once

#include <memory>
#include <string>

#include "catch.hpp"
#include "media/postgres_repository.hpp"
#include "postgres.hpp"

namespace test {

inline std::unique_ptr<media::Repository> open(const media::PostgresRepositoryOptions& options) {
  auto opened = media::open_postgres_repository(options);
  INFO((opened ? std::string() : opened.error().message));
  REQUIRE(opened.has_value());
  return std::move(opened).value();
}

/// Inserts one media in a transaction of its own.
inline media::Result<media::MediaId> insert(media::Repository& repository, const std::string& filename = "photo.jpg") {
  media::Media media;
  media.owner = "owner";
  media.filename = filename;
  media::MediaId id = 0;
  MEDIA_TRY(repository.write([&](media::Transaction& transaction) -> media::Result<void> {
    MEDIA_TRY_ASSIGN(id, transaction.insert_media(media));
    return {};
  }));
  return id;
}

inline std::size_t count_media(const media::Repository& repository, const std::string& filename = {}) {
  media::MediaQuery query;
  query.filename_contains = filename;
  query.limit = 1'000'000;
  query.scan_limit = query.limit;
  const auto listed = repository.list_media(query);
  return listed ? listed->media.size() : 0;
}

}  // namespace test
