// Any bytes as a request's head: no crash, the same verdict however they are cut, and what is accepted keeps its promises.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "http/head.hpp"
#include "http/text.hpp"

using namespace media::http;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

struct Verdict {
  int status = 0;
  std::size_t end = 0;
  bool operator==(const Verdict&) const = default;
};

Verdict scan_in_steps(std::string_view bytes, std::size_t step, const HeadLimits& limits) {
  HeadScanner scanner(limits);
  for (std::size_t end = std::min(step, bytes.size());; end = std::min(end + step, bytes.size())) {
    const auto outcome = scanner.scan(bytes.substr(0, end));
    if (const auto* failure = std::get_if<HeadFailure>(&outcome)) return {failure->status, 0};
    if (const auto* found = std::get_if<HeadScanner::Found>(&outcome)) return {200, found->end};
    if (end == bytes.size()) return {0, 0};
  }
}

void check_head(const Head& head) {
  require(is_token(head.method));
  require(head.path == "*" || head.path.starts_with('/'));
  require(is_utf8(head.path));
  require((head.path + "/").find("/../") == std::string::npos && (head.path + "/").find("/./") == std::string::npos);
  require(!(head.chunked && head.content_length));
  require(!head.content_length || *head.content_length <= INT64_MAX);
  require(head.fields.count("Content-Length") <= 1 && head.fields.count("Transfer-Encoding") <= 1 && head.fields.count("Host") <= 1);
  for (const Field& field : head.fields) require(is_valid_field(field.name, field.value));
  for (const Parameter& parameter : head.query) require(is_utf8(parameter.name) && is_utf8(parameter.value));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const HeadLimits limits{4096, 512, 20};
  const Verdict whole = scan_in_steps(bytes, SIZE_MAX / 2, limits);
  require(whole == scan_in_steps(bytes, 1, limits));
  require(whole == scan_in_steps(bytes, 7, limits));
  HeadScanner scanner(limits);
  const auto outcome = scanner.scan(bytes);
  if (const auto* found = std::get_if<HeadScanner::Found>(&outcome)) {
    require(found->begin <= found->end && found->end <= limits.max_bytes);
    const auto head = parse_head(bytes.substr(found->begin, found->end - found->begin), limits);
    if (const auto* good = std::get_if<Head>(&head)) check_head(*good);
  }
  // The parser alone must stand bytes that no scanner has seen.
  const auto unchecked = parse_head(bytes, limits);
  if (const auto* good = std::get_if<Head>(&unchecked)) require(is_token(good->method));
  return 0;
}
