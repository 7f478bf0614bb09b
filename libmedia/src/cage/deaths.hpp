/// Deaths of workers, counted.
#pragma once

#include <atomic>
#include <cstdint>

#include "cage/child.hpp"
#include "media/measures.hpp"

namespace media::cage {

/// Thread-safety: may be used concurrently, because the counts are atomic and none depends on another.
class DeathCount {
 public:
  void count(const Ending& ending) noexcept;
  void count_late() noexcept { ++late_; }
  void count_nonsense() noexcept { ++nonsense_; }
  void count_not_started() noexcept { ++not_started_; }
  [[nodiscard]] WorkerDeaths sums() const noexcept;

 private:
  std::atomic<std::uint64_t> crashed_{0};
  std::atomic<std::uint64_t> killed_{0};
  std::atomic<std::uint64_t> exited_{0};
  std::atomic<std::uint64_t> late_{0};
  std::atomic<std::uint64_t> nonsense_{0};
  std::atomic<std::uint64_t> not_started_{0};
};

/// What a Processor that has workers tells beside.
class TellsDeaths {
 public:
  virtual ~TellsDeaths() = default;
  TellsDeaths(const TellsDeaths&) = delete;
  TellsDeaths& operator=(const TellsDeaths&) = delete;

  [[nodiscard]] virtual WorkerDeaths picture_worker_deaths() const noexcept = 0;
  [[nodiscard]] virtual WorkerDeaths video_worker_deaths() const noexcept = 0;

 protected:
  TellsDeaths() = default;
};

}  // namespace media::cage
