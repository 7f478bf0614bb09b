#include "video/sheet.hpp"

#include <algorithm>
#include <utility>

#include "image/orient.hpp"
#include "image/plan.hpp"
#include "image/resample.hpp"
#include "media/inspect.hpp"
#include "media/video.hpp"
#include "video/convert.hpp"
#include "video/still.hpp"

namespace media::video {
namespace {

class SheetDecoder final : public image::WholeDecoder {
 public:
  SheetDecoder(std::unique_ptr<Container> container, const SheetLayout& layout, const image::Control& control)
      : container_(std::move(container)), layout_(layout), control_(control) {}

  Result<void> open(const Transform& transform) {
    MEDIA_TRY_ASSIGN(frames_, FrameSource::open(*container_, control_));
    MEDIA_TRY_ASSIGN(first_, frames_->key_frame(layout_.time_of(0)));
    if (!first_) return Error{Errc::corrupt, "the video has no frame that can be decoded"};
    picture_ = picture_of(*first_->frame, container_->stream());
    orientation_ = container_->info().orientation;
    Transform one = transform;
    one.frames = Frames::first;
    tile_ = image::plan(image::upright(picture_, orientation_), one);
    header_.info.format = container_->info().format;
    header_.picture = {tile_.size.width * layout_.columns, tile_.size.height * layout_.rows};
    header_.info.width = header_.picture.width;
    header_.info.height = header_.picture.height;
    return control_.check_pixels(header_.picture, "the sheet");
  }

  Result<image::Rows> start(image::Size) override {
    MEDIA_TRY(control_.check_memory(image::image_bytes(header_.picture, image::Layout::rgb), "the sheet"));
    image_ = image::Image(header_.picture, image::Layout::rgb);
    for (std::uint32_t i = 0; i < layout_.count; ++i) {
      MEDIA_TRY(control_.check());
      MEDIA_TRY(look_at(i));
      place(i);
    }
    return image::Rows{image_.size, image_.layout};
  }

 private:
  /// Makes the tile, where it is another one than the last.
  Result<void> look_at(std::uint32_t number) {
    std::optional<Timed> timed = std::move(first_);
    first_.reset();
    if (number > 0) {
      MEDIA_TRY_ASSIGN(timed, frames_->key_frame(layout_.time_of(number), shown_));
    }
    if (!timed) return {};
    shown_ = timed->time;
    const image::Geometry coded = tile_.coded(orientation_);
    MEDIA_TRY_ASSIGN(const image::Image image, converter_.convert(*timed->frame, enough_for(picture_, coded.whole_size()), control_));
    current_ = image::orient(image::resample(image, coded), orientation_);
    return {};
  }

  void place(std::uint32_t number) {
    const std::uint32_t left = number % layout_.columns * tile_.size.width;
    const std::uint32_t top = number / layout_.columns * tile_.size.height;
    for (std::uint32_t y = 0; y < current_.size.height; ++y) {
      const auto from = current_.row(y);
      std::copy(from.begin(), from.end(), image_.row(top + y).begin() + std::ptrdiff_t{left} * 3);
    }
  }

  std::unique_ptr<Container> container_;
  SheetLayout layout_;
  const image::Control& control_;
  std::unique_ptr<FrameSource> frames_;
  std::optional<Timed> first_;
  std::optional<std::chrono::milliseconds> shown_;
  image::Size picture_;
  std::uint8_t orientation_ = 1;
  image::Geometry tile_;
  Converter converter_;
  image::Image current_;
};

}  // namespace

Result<std::unique_ptr<image::Decoder>> open_sheet(const ByteReader& source, const Transform& transform, const image::Control& control) {
  // By our own probe, which whoever writes the sheet's index asks, too.
  MEDIA_TRY_ASSIGN(const MediaInfo info, media::probe(source));
  MEDIA_TRY_ASSIGN(const SheetLayout layout, sheet_layout(info));
  MEDIA_TRY_ASSIGN(auto container, Container::open(source, control));
  auto sheet = std::make_unique<SheetDecoder>(std::move(container), layout, control);
  MEDIA_TRY(sheet->open(transform));
  return std::unique_ptr<image::Decoder>(std::move(sheet));
}

}  // namespace media::video
