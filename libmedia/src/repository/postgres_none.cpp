// A build without PostgreSQL.
#include "media/postgres_repository.hpp"

namespace media {

Result<std::unique_ptr<Repository>> open_postgres_repository(const PostgresRepositoryOptions&) {
  return Error{Errc::unsupported, "open catalog: this build is without PostgreSQL (MEDIA_WITH_POSTGRES)"};
}

}  // namespace media
