#include "media/clock.hpp"

#include <algorithm>
#include <cstdint>

namespace media {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

/// Reads exactly `count` digits; -1 where there are fewer.
int digits(std::string_view text, std::size_t at, std::size_t count) noexcept {
  if (at + count > text.size()) return -1;
  int value = 0;
  for (std::size_t i = at; i < at + count; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

}  // namespace

Timestamp SystemClock::now() const { return std::chrono::floor<milliseconds>(std::chrono::system_clock::now()); }

std::string to_rfc3339(Timestamp time) {
  static constexpr Timestamp kFirst = std::chrono::sys_days(std::chrono::year(0) / 1 / 1);
  static constexpr Timestamp kLast = std::chrono::sys_days(std::chrono::year(10'000) / 1 / 1) - milliseconds(1);
  time = std::clamp(time, kFirst, kLast);
  const auto day = std::chrono::floor<days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{time - day};
  // Digit by digit: a page of media has a hundred of these, and printf(3) took a tenth of it.
  std::string out = "0000-00-00T00:00:00.000Z";
  const auto put = [&](std::size_t at, std::size_t count, auto number) {
    for (auto rest = static_cast<std::uint64_t>(number); count-- > 0; rest /= 10) out[at + count] = static_cast<char>('0' + rest % 10);
  };
  put(0, 4, static_cast<int>(date.year()));
  put(5, 2, static_cast<unsigned>(date.month()));
  put(8, 2, static_cast<unsigned>(date.day()));
  put(11, 2, clock.hours().count());
  put(14, 2, clock.minutes().count());
  put(17, 2, clock.seconds().count());
  put(20, 3, clock.subseconds().count());
  return out;
}

Result<Timestamp> from_rfc3339(std::string_view text) {
  const Error bad{Errc::invalid_argument, "a time is written as 2026-11-25T10:30:00Z (RFC 3339)"};
  const auto at = [&](std::size_t index, std::string_view any) {
    return index < text.size() && any.find(text[index]) != std::string_view::npos;
  };
  const int year = digits(text, 0, 4);
  const int month = digits(text, 5, 2);
  const int day = digits(text, 8, 2);
  const int hour = digits(text, 11, 2);
  const int minute = digits(text, 14, 2);
  const int second = digits(text, 17, 2);
  if (year < 0 || month < 0 || day < 0 || hour < 0 || minute < 0 || second < 0) return bad;
  if (!at(4, "-") || !at(7, "-") || !at(10, "Tt ") || !at(13, ":") || !at(16, ":")) return bad;
  const std::chrono::year_month_day date{std::chrono::year{year}, std::chrono::month{static_cast<unsigned>(month)},
                                         std::chrono::day{static_cast<unsigned>(day)}};
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return bad;
  std::size_t next = 19;
  int milli = 0;
  if (at(next, ".")) {
    ++next;
    int scale = 100;
    const std::size_t first = next;
    for (; at(next, "0123456789"); ++next, scale /= 10) milli += (text[next] - '0') * scale;
    if (next == first) return bad;
  }
  minutes offset{0};
  if (at(next, "Zz")) {
    ++next;
  } else if (at(next, "+-")) {
    const int offset_hours = digits(text, next + 1, 2);
    const int offset_minutes = digits(text, next + 4, 2);
    if (offset_hours < 0 || offset_hours > 23 || offset_minutes < 0 || offset_minutes > 59 || !at(next + 3, ":")) return bad;
    offset = hours{offset_hours} + minutes{offset_minutes};
    if (text[next] == '-') offset = -offset;
    next += 6;
  } else {
    return bad;
  }
  if (next != text.size()) return bad;
  return Timestamp{std::chrono::sys_days{date}} + hours{hour} + minutes{minute} + seconds{second} + milliseconds{milli} - offset;
}

}  // namespace media
