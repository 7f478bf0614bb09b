#include "request_json.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <nlohmann/json.hpp>

#include "http/http.hpp"

namespace media::server {
namespace {

constexpr std::uint64_t kMaxJsonBytes = 64U << 10U;
constexpr int kMaxDepth = 8;
constexpr std::size_t kMaxNames = 32;
constexpr std::size_t kPieceBytes = 64U << 10U;

}  // namespace

Result<nlohmann::ordered_json> read_json_object(http::Request& request) {
  const auto type = http::parse_parameterized(request.header("Content-Type").value_or(""));
  if (!type || type->value != "application/json") return Error{Errc::unsupported, "the body: accepts Content-Type application/json"};
  MEDIA_TRY(request.body->limit(kMaxJsonBytes));
  std::string text;
  std::array<std::byte, 4096> buffer{};
  for (;;) {
    MEDIA_TRY_ASSIGN(const std::size_t got, request.body->read(buffer));
    if (got == 0) break;
    text.append(reinterpret_cast<const char*>(buffer.data()), got);
  }
  // The parser takes a NUL for the end of the text, whatever comes after it.
  if (text.find('\0') != std::string::npos) return Error{Errc::invalid_argument, "the body: accepts one JSON object, without NUL"};
  // A name that is there twice could be read one way here and another way by a proxy; nesting is no part of any request of ours.
  std::vector<std::vector<std::string>> names;
  bool refused = false;
  const auto watch = [&](int depth, nlohmann::ordered_json::parse_event_t event, nlohmann::ordered_json& parsed) {
    using Event = nlohmann::ordered_json::parse_event_t;
    if (depth > kMaxDepth) refused = true;
    if (event == Event::object_start) names.emplace_back();
    if (event == Event::object_end && !names.empty()) names.pop_back();
    if (event == Event::key && !names.empty()) {
      const std::string name = parsed.get<std::string>();
      auto& seen = names.back();
      if (seen.size() == kMaxNames || std::find(seen.begin(), seen.end(), name) != seen.end()) refused = true;
      seen.push_back(name);
    }
    return !refused;
  };
  auto body = nlohmann::ordered_json::parse(text, watch, false);
  if (body.is_discarded() || !body.is_object() || refused) {
    return Error{Errc::invalid_argument, "the body: accepts one JSON object, each name once"};
  }
  return body;
}

Result<std::uint64_t> pour(ByteSource& source, Ingest& ingest, std::uint64_t limit_bytes) {
  std::uint64_t received = 0;
  const auto buffer = std::make_unique_for_overwrite<std::byte[]>(kPieceBytes);
  for (;;) {
    MEDIA_TRY_ASSIGN(const std::size_t got, source.read(std::span(buffer.get(), kPieceBytes)));
    received += got;
    if (got == 0 || received > limit_bytes) return received;
    MEDIA_TRY(ingest.write(std::span(buffer.get(), got)));
  }
}

}  // namespace media::server
