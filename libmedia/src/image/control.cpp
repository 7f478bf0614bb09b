#include "image/control.hpp"

#include <algorithm>
#include <string>

namespace media::image {

bool Control::must_stop() const noexcept { return options_.stop.stop_requested() || std::chrono::steady_clock::now() > until_; }

Result<void> Control::check() const {
  if (options_.stop.stop_requested()) return Error{Errc::cancelled, "image processing was stopped"};
  if (std::chrono::steady_clock::now() > until_) {
    return Error{Errc::too_large, "image processing took longer than " + std::to_string(budget().deadline.count()) + " ms"};
  }
  return {};
}

Result<void> Control::check_pixels(Size size, std::string_view what) const {
  if (size.pixels() <= budget().max_pixels) return {};
  return Error{Errc::too_large, std::string(what) + " has " + std::to_string(size.width) + " x " + std::to_string(size.height) +
                                    " pixels, more than " + std::to_string(budget().max_pixels)};
}

Result<void> Control::check_frames(std::uint64_t frames, Size size, std::string_view what) const {
  if (frames > budget().max_frames) {
    return Error{Errc::too_large,
                 std::string(what) + " has " + std::to_string(frames) + " frames, more than " + std::to_string(budget().max_frames)};
  }
  if (size.pixels() == 0 || frames <= budget().max_total_pixels / size.pixels()) return {};
  return Error{Errc::too_large, std::string(what) + " has " + std::to_string(frames) + " frames of " + std::to_string(size.width) + " x " +
                                    std::to_string(size.height) + " pixels, together more than " +
                                    std::to_string(budget().max_total_pixels)};
}

Result<void> Control::check_memory(std::uint64_t bytes, std::string_view what) const {
  if (bytes <= budget().max_memory_bytes) return {};
  return Error{Errc::too_large, std::string(what) + " takes " + std::to_string(bytes >> 20U) + " MiB of memory, more than " +
                                    std::to_string(budget().max_memory_bytes >> 20U) + " MiB"};
}

Result<void> Control::check_output(std::uint64_t bytes, std::uint64_t max_bytes, Format format) const {
  const std::uint64_t most = max_bytes == 0 ? budget().max_output_bytes : std::min(max_bytes, budget().max_output_bytes);
  if (bytes <= most) return {};
  return Error{Errc::too_large,
               "the " + std::string(to_string(format)) + " has " + std::to_string(bytes) + " bytes, more than " + std::to_string(most)};
}

void Control::report(double share_done) const {
  if (options_.progress) options_.progress(share_done);
}

}  // namespace media::image
