// A build without PostgreSQL.
#include "media/doctor.hpp"
#include "media/postgres_repository.hpp"
#include "repository/earlier_catalog.hpp"
#include "repository/migrate_side.hpp"

namespace media {

Result<std::unique_ptr<Repository>> open_postgres_repository(const PostgresRepositoryOptions&) {
  return Error{Errc::unsupported, "open catalog: this build is without PostgreSQL (MEDIA_WITH_POSTGRES)"};
}

Result<std::unique_ptr<EarlierCatalog>> open_earlier_catalog(const PostgresRepositoryOptions&) {
  return Error{Errc::unsupported, "open the earlier catalog: this build is without PostgreSQL (MEDIA_WITH_POSTGRES)"};
}

Result<CatalogFacts> postgres_facts(const PostgresRepositoryOptions&) {
  return Error{Errc::unsupported, "look at the catalog: this build is without PostgreSQL (MEDIA_WITH_POSTGRES)"};
}

Result<std::unique_ptr<migrate::Side>> migrate::open_postgres_side(const PostgresRepositoryOptions&, bool) {
  return Error{Errc::unsupported, "migrate: this build is without PostgreSQL (MEDIA_WITH_POSTGRES)"};
}

}  // namespace media
