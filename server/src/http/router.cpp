#include "http/router.hpp"

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <tuple>

namespace media::http {

struct Router::Node {
  std::map<std::string, std::unique_ptr<Node>, std::less<>> literals;
  std::unique_ptr<Node> capture;
  std::string capture_name;
  std::unique_ptr<Node> rest;
  std::string rest_name;
  std::map<std::string, Route, std::less<>> routes;  ///< By method.
};

namespace {

std::vector<std::string_view> split_path(std::string_view path) {
  std::vector<std::string_view> segments;
  if (path.starts_with('/')) path.remove_prefix(1);
  if (path.ends_with('/')) path.remove_suffix(1);
  if (path.empty()) return segments;
  while (true) {
    const std::size_t slash = path.find('/');
    segments.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return segments;
    path.remove_prefix(slash + 1);
  }
}

template <class Node>
Node& child(std::unique_ptr<Node>& slot, std::string& slot_name, std::string_view name, std::string_view pattern) {
  if (!slot) {
    slot = std::make_unique<Node>();
    slot_name = name;
  } else if (slot_name != name) {
    throw std::invalid_argument("route " + std::string(pattern) + ": {" + std::string(name) + "} is called {" + slot_name + "} elsewhere");
  }
  return *slot;
}

std::string allowed_methods(const std::map<std::string, Route, std::less<>>& routes) {
  std::string list;
  const auto append = [&](std::string_view method) { list += (list.empty() ? "" : ", ") + std::string(method); };
  for (const auto& [method, route] : routes) {
    append(method);
    if (method == "GET") append("HEAD");
  }
  if (!routes.contains("OPTIONS")) append("OPTIONS");
  return list;
}

template <class Node>
const Node* find(const Node& node, const std::vector<std::string_view>& segments, std::size_t at, std::vector<Parameter>& captures) {
  if (at == segments.size()) return node.routes.empty() ? nullptr : &node;
  if (const auto literal = node.literals.find(segments[at]); literal != node.literals.end()) {
    if (const Node* found = find(*literal->second, segments, at + 1, captures)) return found;
  }
  if (segments[at].empty()) return nullptr;  // "//" is no segment that a capture could mean
  if (node.capture) {
    captures.push_back({node.capture_name, std::string(segments[at])});
    if (const Node* found = find(*node.capture, segments, at + 1, captures)) return found;
    captures.pop_back();
  }
  if (node.rest) {
    std::string value;
    for (std::size_t i = at; i < segments.size(); ++i) {
      if (segments[i].empty()) return nullptr;
      value += (i == at ? "" : "/") + std::string(segments[i]);
    }
    captures.push_back({node.rest_name, std::move(value)});
    return node.rest.get();
  }
  return nullptr;
}

template <class Node>
void collect(const Node& node, std::vector<Router::Listed>& into) {
  for (const auto& [method, route] : node.routes) into.push_back({method, &route});
  for (const auto& [name, next] : node.literals) collect(*next, into);
  if (node.capture) collect(*node.capture, into);
  if (node.rest) collect(*node.rest, into);
}

}  // namespace

Router::Router() : root_(std::make_unique<Node>()) {}
Router::Router(Router&&) noexcept = default;
Router& Router::operator=(Router&&) noexcept = default;
Router::~Router() = default;

void Router::add(std::string_view method, std::string_view pattern, Handler handler, RouteOptions options) {
  if (!pattern.starts_with('/')) throw std::invalid_argument("route " + std::string(pattern) + ": it must begin with a slash");
  Node* node = root_.get();
  const auto segments = split_path(pattern);
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const std::string_view segment = segments[i];
    if (segment.empty()) throw std::invalid_argument("route " + std::string(pattern) + ": an empty segment");
    if (!segment.starts_with('{') || !segment.ends_with('}')) {
      auto& slot = node->literals[std::string(segment)];
      if (!slot) slot = std::make_unique<Node>();
      node = slot.get();
      continue;
    }
    const std::string_view name = segment.substr(1, segment.size() - 2);
    if (name.ends_with("...")) {
      if (i + 1 != segments.size())
        throw std::invalid_argument("route " + std::string(pattern) + ": {" + std::string(name) + "} must be last");
      node = &child(node->rest, node->rest_name, name.substr(0, name.size() - 3), pattern);
    } else {
      node = &child(node->capture, node->capture_name, name, pattern);
    }
  }
  const bool added = node->routes.try_emplace(std::string(method), Route{std::string(pattern), std::move(handler), options}).second;
  if (!added) throw std::invalid_argument("route " + std::string(method) + " " + std::string(pattern) + ": added twice");
}

std::vector<Router::Listed> Router::list() const {
  std::vector<Listed> all;
  collect(*root_, all);
  std::sort(all.begin(), all.end(),
            [](const Listed& a, const Listed& b) { return std::tie(a.route->pattern, a.method) < std::tie(b.route->pattern, b.method); });
  return all;
}

Router::Match Router::match(std::string_view method, std::string_view path) const {
  Match match;
  const Node* node = find(*root_, split_path(path), 0, match.captures);
  if (node == nullptr) {
    match.captures.clear();
    return match;
  }
  match.allowed = allowed_methods(node->routes);
  auto route = node->routes.find(method);
  if (route == node->routes.end() && method == "HEAD") route = node->routes.find("GET");
  if (route != node->routes.end()) match.route = &route->second;
  return match;
}

}  // namespace media::http
