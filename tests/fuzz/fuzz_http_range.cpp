// Any text as Range, If-* and dates: ranges stay inside the content, do not overlap and are few.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

#include "http/content.hpp"

using namespace media::http;

namespace {
void require(bool condition) {
  if (!condition) std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::uint64_t content_size = 0;
  if (size < sizeof content_size) return 0;
  std::memcpy(&content_size, data, sizeof content_size);
  const std::string_view text(reinterpret_cast<const char*>(data) + sizeof content_size, size - sizeof content_size);

  RangeRequest request = parse_range(text, content_size);
  require(request.ranges.size() <= kMaxRanges);
  require((request.kind == RangeRequest::Kind::partial) == !request.ranges.empty());
  for (const ByteRange& range : request.ranges) {
    require(range.length > 0 && range.offset < content_size && range.length <= content_size - range.offset);
  }
  std::sort(request.ranges.begin(), request.ranges.end(), [](const auto& a, const auto& b) { return a.offset < b.offset; });
  for (std::size_t i = 1; i < request.ranges.size(); ++i) {
    require(request.ranges[i - 1].offset + request.ranges[i - 1].length < request.ranges[i].offset);
  }

  if (const auto date = from_http_date(text)) require(from_http_date(to_http_date(*date)) == date);
  for (const auto* name : {"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range"}) {
    Request conditional;
    conditional.method = "GET";
    conditional.headers.add(name, std::string(text));
    conditional.headers.add("Range", "bytes=0-1");
    const auto reader = std::make_shared<media::MemoryReader>(std::vector<std::byte>(10));
    const Response response = serve_content(conditional, {reader, "a/b", "\"tag\"", media::Timestamp(), {}});
    require(response.status == 200 || response.status == 206 || response.status == 304 || response.status == 412);
    require(response.body_size() <= 10);
  }
  return 0;
}
