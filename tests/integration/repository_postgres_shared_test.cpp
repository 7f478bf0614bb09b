#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "repository_postgres_fixture.hpp"

using namespace media;

namespace {

Timestamp at(std::int64_t milliseconds) { return Timestamp(std::chrono::milliseconds(milliseconds)); }

Digest digest_of(const std::string& text) { return Digest::of(std::as_bytes(std::span(text))); }

/// As many repositories as there are processes that share a catalog.
struct Processes {
  explicit Processes(std::size_t count, unsigned max_connections = 4) : options(test::PostgresServer::shared().fresh_catalog()) {
    options.max_connections = max_connections;
    for (std::size_t i = 0; i < count; ++i) each.push_back(test::open(options));
  }
  Repository& operator[](std::size_t i) { return *each[i % each.size()]; }
  PostgresRepositoryOptions options;
  std::vector<std::unique_ptr<Repository>> each;
};

}  // namespace

TEST_CASE("postgres: an idempotency key makes one media, however many processes are asked at once") {
  Processes processes(3);
  constexpr int kKeys = 20;
  constexpr std::size_t kThreads = 9;
  std::atomic<int> failures = 0;
  std::vector<std::set<MediaId>> ids(kThreads);
  std::vector<std::thread> threads;
  for (std::size_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int key = 0; key < kKeys; ++key) {
        MediaId id = 0;
        const auto written = processes[thread].write([&](Transaction& transaction) -> Result<void> {
          const std::string name = "key-" + std::to_string(key);
          MEDIA_TRY_ASSIGN(const auto known, transaction.find_media_by_idempotency_key("owner", name));
          id = known ? known->id : 0;
          if (known) return {};
          Media media;
          media.owner = "owner";
          media.idempotency_key = name;
          MEDIA_TRY_ASSIGN(id, transaction.insert_media(media));
          return {};
        });
        if (!written) ++failures;
        ids[thread].insert(id);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(failures == 0);
  for (const auto& seen : ids) CHECK(seen == ids[0]);
  CHECK(ids[0].size() == kKeys);
  CHECK(test::count_media(processes[0]) == kKeys);
}

TEST_CASE("postgres: a collector and an ingest in two processes never agree on a reference to a condemned blob") {
  Processes processes(2);
  constexpr int kBlobs = 60;
  std::atomic<int> failures = 0;
  for (int i = 0; i < kBlobs; ++i) {
    const Digest digest = digest_of(std::to_string(i));
    REQUIRE(processes[0].write([&](Transaction& transaction) { return transaction.put_blob({.digest = digest, .size_bytes = 1}); }));
    // Each reads what the other one changes, and changes what the other one reads: neither sees the other's rows.
    std::thread collector([&] {
      const auto condemned = processes[0].write([&](Transaction& transaction) -> Result<void> {
        MEDIA_TRY_ASSIGN(auto row, transaction.find_blob(digest));
        MEDIA_TRY_ASSIGN(const bool referenced, transaction.is_referenced(digest));
        if (referenced) return {};
        row->state = BlobState::deleting;
        row->condemned_at = at(1);
        return transaction.put_blob(*row);
      });
      if (!condemned) ++failures;
    });
    const auto ingested = processes[1].write([&](Transaction& transaction) -> Result<void> {
      MEDIA_TRY_ASSIGN(const auto row, transaction.find_blob(digest));
      if (row->state != BlobState::live) return {};  // would be written anew
      Media media;
      media.owner = "owner";
      media.digest = digest;
      MEDIA_TRY(transaction.insert_media(media));
      return {};
    });
    collector.join();
    if (!ingested) ++failures;
    const bool is_live = processes[0].find_blob(digest).value()->state == BlobState::live;
    CHECK(processes[0].is_referenced(digest).value() == is_live);
  }
  CHECK(failures == 0);
}

TEST_CASE("postgres: many writers who all read what the others write get through, one after the other") {
  Processes processes(3, 6);
  REQUIRE(
      processes[0].write([](Transaction& transaction) { return transaction.put_blob({.digest = digest_of("counter"), .size_bytes = 0}); }));
  constexpr int kThreads = 12;
  constexpr int kEach = 15;
  std::atomic<int> failures = 0;
  std::vector<std::thread> threads;
  for (std::size_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kEach; ++i) {
        const auto counted = processes[thread].write([&](Transaction& transaction) -> Result<void> {
          MEDIA_TRY_ASSIGN(auto blob, transaction.find_blob(digest_of("counter")));
          ++blob->size_bytes;
          return transaction.put_blob(*blob);
        });
        if (!counted) ++failures;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(failures == 0);
  CHECK(processes[0].find_blob(digest_of("counter")).value()->size_bytes == kThreads * kEach);
}

TEST_CASE("postgres: no job is claimed twice by workers of several processes, and none is passed over") {
  Processes processes(3, 6);
  constexpr int kJobs = 400;
  REQUIRE(processes[0].write([&](Transaction& transaction) -> Result<void> {
    for (int i = 0; i < kJobs; ++i) {
      Job job;
      job.kind = "notify";
      job.run_after = at(i % 7);
      MEDIA_TRY(transaction.insert_job(job));
    }
    return {};
  }));
  std::mutex mutex;
  std::multiset<std::int64_t> claimed;
  std::atomic<int> failures = 0;
  std::vector<std::thread> workers;
  for (std::size_t worker = 0; worker < 9; ++worker) {
    workers.emplace_back([&, owner = "worker " + std::to_string(worker), worker] {
      for (;;) {
        std::vector<Job> jobs;
        const auto taken = processes[worker].write_jobs([&](Transaction& transaction) -> Result<void> {
          MEDIA_TRY_ASSIGN(jobs, transaction.claim_jobs("notify", at(10), owner, at(1'000'000), 11, 0));
          return {};
        });
        if (!taken) ++failures;
        if (jobs.empty()) return;
        const auto finished = processes[worker].write_jobs([&](Transaction& transaction) -> Result<void> {
          for (const Job& job : jobs) {
            MEDIA_TRY_ASSIGN(const bool mine, transaction.finish_job(job.id, owner));
            if (!mine) return Error{Errc::internal, "a claimed job was another one's"};
          }
          return {};
        });
        if (!finished) ++failures;
        const std::lock_guard lock(mutex);
        for (const Job& job : jobs) claimed.insert(job.id);
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  CHECK(failures == 0);
  CHECK(claimed.size() == kJobs);
  CHECK(std::set(claimed.begin(), claimed.end()).size() == kJobs);
  CHECK(processes[0].list_jobs(std::nullopt, 10).value().empty());
}

TEST_CASE("postgres: a job that another process queues wakes who watches, a lost connection notwithstanding") {
  Processes processes(2);
  std::mutex mutex;
  std::condition_variable woken;
  int wakes = 0;
  const auto wait_for_more_than = [&](int count) {
    std::unique_lock lock(mutex);
    return woken.wait_for(lock, std::chrono::seconds(8), [&] { return wakes > count; });
  };
  const auto count = [&] {
    const std::lock_guard lock(mutex);
    return wakes;
  };
  processes[0].watch_jobs([&] {
    const std::lock_guard lock(mutex);
    ++wakes;
    woken.notify_all();
  });
  REQUIRE(wait_for_more_than(0));  // listening
  const auto queue = [&] {
    return processes[1]
        .write([](Transaction& transaction) -> Result<void> {
          Job job;
          job.kind = "notify";
          MEDIA_TRY(transaction.insert_job(job));
          return {};
        })
        .has_value();
  };
  int before = count();
  CHECK(queue());
  CHECK(wait_for_more_than(before));

  // Whoever listens is thrown out; it comes back by itself, and takes that for a wake.
  before = count();
  auto& server = test::PostgresServer::shared();
  server.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'");
  CHECK(wait_for_more_than(before));
  before = count();
  CHECK(queue());
  CHECK(wait_for_more_than(before));

  processes[0].watch_jobs({});
  before = count();
  CHECK(queue());
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  CHECK(count() == before);
}

TEST_CASE("postgres: a call that fails inside a closure undoes itself alone, whatever it was") {
  Processes processes(1);
  Media keyed;
  keyed.owner = "owner";
  keyed.idempotency_key = "k";
  REQUIRE(processes[0].write([&](Transaction& transaction) -> Result<void> {
    MEDIA_TRY(transaction.insert_media(keyed));
    Media other;
    other.owner = "owner";
    MEDIA_TRY_ASSIGN(other.id, transaction.insert_media(other));
    other.idempotency_key = "k";
    CHECK(transaction.update_media(other).error().code == Errc::already_exists);
    Job job;
    job.kind = "derive";
    job.media_id = 99;
    CHECK(transaction.insert_job(job).error().code == Errc::not_found);
    CHECK(transaction.put_upload({.token = "t", .media_id = 99}).error().code == Errc::not_found);
    CHECK(transaction.put_resumable_upload({.id = "r", .media_id = 99}).error().code == Errc::not_found);
    MEDIA_TRY(transaction.put_resumable_upload({.id = "r"}));
    ApiKey key;
    key.id = "key";
    MEDIA_TRY(transaction.insert_api_key(key));
    CHECK(transaction.insert_api_key(key).error().code == Errc::already_exists);
    return {};
  }));
  CHECK(test::count_media(processes[0]) == 2);
  // What PostgreSQL cannot hold ends the transaction; that is not kept from the caller who overlooks it.
  const auto written = processes[0].write([&](Transaction& transaction) -> Result<void> {
    MEDIA_TRY(transaction.insert_media({}));
    Media odd;
    odd.owner = "\xFF";
    CHECK(transaction.insert_media(odd).error().code == Errc::invalid_argument);
    return {};
  });
  REQUIRE_FALSE(written.has_value());
  CHECK(written.error().code == Errc::invalid_argument);
  CHECK(test::count_media(processes[0]) == 2);
}
