#include "video/choose.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "video/convert.hpp"

namespace media::video {
namespace {

constexpr std::uint32_t kLookWidth = 192;
/// Shares of the duration, in the order in which they are looked at: beginnings and ends are titles.
constexpr std::array kShares{0.2, 0.4, 0.6, 0.1, 0.8, 0.3, 0.5, 0.05, 0.0};
constexpr std::size_t kAtLeast = 3;
constexpr double kEnough = 0.6;
/// Below this it is black, white, or nothing in particular: then frames are worth decoding that are no key frames.
constexpr double kPoor = 0.2;
constexpr std::array kSharesBetween{0.25, 0.5, 0.75};
/// Of a file that does not say how long it is.
constexpr std::chrono::milliseconds kGuessedDuration{10'000};

image::Size look_size(const AVFrame& frame) {
  const double scale = std::min(1.0, static_cast<double>(kLookWidth) / std::max(frame.width, frame.height));
  const auto side = [&](int full) { return static_cast<std::uint32_t>(std::max(std::lround(full * scale), 1L)); };
  return {side(frame.width), side(frame.height)};
}

double ramp(double value, double from, double to) { return std::clamp((value - from) / (to - from), 0.0, 1.0); }

/// The best so far.
class Choice {
 public:
  explicit Choice(const image::Control& control) : control_(control) {}

  Result<void> consider(Timed&& timed) {
    if (!seen_.insert(timed.time.count()).second) return {};
    MEDIA_TRY_ASSIGN(const image::Image look, converter_.convert(*timed.frame, look_size(*timed.frame), control_));
    ++looked_at_;
    const double score = liveliness(look);
    if (best_ && score <= best_score_) return {};
    best_score_ = score;
    best_ = std::move(timed);
    return {};
  }
  [[nodiscard]] bool is_enough() const noexcept { return looked_at_ >= kAtLeast && best_score_ >= kEnough; }
  [[nodiscard]] bool is_poor() const noexcept { return !best_ || best_score_ < kPoor; }
  std::optional<Timed> take() { return std::move(best_); }

 private:
  const image::Control& control_;
  Converter converter_;
  std::set<std::int64_t> seen_;
  std::size_t looked_at_ = 0;
  double best_score_ = -1;
  std::optional<Timed> best_;
};

}  // namespace

double liveliness(const image::Image& picture) {
  const std::uint32_t width = picture.size.width;
  const std::uint32_t height = picture.size.height;
  std::vector<int> grey(picture.size.pixels());
  for (std::size_t i = 0; i < grey.size(); ++i) {
    const std::uint8_t* const c = &picture.data[i * 3];
    grey[i] = (77 * c[0] + 150 * c[1] + 29 * c[2] + 128) >> 8;
  }
  std::array<std::uint32_t, 64> histogram{};
  double sum = 0;
  double squares = 0;
  for (const int value : grey) {
    ++histogram[static_cast<std::size_t>(value >> 2)];
    sum += value;
    squares += static_cast<double>(value) * value;
  }
  const auto count = static_cast<double>(grey.size());
  const double mean = sum / count;
  const double deviation = std::sqrt(std::max(squares / count - mean * mean, 0.0));
  double entropy = 0;
  double dark = 0;
  double bright = 0;
  for (std::size_t i = 0; i < histogram.size(); ++i) {
    const double share = histogram[i] / count;
    if (share > 0) entropy -= share * std::log2(share);
    if (i < 6) dark += share;
    if (i >= 61) bright += share;
  }
  double edges = 0;
  for (std::uint32_t y = 1; y + 1 < height; ++y) {
    for (std::uint32_t x = 1; x + 1 < width; ++x) {
      const std::size_t at = std::size_t{y} * width + x;
      edges += std::abs(4 * grey[at] - grey[at - 1] - grey[at + 1] - grey[at - width] - grey[at + width]);
    }
  }
  const double sharpness = ramp(edges / count / 4, 0, 5);
  const double exposure = ramp(mean, 12, 60) * ramp(1 - dark, 0.1, 0.6) * ramp(1 - bright, 0.1, 0.6);
  return exposure * (0.45 * entropy / 6 + 0.2 * ramp(deviation, 5, 50) + 0.35 * std::sqrt(sharpness));
}

Result<Timed> representative(Container& container, FrameSource& frames, const image::Control& control) {
  const auto duration = container.info().duration.value_or(kGuessedDuration);
  const auto moment = [&](double share) {
    return std::chrono::milliseconds(static_cast<std::int64_t>(static_cast<double>(duration.count()) * share));
  };
  Choice choice(control);
  std::optional<std::chrono::milliseconds> last;
  for (const double share : kShares) {
    if (choice.is_enough()) break;
    MEDIA_TRY_ASSIGN(auto frame, frames.key_frame(moment(share), last));
    if (!frame) continue;
    last = frame->time;
    MEDIA_TRY(choice.consider(std::move(*frame)));
  }
  for (const double share : kSharesBetween) {
    if (!choice.is_poor()) break;
    MEDIA_TRY_ASSIGN(auto frame, frames.frame_at(moment(share)));
    if (frame) MEDIA_TRY(choice.consider(std::move(*frame)));
  }
  if (auto best = choice.take()) return std::move(*best);
  return Error{Errc::corrupt, "the video has no frame that can be decoded"};
}

}  // namespace media::video
