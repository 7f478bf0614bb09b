#include "request_json.hpp"

#include <array>
#include <memory>
#include <nlohmann/json.hpp>

namespace media::server {
namespace {

constexpr std::uint64_t kMaxJsonBytes = 64U << 10U;
constexpr int kMaxDepth = 8;
constexpr std::size_t kPieceBytes = 64U << 10U;

}  // namespace

Result<nlohmann::ordered_json> read_json_object(http::Request& request) {
  MEDIA_TRY(request.body->limit(kMaxJsonBytes));
  std::string text;
  std::array<std::byte, 4096> buffer{};
  for (;;) {
    MEDIA_TRY_ASSIGN(const std::size_t got, request.body->read(buffer));
    if (got == 0) break;
    text.append(reinterpret_cast<const char*>(buffer.data()), got);
  }
  // A name that is there twice could be read one way here and another way by a proxy; nesting is no part of any request of ours.
  std::vector<std::vector<std::string>> names;
  bool doubled = false;
  const auto watch = [&](int depth, nlohmann::ordered_json::parse_event_t event, nlohmann::ordered_json& parsed) {
    using Event = nlohmann::ordered_json::parse_event_t;
    if (depth > kMaxDepth) doubled = true;
    if (event == Event::object_start) names.emplace_back();
    if (event == Event::object_end && !names.empty()) names.pop_back();
    if (event == Event::key && !names.empty()) {
      const std::string name = parsed.get<std::string>();
      auto& seen = names.back();
      if (std::find(seen.begin(), seen.end(), name) != seen.end()) doubled = true;
      seen.push_back(name);
    }
    return true;
  };
  auto body = nlohmann::ordered_json::parse(text, watch, false);
  if (body.is_discarded() || !body.is_object() || doubled) {
    return Error{Errc::invalid_argument, "the body: accepts one JSON object, each name once"};
  }
  return body;
}

Result<void> pour(ByteSource& source, Ingest& ingest) {
  const auto buffer = std::make_unique_for_overwrite<std::byte[]>(kPieceBytes);
  for (;;) {
    MEDIA_TRY_ASSIGN(const std::size_t got, source.read(std::span(buffer.get(), kPieceBytes)));
    if (got == 0) return {};
    MEDIA_TRY(ingest.write(std::span(buffer.get(), got)));
  }
}

}  // namespace media::server
