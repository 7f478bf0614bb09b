/// Runs the closures of `Repository::write`, each in a transaction of its own.
#pragma once

#include <string>

#include "media/repository.hpp"
#include "media/result.hpp"
#include "repository/postgres_engine.hpp"
#include "repository/postgres_pool.hpp"

namespace media::postgres {

enum class Isolation : std::uint8_t {
  serializable,    ///< As if every closure ran alone.
  read_committed,  ///< Each statement for itself: for closures whose statements each decide by themselves.
};

/// Thread-safety: may be called concurrently; each call has a connection of its own.
class Writer {
 public:
  explicit Writer(Pool& pool) noexcept : pool_(pool) {}

  Result<void> write(const Repository::Closure& closure, Isolation isolation);

 private:
  enum class Ending : std::uint8_t {
    done,       ///< The result is the caller's.
    collision,  ///< Nothing of it stays; the same again may work.
    lost,       ///< The connection is gone, and nothing of it stays.
    unknown,    ///< The connection is gone, and the commit was on its way.
  };
  struct Attempt {
    Ending ending = Ending::done;
    Result<void> result{};
    std::int64_t writer_id = 0;
    std::int64_t write_number = 0;
  };

  Attempt attempt(Connection& connection, const Repository::Closure& closure, Isolation isolation, bool alone);
  /// Begins, in turn with the others or alone, and marks the transaction. One message to the server and back.
  void begin(Connection& connection, Isolation isolation, bool alone);
  Attempt commit(Connection& connection, const PostgresTransaction& transaction);
  /// True where the write with this number was committed. Waits for a server process that may still be about it.
  Result<bool> was_committed(const Attempt& attempt, Deadline deadline);

  Pool& pool_;
};

/// The channel on which queued jobs are told of.
std::string job_channel(const std::string& schema);

}  // namespace media::postgres
