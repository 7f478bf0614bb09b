// How many jobs a second are claimed and finished durably on PostgreSQL, beside pgbench with the bare statement on the same server.
//
//   queue_bench [JOBS] [SECONDS]
//
// Starts a server of its own (fsync on). Ours: threads that claim 50 jobs in one transaction and finish them in another, and threads that
// take one at a time. Other: pgbench clients that each run one `UPDATE … FOR UPDATE SKIP LOCKED LIMIT 1` a transaction.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "media/postgres_repository.hpp"
#include "postgres.hpp"
#include "support.hpp"

namespace {

using namespace media;

Timestamp at(std::int64_t milliseconds) { return Timestamp(std::chrono::milliseconds(milliseconds)); }

void fill(test::PostgresServer& server, const std::string& schema, int jobs) {
  server.ask("TRUNCATE " + schema + ".media_job");
  server.ask(
      "INSERT INTO " + schema +
      ".media_job (kind, state, attempts, run_after, lease_owner, progress, last_error, created_at, payload) SELECT 'notify', 0, 0, i, "
      "'', 0, '', i, '' FROM generate_series(1, " +
      std::to_string(jobs) + ") AS i");
  server.ask("ANALYZE " + schema + ".media_job");
  server.ask("CHECKPOINT");
}

/// Jobs a second, claimed and finished.
double work_off(Repository& repository, unsigned threads, std::size_t batch, double seconds) {
  std::atomic<std::size_t> ended = 0;
  const auto start = std::chrono::steady_clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); };
  std::vector<std::thread> workers;
  for (unsigned number = 0; number < threads; ++number) {
    workers.emplace_back([&, owner = std::to_string(number)] {
      while (elapsed() < seconds) {
        std::vector<Job> jobs;
        const auto claimed = repository.write_jobs([&](Transaction& transaction) -> Result<void> {
          MEDIA_TRY_ASSIGN(jobs, transaction.claim_jobs("notify", at(1LL << 40U), owner, at(1LL << 41U), batch, 0));
          return {};
        });
        if (!claimed || jobs.empty()) return;
        std::vector<std::int64_t> ids;
        for (const Job& job : jobs) ids.push_back(job.id);
        // Durable, as the end of a job is that comes with its results.
        const auto finished = repository.write([&](Transaction& transaction) -> Result<void> {
          MEDIA_TRY(transaction.finish_jobs(ids, owner));
          return {};
        });
        if (finished) ended += jobs.size();
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  return static_cast<double>(ended) / elapsed();
}

double bare(test::PostgresServer& server, const test::TempFolder& folder, const std::string& schema, unsigned clients, int seconds) {
  test::write_file(folder / "claim.sql",
                   "UPDATE " + schema + ".media_job SET state = 2 WHERE id = (SELECT id FROM " + schema +
                       ".media_job WHERE kind = 'notify' AND due_at <= 1000000000000 ORDER BY due_at, id LIMIT 1 FOR UPDATE SKIP "
                       "LOCKED);\n");
  const auto result = test::run({"pgbench", "-h", "127.0.0.1", "-p", std::to_string(server.port()), "-U", test::PostgresServer::kUser, "-n",
                                 "-M", "prepared", "-c", std::to_string(clients), "-j", std::to_string(clients), "-T",
                                 std::to_string(seconds), "-f", (folder / "claim.sql").string(), test::PostgresServer::kDatabase},
                                {std::string("PGPASSWORD=") + test::PostgresServer::kPassword});
  const auto found = result.out.find("tps = ");
  if (found == std::string::npos) {
    std::fprintf(stderr, "%s%s", result.out.c_str(), result.err.c_str());
    return 0;
  }
  return std::strtod(result.out.c_str() + found + 6, nullptr);
}

}  // namespace

int main(int argc, char** argv) {
  const int jobs = argc > 1 ? std::atoi(argv[1]) : 200'000;
  const int seconds = argc > 2 ? std::atoi(argv[2]) : 5;
  test::PostgresServer server;
  const test::TempFolder folder;
  auto options = server.fresh_catalog();
  options.max_connections = 16;
  auto opened = open_postgres_repository(options);
  if (!opened) {
    std::fprintf(stderr, "%s\n", opened.error().message.c_str());
    return 1;
  }
  Repository& repository = **opened;
  std::printf("claims a second, durable; jobs that wait: %d\n", jobs);
  for (const unsigned threads : {1U, 8U}) {
    fill(server, options.schema, jobs);
    const double other = bare(server, folder, options.schema, threads, seconds);
    fill(server, options.schema, jobs);
    const double one = work_off(repository, threads, 1, seconds);
    fill(server, options.schema, jobs);
    const double many = work_off(repository, threads, 50, seconds);
    std::printf("%u clients: pgbench %.0f   ours, one at a time, claimed and finished %.0f (%.2f)   ours, 50 at a time %.0f (%.2f)\n",
                threads, other, one, one / other, many, many / other);
  }
  return 0;
}
