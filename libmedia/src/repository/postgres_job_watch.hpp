/// Hears of jobs that other processes queued.
#pragma once

#include <functional>
#include <thread>

#include "core/unique_fd.hpp"
#include "media/postgres_repository.hpp"
#include "repository/postgres_connection.hpp"

namespace media::postgres {

/// Listens on a connection and a thread of its own, and makes another connection where that one is lost.
class JobWatch {
 public:
  JobWatch(PostgresRepositoryOptions options, std::function<void()> wake);
  JobWatch(const JobWatch&) = delete;
  JobWatch& operator=(const JobWatch&) = delete;
  /// No call of `wake` is under way after it.
  ~JobWatch();

 private:
  void run();
  /// Until the connection is lost or the watch ends.
  void listen(Connection& connection);
  /// False where the watch ends meanwhile.
  bool pause(int milliseconds);

  const PostgresRepositoryOptions options_;
  const std::function<void()> wake_;
  UniqueFd stop_;
  std::thread thread_;  // Last: starts when everything else is there.
};

}  // namespace media::postgres
