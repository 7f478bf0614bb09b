/// The one thread that changes a catalog in SQLite, and the commits that callers share.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "core/wake_up.hpp"
#include "media/repository.hpp"
#include "repository/sqlite_connection.hpp"

namespace media::sqlite {

/// Group commit: while one transaction syncs, the closures that arrive wait in a queue; the next transaction runs them all, each
/// inside a savepoint of its own, and one COMMIT makes them durable together. A closure that arrives alone is committed at once.
///
/// The connection is kept whatever fails. After a sync that failed, SQLite's next commit writes the same place of the log again
/// and syncs that, so nothing rests on the failed one. A new connection would read the failed commit back out of the page cache
/// as if it were in the log, and later commits would rest on pages that a power cut takes away.
///
/// Thread-safety: `write` may be called concurrently, for the queue is under a mutex and the connection is the thread's own.
class Writer {
 public:
  /// Takes a connection with Access::write to a catalog that is up to date. Throws std::system_error where no thread is to be had.
  explicit Writer(std::unique_ptr<Connection> connection);
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  /// Ends what is queued, writes the log back into the file where nobody reads it, closes.
  ~Writer();

  /// Repository::write. An exception of the closure comes out here, and only here.
  Result<void> write(const Repository::Closure& closure);

  /// Closures that one commit takes at most: bounds the transaction, and how long its first caller waits.
  static constexpr std::size_t kGroupLimit = 512;
  /// Callers that may wait; each is a thread of somebody's, so this is far off in practice.
  static constexpr std::size_t kQueueLimit = 4096;

 private:
  /// One call of `write`, on its caller's stack. Fields are the thread's until it has said that it is finished, and gone then.
  struct Request {
    const Repository::Closure& closure;
    std::chrono::steady_clock::time_point deadline;  ///< For the lock; one try is made even after it.
    Result<void> outcome;
    std::exception_ptr exception;
    WakeUp finished;

    [[nodiscard]] bool succeeded() const noexcept { return outcome.has_value() && !exception; }
  };
  using Group = std::vector<Request*>;

  /// `group` has room for a whole one.
  void run(Group& group);
  void commit(Group& group);
  /// Takes the write lock, or answers those whose time is over. True: a transaction is open.
  bool begin(Group& group);
  /// Runs every closure. False where one of them took the whole transaction down: it was answered and left the group.
  bool run_closures(Group& group);
  void run_closure(Request& request, bool alone);
  void answer(Group& group, const Error& error);
  void answer_expired(Group& group, const Error& error);
  static void finish(Request& request) noexcept;
  static void finish(Group& group) noexcept;
  void close() noexcept;

  std::unique_ptr<Connection> connection_;
  std::mutex mutex_;
  std::condition_variable queued_;
  std::deque<Request*> queue_;
  bool stopping_ = false;
  std::thread thread_;  // Last: starts when everything else is there.
};

}  // namespace media::sqlite
