/// Reads the tables of the service before this one.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "media/postgres_repository.hpp"
#include "media/records.hpp"
#include "media/result.hpp"

namespace media {

/// A row of its `media`, with the names of its enumerations as they are there.
struct EarlierMedia {
  MediaId id = 0;
  std::string owner{};
  std::string type{};  ///< "image/jpeg" or "IMAGE_JPEG".
  std::string path{};  ///< Where it said the content is.
  std::string hash{};  ///< 64 hexadecimal digits, zeros where nothing came; may be empty.
  std::string filename{};
  std::string status{};  ///< "COMPLETE", …
  std::optional<std::int64_t> size_bytes{};
  Timestamp created_at{};
  Timestamp updated_at{};
};

/// Thread-safety: none; it has one connection.
class EarlierCatalog {
 public:
  virtual ~EarlierCatalog() = default;

  /// Ascending by id, beyond `after`.
  virtual Result<std::vector<EarlierMedia>> list_media(MediaId after, std::size_t limit) = 0;
  /// Of these media, as subjects of ours ("recipe/42/step/7"), without an order of their own.
  virtual Result<std::vector<Link>> list_links(const std::vector<MediaId>& ids) = 0;
};

/// Errors: those of `open_postgres_repository`; `not_found` where the schema has no such tables.
Result<std::unique_ptr<EarlierCatalog>> open_earlier_catalog(const PostgresRepositoryOptions& options);

}  // namespace media
