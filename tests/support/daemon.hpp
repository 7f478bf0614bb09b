// A program that runs beside the test, until told to stop.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace test {

/// Started with extra environment variables ("NAME=value"); its output goes to `output`. Killed, if it still runs, at the end.
class Daemon {
 public:
  Daemon(const std::vector<std::string>& arguments, const std::vector<std::string>& environment, const std::filesystem::path& output);
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  void signal(int number) const;
  /// Waits for its end; exit code, 128 + signal, or nothing after `seconds`.
  std::optional<int> wait(int seconds);
  /// A value of /proc/<pid>/status in KiB ("VmHWM"); 0 where there is none.
  [[nodiscard]] std::uint64_t status_kib(const std::string& name) const;

 private:
  pid_t pid_ = -1;
  std::optional<int> exit_code_;
};

/// Waits up to `seconds` for a file to be there, and returns its first number.
std::optional<std::uint64_t> wait_for_number(const std::filesystem::path& path, int seconds);

}  // namespace test
