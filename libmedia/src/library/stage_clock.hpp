/// How long the stages of ingest and derivation take, summed up for `measures`.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "media/measures.hpp"

namespace media {

/// Thread-safety: may be used concurrently, because each number is atomic; a reader may see a count whose sum is still to come.
class StageClock {
 public:
  using Steady = std::chrono::steady_clock;

  void note(Stage stage, Format format, Steady::duration took) noexcept;
  /// Since then.
  void note(Stage stage, Format format, Steady::time_point begun) noexcept { note(stage, format, Steady::now() - begun); }
  /// Of what happened at all.
  [[nodiscard]] std::vector<StageTimes> times() const;

 private:
  static constexpr std::size_t kStages = static_cast<std::size_t>(Stage::derive_keep) + 1;
  static constexpr std::size_t kFormats = static_cast<std::size_t>(Format::ogg) + 1;
  struct Cell {
    std::array<std::atomic<std::uint64_t>, StageTimes::kBounds.size() + 1> counts{};
    std::atomic<double> sum_seconds{0};
  };
  std::array<std::array<Cell, kFormats>, kStages> cells_{};
};

}  // namespace media
