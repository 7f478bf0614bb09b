#include "telemetry/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>

#include "media/clock.hpp"

namespace media::server {
namespace {

spdlog::level::level_enum level_of(LogLevel level) {
  switch (level) {
    case LogLevel::trace:
      return spdlog::level::trace;
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warn:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

std::string_view name_of(LogLevel level) {
  switch (level) {
    case LogLevel::trace:
      return "TRACE";
    case LogLevel::debug:
      return "DEBUG";
    case LogLevel::info:
      return "INFO";
    case LogLevel::warn:
      return "WARN";
    case LogLevel::error:
      return "ERROR";
  }
  return "ERROR";
}

/// A client can name a file as it likes; the log stays one line and the terminal its owner's.
void append_safely(std::string& line, std::string_view text) {
  static constexpr char kDigits[] = "0123456789abcdef";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) {
      line += "\\x";
      line += kDigits[byte >> 4U];
      line += kDigits[byte & 15U];
    } else {
      line += c;
    }
  }
}

bool is_empty(const LogField& field) {
  const auto* const text = std::get_if<std::string_view>(&field.value);
  return text != nullptr && text->empty();
}

}  // namespace

std::string_view loggable_path(std::string_view path) noexcept { return path.substr(0, path.find_first_of("?&=")); }

bool is_log_level(std::string_view text) {
  return text == "trace" || text == "debug" || text == "info" || text == "warn" || text == "error" || text == "off";
}

struct Log::State {
  spdlog::logger logger{"mediad", std::make_shared<spdlog::sinks::stdout_sink_mt>()};
  bool json = false;
};

Log::Log(std::string_view level, bool json) : state_(std::make_unique<State>()) {
  state_->json = json;
  state_->logger.set_pattern("%v");
  set_level(level);
  state_->logger.flush_on(spdlog::level::info);
}

void Log::set_level(std::string_view level) { state_->logger.set_level(spdlog::level::from_str(std::string(level))); }

Log::~Log() = default;

void Log::write(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  if (!state_->logger.should_log(level_of(level))) return;
  const std::string now = to_rfc3339(SystemClock().now());
  std::string line;
  if (state_->json) {
    nlohmann::ordered_json object;
    object["timestamp"] = now;
    object["level"] = name_of(level);
    object["message"] = message;
    for (const LogField& field : fields) {
      if (is_empty(field)) continue;
      std::visit([&](const auto& value) { object[std::string(field.name)] = value; }, field.value);
    }
    line = object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  } else {
    line = now + ' ' + std::string(name_of(level)) + ' ';
    append_safely(line, message);
    for (const LogField& field : fields) {
      if (is_empty(field)) continue;
      line += ' ' + std::string(field.name) + '=';
      if (const auto* text = std::get_if<std::string_view>(&field.value)) append_safely(line, *text);
      if (const auto* number = std::get_if<std::int64_t>(&field.value)) line += std::to_string(*number);
      if (const auto* real = std::get_if<double>(&field.value)) line += std::to_string(*real);
    }
  }
  state_->logger.log(level_of(level), "{}", line);
}

void Log::flush() { state_->logger.flush(); }

}  // namespace media::server
