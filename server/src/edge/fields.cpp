#include "edge/fields.hpp"

#include <algorithm>
#include <string>

namespace media::server {
namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

std::vector<std::string_view> list_elements(const http::Fields& fields, std::string_view name) {
  std::vector<std::string_view> found;
  for (std::string_view line : fields.all(name)) {
    while (!line.empty()) {
      const auto comma = std::min(line.find(','), line.size());
      if (const auto element = trimmed(line.substr(0, comma)); !element.empty()) found.push_back(element);
      line.remove_prefix(std::min(comma + 1, line.size()));
    }
  }
  return found;
}

void add_vary(http::Response& response, std::string_view name) {
  std::string value;
  for (const std::string_view element : list_elements(response.headers, "Vary")) {
    if (http::equal_ignoring_case(element, name) || element == "*") return;
    value += std::string(element) + ", ";
  }
  response.headers.set("Vary", value + std::string(name));
}

}  // namespace media::server
