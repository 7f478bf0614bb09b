#include "http/content.hpp"

#include <algorithm>

#include "http/random_id.hpp"
#include "http/text.hpp"

namespace media::http {
namespace {

std::string_view opaque_part(std::string_view etag) { return etag.starts_with("W/") ? etag.substr(2) : etag; }

bool weakly_equal(std::string_view a, std::string_view b) { return !a.empty() && opaque_part(a) == opaque_part(b); }
bool strongly_equal(std::string_view a, std::string_view b) { return !a.empty() && a == b && !a.starts_with("W/"); }

/// Calls `each` for the entity tags of an If-Match or If-None-Match value; tags may hold commas, so this is no plain list.
template <class Each>
void for_each_etag(std::string_view list, Each each) {
  std::size_t i = 0;
  while (i < list.size()) {
    if (list[i] == ',' || list[i] == ' ' || list[i] == '\t') {
      ++i;
      continue;
    }
    const std::size_t quote = list.compare(i, 2, "W/") == 0 ? i + 2 : i;
    if (quote >= list.size() || list[quote] != '"') return;  // malformed: what came before counts
    const std::size_t end = list.find('"', quote + 1);
    if (end == std::string_view::npos) return;
    each(list.substr(i, end + 1 - i));
    i = end + 1;
  }
}

bool any_matches(const std::vector<std::string_view>& fields, std::string_view etag, bool (*equal)(std::string_view, std::string_view)) {
  bool found = false;
  for (const std::string_view field : fields) {
    if (trim(field) == "*") return !etag.empty();
    for_each_etag(field, [&](std::string_view candidate) { found = found || equal(candidate, etag); });
  }
  return found;
}

/// HTTP dates have whole seconds: so must what they are compared with.
Timestamp whole_seconds(Timestamp time) { return std::chrono::floor<std::chrono::seconds>(time); }

/// If-Range: the ranges count only where the client's copy is this very content.
bool ranges_apply(const Request& request, const Content& content) {
  const auto condition = request.header("If-Range");
  if (!condition) return true;
  if (condition->find('"') != std::string_view::npos) return strongly_equal(trim(*condition), content.etag);
  const auto date = from_http_date(*condition);
  return date && content.last_modified && *date == whole_seconds(*content.last_modified);
}

RangeRequest wanted_ranges(const Request& request, const Content& content) {
  const auto field = request.header("Range");
  // Ranges mean something for GET only (RFC 9110 section 14.2); several fields are no list.
  if (!field || request.method != "GET" || request.headers.count("Range") != 1 || !ranges_apply(request, content)) return {};
  return parse_range(*field, content.reader->size());
}

std::string content_range(const ByteRange& range, std::uint64_t size) {
  return "bytes " + std::to_string(range.offset) + "-" + std::to_string(range.offset + range.length - 1) + "/" + std::to_string(size);
}

void add_parts(Response& response, const Content& content, const std::vector<ByteRange>& ranges) {
  const std::string boundary = random_id();
  for (const ByteRange& range : ranges) {
    response.pieces.push_back({"\r\n--" + boundary + "\r\nContent-Type: " + content.media_type +
                                   "\r\nContent-Range: " + content_range(range, content.reader->size()) + "\r\n\r\n",
                               nullptr, 0, 0});
    response.pieces.push_back({{}, content.reader, range.offset, range.length});
  }
  response.pieces.push_back({"\r\n--" + boundary + "--\r\n", nullptr, 0, 0});
  response.headers.set("Content-Type", "multipart/byteranges; boundary=" + boundary);
}

}  // namespace

std::optional<int> failed_precondition(const Request& request, std::string_view etag, std::optional<Timestamp> last_modified) {
  const bool reads = request.method == "GET" || request.method == "HEAD";
  if (const auto fields = request.headers.all("If-Match"); !fields.empty()) {
    if (!any_matches(fields, etag, strongly_equal)) return 412;
  } else if (const auto field = request.header("If-Unmodified-Since"); field && last_modified) {
    const auto date = from_http_date(*field);
    if (date && whole_seconds(*last_modified) > *date) return 412;
  }
  if (const auto fields = request.headers.all("If-None-Match"); !fields.empty()) {
    if (any_matches(fields, etag, weakly_equal)) return reads ? 304 : 412;
  } else if (const auto field = request.header("If-Modified-Since"); field && last_modified && reads) {
    const auto date = from_http_date(*field);
    if (date && whole_seconds(*last_modified) <= *date) return 304;
  }
  return std::nullopt;
}

Response serve_content(const Request& request, const Content& content) {
  Response response;
  if (!content.etag.empty()) response.headers.add("ETag", content.etag);
  if (content.last_modified) response.headers.add("Last-Modified", to_http_date(*content.last_modified));
  if (!content.cache_control.empty()) response.headers.add("Cache-Control", content.cache_control);
  if (const auto status = failed_precondition(request, content.etag, content.last_modified)) {
    response.status = *status;
    return response;
  }
  response.headers.add("Accept-Ranges", "bytes");
  const std::uint64_t size = content.reader->size();
  const RangeRequest wanted = wanted_ranges(request, content);
  if (wanted.kind == RangeRequest::Kind::unsatisfiable) {
    response.status = 416;
    response.headers.add("Content-Range", "bytes */" + std::to_string(size));
    // What describes the content does not describe the refusal, and must not let a cache keep it.
    for (const auto* name : {"ETag", "Last-Modified", "Cache-Control"}) response.headers.remove(name);
    return response;
  }
  response.headers.add("Content-Type", content.media_type);
  if (wanted.kind == RangeRequest::Kind::whole) {
    if (size > 0) response.pieces.push_back({{}, content.reader, 0, size});
    return response;
  }
  response.status = 206;
  if (wanted.ranges.size() > 1) {
    add_parts(response, content, wanted.ranges);
    return response;
  }
  response.headers.add("Content-Range", content_range(wanted.ranges.front(), size));
  response.pieces.push_back({{}, content.reader, wanted.ranges.front().offset, wanted.ranges.front().length});
  return response;
}

}  // namespace media::http
