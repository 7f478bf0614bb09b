/// From method and path to handler.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.hpp"

namespace media::http {

/// Answers one request. Runs on a pool thread and may block. An exception out of it becomes a 500.
using Handler = std::function<Response(Request&)>;

/// Which threads run a route.
enum class Pool {
  readers,  ///< Quick work; never waits for a client.
  bodies,   ///< Reads a body of any size at the client's pace.
};

struct RouteOptions {
  /// Without it the handler sees an empty body, and a client that sends one has its connection closed after the answer.
  bool accepts_body = false;
  /// Where a route that accepts a body runs when there is one; anything else runs with the readers. One for `Pool::bodies` whose body has
  /// come in whole already waits behind no slow sender.
  Pool pool = Pool::bodies;
  /// The application's own mark, for its hooks.
  unsigned tag = 0;
  /// A POST, PUT or PATCH that announces no body has an empty one; without this it is answered 411.
  bool body_optional = false;
  /// What a body that comes too slowly is answered with. Most clients take a 408 for final; one that can go on later wants a 503.
  int slow_body_status = 408;
};

struct Route {
  std::string pattern;  ///< As added: a label for metrics that no client can invent.
  Handler handler;
  RouteOptions options;
};

/// A tree of path segments. Literal segments win over `{name}`, and those over `{name...}`, which takes the rest of the path (one
/// segment or more) and stands last. A trailing slash makes no difference. HEAD is answered by GET's handler.
///
/// Thread-safety: `match` may be called concurrently once the last `add` is done.
class Router {
 public:
  Router();
  Router(Router&&) noexcept;
  Router& operator=(Router&&) noexcept;
  ~Router();

  /// `pattern` begins with a slash: "/media/{id}/download". A second handler for the same method and pattern, or two names for
  /// the same capture, are broken preconditions (they throw std::invalid_argument: a program that wires itself wrongly must not start).
  void add(std::string_view method, std::string_view pattern, Handler handler, RouteOptions options = {});

  struct Match {
    const Route* route = nullptr;  ///< Null: 405 where `allowed` has something, else 404.
    std::vector<Parameter> captures;
    std::string allowed;  ///< For Allow: "GET, HEAD, OPTIONS"; empty where no pattern fits the path.
  };
  struct Listed {
    std::string method;
    const Route* route = nullptr;  ///< Never null; lives as long as the router.
  };
  /// All that was added, by pattern, then method.
  [[nodiscard]] std::vector<Listed> list() const;

  /// `path` is decoded already.
  [[nodiscard]] Match match(std::string_view method, std::string_view path) const;

 private:
  struct Node;
  std::unique_ptr<Node> root_;
};

}  // namespace media::http
