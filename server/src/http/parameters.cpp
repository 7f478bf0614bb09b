#include <algorithm>

#include "http/multipart.hpp"
#include "http/text.hpp"

namespace media::http {
namespace {

Error malformed(std::string_view what) { return {Errc::invalid_argument, "header field: " + std::string(what)}; }

/// Takes a quoted string off the front of `rest`, the opening quote being there.
Result<std::string> take_quoted(std::string_view& rest) {
  std::string value;
  for (std::size_t i = 1; i < rest.size(); ++i) {
    if (rest[i] == '"') {
      rest.remove_prefix(i + 1);
      return value;
    }
    if (rest[i] == '\\' && i + 1 < rest.size() && (rest[i + 1] == '"' || rest[i + 1] == '\\')) ++i;
    value += rest[i];
  }
  return malformed("a quoted value without its end");
}

Result<std::string> take_value(std::string_view& rest) {
  if (rest.starts_with('"')) return take_quoted(rest);
  const std::size_t end = std::min(rest.find(';'), rest.size());
  const std::string_view value = trim(rest.substr(0, end));
  rest.remove_prefix(end);
  if (value.empty() || value.find('"') != std::string_view::npos) return malformed("a parameter without a value");
  return std::string(value);
}

std::string latin1_to_utf8(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (code < 0x80) {
      out += c;
    } else {
      out += static_cast<char>(0xC0U | code >> 6U);
      out += static_cast<char>(0x80U | (code & 0x3FU));
    }
  }
  return out;
}

bool is_boundary_char(char c) {
  const bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  return alphanumeric || (c != '\0' && std::string_view("'()+_,-./:=? ").find(c) != std::string_view::npos);
}

}  // namespace

std::optional<std::string_view> ParameterizedValue::find(std::string_view name) const noexcept {
  for (const Parameter& parameter : parameters) {
    if (parameter.name == name) return parameter.value;
  }
  return std::nullopt;
}

Result<ParameterizedValue> parse_parameterized(std::string_view field) {
  ParameterizedValue out;
  const std::size_t first = std::min(field.find(';'), field.size());
  out.value = to_lower(trim(field.substr(0, first)));
  if (out.value.empty()) return malformed("empty");
  std::string_view rest = field.substr(first);
  while (!rest.empty()) {
    rest.remove_prefix(1);  // the semicolon
    rest = trim(rest);
    if (rest.empty()) break;  // one too many at the end is common and harmless
    const std::size_t equals = rest.find('=');
    if (equals == std::string_view::npos) return malformed("a parameter without a value");
    std::string name = to_lower(trim(rest.substr(0, equals)));
    if (!is_token(name)) return malformed("a parameter's name is no token");
    rest = trim(rest.substr(equals + 1));
    MEDIA_TRY_ASSIGN(std::string value, take_value(rest));
    if (out.find(name)) return malformed("parameter " + name + " is there twice");
    out.parameters.push_back({std::move(name), std::move(value)});
    rest = trim(rest);
    if (!rest.empty() && rest.front() != ';') return malformed("text after a quoted value");
  }
  return out;
}

Result<std::string> decode_extended_value(std::string_view text) {
  const std::size_t charset_end = text.find('\'');
  const std::size_t language_end = charset_end == std::string_view::npos ? charset_end : text.find('\'', charset_end + 1);
  if (language_end == std::string_view::npos) return malformed("an extended value needs two apostrophes");
  const std::string_view charset = text.substr(0, charset_end);
  const auto decoded = percent_decode(text.substr(language_end + 1), false);
  if (!decoded) return malformed("an extended value with a broken percent escape");
  if (equal_ignoring_case(charset, "ISO-8859-1")) return latin1_to_utf8(*decoded);
  if (!equal_ignoring_case(charset, "UTF-8")) return malformed("an extended value in a character set that is neither UTF-8 nor ISO-8859-1");
  if (!is_utf8(*decoded)) return malformed("an extended value that is not the UTF-8 it claims");
  return *decoded;
}

std::optional<std::string> disposition_file_name(const ParameterizedValue& disposition) {
  if (const auto extended = disposition.find("filename*")) {
    if (auto name = decode_extended_value(*extended)) return std::move(name).value();
  }
  if (const auto plain = disposition.find("filename")) return std::string(*plain);
  return std::nullopt;
}

Result<std::string> multipart_boundary(std::string_view content_type) {
  MEDIA_TRY_ASSIGN(const ParameterizedValue type, parse_parameterized(content_type));
  if (type.value != "multipart/form-data")
    return Error{Errc::unsupported, "content type " + type.value + ": multipart/form-data is expected"};
  const auto boundary = type.find("boundary");
  if (!boundary || boundary->empty() || boundary->size() > 70 || boundary->back() == ' ' ||
      !std::all_of(boundary->begin(), boundary->end(), is_boundary_char)) {
    return Error{Errc::invalid_argument, "multipart/form-data: a boundary of 1 to 70 characters (RFC 2046) is needed"};
  }
  return std::string(*boundary);
}

}  // namespace media::http
