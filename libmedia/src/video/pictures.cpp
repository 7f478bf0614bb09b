#include "video/pictures.hpp"

extern "C" {
#include <libavutil/mathematics.h>
#include <libavutil/pixdesc.h>
}

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>

#include "image/format.hpp"
#include "image/orient.hpp"
#include "media/inspect.hpp"
#include "video/convert.hpp"
#include "video/frames.hpp"
#include "video/still.hpp"

namespace media::video {
namespace {

using std::chrono::milliseconds;

/// What a video is made to fit into, unless a size is asked for: 720p, lying or standing.
constexpr std::uint32_t kLongSide = 1280;
constexpr std::uint32_t kShortSide = 720;
constexpr std::int64_t kMicroseconds = 1'000'000;
constexpr std::int64_t kLeastStep = kTicks / kMaxFrameRate;
/// A picture that is said to stand for longer stands for so long, and what is heard meanwhile goes with it.
constexpr std::int64_t kLongestStep = 600LL * kTicks;
/// What is shown for no longer than this, browsers show for a tenth of a second (see image/animate.cpp).
constexpr milliseconds kTooShort{10};
constexpr milliseconds kShownInstead{100};

Error no_memory() { return Error{Errc::too_large, "a frame takes more memory than the budget allows"}; }

/// Even sides, of at most the box and the picture.
image::Size fitted(image::Size upright, const Transform& transform) {
  double width = transform.width;
  double height = transform.height;
  if (transform.width == 0 && transform.height == 0) {
    const bool lies = upright.width >= upright.height;
    width = lies ? kLongSide : kShortSide;
    height = lies ? kShortSide : kLongSide;
  }
  double scale = 1;
  if (width > 0) scale = std::min(scale, width / upright.width);
  if (height > 0) scale = std::min(scale, height / upright.height);
  const auto side = [scale](std::uint32_t whole) {
    return std::max<std::uint32_t>(2, static_cast<std::uint32_t>(std::lround(whole * scale)) & ~std::uint32_t{1});
  };
  return {side(upright.width), side(upright.height)};
}

FrameHandle planar_frame(image::Size size) {
  FrameHandle frame(av_frame_alloc());
  if (!frame) return nullptr;
  frame->format = AV_PIX_FMT_YUV420P;
  frame->width = static_cast<int>(size.width);
  frame->height = static_cast<int>(size.height);
  if (av_frame_get_buffer(frame.get(), 0) < 0) return nullptr;
  return frame;
}

void turn_plane(const std::uint8_t* from, int from_stride, int width, int height, std::uint8_t* into, int into_stride,
                std::uint8_t orientation) {
  const image::Reversed reversed = image::reversed_by(orientation);
  const bool lies_across = orientation >= 5;
  const int out_width = lies_across ? height : width;
  const int out_height = lies_across ? width : height;
  for (int y = 0; y < out_height; ++y) {
    std::uint8_t* const row = into + static_cast<std::ptrdiff_t>(y) * into_stride;
    for (int x = 0; x < out_width; ++x) {
      const int along = lies_across ? y : x;
      const int down = lies_across ? x : y;
      const int source_x = reversed.x ? width - 1 - along : along;
      const int source_y = reversed.y ? height - 1 - down : down;
      row[x] = from[static_cast<std::ptrdiff_t>(source_y) * from_stride + source_x];
    }
  }
}

/// Scales, converts and turns.
///
/// Thread-safety: none; it works in its tables.
class Shaper {
 public:
  /// What `sws_scale` takes, and how it is coded.
  struct Pixels {
    const std::uint8_t* const* planes;
    const int* strides;
    int width;
    int height;
    AVPixelFormat format;
    int matrix;
    bool full;
  };

  /// `size` is that of the upright result.
  Result<FrameHandle> shape(const Pixels& pixels, image::Size size, std::uint8_t orientation) {
    const image::Size coded = image::upright(size, orientation);  // turned back, which exchanges the same sides
    MEDIA_TRY(prepare(pixels, coded));
    FrameHandle frame = planar_frame(coded);
    if (!frame) return no_memory();
    if (sws_scale(scaler_.get(), pixels.planes, pixels.strides, 0, pixels.height, frame->data, frame->linesize) < 0) return no_memory();
    if (orientation <= 1 || orientation > 8) return frame;
    FrameHandle turned = planar_frame(size);
    if (!turned) return no_memory();
    for (int plane = 0; plane < 3; ++plane) {
      const int shift = plane == 0 ? 0 : 1;
      turn_plane(frame->data[plane], frame->linesize[plane], frame->width >> shift, frame->height >> shift, turned->data[plane],
                 turned->linesize[plane], orientation);
    }
    return turned;
  }

 private:
  Result<void> prepare(const Pixels& pixels, image::Size coded) {
    const std::array<int, 7> made_for{pixels.width,
                                      pixels.height,
                                      static_cast<int>(pixels.format),
                                      pixels.matrix,
                                      pixels.full,
                                      static_cast<int>(coded.width),
                                      static_cast<int>(coded.height)};
    if (scaler_ && made_for == made_for_) return {};
    if (sws_isSupportedInput(pixels.format) == 0) {
      const char* const name = av_get_pix_fmt_name(pixels.format);
      return Error{Errc::unsupported, std::string("frames of the pixel format ") + (name != nullptr ? name : "?") + " cannot be converted"};
    }
    const bool shrinks = static_cast<int>(coded.width) < pixels.width;
    const int flags = (shrinks ? SWS_AREA : SWS_BILINEAR) | SWS_ACCURATE_RND;
    scaler_.reset(sws_getContext(pixels.width, pixels.height, pixels.format, static_cast<int>(coded.width), static_cast<int>(coded.height),
                                 AV_PIX_FMT_YUV420P, flags, nullptr, nullptr, nullptr));
    if (!scaler_) return no_memory();
    sws_setColorspaceDetails(scaler_.get(), sws_getCoefficients(pixels.matrix), pixels.full ? 1 : 0, sws_getCoefficients(SWS_CS_ITU709), 0,
                             0, 1 << 16, 1 << 16);
    made_for_ = made_for;
    return {};
  }

  ScalerHandle scaler_;
  std::array<int, 7> made_for_{};
};

Result<FrameHandle> shaped(Shaper& shaper, const image::Image& image, image::Size size, std::uint8_t orientation) {
  const std::uint8_t* const planes[4] = {image.data.data(), nullptr, nullptr, nullptr};
  const int strides[4] = {static_cast<int>(image.stride()), 0, 0, 0};
  return shaper.shape(
      {planes, strides, static_cast<int>(image.size.width), static_cast<int>(image.size.height), AV_PIX_FMT_RGB24, SWS_CS_ITU709, true},
      size, orientation);
}

class FilmPictures final : public Pictures {
 public:
  FilmPictures(const Transform& transform, const image::Control& control) : transform_(transform), control_(control) {}

  Result<void> open(const ByteReader& source) {
    MEDIA_TRY_ASSIGN(container_, Container::open(source, control_));
    MEDIA_TRY_ASSIGN(frames_, FrameSource::open(*container_, control_));
    info_ = container_->info();
    const AVRational rate = container_->stream().avg_frame_rate;
    if (rate.num > 0 && rate.den > 0) rate_ = av_q2d(rate);
    return {};
  }

  [[nodiscard]] double share_done() const noexcept override { return share_done_; }
  [[nodiscard]] bool has_sound() const noexcept override { return container_->has_sound(); }

  Result<std::optional<Picture>> next() override {
    for (;;) {
      MEDIA_TRY(control_.check());
      MEDIA_TRY_ASSIGN(const auto timed, frames_->next());
      if (!timed) return std::optional<Picture>();
      const AVFrame& frame = *timed->frame;
      const auto time = time_of(frame);
      if (!time) continue;
      note_share();
      Picture picture;
      picture.time = *time;
      MEDIA_TRY_ASSIGN(picture.frame, convert(frame));
      return std::optional(std::move(picture));
    }
  }

 private:
  /// By the time that the file says it takes, or by its bytes where that comes to less: some are far longer than they say.
  void note_share() noexcept {
    double share = container_->share_read();
    if (const double said = info_.duration ? static_cast<double>(info_.duration->count()) : 0; said > 0) {
      share = std::min(share, static_cast<double>(last_) * 1000 / kTicks / said);
    }
    share_done_ = std::clamp(share, share_done_, 1.0);
  }

  /// Nothing of a frame that is to be left out.
  std::optional<std::int64_t> time_of(const AVFrame& frame) {
    const AVRational base = container_->stream().time_base;
    std::int64_t time = frame.best_effort_timestamp;
    if (time == AV_NOPTS_VALUE) {
      // Without times frames come at their rate.
      if (!is_first_) return last_ += usual_step();
      time = 0;
    }
    if (is_first_) {
      is_first_ = false;
      first_ = av_rescale_q(time, base, {1, kTicks});
      begin_ = av_rescale_q(time, base, {1, 1'000'000});
      return last_ = 0;
    }
    const std::int64_t ticks = av_sat_sub64(av_rescale_q(time, base, {1, kTicks}), first_);
    // One frame that was out of its time, and not a clock that was set back.
    if (before_back_ && av_sat_sub64(ticks, *before_back_) > last_) skipped_ = *before_back_;
    before_back_.reset();
    std::int64_t step = av_sat_sub64(av_sat_sub64(ticks, skipped_), last_);
    if (step < 0) {
      // Two recordings in one file, say: the second goes on where the first ended.
      before_back_ = skipped_;
      step = usual_step();
      skipped_ = av_sat_sub64(ticks, last_ + step);
    }
    if (step < kLeastStep) return std::nullopt;
    if (step > kLongestStep) {
      const std::int64_t begin = av_sat_sub64(ticks, step - kLongestStep);
      cuts_.add(av_rescale(begin, kMicroseconds, kTicks), av_rescale(ticks, kMicroseconds, kTicks));
      skipped_ = av_sat_add64(skipped_, step - kLongestStep);
      step = kLongestStep;
    }
    return last_ += step;
  }
  [[nodiscard]] std::int64_t usual_step() const noexcept { return static_cast<std::int64_t>(kTicks / rate()); }

  Result<FrameHandle> convert(const AVFrame& frame) {
    const image::Size seen = picture_of(frame, container_->stream());
    if (size_.width == 0) size_ = fitted(image::upright(seen, info_.orientation), transform_);
    if (!light_of(frame).plain()) {
      MEDIA_TRY_ASSIGN(const image::Image image, converter_.convert(frame, image::upright(size_, info_.orientation), control_));
      return shaped(shaper_, image, size_, info_.orientation);
    }
    return shaper_.shape({frame.data, frame.linesize, frame.width, frame.height, static_cast<AVPixelFormat>(frame.format), matrix_of(frame),
                          is_full_range(frame)},
                         size_, info_.orientation);
  }

  const Transform& transform_;
  const image::Control& control_;
  std::unique_ptr<Container> container_;
  std::unique_ptr<FrameSource> frames_;
  Shaper shaper_;
  Converter converter_;
  bool is_first_ = true;
  std::int64_t first_ = 0;
  std::int64_t last_ = 0;
  std::int64_t skipped_ = 0;                   ///< By which the file's clock is ahead of ours, beside `first_`.
  std::optional<std::int64_t> before_back_{};  ///< The same before the last frame, which went back.
  double share_done_ = 0;
};

class AnimationPictures final : public Pictures {
 public:
  AnimationPictures(const Transform& transform, const image::Control& control) : transform_(transform), control_(control) {}

  Result<void> open(const ByteReader& source, const image::Codec& codec) {
    MEDIA_TRY_ASSIGN(decoder_, codec.open(source, control_));
    MEDIA_TRY_ASSIGN(reader_, decoder_->frames());
    if (!reader_) return Error{Errc::unsupported, "no video comes of a picture that does not move"};
    info_ = decoder_->header().info;
    const image::Size picture = decoder_->header().picture;
    MEDIA_TRY(control_.check_frames(reader_->frames(), picture, "the animation"));
    MEDIA_TRY(control_.check_memory(reader_->working_bytes() + picture.pixels() * 12, "the animation"));
    size_ = fitted(image::upright(picture, info_.orientation), transform_);
    return {};
  }

  [[nodiscard]] double share_done() const noexcept override {
    return std::min(1.0, static_cast<double>(given_) / std::max(reader_->frames(), 1U));
  }

  Result<std::optional<Picture>> next() override {
    MEDIA_TRY(control_.check());
    MEDIA_TRY_ASSIGN(auto frame, reader_->next());
    if (!frame) return std::optional<Picture>();
    ++given_;
    const milliseconds shown = frame->shown <= kTooShort ? kShownInstead : frame->shown;
    Picture picture;
    picture.time = end_;
    end_ += std::min<std::int64_t>(shown.count() * (kTicks / 1000), kLongestStep);
    const image::Image image = image::flatten(std::move(frame->image), Colour{});
    MEDIA_TRY_ASSIGN(picture.frame, shaped(shaper_, image, size_, info_.orientation));
    return std::optional(std::move(picture));
  }

 private:
  const Transform& transform_;
  const image::Control& control_;
  std::unique_ptr<image::Decoder> decoder_;
  std::unique_ptr<image::FrameReader> reader_;  // refers to the decoder
  Shaper shaper_;
  std::uint32_t given_ = 0;
};

}  // namespace

Result<std::unique_ptr<Pictures>> open_pictures(const ByteReader& source, const Transform& transform, const image::Control& control) {
  std::array<std::byte, media::kSniffBytes> head{};
  MEDIA_TRY_ASSIGN(const std::size_t got, source.read_at(0, head));
  const Format format = sniff(std::span(head).first(got));
  if (is_video(format)) {
    auto film = std::make_unique<FilmPictures>(transform, control);
    MEDIA_TRY(film->open(source));
    return std::unique_ptr<Pictures>(std::move(film));
  }
  const image::Codec* const codec = image::find_codec(format);
  if (codec == nullptr) return Error{Errc::unsupported, "no video comes of " + std::string(to_string(format))};
  auto animation = std::make_unique<AnimationPictures>(transform, control);
  MEDIA_TRY(animation->open(source, *codec));
  return std::unique_ptr<Pictures>(std::move(animation));
}

}  // namespace media::video
