#include <algorithm>
#include <atomic>
#include <map>
#include <new>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "repository_contract.hpp"

using namespace media;

namespace test {
namespace {

Job a_job(MediaId media, std::int64_t run_after = 0) {
  Job job;
  job.kind = "derive";
  job.media_id = media;
  job.run_after = at(run_after);
  job.created_at = at(1);
  return job;
}

std::int64_t insert_job(Repository& repository, const Job& job) {
  return in_write(repository, [&](Transaction& transaction) { return transaction.insert_job(job); });
}

std::vector<Job> claim(Repository& repository, std::int64_t now, const std::string& owner, std::int64_t until, std::size_t limit = 10,
                       MediaId media = 0, const std::string& kind = "derive") {
  return in_write(repository,
                  [&](Transaction& transaction) { return transaction.claim_jobs(kind, at(now), owner, at(until), limit, media); });
}

std::vector<std::int64_t> ids_of(const std::vector<Job>& jobs) {
  std::vector<std::int64_t> ids;
  for (const Job& job : jobs) ids.push_back(job.id);
  return ids;
}

}  // namespace

void check_removal_cascades(const MakeRepository& make) {
  const auto repository = make();
  const MediaId gone = insert(*repository, a_media("owner"));
  const MediaId stays = insert(*repository, a_media("owner"));
  do_write(*repository, [&](Transaction& transaction) -> Result<void> {
    for (const MediaId id : {gone, stays}) {
      MEDIA_TRY(transaction.insert_job(a_job(id)));
      MEDIA_TRY(transaction.put_link({"album/1", id, 0}));
      MEDIA_TRY(transaction.put_link({"album/2", id, 0}));
      UploadSession session;
      session.token = "token-" + std::to_string(id);
      session.media_id = id;
      MEDIA_TRY(transaction.put_upload(session));
    }
    return {};
  });
  CHECK(in_write(*repository, [&](Transaction& transaction) { return transaction.remove_media(gone); }));
  CHECK_FALSE(repository->find_media(gone).value().has_value());
  CHECK_FALSE(repository->find_job_of_media(gone, "derive").value().has_value());
  CHECK(repository->find_job_of_media(stays, "derive").value().has_value());
  CHECK(repository->list_links("album/1").value() == std::vector<Link>{{"album/1", stays, 0}});
  CHECK(repository->list_links_of_media(gone).value().empty());
  CHECK(repository->list_expired_uploads(at(1), 10).value().size() == 1);
  CHECK_FALSE(repository->find_upload_of_media(gone).value().has_value());
  CHECK(repository->find_upload_of_media(stays).value()->token == "token-" + std::to_string(stays));
  do_write(*repository, [&](Transaction& transaction) -> Result<void> {
    UploadSession newer;
    newer.token = "newer";
    newer.media_id = stays;
    newer.created_at = at(5);
    newer.expires_at = at(5);
    return transaction.put_upload(newer);
  });
  CHECK(repository->find_upload_of_media(stays).value()->token == "newer");

  // A removal that is rolled back brings all of it back.
  CHECK_FALSE(repository
                  ->write([&](Transaction& transaction) -> Result<void> {
                    MEDIA_TRY(transaction.remove_media(stays));
                    return Error{Errc::conflict, "changed my mind"};
                  })
                  .has_value());
  CHECK(repository->find_media(stays).value().has_value());
  CHECK(repository->list_links_of_media(stays).value().size() == 2);
  CHECK(repository->find_job_of_media(stays, "derive").value().has_value());
  CHECK(repository->find_upload("token-" + std::to_string(stays)).value().has_value());
}

void check_video_orders(const MakeRepository& make) {
  const auto repository = make();
  Media film = a_media("anna");
  film.digest = digest_of("film");
  const MediaId hers = insert(*repository, film);
  film.owner = "bert";
  film.idempotency_key.clear();
  const MediaId his = insert(*repository, film);
  const auto order = [&](MediaId media, const std::string& owner, const std::string& transform, std::int64_t turn, std::int64_t due) {
    Job job = a_job(media, due);
    job.kind = "encode";
    job.payload = transform;
    VideoOrder row{media, transform, owner, insert_job(*repository, job), turn, 0, "", at(due)};
    do_write(*repository, [&](Transaction& transaction) { return transaction.put_video_order(row); });
    return row;
  };
  CHECK(repository->job_queue("encode", "anna").value() == JobQueue{});
  VideoOrder late = order(hers, "anna", "w=2,format=mp4", 7, 1);
  const VideoOrder first = order(hers, "anna", "format=mp4", 5, 2);
  const VideoOrder other = order(his, "bert", "format=mp4", 5, 3);
  CHECK(repository->list_video_orders(hers).value() == std::vector{first, late});
  CHECK(repository->list_video_orders(his).value() == std::vector{other});
  CHECK(repository->job_queue("encode", "anna").value() == JobQueue{3, 2, 5, 7});
  CHECK(repository->job_queue("encode", "cora").value() == JobQueue{3, 0, 5, std::nullopt});
  CHECK(repository->job_queue("derive", "anna").value() == JobQueue{});
  late.deaths = 1;
  late.remark = std::string("\0\xFF", 2);
  do_write(*repository, [&](Transaction& transaction) { return transaction.put_video_order(late); });
  CHECK(repository->list_video_orders(hers).value() == std::vector{first, late});
  CHECK(repository->write([](Transaction& transaction) { return transaction.put_video_order({.media_id = 999}); }).error().code ==
        Errc::not_found);

  // By turn, of those that are due; of one turn the one that is due the longest.
  const auto claim_next = [&](std::int64_t now) {
    std::optional<Job> job;
    do_write(*repository, [&](Transaction& transaction) -> Result<void> {
      MEDIA_TRY_ASSIGN(job, transaction.claim_job_in_turn("encode", at(now), "x", at(1000)));
      return {};
    });
    return job ? job->id : 0;
  };
  CHECK(claim_next(0) == 0);
  CHECK(claim_next(1) == late.job_id);
  CHECK(claim_next(10) == first.job_id);
  CHECK(claim_next(10) == other.job_id);
  CHECK(claim_next(10) == 0);
  CHECK(claim_next(1000) == first.job_id);  // whose lease ran out
  CHECK(repository->job_queue("encode", "bert").value() == JobQueue{3, 1, 5, 5});

  // What was made of them, for whomever.
  CHECK(repository->ordered_video_bytes("anna").value() == 0);
  Rendition made;
  made.source = digest_of("film");
  made.transform = "format=mp4";
  made.encoder = "e";
  made.digest = digest_of("made");
  made.format = Format::mp4;
  made.size_bytes = 1000;
  do_write(*repository, [&](Transaction& transaction) { return transaction.put_rendition(made); });
  CHECK(repository->ordered_video_bytes("anna").value() == 1000);
  CHECK(repository->ordered_video_bytes("bert").value() == 1000);
  CHECK(repository->ordered_video_bytes("cora").value() == 0);

  // They go with their media.
  CHECK(in_write(*repository, [&](Transaction& transaction) { return transaction.remove_media(hers); }));
  CHECK(repository->list_video_orders(hers).value().empty());
  CHECK(repository->ordered_video_bytes("anna").value() == 0);
  CHECK(repository->list_video_orders(his).value() == std::vector{other});
}

void check_returned_job(const MakeRepository& make) {
  const auto repository = make();
  Job job = a_job(0, 50);
  job.attempts = 2;
  job.progress = 0.25;
  job.id = insert_job(*repository, job);
  const auto returned = [&](const std::string& owner) {
    return in_write(*repository, [&](Transaction& transaction) { return transaction.return_job(job.id, owner, at(200), "stopped"); });
  };
  CHECK_FALSE(returned("a"));  // nobody has it
  REQUIRE(ids_of(claim(*repository, 100, "a", 500)) == std::vector{job.id});
  CHECK_FALSE(returned("b"));
  CHECK(returned("a"));
  const Job back = repository->list_jobs(std::nullopt, 10).value().at(0);
  CHECK(back.attempts == 2);
  CHECK(back.state == JobState::queued);
  CHECK(back.run_after == at(200));
  CHECK(back.lease_owner.empty());
  CHECK_FALSE(back.lease_until.has_value());
  CHECK(back.last_error == "stopped");
  CHECK(back.progress == 0.25);
  CHECK(claim(*repository, 199, "a", 500).empty());
  CHECK(claim(*repository, 200, "a", 500).at(0).attempts == 3);
}

void check_jobs(const MakeRepository& make) {
  const auto repository = make();
  const MediaId one = insert(*repository, a_media("owner"));
  const MediaId two = insert(*repository, a_media("owner"));

  // A row comes back as it went in; a job needs no media, but one that it names must be there.
  Job full = a_job(one, 50);
  full.kind = "verify";
  full.payload = std::string("{\"a\":1}\0\xFF", 9);
  full.state = JobState::running;
  full.attempts = 3;
  full.lease_owner = "someone";
  full.lease_until = at(10'000);
  full.progress = 0.25;
  full.last_error = std::string("bad \xFF name\0x", 11);
  full.id = insert_job(*repository, full);
  CHECK(repository->find_job_of_media(one, "verify").value() == full);
  CHECK(repository->jobs_of_media(one, "verify").value() == std::vector{full});
  CHECK(repository->jobs_of_media(one, "derive").value().empty());
  CHECK_FALSE(repository->find_job_of_media(one, "derive").value().has_value());
  CHECK(repository
            ->write([](Transaction& transaction) -> Result<void> {
              MEDIA_TRY(transaction.insert_job(a_job(999)));
              return {};
            })
            .error()
            .code == Errc::not_found);

  const auto first = insert_job(*repository, a_job(one, 100));
  const auto second = insert_job(*repository, a_job(two, 100));
  const auto early = insert_job(*repository, a_job(0, 90));
  CHECK(repository->find_job_of_media(one, "derive").value()->id == first);

  // What is due, the longest due first, each once.
  CHECK(claim(*repository, 89, "a", 500).empty());
  CHECK(claim(*repository, 100, "a", 500, 0).empty());
  CHECK(ids_of(claim(*repository, 100, "a", 500, 1)) == std::vector{early});
  const auto rest = claim(*repository, 100, "b", 600);
  REQUIRE(ids_of(rest) == std::vector{first, second});
  CHECK(rest[0].state == JobState::running);
  CHECK(rest[0].attempts == 1);
  CHECK(rest[0].lease_owner == "b");
  CHECK(rest[0].lease_until == at(600));
  CHECK(rest[0].run_after == at(100));
  CHECK(repository->find_job_of_media(one, "derive").value() == rest[0]);
  CHECK(claim(*repository, 499, "c", 900).empty());

  // Only the owner of the lease renews, finishes, gives back.
  const auto renew = [&](std::int64_t id, const std::string& owner, std::int64_t until, double progress) {
    return in_write(*repository, [&](Transaction& transaction) { return transaction.renew_job(id, owner, at(until), progress); });
  };
  const auto finish = [&](std::int64_t id, const std::string& owner) {
    return in_write(*repository, [&](Transaction& transaction) { return transaction.finish_job(id, owner); });
  };
  const auto release = [&](std::int64_t id, const std::string& owner, std::optional<Timestamp> run_after) {
    return in_write(*repository, [&](Transaction& transaction) { return transaction.release_job(id, owner, run_after, "it failed"); });
  };
  CHECK_FALSE(renew(first, "a", 700, 0.5));
  CHECK_FALSE(finish(first, "a"));
  CHECK_FALSE(release(first, "a", at(1)));
  CHECK(renew(first, "b", 700, 0.5));
  CHECK(repository->find_job_of_media(one, "derive").value()->progress == 0.5);

  // A lease that ran out is taken over; its old owner is told.
  CHECK(ids_of(claim(*repository, 500, "c", 900)) == std::vector{early});
  CHECK(ids_of(claim(*repository, 650, "c", 900)) == std::vector{second});
  const auto taken = claim(*repository, 700, "d", 900);
  REQUIRE(ids_of(taken) == std::vector{first});
  CHECK(taken[0].attempts == 2);
  CHECK(taken[0].progress == 0.5);  // so that nobody is shown that it goes back
  CHECK_FALSE(renew(first, "b", 2000, 0.6));
  CHECK_FALSE(finish(first, "b"));
  CHECK_FALSE(release(first, "b", std::nullopt));

  // Back into the queue, and dead.
  CHECK(release(first, "d", at(1000)));
  Job queued = *repository->find_job_of_media(one, "derive").value();
  CHECK(queued.state == JobState::queued);
  CHECK(queued.run_after == at(1000));
  CHECK(queued.lease_owner.empty());
  CHECK_FALSE(queued.lease_until.has_value());
  CHECK(queued.last_error == "it failed");
  CHECK(queued.attempts == 2);
  CHECK_FALSE(release(first, "d", at(1)));
  CHECK_FALSE(renew(first, "", at(9000).time_since_epoch().count(), 1));
  CHECK(release(second, "c", std::nullopt));
  CHECK(ids_of(repository->list_jobs(JobState::dead, 10).value()) == std::vector{second});
  CHECK(ids_of(repository->list_jobs(JobState::queued, 10).value()) == std::vector{first});
  CHECK(ids_of(repository->list_jobs(std::nullopt, 10).value()) == std::vector{full.id, first, second, early});
  CHECK(ids_of(repository->list_jobs(std::nullopt, 2).value()) == std::vector{full.id, first});
  CHECK(repository->count_jobs().value() == std::vector<JobCount>{{"derive", JobState::queued, 1, at(1000)},
                                                                  {"derive", JobState::running, 1, at(90)},
                                                                  {"derive", JobState::dead, 1, at(100)},
                                                                  {"verify", JobState::running, 1, full.run_after}});
  CHECK(ids_of(claim(*repository, 5000, "e", 99'000)) == std::vector{first, early});
  CHECK(claim(*repository, 9999, "f", 99'000).empty());
  CHECK(claim(*repository, 10'000, "f", 99'000).empty());  // what is due is of another kind
  CHECK(ids_of(claim(*repository, 10'000, "f", 99'000, 10, 0, "verify")) == std::vector{full.id});
  CHECK(finish(first, "e"));
  CHECK_FALSE(finish(first, "e"));
  CHECK_FALSE(repository->find_job_of_media(one, "derive").value().has_value());

  // A dead one may be tried again, as if it were new; none that is not dead.
  const auto retry = [&](std::int64_t id) {
    return in_write(*repository, [&](Transaction& transaction) { return transaction.retry_job(id, at(7777)); });
  };
  CHECK_FALSE(retry(first));
  CHECK_FALSE(retry(early));
  CHECK_FALSE(retry(999));
  CHECK(retry(second));
  CHECK_FALSE(retry(second));
  const auto tried_again = claim(*repository, 7776, "h", 99'000);
  CHECK(tried_again.empty());
  const auto due_again = claim(*repository, 7777, "h", 99'000);
  REQUIRE(ids_of(due_again) == std::vector{second});
  CHECK(due_again[0].attempts == 1);
  CHECK(due_again[0].last_error == "it failed");
  CHECK(finish(second, "h"));

  // Of one media only.
  const auto mine = insert_job(*repository, a_job(two, 1));
  insert_job(*repository, a_job(one, 1));
  CHECK(ids_of(claim(*repository, 5000, "g", 99'000, 10, two)) == std::vector{mine});
  CHECK(claim(*repository, 5000, "g", 99'000, 10, two).empty());
}

void check_finishing_several(const MakeRepository& make) {
  const auto repository = make();
  std::vector<std::int64_t> ids;
  do_write(*repository, [&](Transaction& transaction) -> Result<void> {
    ids.clear();
    for (int i = 0; i < 6; ++i) {
      Job job;
      job.kind = "derive";
      MEDIA_TRY_ASSIGN(ids.emplace_back(), transaction.insert_job(job));
    }
    return {};
  });
  do_write(*repository, [&](Transaction& transaction) -> Result<void> {
    MEDIA_TRY(transaction.claim_jobs("derive", at(10), "a", at(500), 4, 0));
    MEDIA_TRY(transaction.claim_jobs("derive", at(10), "b", at(500), 1, 0));
    return {};
  });
  const auto finish = [&](const std::vector<std::int64_t>& which, const std::string& owner) {
    return in_write(*repository, [&](Transaction& transaction) { return transaction.finish_jobs(which, owner); });
  };
  CHECK(finish({}, "a") == 0);
  // Another one's, one that is queued, one that was never there, one twice.
  CHECK(finish({ids[0], ids[2], ids[2], ids[4], ids[5], 1'000'000}, "a") == 2);
  CHECK(finish({ids[0], ids[1], ids[3]}, "a") == 2);
  std::vector<std::int64_t> left;
  for (const Job& job : repository->list_jobs(std::nullopt, 10).value()) left.push_back(job.id);
  CHECK(left == std::vector<std::int64_t>{ids[4], ids[5]});
}

void check_transactions(const MakeRepository& make) {
  const auto repository = make();

  // A closure sees its own changes; nobody else does before the end; a failure leaves nothing.
  MediaId id = 0;
  const auto failed = repository->write([&](Transaction& transaction) -> Result<void> {
    MEDIA_TRY_ASSIGN(id, transaction.insert_media(a_media("owner")));
    MEDIA_TRY(transaction.put_blob(a_blob(digest_of("x"))));
    MEDIA_TRY(transaction.put_link({"album", id, 0}));
    MEDIA_TRY_ASSIGN(const auto seen, transaction.find_media(id));
    CHECK(seen.has_value());
    CHECK(transaction.list_media({.owner = "owner"}).value().media.size() == 1);
    CHECK(transaction.list_links("album").value().size() == 1);
    CHECK(transaction.find_blob(digest_of("x")).value().has_value());
    return Error{Errc::too_large, "no"};
  });
  CHECK(failed.error() == Error{Errc::too_large, "no"});
  CHECK_FALSE(repository->find_media(id).value().has_value());
  CHECK_FALSE(repository->find_blob(digest_of("x")).value().has_value());
  CHECK(repository->list_links("album").value().empty());

  // An exception comes out at the caller and leaves nothing either.
  CHECK_THROWS_AS(repository->write([&](Transaction& transaction) -> Result<void> {
    MEDIA_TRY(transaction.insert_media(a_media("owner")));
    throw std::bad_alloc();
  }),
                  std::bad_alloc);
  CHECK_THROWS_WITH(repository->write([&](Transaction& transaction) -> Result<void> {
    MEDIA_TRY(transaction.insert_media(a_media("owner")));
    throw std::runtime_error("out of this world");
  }),
                    "out of this world");
  CHECK(repository->list_media({}).value().media.empty());

  // A call that fails inside a closure undoes itself alone: the closure may go on.
  Media keyed = a_media("owner");
  keyed.idempotency_key = "k";
  do_write(*repository, [&](Transaction& transaction) -> Result<void> {
    MEDIA_TRY(transaction.insert_media(keyed));
    CHECK(transaction.insert_media(keyed).error().code == Errc::already_exists);
    CHECK(transaction.put_link({"album", 12'345, 0}).error().code == Errc::not_found);
    MEDIA_TRY(transaction.insert_media(a_media("owner")));
    return {};
  });
  CHECK(repository->list_media({}).value().media.size() == 2);

  // Updates and removals are undone, too.
  const Media before = repository->list_media({}).value().media.front();
  CHECK_FALSE(repository
                  ->write([&](Transaction& transaction) -> Result<void> {
                    Media changed = before;
                    changed.owner = "thief";
                    MEDIA_TRY(transaction.update_media(changed));
                    MEDIA_TRY(transaction.remove_media(before.id));
                    return Error{Errc::conflict, "no"};
                  })
                  .has_value());
  CHECK(repository->find_media(before.id).value() == before);
  CHECK(repository->find_media_by_idempotency_key("owner", "k").value() == before);

  // A write inside a write is refused instead of waiting for itself for ever.
  do_write(*repository, [&](Transaction& transaction) -> Result<void> {
    CHECK(repository->write([](Transaction&) -> Result<void> { return {}; }).error().code == Errc::invalid_argument);
    MEDIA_TRY(transaction.insert_media(a_media("owner")));
    return {};
  });
  CHECK(repository->list_media({}).value().media.size() == 3);
}

void check_concurrency(const MakeRepository& make) {
  const auto repository = make();
  constexpr int kThreads = 16;
  constexpr int kWrites = 25;
  std::atomic<int> failures = 0;
  std::atomic<int> wrong = 0;
  std::atomic<bool> done = false;

  // Each thread inserts a media with a job in one closure, and fails one closure in five on purpose.
  const auto write = [&](int thread) {
    for (int i = 0; i < kWrites; ++i) {
      const bool fail = i % 5 == 4;
      const auto outcome = repository->write([&](Transaction& transaction) -> Result<void> {
        MEDIA_TRY_ASSIGN(const MediaId id, transaction.insert_media(a_media("t" + std::to_string(thread), std::to_string(i))));
        MEDIA_TRY(transaction.insert_job(a_job(id)));
        if (fail) return Error{Errc::conflict, std::to_string(thread)};
        return {};
      });
      if (outcome.has_value() == fail) ++failures;
      if (fail && outcome.error() != Error{Errc::conflict, std::to_string(thread)}) ++wrong;
    }
  };
  // Readers never see a media without its job.
  const auto read = [&] {
    while (!done) {
      const auto media = repository->list_media({.descending = true, .limit = 5});
      if (!media) {
        ++failures;
        continue;
      }
      for (const Media& row : media->media) {
        const auto job = repository->find_job_of_media(row.id, "derive");
        if (!job || !job->has_value()) ++wrong;
      }
    }
  };
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) readers.emplace_back(read);
  std::vector<std::thread> writers;
  for (int i = 0; i < kThreads; ++i) writers.emplace_back(write, i);
  for (auto& thread : writers) thread.join();
  done = true;
  for (auto& thread : readers) thread.join();
  CHECK(failures == 0);
  CHECK(wrong == 0);
  constexpr std::size_t kKept = kThreads * kWrites / 5 * 4;
  CHECK(repository->list_media({.limit = 10'000}).value().media.size() == kKept);
  CHECK(repository->list_jobs(std::nullopt, 10'000).value().size() == kKept);

  // No job is claimed twice, however many ask.
  std::atomic<std::size_t> claimed = 0;
  std::atomic<int> refused = 0;
  std::vector<std::thread> workers;
  for (int i = 0; i < kThreads; ++i) {
    workers.emplace_back([&, owner = "worker-" + std::to_string(i)] {
      for (;;) {
        std::vector<Job> jobs;
        const auto taken = repository->write([&](Transaction& transaction) -> Result<void> {
          MEDIA_TRY_ASSIGN(jobs, transaction.claim_jobs("derive", at(10), owner, at(1'000'000), 7, 0));
          return {};
        });
        if (!taken) ++refused;
        if (jobs.empty()) return;
        claimed += jobs.size();
        const auto finished = repository->write([&](Transaction& transaction) -> Result<void> {
          for (const Job& job : jobs) {
            MEDIA_TRY_ASSIGN(const bool mine, transaction.finish_job(job.id, owner));
            if (!mine) return Error{Errc::conflict, "taken by another"};
          }
          return {};
        });
        if (!finished) ++refused;
      }
    });
  }
  for (auto& thread : workers) thread.join();
  CHECK(refused == 0);
  CHECK(claimed == kKept);
  CHECK(repository->list_jobs(std::nullopt, 10).value().empty());
  CHECK(repository->count_jobs().value().empty());
}

}  // namespace test
