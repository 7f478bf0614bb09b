/// Contents over HTTP: conditional requests and ranges (RFC 9110, sections 13 and 14), done once for every route.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.hpp"
#include "media/clock.hpp"
#include "media/io.hpp"

namespace media::http {

/// What a route serves: bytes that do not change, and what is said about them.
struct Content {
  std::shared_ptr<const ByteReader> reader;
  std::string media_type;
  std::string etag;  ///< With its quotes: `"abc"`, or `W/"abc"`. Empty: none.
  std::optional<Timestamp> last_modified;
  std::string cache_control;  ///< Empty: none.
};

/// The answer to a GET or HEAD of a content: 200, 206 (one range, or multipart/byteranges for several), 304, 412 or 416 with
/// `Content-Range: bytes */N`. 412 and 416 have no body yet: hand them to the error hook where a body is wanted
/// (the server does that by itself for every answer of 400 and above without one).
/// The route adds its own fields afterwards (Content-Disposition, Vary, …).
Response serve_content(const Request& request, const Content& content);

/// Evaluates If-Match, If-Unmodified-Since, If-None-Match and If-Modified-Since in the order of RFC 9110 section 13.2.2:
/// 304 or 412 where the request should not be carried out, else nothing. `etag` is empty for a thing without one
/// (or that does not exist: then If-Match fails).
std::optional<int> failed_precondition(const Request& request, std::string_view etag,
                                       std::optional<Timestamp> last_modified = std::nullopt);

/// A stretch of a content, never empty and inside it.
struct ByteRange {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

/// What a Range field asks of a content of a given size.
struct RangeRequest {
  enum class Kind {
    whole,          ///< No range, one that must be ignored (another unit, malformed), or more ranges than we serve.
    partial,        ///< `ranges` holds 1 to kMaxRanges, none overlapping another.
    unsatisfiable,  ///< 416.
  };
  Kind kind = Kind::whole;
  std::vector<ByteRange> ranges;
};

/// Above this many ranges in one field the whole content is sent: nobody needs more, and each costs a part head.
inline constexpr std::size_t kMaxRanges = 16;

/// Reads a Range field. Ranges that overlap or touch are joined; else the order asked for is kept.
RangeRequest parse_range(std::string_view field, std::uint64_t content_size);

/// "Sun, 06 Nov 1994 08:49:37 GMT"; fractions of a second are cut off.
std::string to_http_date(Timestamp time);
/// Reads the three forms of RFC 9110 section 5.6.7; nothing for anything else.
std::optional<Timestamp> from_http_date(std::string_view text);

}  // namespace media::http
