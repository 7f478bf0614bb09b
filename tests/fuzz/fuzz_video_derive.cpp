// Any bytes as a video: what the headers tell, and with a small budget a still, one of a moment, a clip and a sheet.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "media/details.hpp"
#include "video/derive.hpp"
#include "video/process.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace media;
  video::get_ready();
  DeriveOptions options;
  options.budget.max_pixels = 1U << 18U;
  options.budget.max_memory_bytes = 64U << 20U;
  options.budget.max_total_pixels = 1U << 22U;
  options.budget.deadline = std::chrono::seconds(5);
  Transform still;
  still.format = Format::jpeg;
  still.width = 24;
  Transform moment = still;
  moment.at = std::chrono::milliseconds(400);
  Transform clip = still;
  clip.format = Format::gif;
  clip.frames = Frames::clip;
  Transform sheet = still;
  sheet.frames = Frames::sheet;
  const MemoryReader reader(std::as_bytes(std::span(data, size)));
  for (const Transform& transform : {still, moment, clip, sheet}) {
    const auto derived = video::derive(reader, std::span(&transform, 1), options);
    if (derived ? derived->outputs.size() != 1 || derived->outputs.front().bytes.empty() : derived.error().code == Errc::internal)
      std::abort();
  }
  const auto details = probe_details(reader);
  if (!details && details.error().code == Errc::internal) std::abort();
  return 0;
}
