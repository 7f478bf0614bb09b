#include "health.hpp"

namespace media::server {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kReuse{1000};

}  // namespace

struct HealthChecks::Runner {
  explicit Runner(Dependency what) : dependency(std::move(what)) {
    thread = std::jthread([this](const std::stop_token& stop) { work(stop); });
  }

  void work(const std::stop_token& stop) {
    std::unique_lock lock(mutex);
    while (changed.wait(lock, stop, [this] { return asked; })) {
      asked = false;
      started = Clock::now();
      lock.unlock();
      auto checked = dependency.check();
      lock.lock();
      last = {dependency.name,
              checked ? Check::Status::healthy : Check::Status::unhealthy,
              std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - started),
              dependency.is_vital,
              {}};
      if (!checked && !dependency.is_vital) last.reason = std::move(checked.error().message);
      finished_at = Clock::now();
      running = false;
      ++generation;
      changed.notify_all();
    }
  }

  /// Starts a check unless one is under way, or one has just ended. The generation to wait for.
  std::uint64_t ask() {
    const std::lock_guard lock(mutex);
    if (running) return generation + 1;
    if (generation > 0 && Clock::now() - finished_at < kReuse) return generation;
    running = asked = true;
    started = Clock::now();
    changed.notify_all();
    return generation + 1;
  }

  Check wait(std::uint64_t wanted, Clock::time_point until) {
    std::unique_lock lock(mutex);
    if (changed.wait_until(lock, until, [&] { return generation >= wanted; })) return last;
    return {dependency.name,
            Check::Status::timeout,
            std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - started),
            dependency.is_vital,
            {}};
  }

  Dependency dependency;
  std::mutex mutex;
  std::condition_variable_any changed;
  bool asked = false;
  bool running = false;
  std::uint64_t generation = 0;
  Clock::time_point started;
  Clock::time_point finished_at;
  Check last;
  std::jthread thread;
};

HealthChecks::HealthChecks(std::vector<Dependency> dependencies, std::chrono::milliseconds limit) : limit_(limit) {
  for (auto& dependency : dependencies) runners_.push_back(std::make_unique<Runner>(std::move(dependency)));
}

HealthChecks::~HealthChecks() = default;

std::vector<Check> HealthChecks::run() {
  const auto until = Clock::now() + limit_;
  std::vector<std::uint64_t> wanted;
  for (const auto& runner : runners_) wanted.push_back(runner->ask());
  std::vector<Check> checks;
  for (std::size_t i = 0; i < runners_.size(); ++i) checks.push_back(runners_[i]->wait(wanted[i], until));
  return checks;
}

}  // namespace media::server
