/// How values of the environment are read.
#pragma once

#include <charconv>
#include <chrono>
#include <cstdint>
#include <string>

namespace media::server {

/// A whole decimal number within the bounds, and nothing else.
template <class Number>
bool read_number(const std::string& text, Number& into, std::uint64_t least, std::uint64_t most) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < least || value > most) return false;
  into = static_cast<Number>(value);
  return true;
}

/// The same of seconds, into a duration of any unit.
template <class Duration>
bool read_seconds(const std::string& text, Duration& into, std::uint64_t least, std::uint64_t most) {
  std::uint64_t value = 0;
  if (!read_number(text, value, least, most)) return false;
  into = std::chrono::seconds{value};
  return true;
}

}  // namespace media::server
