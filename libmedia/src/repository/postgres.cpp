#include "media/postgres_repository.hpp"

#include <optional>
#include <utility>

#include "repository/migrations.hpp"
#include "repository/postgres_engine.hpp"
#include "repository/postgres_job_watch.hpp"
#include "repository/postgres_pool.hpp"
#include "repository/postgres_schema.hpp"
#include "repository/postgres_writer.hpp"
#include "repository/sql.hpp"
#include "repository/unfinished_uploads.hpp"

namespace media {
namespace postgres {
namespace {

constexpr std::size_t kLongestSchema = 40;
/// A health check has less patience than who needs an answer, and asks once: a server that is down is told of at once, one that says
/// nothing after the 2 s which a health check may take.
constexpr std::chrono::milliseconds kCheckPatience{2500};

class PostgresRepository final : public sql::Reads<Engine, Repository>, public UnfinishedUploads {
 public:
  explicit PostgresRepository(PostgresRepositoryOptions options) : pool_(std::move(options)), writer_(pool_) {}

  Result<void> write(const Closure& closure) override { return write(closure, Isolation::serializable); }
  Result<void> write_jobs(const Closure& closure) override { return write(closure, Isolation::read_committed); }

  void watch_jobs(std::function<void()> wake) override {
    job_watch_.reset();
    if (wake) job_watch_.emplace(pool_.options(), std::move(wake));
  }

  Result<void> check() const override {
    MEDIA_TRY_ASSIGN(const auto lease, pool_.acquire(std::chrono::steady_clock::now() + kCheckPatience, Pool::Outage::tell));
    return guarded(*lease, "check catalog", [&]() -> Result<void> {
      Query query(*lease, sql::kCheck);
      if (!query.next() || query.integer() == 0) return Error{Errc::corrupt, "check catalog: it has no tables"};
      return {};
    });
  }

  Result<std::uint64_t> unfinished_bytes(const std::string& owner, Timestamp now) const override {
    MEDIA_TRY_ASSIGN(const auto lease, connection());
    return guarded(*lease, "sum up unfinished uploads", [&]() -> Result<std::uint64_t> {
      Query query(*lease, sql::kSumUnfinishedUploads, owner, now);
      return query.next() ? static_cast<std::uint64_t>(query.integer()) : 0;
    });
  }

  Result<void> prepare();

 private:
  Result<Lease> connection() const override { return pool_.acquire(pool_.deadline()); }
  Result<void> write(const Closure& closure, Isolation isolation);

  mutable Pool pool_;
  Writer writer_;
  std::optional<JobWatch> job_watch_;
};

/// The repository whose closure this thread is running.
thread_local const void* writing = nullptr;

struct Writing {
  explicit Writing(const void* repository) noexcept : before(std::exchange(writing, repository)) {}
  Writing(const Writing&) = delete;
  Writing& operator=(const Writing&) = delete;
  ~Writing() { writing = before; }
  const void* before;
};

Result<void> PostgresRepository::write(const Closure& closure, Isolation isolation) {
  if (pool_.options().read_only) return Error{Errc::denied, "write to the catalog: it was opened for reading only"};
  if (writing == this) {
    return Error{Errc::invalid_argument, "write to the catalog: a closure that runs inside a write cannot start another one"};
  }
  const Writing marked(this);
  return writer_.write(closure, isolation);
}

Result<void> PostgresRepository::prepare() {
  const auto& options = pool_.options();
  const auto migrations = postgres_migrations();
  MEDIA_TRY_ASSIGN(const auto lease, pool_.acquire(pool_.deadline()));
  if (options.read_only) return require_up_to_date(*lease, options.schema, migrations);
  MEDIA_TRY(bring_up_to_date(*lease, options.schema, migrations, options.create));
  // Connections that died left their rows; one lives for an hour at most.
  MEDIA_TRY(guarded(*lease, "open catalog", [&]() -> Result<void> {
    lease->run_script("DELETE FROM media_writer WHERE made_at < now() - interval '7 days'");
    return {};
  }));
  std::vector<Lease> kept;
  for (unsigned i = 1; i < std::min(options.min_connections, options.max_connections); ++i) {
    MEDIA_TRY_ASSIGN(auto more, pool_.acquire(pool_.deadline()));
    kept.push_back(std::move(more));
  }
  return {};
}

}  // namespace
}  // namespace postgres

Result<std::unique_ptr<Repository>> open_postgres_repository(const PostgresRepositoryOptions& options) {
  if (options.schema.empty() || options.schema.size() > postgres::kLongestSchema || options.schema.find('\0') != std::string::npos) {
    return Error{Errc::invalid_argument, "open catalog: a schema's name has 1 to 40 bytes"};
  }
  if (options.max_connections == 0) return Error{Errc::invalid_argument, "open catalog: at least one connection is needed"};
  auto repository = std::make_unique<postgres::PostgresRepository>(options);
  MEDIA_TRY(repository->prepare());
  // Nothing, behind a migration that has the catalog locked: once that is through, whoever opened it can read whose the bytes are now.
  if (!options.read_only) MEDIA_TRY(repository->write([](Transaction&) -> Result<void> { return {}; }));
  return repository;
}

}  // namespace media
