#include "repository/sqlite_writer.hpp"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <utility>

#include "repository/sql_transaction.hpp"
#include "repository/sqlite_engine.hpp"

namespace media::sqlite {
namespace {

/// How long a writer that had to wait for another process leaves the lock alone after its commit. Longer than a waiter's
/// sleep (Connection::wait_for_lock), so that two busy processes take turns; without it one of them can wait for seconds.
constexpr std::chrono::milliseconds kCourtesy{2};
constexpr std::uint32_t kFinished = 1;

/// Signals are for the program's own threads: a handler of its must not run in the middle of a commit of ours.
class SignalsBlocked {
 public:
  SignalsBlocked() noexcept {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

}  // namespace

Writer::Writer(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {
  // Here, where somebody can be told that there is no memory for it.
  Group group;
  group.reserve(kGroupLimit);
  const SignalsBlocked blocked;  // The thread inherits the mask.
  thread_ = std::thread([this, group = std::move(group)]() mutable { run(group); });
}

Writer::~Writer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  queued_.notify_one();
  thread_.join();
  close();
}

Result<void> Writer::write(const Repository::Closure& closure) {
  if (std::this_thread::get_id() == thread_.get_id()) {
    return Error{Errc::invalid_argument, "write to the catalog: a closure that runs inside a write cannot start another one"};
  }
  Request request{closure, std::chrono::steady_clock::now() + kPatience, {}, nullptr, {}};
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() >= kQueueLimit) return Error{Errc::unavailable, "write to the catalog: too many writers are waiting"};
    queue_.push_back(&request);
  }
  queued_.notify_one();
  // Without a time-out of its own: the writer answers every request, and gives up on a lock at the request's deadline.
  request.finished.wait();
  if (request.exception) std::rethrow_exception(request.exception);
  return std::move(request.outcome);
}

void Writer::run(Group& group) {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      queued_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      const auto count = static_cast<std::ptrdiff_t>(std::min(queue_.size(), kGroupLimit));
      group.assign(queue_.begin(), queue_.begin() + count);
      queue_.erase(queue_.begin(), queue_.begin() + count);
    }
    try {
      commit(group);
    } catch (...) {
      // No memory for what we do ourselves. Whoever has no answer yet gets the exception.
      connection_->roll_back();
      for (Request* request : group) request->exception = std::current_exception();
      finish(group);
    }
    if (connection_->take_had_to_wait()) std::this_thread::sleep_for(kCourtesy);
  }
}

// Leaves the group empty: everybody was answered.
void Writer::commit(Group& group) {
  while (!group.empty()) {
    if (!begin(group) || !run_closures(group)) continue;
    if (std::none_of(group.begin(), group.end(), [](const Request* request) { return request->succeeded(); })) {
      connection_->roll_back();
      return finish(group);
    }
    const auto committed = guarded(*connection_, "commit to the catalog", [&]() -> Result<void> {
      connection_->execute("COMMIT");
      return {};
    });
    if (committed) return finish(group);
    connection_->roll_back();
    if (committed.error().code != Errc::unavailable) return answer(group, committed.error());
    answer_expired(group, committed.error());
  }
}

bool Writer::begin(Group& group) {
  const auto earliest =
      std::min_element(group.begin(), group.end(), [](const Request* a, const Request* b) { return a->deadline < b->deadline; });
  connection_->wait_until((*earliest)->deadline);
  const auto begun = guarded(*connection_, "write to the catalog", [&]() -> Result<void> {
    connection_->execute("BEGIN IMMEDIATE");
    return {};
  });
  if (begun) return true;
  connection_->roll_back();
  if (begun.error().code == Errc::unavailable) {
    answer_expired(group, begun.error());
  } else {
    answer(group, begun.error());
  }
  return false;
}

bool Writer::run_closures(Group& group) {
  const bool alone = group.size() == 1;
  for (auto at = group.begin(); at != group.end(); ++at) {
    Request& request = **at;
    request.outcome = {};
    request.exception = nullptr;
    run_closure(request, alone);
    if (connection_->in_transaction()) continue;
    // SQLite ends the whole transaction on some errors (no memory, no space, I/O). Whoever ran into it is told; the others
    // are run again without it.
    if (request.succeeded()) request.outcome = Error{Errc::io, "write to the catalog: the transaction was rolled back"};
    group.erase(at);
    finish(request);
    return false;
  }
  return true;
}

void Writer::run_closure(Request& request, bool alone) {
  // A closure that is alone has the transaction for its savepoint.
  const auto mark = [&](std::string_view sql) {
    return guarded(*connection_, "write to the catalog", [&]() -> Result<void> {
      if (!alone) connection_->execute(sql);
      return {};
    });
  };
  if (auto marked = mark("SAVEPOINT closure"); !marked) {
    request.outcome = std::move(marked);
    return connection_->roll_back();
  }
  sql::SqlTransaction<Engine> transaction(*connection_);
  try {
    request.outcome = request.closure(transaction);
  } catch (...) {
    request.exception = std::current_exception();
  }
  if (!connection_->in_transaction()) return;
  Result<void> ended;
  if (!request.succeeded()) ended = mark("ROLLBACK TO closure");
  if (ended) ended = mark("RELEASE closure");
  if (!ended) {
    // What is in the transaction now is not what was promised to anybody.
    if (request.succeeded()) request.outcome = std::move(ended);
    connection_->roll_back();
  }
}

/// A failed closure keeps its own error.
void Writer::answer(Group& group, const Error& error) {
  for (Request* request : group) {
    if (request->succeeded()) request->outcome = error;
  }
  finish(group);
}

/// After SQLITE_BUSY: those whose time is over are answered and leave the group.
void Writer::answer_expired(Group& group, const Error& error) {
  const auto now = std::chrono::steady_clock::now();
  const auto expired = std::stable_partition(group.begin(), group.end(), [&](const Request* request) { return request->deadline > now; });
  if (expired == group.end()) {
    // Refused without the busy handler having been asked: not in a tight loop.
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return;
  }
  for (auto at = expired; at != group.end(); ++at) {
    (*at)->exception = nullptr;
    (*at)->outcome = Error{Errc::unavailable, error.message};
    finish(**at);
  }
  group.erase(expired, group.end());
}

void Writer::finish(Request& request) noexcept { request.finished.say(kFinished); }

void Writer::finish(Group& group) noexcept {
  for (Request* request : group) finish(*request);
  group.clear();
}

void Writer::close() noexcept {
  // So that an idle catalog is one file, and a copy of it is whole. Somebody else's reading or writing makes it fail, at once,
  // which costs nothing but that: their close does it.
  connection_->wait_until(std::chrono::steady_clock::time_point::min());
  try {
    connection_->execute_script("PRAGMA wal_checkpoint(TRUNCATE)");
  } catch (...) {  // no memory for it among them
  }
  connection_.reset();
}

}  // namespace media::sqlite
