/// Which media look like a picture, asked of an SQL database by the quarters of their hashes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <unordered_map>
#include <vector>

#include "repository/similar_search.hpp"
#include "repository/sql.hpp"
#include "repository/sql_rows.hpp"

namespace media::sql {

inline std::int64_t row_limit(std::size_t limit) noexcept {
  constexpr auto kMost = static_cast<std::size_t>(std::numeric_limits<std::int64_t>::max());
  return static_cast<std::int64_t>(std::min(limit, kMost));
}

/// Beyond it, to look up what may be near by its quarters costs more than to look at each of 100,000 hashes.
inline constexpr unsigned kFarthestByQuarters = 12;

/// What every search binds after the quarter.
struct SimilarParameters {
  explicit SimilarParameters(const SimilarQuery& query)
      : hash(static_cast<std::int64_t>(query.perceptual_hash.bits)),
        except(query.except),
        // Nobody's visibility is as high as the last.
        visibility(!query.owner   ? 0
                   : query.others ? static_cast<std::int64_t>(*query.others)
                                  : std::int64_t{1} << 32U),
        owner(query.owner.value_or("")),
        alive_at(query.alive_at ? static_cast<std::int64_t>(query.alive_at->time_since_epoch().count())
                                : std::numeric_limits<std::int64_t>::min()) {}

  /// `quarter` is one value, or all of them.
  template <class Query, class Quarter>
  void add_to(Query& statement, const Quarter& quarter, unsigned max_distance) const {
    statement.add(quarter);
    statement.add(hash);
    statement.add(std::int64_t{max_distance});
    statement.add(except);
    statement.add(visibility);
    statement.add(owner);
    statement.add(alive_at);
  }

  std::int64_t hash;
  std::int64_t except;
  std::int64_t visibility;
  std::string owner;
  std::int64_t alive_at;
};

template <class Query, class Connection>
void search_quarters(Connection& connection, const SimilarQuery& query, Nearest& nearest) {
  const SimilarParameters parameters(query);
  for (unsigned number = 0; number < kHashQuarters; ++number) {
    for (const std::int64_t quarter :
         quarters_near(hash_quarter(query.perceptual_hash, number), quarter_distance(query.max_distance, number))) {
      Query rows(connection, kFindSimilarMedia[number]);
      parameters.add_to(rows, quarter, nearest.max_distance());
      while (rows.next()) {
        const MediaId id = rows.integer();
        nearest.offer(static_cast<unsigned>(rows.integer()), id);
      }
    }
  }
}

/// Where each question is a message to a server: all values of a quarter in one, and the best of them alone in the answer.
template <class Query, class Connection>
void search_quarters_at_once(Connection& connection, const SimilarQuery& query, Nearest& nearest) {
  const SimilarParameters parameters(query);
  for (unsigned number = 0; number < kHashQuarters; ++number) {
    const auto near = quarters_near(hash_quarter(query.perceptual_hash, number), quarter_distance(query.max_distance, number));
    if (near.empty()) continue;
    Query rows(connection, kFindSimilarMedia[number]);
    parameters.add_to(rows, near, nearest.max_distance());
    rows.add(row_limit(query.limit));
    while (rows.next()) {
      const MediaId id = rows.integer();
      nearest.offer(static_cast<unsigned>(rows.integer()), id);
    }
  }
}

template <class Query, class Connection>
std::unordered_map<MediaId, Media> find_several(Connection& connection, const Nearest& nearest) {
  std::vector<std::int64_t> ids;
  for (const auto& [distance, id] : nearest.ranks()) ids.push_back(id);
  std::unordered_map<MediaId, Media> found;
  Query rows(connection, kFindSeveralMedia, ids);
  while (rows.next()) {
    Media media = read_media<Query>(rows);
    found.emplace(media.id, std::move(media));
  }
  return found;
}

template <class Query, class Connection>
void search_all(Connection& connection, const SimilarQuery& query, Nearest& nearest) {
  const SimilarParameters parameters(query);
  Query rows(connection, kFindFarSimilarMedia);
  parameters.add_to(rows, std::int64_t{0}, query.max_distance);
  rows.add(row_limit(query.limit));
  while (rows.next()) {
    const MediaId id = rows.integer();
    nearest.offer(static_cast<unsigned>(rows.integer()), id);
  }
}

}  // namespace media::sql
