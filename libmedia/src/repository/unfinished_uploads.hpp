/// What an owner's unfinished resumable uploads will come to: an ability of the built-in repositories.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "media/clock.hpp"
#include "media/result.hpp"

namespace media {

/// Thread-safety: as RepositoryReader.
class UnfinishedUploads {
 public:
  virtual ~UnfinishedUploads() = default;
  UnfinishedUploads(const UnfinishedUploads&) = delete;
  UnfinishedUploads& operator=(const UnfinishedUploads&) = delete;

  /// The announced bytes of those that have not expired by then, parts among them..
  virtual Result<std::uint64_t> unfinished_bytes(const std::string& owner, Timestamp now) const = 0;

 protected:
  UnfinishedUploads() = default;
};

namespace sql {

// To PostgreSQL a sum of whole numbers is no whole number.
inline constexpr std::string_view kSumUnfinishedUploads =
    "SELECT CAST(coalesce(sum(size_bytes), 0) AS BIGINT) FROM resumable_upload WHERE owner = ?1 AND media_id IS NULL AND expires_at > ?2";

}  // namespace sql
}  // namespace media
