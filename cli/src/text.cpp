#include "text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

namespace mediactl {
namespace {

/// Length of the well-formed UTF-8 sequence (RFC 3629) that `bytes` begins with; 0 where there is none.
std::size_t utf8_length(std::string_view bytes) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned char lead = at(0);
  if (lead < 0x80) return 1;
  std::size_t length = 0;
  unsigned char low = 0x80;
  unsigned char high = 0xBF;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    if (lead == 0xE0) low = 0xA0;   // overlong
    if (lead == 0xED) high = 0x9F;  // surrogates
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  }
  if (length == 0 || bytes.size() < length || at(1) < low || at(1) > high) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if (at(i) < 0x80 || at(i) > 0xBF) return 0;
  }
  return length;
}

void append_escaped(std::string& out, unsigned char byte) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out += "\\x";
  out += kDigits[byte >> 4U];
  out += kDigits[byte & 15U];
}

}  // namespace

std::string printable(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    const std::size_t length = utf8_length(bytes);
    const auto lead = static_cast<unsigned char>(bytes[0]);
    // C0, DEL and (as C2 80 to C2 9F) C1 are control characters.
    const bool control =
        (length == 1 && (lead < 0x20 || lead == 0x7F)) || (length == 2 && lead == 0xC2 && static_cast<unsigned char>(bytes[1]) < 0xA0);
    const std::size_t taken = length == 0 ? 1 : length;
    if (length == 0 || control) {
      for (const char byte : bytes.substr(0, taken)) append_escaped(out, static_cast<unsigned char>(byte));
    } else {
      out += bytes.substr(0, taken);
    }
    bytes.remove_prefix(taken);
  }
  return out;
}

std::string human_bytes(std::uint64_t count) {
  if (count < 1000) return std::to_string(count) + " B";
  constexpr std::array kUnits = {"kB", "MB", "GB", "TB", "PB", "EB"};
  double value = static_cast<double>(count) / 1000;
  std::size_t unit = 0;
  while (value >= 999.95 && unit + 1 < kUnits.size()) {
    value /= 1000;
    ++unit;
  }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f %s", value, kUnits.at(unit));
  return text.data();
}

std::string human_duration(std::chrono::seconds duration) {
  const long long all = duration.count() < 0 ? 0 : duration.count();
  std::array<char, 48> text{};
  if (all >= 3600) {
    std::snprintf(text.data(), text.size(), "%lld:%02lld:%02lld", all / 3600, all / 60 % 60, all % 60);
  } else {
    std::snprintf(text.data(), text.size(), "%lld:%02lld", all / 60, all % 60);
  }
  return text.data();
}

std::optional<std::chrono::seconds> parse_duration(std::string_view text) {
  long long count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || count < 0) return std::nullopt;
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  long long seconds_each = 0;
  if (unit.empty() || unit == "s") seconds_each = 1;
  if (unit == "m") seconds_each = 60;
  if (unit == "h") seconds_each = 3600;
  if (unit == "d") seconds_each = 86'400;
  constexpr long long kMostSeconds = 100LL * 366 * 86'400;  // a century: far from every overflow behind us
  if (seconds_each == 0 || count > kMostSeconds / seconds_each) return std::nullopt;
  return std::chrono::seconds(count * seconds_each);
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> pieces;
  while (true) {
    const std::size_t comma = text.find(',');
    pieces.emplace_back(text.substr(0, comma));
    if (comma == std::string_view::npos) return pieces;
    text.remove_prefix(comma + 1);
  }
}

std::string reason_of(const media::Error& error, std::string_view path) {
  const std::string named = std::string(path) + ": ";
  const std::size_t at = path.empty() ? std::string::npos : error.message.find(named);
  return at == std::string::npos ? error.message : error.message.substr(at + named.size());
}

std::string base64(std::span<const std::byte> bytes) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const auto three = bytes.subspan(at, std::min<std::size_t>(3, bytes.size() - at));
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 3; ++i) bits = bits << 8U | (i < three.size() ? std::to_integer<std::uint32_t>(three[i]) : 0U);
    for (std::size_t i = 0; i < 4; ++i) text += i <= three.size() ? kAlphabet[bits >> (18 - 6 * i) & 63U] : '=';
  }
  return text;
}

}  // namespace mediactl
