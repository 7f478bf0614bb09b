#include "console.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>

#include "system_error.hpp"
#include "text.hpp"

namespace mediactl {
namespace {

constexpr std::size_t kBufferBytes = 64U << 10U;

/// Writes all of it; errno of the first failure, 0 where it went well.
int write_all(int descriptor, const char* bytes, std::size_t count) {
  while (count > 0) {
    const ssize_t written = ::write(descriptor, bytes, count);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    bytes += written;
    count -= static_cast<std::size_t>(written);
  }
  return 0;
}

std::string dump(const Json& object) {
  // File names are bytes, JSON is UTF-8: what is not becomes U+FFFD.
  return object.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

Console::Console(bool json, bool quiet)
    : json_(json), quiet_(quiet), stdout_is_terminal_(::isatty(STDOUT_FILENO) == 1), stderr_is_terminal_(::isatty(STDERR_FILENO) == 1) {}

Console::~Console() {
  const std::lock_guard lock(mutex_);
  erase_status_locked();
  flush_locked();
}

void Console::text(std::string_view line) {
  if (json_ || quiet_) return;
  const std::lock_guard lock(mutex_);
  append_locked(line);
}

void Console::record(const Json& object) {
  if (!json_) return;
  const std::string line = dump(object);
  const std::lock_guard lock(mutex_);
  append_locked(line);
}

void Console::summary(const Json& object, std::string_view line) {
  status({});
  record(Json{{"summary", object}});
  if (!line.empty()) text(line);
  flush();
}

media::Result<void> Console::content(std::span<const std::byte> bytes) {
  const std::lock_guard lock(mutex_);
  flush_locked();
  if (write_error_ == 0) write_error_ = write_all(STDOUT_FILENO, reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (write_error_ != 0) return system_error(write_error_, "write to standard output");
  return {};
}

void Console::problem(std::string_view what, std::string_view path, std::string_view reason) {
  complain(std::string(what) + " '" + printable(path) + "': " + std::string(reason));
}

void Console::complain(std::string_view sentence) {
  const std::string line = "mediactl: " + printable(sentence) + "\n";
  const std::lock_guard lock(mutex_);
  write_stderr_locked(line);
}

void Console::note(std::string_view sentence) {
  if (!quiet_) complain(sentence);
}

Exit Console::fail(const media::Error& error) {
  status({});
  complain(error.message);
  summary(Json{{"error", error.message}, {"code", std::string(media::to_string(error.code))}}, {});
  return exit_for(error.code);
}

void Console::status(std::string_view line) {
  if (!shows_status()) return;
  const std::lock_guard lock(mutex_);
  erase_status_locked();
  status_ = line;
  redraw_status_locked();
}

void Console::flush() {
  const std::lock_guard lock(mutex_);
  flush_locked();
}

media::Result<void> Console::finish() {
  const std::lock_guard lock(mutex_);
  flush_locked();
  if (write_error_ != 0) return system_error(write_error_, "write to standard output");
  return {};
}

void Console::append_locked(std::string_view line) {
  buffer_ += line;
  buffer_ += '\n';
  if (stdout_is_terminal_ || buffer_.size() >= kBufferBytes) flush_locked();
}

void Console::flush_locked() {
  if (buffer_.empty()) return;
  if (stdout_is_terminal_) erase_status_locked();
  if (write_error_ == 0) write_error_ = write_all(STDOUT_FILENO, buffer_.data(), buffer_.size());
  buffer_.clear();
  if (stdout_is_terminal_) redraw_status_locked();
}

void Console::write_stderr_locked(std::string_view line) {
  if (stdout_is_terminal_) flush_locked();
  erase_status_locked();
  // Where standard error itself is broken there is nobody left to tell.
  static_cast<void>(write_all(STDERR_FILENO, line.data(), line.size()));
  redraw_status_locked();
}

void Console::erase_status_locked() {
  constexpr std::string_view kErase = "\r\033[K";
  if (!status_.empty()) static_cast<void>(write_all(STDERR_FILENO, kErase.data(), kErase.size()));
}

void Console::redraw_status_locked() {
  if (status_.empty()) return;
  struct winsize size{};
  // One column stays free: a line that fills the last one wraps on some terminals and could not be erased.
  const std::size_t columns = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1U : 79U;
  static_cast<void>(write_all(STDERR_FILENO, status_.data(), std::min(columns, status_.size())));
}

}  // namespace mediactl
