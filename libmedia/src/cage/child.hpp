/// A process of ours: started clean, killed for certain, never left as a zombie.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "core/unique_fd.hpp"
#include "media/result.hpp"

namespace media::cage {

/// How a process ended.
struct Ending {
  enum class Kind { exited, signalled, unknown } kind = Kind::unknown;
  int number = 0;  ///< Exit code or signal.
};
/// "was killed by SIGSEGV", "exited with code 3".
std::string describe(const Ending& ending);

/// Thread-safety: none, because it is waited for once; one owner, one thread at a time.
class Child {
 public:
  /// Where the program finds its end of the socket.
  static constexpr int kSocket = 3;

  /// Starts a program with one open socket (and /dev/null as standard input, output and error), an empty environment, default
  /// signals and a session of its own, so that a Ctrl-C on the terminal ends the service in its own time and not its
  /// workers under it. posix_spawn and not fork: the caller has threads.
  /// Errors: `not_found`, `denied`, `unavailable` (out of processes, descriptors or memory), `io`.
  static Result<Child> start(const std::filesystem::path& program, const std::vector<std::string>& arguments);

  Child(Child&&) noexcept = default;
  Child& operator=(Child&&) = delete;
  /// Kills and reaps.
  ~Child();

  [[nodiscard]] int socket() const noexcept { return socket_.get(); }
  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  /// Waits for the end, kills what has not ended by then, and reaps. Once only.
  Ending end(std::chrono::milliseconds patience);

 private:
  Child(pid_t pid, UniqueFd process, UniqueFd socket) : pid_(pid), process_(std::move(process)), socket_(std::move(socket)) {}
  pid_t pid_;
  /// A pidfd: it names this process even where the host reaps children behind our back and the number is used again.
  UniqueFd process_;
  UniqueFd socket_;
};

}  // namespace media::cage
