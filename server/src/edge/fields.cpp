#include "edge/fields.hpp"

#include <string>

#include "http/text.hpp"

namespace media::server {

std::vector<std::string_view> list_elements(const http::Fields& fields, std::string_view name) {
  std::vector<std::string_view> found;
  for (const std::string_view line : fields.all(name)) {
    http::for_each_item(line, [&](std::string_view item) { found.push_back(item); });
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
