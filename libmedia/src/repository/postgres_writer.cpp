#include "repository/postgres_writer.hpp"

#include <algorithm>
#include <chrono>
#include <random>
#include <thread>

#include "repository/postgres_error.hpp"

namespace media::postgres {
namespace {

/// Collisions after which a write takes a turn alone, and cannot collide any more.
constexpr unsigned kCollisionsAtMost = 3;

constexpr std::string_view kMakeWriter = "INSERT INTO media_writer (last_write) VALUES (0) RETURNING id";
constexpr std::string_view kLastWrite = "SELECT last_write FROM media_writer WHERE id = ?1 FOR UPDATE";

/// Random, so that those who collided do not meet again.
void back_off(unsigned collisions) {
  thread_local std::minstd_rand random(std::random_device{}());
  const auto most = 1000U << std::min(collisions, 5U);
  std::this_thread::sleep_for(std::chrono::microseconds(std::uniform_int_distribution<unsigned>(0, most)(random)));
}

/// A constraint that the closure had made sure of was broken by somebody else's commit; of one that ran alone it is a fault of its own.
bool is_worth_another_run(const Failure& failure, Isolation isolation, bool alone) {
  if (is_collision(failure.state())) return true;
  return !alone && isolation == Isolation::serializable && (failure.state() == "23505" || failure.state() == "23503");
}

void roll_back(Connection& connection) {
  if (connection.lost()) return;
  // Where it fails the connection is lost, or there is no transaction any more: the server has ended it either way.
  static_cast<void>(guarded(connection, "roll back", [&]() -> Result<void> {
    connection.run_script("ROLLBACK");
    return {};
  }));
}

}  // namespace

std::string job_channel(const std::string& schema) { return "media_job." + schema; }

void Writer::begin(Connection& connection, Isolation isolation, bool alone) {
  if (connection.writer_id == 0) {
    Query made(connection, kMakeWriter);
    if (!made.next()) Query::corrupt("an insert answered no id");
    connection.writer_id = made.integer();
  }
  std::string text = "BEGIN ISOLATION LEVEL ";
  // A claim that a crash of the database forgets has the job run once more, as a worker's death does. What later commits rest on goes to
  // the disk before them.
  text += isolation == Isolation::serializable ? "SERIALIZABLE" : "READ COMMITTED; SET LOCAL synchronous_commit TO OFF";
  text += "; LOCK TABLE media_turn IN ";
  text += alone ? "EXCLUSIVE" : "ROW SHARE";
  text += " MODE; UPDATE media_writer SET last_write = " + std::to_string(connection.last_write + 1) +
          " WHERE id = " + std::to_string(connection.writer_id);
  const ResultHandle marked = connection.run_script(text);
  if (changed_rows(marked.get()) != 1) {
    connection.writer_id = 0;
    throw Failure(Errc::unavailable, {}, "the row of this connection's writes is gone; another one is made next time");
  }
  connection.forget_changes();
}

Writer::Attempt Writer::attempt(Connection& connection, const Repository::Closure& closure, Isolation isolation, bool alone) {
  const auto ended = [&](Result<void> result) -> Attempt {
    if (connection.lost()) return {connection.timed_out() ? Ending::done : Ending::lost, std::move(result)};
    const auto& failure = connection.failure();
    const bool collided = failure && is_worth_another_run(*failure, isolation, alone);
    return {collided ? Ending::collision : Ending::done, std::move(result)};
  };
  auto begun = guarded(connection, "write to the catalog", [&]() -> Result<void> {
    begin(connection, isolation, alone);
    return {};
  });
  if (!begun) {
    roll_back(connection);
    return ended(std::move(begun));
  }
  PostgresTransaction transaction(connection);
  Result<void> outcome;
  try {
    outcome = closure(transaction);
  } catch (...) {
    roll_back(connection);
    throw;
  }
  if (connection.lost() || connection.in_failed_transaction()) {
    // Whatever the closure made of it: what it did after the failure did not happen.
    const auto& failure = connection.failure();
    if (outcome && failure) outcome = Error{failure->code(), std::string("write to the catalog: ") + failure->what()};
    roll_back(connection);
    return ended(std::move(outcome));
  }
  if (!outcome || connection.changes() == 0) {
    roll_back(connection);
    return {Ending::done, std::move(outcome)};
  }
  return commit(connection, transaction);
}

Writer::Attempt Writer::commit(Connection& connection, const PostgresTransaction& transaction) {
  Attempt attempt{Ending::done, {}, connection.writer_id, connection.last_write + 1};
  connection.forget_failure();
  attempt.result = guarded(connection, "commit to the catalog", [&]() -> Result<void> {
    const ResultHandle committed = connection.run_script("COMMIT");
    if (std::string_view(PQcmdStatus(committed.get())) != "COMMIT") {
      return Error{Errc::internal, "commit to the catalog: the transaction was rolled back"};
    }
    return {};
  });
  if (attempt.result) {
    connection.last_write = attempt.write_number;
    if (transaction.queued_jobs()) {
      // Not in the transaction, for those that notify commit one after the other. That it is missed is provided for.
      static_cast<void>(guarded(connection, "tell of queued jobs", [&]() -> Result<void> {
        const std::string channel = job_channel(pool_.options().schema);
        Query(connection, "SELECT pg_notify(?1, '')", channel).next();
        return {};
      }));
    }
    return attempt;
  }
  if (connection.lost()) {
    attempt.ending = Ending::unknown;
  } else if (connection.failure() && is_collision(connection.failure()->state())) {
    attempt.ending = Ending::collision;
  }
  return attempt;
}

Result<bool> Writer::was_committed(const Attempt& attempt, Deadline deadline) {
  for (;;) {
    MEDIA_TRY_ASSIGN(const auto lease, pool_.acquire(deadline));
    auto answer = guarded(*lease, "ask for the outcome of a commit", [&]() -> Result<bool> {
      // The transaction holds this row from its beginning: to have it is to know that it has ended.
      Query query(*lease, kLastWrite, attempt.writer_id);
      if (!query.next()) return Error{Errc::corrupt, "the row of this connection's writes is gone"};
      return query.integer() == attempt.write_number;
    });
    if (answer || !lease->lost() || std::chrono::steady_clock::now() >= deadline) return answer;
  }
}

Result<void> Writer::write(const Repository::Closure& closure, Isolation isolation) {
  const Deadline deadline = pool_.deadline();
  const Deadline patience = std::min(deadline, std::chrono::steady_clock::now() + pool_.options().outage_patience);
  for (unsigned collisions = 0;;) {
    Attempt tried;
    {
      MEDIA_TRY_ASSIGN(const auto lease, pool_.acquire(deadline));
      tried = attempt(*lease, closure, isolation, collisions >= kCollisionsAtMost);
    }
    if (tried.ending == Ending::unknown) {
      auto committed = was_committed(tried, std::chrono::steady_clock::now() + pool_.options().outage_patience);
      if (!committed) {
        return Error{Errc::unavailable,
                     "commit to the catalog: the connection to the database was lost, and it is not known whether the change was made"};
      }
      if (*committed) return {};
      tried.ending = Ending::lost;
    }
    const auto now = std::chrono::steady_clock::now();
    if (tried.ending == Ending::collision && now < deadline) {
      back_off(++collisions);
      continue;
    }
    if (tried.ending == Ending::lost && now < patience) continue;
    return std::move(tried.result);
  }
}

}  // namespace media::postgres
