// Small readers of text that several files need.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace media::http {

char to_lower(char c) noexcept;
std::string to_lower(std::string_view text);
/// Without the spaces and tabs around it.
std::string_view trim(std::string_view text) noexcept;
/// The value of a hexadecimal digit, -1 for none.
int hex_value(char c) noexcept;
bool is_token_char(char c) noexcept;
/// True for what RFC 9110 calls a token: a field's name, a method.
bool is_token(std::string_view text) noexcept;
/// All digits, at least one, no overflow.
std::optional<std::uint64_t> parse_decimal(std::string_view text) noexcept;
/// Well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text) noexcept;
/// Nothing where a "%" is not followed by two hexadecimal digits.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space);
/// Calls `each(item)` for the comma-separated items of a list, trimmed, empty ones left out.
template <class Each>
void for_each_item(std::string_view list, Each each) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    const std::string_view item = trim(list.substr(0, comma));
    if (!item.empty()) each(item);
    if (comma == std::string_view::npos) return;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace media::http
