/// The server's log: one line an event, for people or for machines.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace media::server {

enum class LogLevel : std::uint8_t { trace, debug, info, warn, error };

/// Is it the name of a level, or `off`?
bool is_log_level(std::string_view text);

/// A named fact of an event; an empty text is none, and left out.
struct LogField {
  std::string_view name;
  std::variant<std::string_view, std::int64_t, double> value;
};

/// Of a request's decoded path what belongs into the log. A client that spells the question mark as %3F sends the whole query as path, with
/// a signature that may be right; no path of ours has any of the characters that set off a query.
std::string_view loggable_path(std::string_view path) noexcept;

/// Writes to standard output: `pretty` as time, level, event and name=value; `json` as one object a line with `timestamp`, `level`,
/// `message` and the fields. Control characters in values never reach the terminal as they are.
///
/// Thread-safety: may be called concurrently; a line is written whole.
class Log {
 public:
  /// `level`: trace, debug, info, warn, error or off.
  Log(std::string_view level, bool json);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  /// Of what is written from now on.
  void set_level(std::string_view level);
  void write(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});
  void flush();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace media::server
