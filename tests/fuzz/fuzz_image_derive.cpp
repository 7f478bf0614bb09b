// Any bytes as a picture: sniffed, decoded with a small budget, made into three small stills, one of which takes all that can be asked for,
// into an animation, and, where it is neither JPEG nor WebP, into a still of ten bits.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "image/pipeline.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace media;
  DeriveOptions options;
  options.budget.max_pixels = 1U << 18U;
  options.budget.max_memory_bytes = 64U << 20U;
  options.budget.deadline = std::chrono::seconds(5);
  Transform small;
  small.format = Format::png;
  small.width = 24;
  small.height = 16;
  small.fit = Fit::cover;
  Transform other = small;
  other.format = Format::jpeg;
  other.width = 9;
  other.height = 0;
  Transform edited = small;
  edited.format = Format::webp;
  edited.gravity.smart = true;
  edited.trim = 20;
  edited.rotate_degrees = 90;
  edited.flip_horizontal = true;
  edited.sharpen_hundredths = 150;
  edited.blur_hundredths = 250;
  edited.keep_profile = true;
  edited.keep_copyright = true;
  Transform deep = edited;
  deep.format = Format::avif;
  deep.depth = 10;
  Transform moving = small;
  moving.format = Format::gif;
  moving.frames = Frames::all;
  options.budget.max_frames = 40;
  options.budget.max_total_pixels = 1U << 20U;
  const Transform transforms[] = {small, other, edited};
  const MemoryReader reader(std::as_bytes(std::span(data, size)));
  const auto derived = image::derive(reader, transforms, options);
  if (derived ? derived->outputs.size() != 3 : derived.error().code == Errc::internal) std::abort();
  // Encoding takes longest, so not every input has to.
  if (derived && derived->source.format != Format::jpeg && derived->source.format != Format::webp) {
    const auto wide = image::derive(reader, std::span(&deep, 1), options);
    if (wide ? wide->outputs.size() != 1 : wide.error().code == Errc::internal) std::abort();
  }
  const auto frames = image::derive(reader, std::span(&moving, 1), options);
  if (frames ? frames->outputs.size() != 1 || frames->source.frames > 100'000 : frames.error().code == Errc::internal) std::abort();
  const auto info = image::probe(reader, options);
  if (derived && !info) std::abort();
  return 0;
}
