/// Everything that mediactl prints: results to standard output, problems and progress to standard error.
#pragma once

#include <mutex>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "exit_codes.hpp"
#include "media/result.hpp"

namespace mediactl {

/// Keeps its keys in the order in which they were set: that of the documentation.
using Json = nlohmann::ordered_json;

/// Text lines or JSON lines to standard output, problems to standard error, and a status line below them on a terminal.
///
/// Standard output is buffered unless it is a terminal: tens of thousands of lines a second must not be as many
/// system calls. `flush` makes what was said visible.
///
/// Thread-safety: every method may be called concurrently; a line is never torn.
class Console {
 public:
  Console(bool json, bool quiet);
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  [[nodiscard]] bool json() const noexcept { return json_; }
  [[nodiscard]] bool quiet() const noexcept { return quiet_; }
  /// True where a line a file would drown the status line: both go to one terminal.
  [[nodiscard]] bool shows_status_instead_of_lines() const noexcept { return shows_status() && stdout_is_terminal_; }
  /// True where a status line is drawn: standard error is a terminal, and nobody asked for silence.
  [[nodiscard]] bool shows_status() const noexcept { return stderr_is_terminal_ && !quiet_; }

  /// A line for people; nothing under --json or --quiet. Names in it are `printable` already.
  void text(std::string_view line);
  /// A line for programs; nothing without --json.
  void record(const Json& object);
  /// The last line of a command: `{"summary": …}` under --json, else the text.
  void summary(const Json& object, std::string_view text);
  /// Raw content to standard output. Errors: `io`, `no_space`.
  media::Result<void> content(std::span<const std::byte> bytes);

  /// "mediactl: <what> '<path>': <reason>" on standard error.
  void problem(std::string_view what, std::string_view path, std::string_view reason);
  /// "mediactl: <sentence>" on standard error.
  void complain(std::string_view sentence);
  /// As `complain`, but nothing under --quiet: worth knowing, not wrong.
  void note(std::string_view sentence);
  /// Complains, ends JSON output with a summary that holds the error, and gives the exit code.
  Exit fail(const media::Error& error);

  /// Draws the status line anew; empty takes it away. Nothing unless `shows_status`.
  void status(std::string_view line);

  void flush();
  /// Did standard output take everything? Flushes first. A full disk behind `> list.txt` must not go unnoticed.
  media::Result<void> finish();

 private:
  void append_locked(std::string_view line);
  void flush_locked();
  void write_stderr_locked(std::string_view line);
  void erase_status_locked();
  void redraw_status_locked();

  const bool json_;
  const bool quiet_;
  const bool stdout_is_terminal_;
  const bool stderr_is_terminal_;
  std::mutex mutex_;
  std::string buffer_;
  std::string status_;
  int write_error_ = 0;  ///< errno of the first write to standard output that failed.
};

}  // namespace mediactl
