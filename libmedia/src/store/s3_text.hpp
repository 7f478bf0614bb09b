/// Spellings of the S3 protocol: percent-encoding, queries, dates.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "media/clock.hpp"

namespace media::store::s3 {

/// Names and values; of a query or of a header.
using Fields = std::vector<std::pair<std::string, std::string>>;

/// Percent-encodes everything but letters, digits and "-._~" (RFC 3986, as AWS wants it signed). `keep_slashes` for paths.
std::string percent_encode(std::string_view text, bool keep_slashes = false);
/// Undoes it; what is no escape stays as it is.
std::string percent_decode(std::string_view text);
/// "a=1&b=": encoded, and ordered as it is signed.
std::string query_text(const Fields& query);

/// "bytes 0-9/100".
struct ContentRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::uint64_t total = 0;  ///< Beyond `last`.
};
std::optional<ContentRange> parse_content_range(std::string_view text);

/// "20130524T000000Z".
std::string basic_time(Timestamp time);
/// Reads the date of an HTTP header (RFC 9110, IMF-fixdate). `invalid_argument` otherwise.
Result<Timestamp> time_of_http_date(std::string_view text);

}  // namespace media::store::s3
