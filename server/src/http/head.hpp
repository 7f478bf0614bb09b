// Heads of requests: found in a stream of bytes, checked strictly, taken apart (RFC 9112).
//
// Strict because a proxy in front may read a head differently: what two readers could understand in two ways is refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "http/fields.hpp"
#include "http/message.hpp"

namespace media::http {

struct HeadLimits {
  std::size_t max_bytes = 64 * 1024;
  std::size_t max_target_bytes = 8 * 1024;
  std::size_t max_header_count = 100;
};

/// Why a head is refused: the status that goes out, and the sentence with it.
struct HeadFailure {
  int status = 400;
  std::string message;
};

/// Looks for the end of a head in bytes that arrive piece by piece, and refuses what can no longer become a good one at the first byte
/// that shows it: a TLS greeting or a flood need not be collected first.
class HeadScanner {
 public:
  explicit HeadScanner(const HeadLimits& limits) : limits_(limits) {}

  struct Found {
    std::size_t begin = 0;  ///< Past an empty line that may come first.
    std::size_t end = 0;    ///< Past the empty line that ends the head.
  };
  struct NeedMore {};
  /// `bytes` is all that arrived so far, the earlier bytes included.
  std::variant<NeedMore, Found, HeadFailure> scan(std::string_view bytes);

 private:
  HeadLimits limits_;
  std::size_t position_ = 0;
  std::size_t begin_ = 0;
  std::size_t line_begin_ = 0;
  std::size_t lines_ = 0;
};

/// A head that may be acted upon.
struct Head {
  std::string method;
  std::string path;  ///< Decoded, as Request has it.
  std::vector<Parameter> query;
  Fields fields;
  bool http_1_0 = false;
  bool keep_alive = true;
  bool chunked = false;
  bool expects_continue = false;
  std::optional<std::uint64_t> content_length;

  [[nodiscard]] bool has_body() const noexcept { return chunked || content_length.value_or(0) > 0; }
};

/// `bytes` is what HeadScanner found, the empty line included.
std::variant<Head, HeadFailure> parse_head(std::string_view bytes, const HeadLimits& limits);

/// A request target in origin or absolute form into decoded path and query. Nothing for what is malformed: broken percent escapes, "." and
/// ".." segments, encoded slashes, control characters, bytes that are not UTF-8.
struct Target {
  std::string path;
  std::vector<Parameter> query;
};
std::optional<Target> parse_target(std::string_view target);

}  // namespace media::http
