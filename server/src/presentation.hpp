/// What every answer carries, whoever made it: `http::Hooks::dress`.
#pragma once

#include "config.hpp"
#include "http/message.hpp"
#include "http/router.hpp"

namespace media::server {

/// Thread-safety: may be called concurrently.
class Presentation {
 public:
  /// Outlives it.
  explicit Presentation(const Config& config) : config_(config) {}

  void operator()(const http::Request& request, const http::Route* route, http::Response& response) const;

 private:
  const Config& config_;
};

}  // namespace media::server
