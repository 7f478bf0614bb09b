// What the library tells of itself to whoever watches it.
#include "media/measures.hpp"

#include <algorithm>
#include <numeric>

#include "cage/deaths.hpp"
#include "library/library_impl.hpp"
#include "library/stage_clock.hpp"

namespace media {

void StageClock::note(Stage stage, Format format, Steady::duration took) noexcept {
  const double seconds = std::chrono::duration<double>(took).count();
  Cell& cell = cells_.at(static_cast<std::size_t>(stage)).at(static_cast<std::size_t>(format));
  const auto* const bound = std::lower_bound(StageTimes::kBounds.begin(), StageTimes::kBounds.end(), seconds);
  cell.counts.at(static_cast<std::size_t>(bound - StageTimes::kBounds.begin())).fetch_add(1, std::memory_order_relaxed);
  cell.sum_seconds.fetch_add(seconds, std::memory_order_relaxed);
}

std::vector<StageTimes> StageClock::times() const {
  std::vector<StageTimes> all;
  for (std::size_t stage = 0; stage < kStages; ++stage) {
    for (std::size_t format = 0; format < kFormats; ++format) {
      const Cell& cell = cells_.at(stage).at(format);
      StageTimes times{static_cast<Stage>(stage), static_cast<Format>(format), {}, cell.sum_seconds};
      std::copy(cell.counts.begin(), cell.counts.end(), times.counts.begin());
      if (std::any_of(times.counts.begin(), times.counts.end(), [](std::uint64_t count) { return count != 0; })) all.push_back(times);
    }
  }
  return all;
}

Measures LibraryImpl::own_measures() const {
  Measures all;
  if (const auto* const workers = dynamic_cast<const cage::TellsDeaths*>(processor_.get()); workers != nullptr) {
    all.picture_workers = workers->picture_worker_deaths();
    all.video_workers = workers->video_worker_deaths();
  }
  all.stages = stages_.times();
  all.read_cache = blob_cache_.numbers();
  return all;
}

Measures measures(const Library& library) {
  const auto* const own = dynamic_cast<const LibraryImpl*>(&library);
  return own != nullptr ? own->own_measures() : Measures{};
}

}  // namespace media
