#include "video/still.hpp"

#include <algorithm>
#include <utility>

#include "video/choose.hpp"
#include "video/convert.hpp"

namespace media::video {
namespace {

class StillDecoder final : public image::WholeDecoder {
 public:
  StillDecoder(std::shared_ptr<const Still> still, const image::Control& control) : still_(std::move(still)), control_(control) {
    header_.info = still_->info;
    header_.picture = still_->picture;
  }

  [[nodiscard]] image::Size size_for(image::Size wanted) const override { return enough_for(header_.picture, wanted); }

  Result<image::Rows> start(image::Size wanted) override {
    MEDIA_TRY_ASSIGN(image_, Converter().convert(*still_->frame, size_for(wanted), control_));
    return image::Rows{image_.size, image_.layout};
  }

 private:
  std::shared_ptr<const Still> still_;
  const image::Control& control_;
};

}  // namespace

image::Size picture_of(const AVFrame& frame, const AVStream& stream) noexcept {
  const AVRational of_stream = stream.sample_aspect_ratio.num > 0 ? stream.sample_aspect_ratio : stream.codecpar->sample_aspect_ratio;
  return displayed({static_cast<std::uint32_t>(frame.width), static_cast<std::uint32_t>(frame.height)},
                   of_stream.num > 0 ? of_stream : frame.sample_aspect_ratio);
}

image::Size enough_for(image::Size picture, image::Size wanted) noexcept {
  const std::uint32_t across = picture.width / (2 * std::max(wanted.width, 1U));
  const std::uint32_t down = picture.height / (2 * std::max(wanted.height, 1U));
  const std::uint32_t part = std::min(across, down);
  if (part < 2) return picture;
  return {(picture.width + part - 1) / part, (picture.height + part - 1) / part};
}

Result<std::shared_ptr<const Still>> take_still(const ByteReader& source, std::optional<std::chrono::milliseconds> at,
                                                const image::Control& control) {
  MEDIA_TRY_ASSIGN(const auto container, Container::open(source, control));
  MEDIA_TRY_ASSIGN(const auto frames, FrameSource::open(*container, control));
  auto still = std::make_shared<Still>();
  still->info = container->info();
  if (at) {
    MEDIA_TRY_ASSIGN(auto timed, frames->frame_at(*at));
    if (!timed) return Error{Errc::corrupt, "the video has no frame that can be decoded"};
    still->frame = std::move(timed->frame);
  } else {
    MEDIA_TRY_ASSIGN(auto timed, representative(*container, *frames, control));
    still->frame = std::move(timed.frame);
  }
  still->picture = picture_of(*still->frame, container->stream());
  MEDIA_TRY(control.check_pixels(still->picture, "the video"));
  return std::shared_ptr<const Still>(std::move(still));
}

std::unique_ptr<image::Decoder> decoder_of(std::shared_ptr<const Still> still, const image::Control& control) {
  return std::make_unique<StillDecoder>(std::move(still), control);
}

}  // namespace media::video
