/// The connections that a process's readers and writers share.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "media/postgres_repository.hpp"
#include "media/result.hpp"
#include "repository/postgres_connection.hpp"

namespace media::postgres {

class Pool;

/// A connection for as long as it is needed: borrowed from a pool, or somebody's own.
class Lease {
 public:
  explicit Lease(Connection& own) noexcept : connection_(&own) {}
  Lease(Pool& pool, std::unique_ptr<Connection> borrowed) noexcept
      : pool_(&pool), borrowed_(std::move(borrowed)), connection_(borrowed_.get()) {}
  Lease(Lease&& other) noexcept = default;
  Lease& operator=(Lease&&) = delete;
  ~Lease();

  Connection& operator*() const noexcept { return *connection_; }
  Connection* operator->() const noexcept { return connection_; }
  [[nodiscard]] bool is_borrowed() const noexcept { return pool_ != nullptr; }

 private:
  Pool* pool_ = nullptr;
  std::unique_ptr<Connection> borrowed_;
  Connection* connection_ = nullptr;
};

/// Thread-safety: `acquire` may be called concurrently; each connection is with one thread at a time.
class Pool {
 public:
  enum class Outage : std::uint8_t {
    wait,
    tell,  ///< One attempt to connect, and its error.
  };

  explicit Pool(PostgresRepositoryOptions options);
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool() = default;

  /// A free connection, or a new one below the limit, or the next to become free; what is done with it ends by `deadline`. A server that
  /// is down is tried again and again, with longer and longer pauses that all callers share, as long as the options' patience lasts.
  Result<Lease> acquire(Deadline deadline, Outage outage = Outage::wait);
  [[nodiscard]] const PostgresRepositoryOptions& options() const noexcept { return options_; }
  /// By when a call that starts now must be through.
  [[nodiscard]] Deadline deadline() const noexcept { return std::chrono::steady_clock::now() + options_.statement_timeout; }

 private:
  friend class Lease;
  /// Waits for a place. Null: there is one for a new connection.
  Result<std::unique_ptr<Connection>> take(Deadline deadline);
  Result<std::unique_ptr<Connection>> connect(Deadline deadline, Outage outage);
  void give_back(std::unique_ptr<Connection> connection) noexcept;
  /// Until when nobody tries to connect, after a failure.
  void note_outage();

  const PostgresRepositoryOptions options_;
  std::mutex mutex_;
  std::condition_variable freed_;
  unsigned open_ = 0;  ///< Lent, free, or being opened.
  std::vector<std::unique_ptr<Connection>> free_;
  std::chrono::milliseconds pause_{0};  ///< Grows with each failure to connect.
  Deadline next_attempt_{};
};

}  // namespace media::postgres
