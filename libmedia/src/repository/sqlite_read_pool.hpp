/// The connections that readers share.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "media/result.hpp"
#include "repository/sqlite_connection.hpp"

namespace media::sqlite {

class ReadPool;

/// A connection for as long as it is needed: borrowed from a pool, or somebody's own.
class Lease {
 public:
  explicit Lease(Connection& own) noexcept : connection_(&own) {}
  Lease(ReadPool& pool, std::unique_ptr<Connection> borrowed) noexcept
      : pool_(&pool), borrowed_(std::move(borrowed)), connection_(borrowed_.get()) {}
  Lease(Lease&& other) noexcept = default;
  Lease& operator=(Lease&&) = delete;
  ~Lease();

  Connection& operator*() const noexcept { return *connection_; }

 private:
  ReadPool* pool_ = nullptr;
  std::unique_ptr<Connection> borrowed_;
  Connection* connection_ = nullptr;
};

/// Thread-safety: `acquire` may be called concurrently; each connection is with one thread at a time.
class ReadPool {
 public:
  /// `access` is one of the reading ones. `limit` 0 is taken for 1.
  ReadPool(std::filesystem::path path, Access access, unsigned limit);
  ReadPool(const ReadPool&) = delete;
  ReadPool& operator=(const ReadPool&) = delete;
  ~ReadPool() = default;

  /// A free connection, or a new one below the limit, or the next to become free. `unavailable` after kPatience.
  Result<Lease> acquire();

 private:
  friend class Lease;
  void give_back(std::unique_ptr<Connection> connection) noexcept;
  void leave_immutability();

  const std::filesystem::path path_;
  const unsigned limit_;
  std::mutex mutex_;
  std::condition_variable freed_;
  Access access_;
  unsigned open_ = 0;  ///< Lent, free, or being opened.
  std::vector<std::unique_ptr<Connection>> free_;
};

/// True where nobody can have the file open for writing: its filesystem is mounted read-only and there is no log beside it.
bool is_at_rest(const std::filesystem::path& path) noexcept;

}  // namespace media::sqlite
