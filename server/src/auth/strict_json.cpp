#include "auth/strict_json.hpp"

#include <set>
#include <string>
#include <vector>

namespace media::server {

std::optional<nlohmann::json> parse_strict_object(std::string_view text) {
  using Event = nlohmann::json::parse_event_t;
  // The parser takes a NUL for the end of the text, whatever comes after it.
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  constexpr int kDeepest = 8;
  bool good = true;
  std::vector<std::set<std::string>> names;
  const auto watch = [&](int depth, Event event, nlohmann::json& parsed) {
    good = good && depth <= kDeepest;
    if (event == Event::object_start) names.emplace_back();
    if (event == Event::object_end) names.pop_back();
    if (event == Event::key) good = good && names.back().insert(parsed.get<std::string>()).second;
    return true;
  };
  auto value = nlohmann::json::parse(text, watch, false);
  if (!good || value.is_discarded() || !value.is_object()) return std::nullopt;
  return value;
}

}  // namespace media::server
