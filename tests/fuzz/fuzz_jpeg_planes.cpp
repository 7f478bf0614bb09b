// Any bytes as a JPEG: what our own entropy decoder makes of them must be what libjpeg makes of them, sample for sample, or both refuse.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "image/format.hpp"

namespace {

using namespace media;
using namespace media::image;

struct Outcome {
  bool refused = false;
  Errc code = Errc::internal;
  std::vector<std::uint8_t> samples{};
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome refused(const Error& error) { return {true, error.code, {}}; }

Outcome run(const ByteReader& reader, const DeriveOptions& options, Decoders decoders, std::uint32_t divisor) {
  const Control control(options, decoders);
  auto opened = kJpeg.open(reader, control);
  if (!opened) return refused(opened.error());
  PlaneDecoder* planes = (*opened)->planes();
  if (planes == nullptr) return {};
  const Size picture = (*opened)->header().picture;
  const std::uint32_t scale = planes->scale_for({std::max(picture.width / divisor, 1U), std::max(picture.height / divisor, 1U)});
  const auto all_grids = planes->start_planes({&scale, 1});
  if (!all_grids) return refused(all_grids.error());
  const auto& grids = all_grids->front();
  Outcome outcome;
  for (std::uint32_t y = 0; y < grids[0].size.height;) {
    const auto all_rows = planes->read_rows();
    if (!all_rows) return refused(all_rows.error());
    const PlaneRows& rows = all_rows->front();
    for (std::size_t plane = 0; plane < grids.size(); ++plane) {
      const auto& part = rows.planes[plane];
      for (std::uint32_t i = 0; i < part.count; ++i) {
        const std::uint8_t* row = part.data + i * part.stride;
        outcome.samples.insert(outcome.samples.end(), row, row + grids[plane].size.width);
      }
    }
    y += rows.planes[0].count;
  }
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  DeriveOptions options;
  options.budget.max_pixels = 1U << 18U;
  options.budget.max_memory_bytes = 64U << 20U;
  // The fuzzer has a time-out of its own; one of ours would make an outcome depend on how busy the machine is.
  options.budget.deadline = std::chrono::hours(24);
  // The last byte chooses the scale; for a JPEG it is of no other use.
  constexpr std::array<std::uint32_t, 3> kDivisors{3, 8, 20};
  const std::uint32_t divisor = kDivisors[data[size - 1] % kDivisors.size()];
  const MemoryReader reader(std::as_bytes(std::span(data, size)));
  const Outcome own = run(reader, options, Decoders::own, divisor);
  const Outcome established = run(reader, options, Decoders::established, divisor);
  if (own != established) {
    std::size_t at = 0;
    while (at < own.samples.size() && at < established.samples.size() && own.samples[at] == established.samples[at]) ++at;
    std::fprintf(stderr, "own %d %d %zu, established %d %d %zu, first difference at %zu\n", own.refused, static_cast<int>(own.code),
                 own.samples.size(), established.refused, static_cast<int>(established.code), established.samples.size(), at);
    std::abort();
  }
  return 0;
}
