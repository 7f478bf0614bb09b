#include "video/clip.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "image/orient.hpp"
#include "image/plan.hpp"
#include "video/choose.hpp"
#include "video/convert.hpp"
#include "video/still.hpp"

namespace media::video {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kClip{3'000};
constexpr milliseconds kStep{100};
constexpr auto kSteps = static_cast<std::uint32_t>(kClip / kStep);

class ClipDecoder;

class ClipReader final : public image::FrameReader {
 public:
  explicit ClipReader(ClipDecoder& clip);
  [[nodiscard]] std::uint64_t working_bytes() const noexcept override;
  /// And there are at most `kSteps` of them, of pixels that were checked.
  [[nodiscard]] bool are_reduced() const noexcept override { return true; }
  Result<std::optional<image::Frame>> next() override;

 private:
  ClipDecoder& clip_;
  std::uint32_t step_ = 0;
  Timed shown_;
  std::optional<Timed> later_;
  Converter converter_;
};

class ClipDecoder final : public image::WholeDecoder {
 public:
  ClipDecoder(std::unique_ptr<Container> container, const image::Control& control) : container_(std::move(container)), control_(control) {}

  Result<void> open(const Transform& transform) {
    MEDIA_TRY_ASSIGN(frames_, FrameSource::open(*container_, control_));
    MEDIA_TRY_ASSIGN(begin_, find_begin(transform.at));
    MEDIA_TRY_ASSIGN(auto first, frames_->frame_at(begin_));
    if (!first) return Error{Errc::corrupt, "the video has no frame that can be decoded"};
    header_.info = container_->info();
    header_.picture = size_for_clip(picture_of(*first->frame, container_->stream()), transform);
    first_ = std::move(*first);
    return {};
  }

  Result<image::Rows> start(image::Size) override {
    if (!first_.frame) return Error{Errc::internal, "a clip's first frame is gone"};
    MEDIA_TRY_ASSIGN(image_, Converter().convert(*first_.frame, header_.picture, control_));
    return image::Rows{image_.size, image_.layout};
  }

  Result<std::unique_ptr<image::FrameReader>> frames() override { return std::unique_ptr<image::FrameReader>(new ClipReader(*this)); }

 private:
  friend class ClipReader;

  Result<milliseconds> find_begin(std::optional<milliseconds> at) {
    if (at) return *at;
    MEDIA_TRY_ASSIGN(const Timed chosen, representative(*container_, *frames_, control_));
    const milliseconds latest = container_->info().duration.value_or(chosen.time + kClip) - kClip;
    return std::max(std::min(chosen.time, latest), milliseconds(0));
  }

  /// Where the transform scales, and does not look at every pixel of an edge.
  [[nodiscard]] image::Size size_for_clip(image::Size picture, const Transform& transform) const {
    const bool scales = (transform.width != 0 || transform.height != 0) && transform.fit != Fit::none && transform.trim == 0;
    if (!scales) return picture;
    const auto orientation = container_->info().orientation;
    const image::Geometry geometry = image::plan(image::upright(picture, orientation), transform);
    return enough_for(picture, geometry.coded(orientation).whole_size());
  }

  std::unique_ptr<Container> container_;
  const image::Control& control_;
  std::unique_ptr<FrameSource> frames_;
  milliseconds begin_{0};
  Timed first_;
};

ClipReader::ClipReader(ClipDecoder& clip) : clip_(clip), shown_(std::move(clip.first_)) {
  plays_ = 0;
  frames_ = kSteps;
}

std::uint64_t ClipReader::working_bytes() const noexcept {
  const MediaInfo& info = clip_.container_->info();
  return std::uint64_t{info.width} * info.height * kFrameBytes;
}

Result<std::optional<image::Frame>> ClipReader::next() {
  if (step_ == kSteps) return std::optional<image::Frame>();
  const milliseconds time = clip_.begin_ + step_ * kStep;
  for (;;) {
    if (!later_) {
      MEDIA_TRY_ASSIGN(later_, clip_.frames_->next());
    }
    if (!later_ || later_->time > time) break;
    shown_ = std::move(*later_);
    later_.reset();
  }
  // Behind the last frame there is nothing to be shown.
  if (!later_ && step_ > 0 && time > shown_.time + kStep) return std::optional<image::Frame>();
  ++step_;
  MEDIA_TRY_ASSIGN(image::Image image, converter_.convert(*shown_.frame, clip_.header().picture, clip_.control_));
  return std::optional(image::Frame{std::move(image), kStep});
}

}  // namespace

Result<std::unique_ptr<image::Decoder>> open_clip(const ByteReader& source, const Transform& transform, const image::Control& control) {
  MEDIA_TRY_ASSIGN(auto container, Container::open(source, control));
  auto clip = std::make_unique<ClipDecoder>(std::move(container), control);
  MEDIA_TRY(clip->open(transform));
  return std::unique_ptr<image::Decoder>(std::move(clip));
}

}  // namespace media::video
