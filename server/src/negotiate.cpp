#include "negotiate.hpp"

#include <algorithm>
#include <cstdlib>

#include "http/fields.hpp"
#include "http/text.hpp"

namespace media::server {
namespace {

/// The next stretch up to `separator`, taken off the front.
std::string_view take(std::string_view& text, char separator) {
  const auto at = text.find(separator);
  const std::string_view piece = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
  return http::trim(piece);
}

/// True where the q of a media range is 0: "not this one".
bool is_refused(std::string_view parameters) {
  while (!parameters.empty()) {
    const std::string_view parameter = take(parameters, ';');
    if (parameter.size() > 2 && (parameter[0] == 'q' || parameter[0] == 'Q') && parameter[1] == '=') {
      const std::string_view value = parameter.substr(2);
      return value.find_first_not_of("0.") == std::string_view::npos;
    }
  }
  return false;
}

/// Length of the UTF-8 sequence at the front of `text`, 0 where there is none (overlong forms and surrogates included).
std::size_t utf8_length(std::string_view text) {
  const auto at = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto follows = [&](std::size_t i) { return (at(i) & 0xC0U) == 0x80U; };
  const unsigned lead = at(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return follows(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    const bool good = follows(1) && follows(2) && !(lead == 0xE0 && at(1) < 0xA0) && !(lead == 0xED && at(1) > 0x9F);
    return good ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const bool good = follows(1) && follows(2) && follows(3) && !(lead == 0xF0 && at(1) < 0x90) && !(lead == 0xF4 && at(1) > 0x8F);
    return good ? 4 : 0;
  }
  return 0;
}

}  // namespace

std::optional<std::string> accepted_by(const http::Request& request) {
  std::optional<std::string> list;
  for (const std::string_view line : request.headers.all("Accept")) {
    list = list ? *list + ", " + std::string(line) : std::string(line);
  }
  return list;
}

Format negotiate(std::optional<std::string_view> accept, const std::vector<Format>& on_offer, bool has_alpha) {
  std::vector<Format> named;
  bool png_taken = !accept;
  std::string_view rest = accept.value_or("");
  while (!rest.empty()) {
    std::string_view parameters = take(rest, ',');
    const std::string_view range = take(parameters, ';');
    if (is_refused(parameters)) continue;
    if (range == "*/*" || http::equal_ignoring_case(range, "image/*") || http::equal_ignoring_case(range, "image/png")) png_taken = true;
    for (const Format format : {Format::avif, Format::webp}) {
      if (http::equal_ignoring_case(range, mime_type(format))) named.push_back(format);
    }
  }
  for (const Format format : {Format::avif, Format::webp}) {
    const bool offered = std::find(on_offer.begin(), on_offer.end(), format) != on_offer.end();
    if (offered && std::find(named.begin(), named.end(), format) != named.end()) return format;
  }
  return has_alpha && png_taken ? Format::png : Format::jpeg;
}

std::string content_disposition(std::string_view kind, std::string_view filename) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string plain;
  std::string extended;
  bool exact = true;
  for (std::size_t i = 0; i < filename.size();) {
    const std::size_t length = utf8_length(filename.substr(i));
    const auto byte = static_cast<unsigned char>(filename[i]);
    if (length == 1 && byte >= 0x20 && byte != 0x7F && byte != '"' && byte != '\\' && byte != '/' && byte != '%') {
      plain += filename[i];
    } else {
      plain += '_';
      exact = false;
    }
    const std::string_view character = length == 0 ? std::string_view("\xEF\xBF\xBD") : filename.substr(i, length);
    for (const char c : character) {
      const auto octet = static_cast<unsigned char>(c);
      const bool attr_char = (octet >= '0' && octet <= '9') || (octet >= 'a' && octet <= 'z') || (octet >= 'A' && octet <= 'Z') ||
                             std::string_view("!#$&+-.^_`|~").find(c) != std::string_view::npos;
      if (attr_char) {
        extended += c;
      } else {
        extended += '%';
        extended += kDigits[octet >> 4U];
        extended += kDigits[octet & 15U];
      }
    }
    i += std::max<std::size_t>(length, 1);
  }
  std::string field(kind);
  if (filename.empty()) return field;
  field += "; filename=\"" + plain + "\"";
  if (!exact) field += "; filename*=UTF-8''" + extended;
  return field;
}

}  // namespace media::server
