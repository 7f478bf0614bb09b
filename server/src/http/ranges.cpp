#include <algorithm>

#include "http/content.hpp"
#include "http/text.hpp"

namespace media::http {
namespace {

struct RangeSpec {
  std::optional<std::uint64_t> first;
  std::optional<std::uint64_t> last;  ///< With `first`: inclusive end. Alone: how many bytes at the end.
};

/// A number of any length: what does not fit counts as the largest, because a client may ask for more than there is.
std::optional<std::uint64_t> saturating_decimal(std::string_view text) {
  if (text.empty() || !std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) return std::nullopt;
  return parse_decimal(text).value_or(UINT64_MAX);
}

std::optional<RangeSpec> parse_spec(std::string_view text) {
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const std::string_view before = text.substr(0, dash);
  const std::string_view after = text.substr(dash + 1);
  RangeSpec spec;
  if (!before.empty()) spec.first = saturating_decimal(before);
  if (!after.empty()) spec.last = saturating_decimal(after);
  if (spec.first.has_value() == before.empty() || spec.last.has_value() == after.empty()) return std::nullopt;
  if (!spec.first && !spec.last) return std::nullopt;
  if (spec.first && spec.last && *spec.last < *spec.first) return std::nullopt;
  return spec;
}

std::optional<ByteRange> resolve(const RangeSpec& spec, std::uint64_t size) {
  if (!spec.first) {
    const std::uint64_t length = std::min(*spec.last, size);
    if (length == 0) return std::nullopt;
    return ByteRange{size - length, length};
  }
  if (*spec.first >= size) return std::nullopt;
  const std::uint64_t last = std::min(spec.last.value_or(UINT64_MAX), size - 1);
  return ByteRange{*spec.first, last - *spec.first + 1};
}

/// Joins what overlaps or touches. Asked-for order survives where nothing does.
void join_overlaps(std::vector<ByteRange>& ranges) {
  std::vector<ByteRange> sorted = ranges;
  std::sort(sorted.begin(), sorted.end(), [](const ByteRange& a, const ByteRange& b) { return a.offset < b.offset; });
  std::vector<ByteRange> joined;
  for (const ByteRange& range : sorted) {
    if (!joined.empty() && range.offset <= joined.back().offset + joined.back().length) {
      const std::uint64_t end = std::max(joined.back().offset + joined.back().length, range.offset + range.length);
      joined.back().length = end - joined.back().offset;
    } else {
      joined.push_back(range);
    }
  }
  if (joined.size() != ranges.size()) ranges = std::move(joined);
}

}  // namespace

RangeRequest parse_range(std::string_view field, std::uint64_t content_size) {
  RangeRequest whole;
  const std::size_t equals = field.find('=');
  if (equals == std::string_view::npos || !equal_ignoring_case(field.substr(0, equals), "bytes")) return whole;

  RangeRequest request;
  std::size_t asked = 0;
  bool malformed = false;
  for_each_item(field.substr(equals + 1), [&](std::string_view item) {
    if (malformed || ++asked > kMaxRanges) return;
    const auto spec = parse_spec(item);
    if (!spec) {
      malformed = true;
      return;
    }
    if (const auto range = resolve(*spec, content_size)) request.ranges.push_back(*range);
  });
  if (malformed || asked == 0 || asked > kMaxRanges) return whole;
  if (request.ranges.empty()) {
    request.kind = RangeRequest::Kind::unsatisfiable;
    return request;
  }
  join_overlaps(request.ranges);
  request.kind = RangeRequest::Kind::partial;
  return request;
}

}  // namespace media::http
