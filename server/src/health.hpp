/// Health of the dependencies, asked in parallel and never waited for beyond a limit.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "media/result.hpp"

namespace media::server {

/// One dependency's answer.
struct Check {
  enum class Status { healthy, unhealthy, timeout };
  std::string name;
  Status status = Status::healthy;
  std::chrono::milliseconds response_time{0};
  bool is_vital = true;
  std::string reason{};  ///< Why it is not healthy, where its dependency tells that.
};

/// Each dependency has one thread of its own for its check, so a disk that hangs costs one thread and not one a probe.
/// Answers a second old are given again: probes may come as often as they like.
///
/// Thread-safety: `run` may be called concurrently; callers share the check under way.
class HealthChecks {
 public:
  struct Dependency {
    std::string name;
    std::function<Result<void>()> check;
    /// False: without it the service is degraded, and as ready as ever. What its check says is told to everybody who asks, and so must name
    /// nothing that is secret.
    bool is_vital = true;
  };
  explicit HealthChecks(std::vector<Dependency> dependencies, std::chrono::milliseconds limit = std::chrono::seconds(2));
  ~HealthChecks();
  HealthChecks(const HealthChecks&) = delete;
  HealthChecks& operator=(const HealthChecks&) = delete;

  std::vector<Check> run();

 private:
  struct Runner;
  std::chrono::milliseconds limit_;
  std::vector<std::unique_ptr<Runner>> runners_;
};

}  // namespace media::server
