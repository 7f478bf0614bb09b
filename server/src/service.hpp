/// mediad put together: library, background work and HTTP.
#pragma once

#include <memory>

#include "config.hpp"
#include "media/result.hpp"

namespace media::server {

class Log;

/// A running server. Destroying it stops it.
///
/// Thread-safety: none; `main` owns it.
class Service {
 public:
  /// Opens the library, starts job threads and collection, then answers requests. Errors: those of Library::open and
  /// http::Server::start. `log` outlives the service.
  static Result<std::unique_ptr<Service>> start(const Config& config, Log& log);
  ~Service();

  [[nodiscard]] std::uint16_t port() const noexcept;
  /// Drains: requests that have begun may finish within the configured grace; queued work stays queued.
  void stop();

 private:
  struct Parts;
  explicit Service(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace media::server
