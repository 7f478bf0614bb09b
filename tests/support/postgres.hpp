// A PostgreSQL server of the test's own.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "daemon.hpp"
#include "media/postgres_repository.hpp"

namespace test {

/// A real server with fsync on, in a folder of its own below the system's temp folder, on a free port of 127.0.0.1; stopped and removed at
/// the end. Runs as an unprivileged user, as it must. Throws where PostgreSQL's programs are missing.
class PostgresServer {
 public:
  /// The one of this test program, started at the first call.
  static PostgresServer& shared();

  PostgresServer();
  ~PostgresServer();
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  static constexpr const char* kUser = "postgres";
  static constexpr const char* kPassword = "a-password-nobody-may-see";
  static constexpr const char* kDatabase = "postgres";

  /// How to open a catalog in a schema that is not there yet.
  [[nodiscard]] media::PostgresRepositoryOptions fresh_catalog();
  /// Runs statements as the superuser; the first column of the first row.
  std::string ask(const std::string& sql, const std::string& user = kUser, const std::string& password = kPassword);

  void start();
  /// As `pg_ctl stop -m immediate`: every process ends at once, and the next start recovers from the log.
  void stop_immediately();
  /// Every process stands still: connections stay open and nothing answers.
  void freeze();
  void thaw();

 private:
  void signal_all(int number) const;

  std::filesystem::path folder_;
  std::filesystem::path programs_;
  std::uint16_t port_ = 0;
  unsigned schemas_ = 0;
  std::unique_ptr<Daemon> server_;
};

}  // namespace test
