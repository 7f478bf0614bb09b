#include "video/frames.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace media::video {
namespace {

/// Looked at for a key frame before the file is given up.
constexpr int kMaxPackets = 20'000;
/// Key frames that turn out to be none: some writers mark every frame.
constexpr int kMaxFalseKeys = 12;
/// Frames on the way to a moment, together: about 2,000 of 1080p.
constexpr std::uint64_t kMaxPixelsOnTheWay = 4'000'000'000;
constexpr std::uint64_t kMaxFramesOnTheWay = 3'000;

Error no_memory() { return Error{Errc::too_large, "the video takes more memory than the budget allows"}; }

/// AVCodecContext::get_buffer2. Decoders pass over what they find no memory for as over damage, so that a film would end early and nobody
/// knew.
int take_buffer(AVCodecContext* context, AVFrame* frame, int flags) noexcept {
  const int taken = avcodec_default_get_buffer2(context, frame, flags);
  if (taken == AVERROR(ENOMEM)) *static_cast<bool*>(context->opaque) = true;
  return taken;
}

}  // namespace

Result<std::unique_ptr<FrameSource>> FrameSource::open(Container& container, const image::Control& control) {
  std::unique_ptr<FrameSource> frames(new FrameSource(container, control));
  const AVStream& stream = container.stream();
  MEDIA_TRY(control.check_memory(std::uint64_t{container.info().width} * container.info().height * kFrameBytes, "the video"));
  frames->codec_.reset(avcodec_alloc_context3(&container.decoder()));
  frames->packet_.reset(av_packet_alloc());
  if (!frames->codec_ || !frames->packet_) return no_memory();
  AVCodecContext& codec = *frames->codec_;
  if (avcodec_parameters_to_context(&codec, stream.codecpar) < 0) return no_memory();
  codec.pkt_timebase = stream.time_base;
  codec.thread_count = 1;
  codec.opaque = &frames->out_of_memory_;
  codec.get_buffer2 = take_buffer;
  codec.max_pixels = static_cast<std::int64_t>(std::min<std::uint64_t>(control.budget().max_pixels, INT64_MAX));
  if (const int opened = avcodec_open2(&codec, &container.decoder(), nullptr); opened < 0) {
    if (opened == AVERROR(ENOMEM)) return no_memory();
    return Error{Errc::corrupt,
                 std::string("the video's ") + container.decoder().name + " decoder does not accept what the file says of it"};
  }
  return frames;
}

Result<void> FrameSource::check_frame(const AVFrame& frame) const {
  if (frame.width <= 0 || frame.height <= 0) return Error{Errc::corrupt, "a frame without a size"};
  return control_.check_pixels({static_cast<std::uint32_t>(frame.width), static_cast<std::uint32_t>(frame.height)}, "a frame");
}

Result<std::optional<Timed>> FrameSource::receive() {
  Timed timed{FrameHandle(av_frame_alloc())};
  if (!timed.frame) return no_memory();
  const int got = avcodec_receive_frame(codec_.get(), timed.frame.get());
  if (got == AVERROR(ENOMEM) || out_of_memory_) return no_memory();
  if (got < 0) return std::optional<Timed>();
  MEDIA_TRY(check_frame(*timed.frame));
  timed.time = container_.time_of(timed.frame->best_effort_timestamp);
  return std::optional(std::move(timed));
}

Result<void> FrameSource::go_to(std::chrono::milliseconds time) {
  MEDIA_TRY_ASSIGN(bool sought, container_.seek(container_.timestamp_of(time)));
  // Some files cannot be searched but for their beginning.
  if (!sought) {
    MEDIA_TRY_ASSIGN(sought, container_.seek(0));
  }
  avcodec_flush_buffers(codec_.get());
  ahead_.reset();
  drained_ = false;
  return {};
}

Result<std::optional<Timed>> FrameSource::only_frame_of(const AVPacket& packet) {
  avcodec_flush_buffers(codec_.get());
  const int sent = avcodec_send_packet(codec_.get(), &packet);
  if (sent == AVERROR(ENOMEM)) return no_memory();
  // Told that there is no more, a decoder that puts frames in order hands out what it has.
  if (sent >= 0) avcodec_send_packet(codec_.get(), nullptr);
  auto frame = receive();
  avcodec_flush_buffers(codec_.get());
  return frame;
}

Result<std::optional<Timed>> FrameSource::key_frame(std::chrono::milliseconds time, std::optional<std::chrono::milliseconds> unless) {
  MEDIA_TRY(go_to(time));
  int false_keys = 0;
  for (int packets = 0; packets < kMaxPackets && false_keys < kMaxFalseKeys; ++packets) {
    MEDIA_TRY_ASSIGN(const bool more, container_.read(*packet_));
    if (!more) break;
    if ((packet_->flags & AV_PKT_FLAG_KEY) == 0) continue;
    const std::int64_t timestamp = packet_->pts != AV_NOPTS_VALUE ? packet_->pts : packet_->dts;
    if (unless && container_.time_of(timestamp) == *unless) return std::optional<Timed>();
    MEDIA_TRY_ASSIGN(auto frame, only_frame_of(*packet_));
    if (frame) {
      frame->time = container_.time_of(timestamp);
      return frame;
    }
    ++false_keys;
  }
  // No frame stands alone: perhaps some come together.
  MEDIA_TRY(go_to(time));
  return next();
}

Result<std::optional<Timed>> FrameSource::next() {
  if (ahead_) return std::exchange(ahead_, std::nullopt);
  for (int packets = 0; packets < kMaxPackets; ++packets) {
    MEDIA_TRY_ASSIGN(auto frame, receive());
    if (frame || drained_) return frame;
    MEDIA_TRY_ASSIGN(const bool more, container_.read(*packet_));
    drained_ = !more;
    const int sent = avcodec_send_packet(codec_.get(), more ? packet_.get() : nullptr);
    if (sent == AVERROR(ENOMEM)) return no_memory();
  }
  return std::optional<Timed>();
}

Result<std::optional<Timed>> FrameSource::frame_at(std::chrono::milliseconds time) {
  MEDIA_TRY(go_to(time));
  const std::uint64_t pixels = std::max<std::uint64_t>(std::uint64_t{container_.info().width} * container_.info().height, 1);
  const std::uint64_t most = std::clamp<std::uint64_t>(kMaxPixelsOnTheWay / pixels, 1, kMaxFramesOnTheWay);
  std::optional<Timed> shown;
  for (std::uint64_t frames = 0; frames < most; ++frames) {
    MEDIA_TRY(control_.check());
    MEDIA_TRY_ASSIGN(auto frame, next());
    if (!frame) break;
    if (frame->time > time && shown) {
      ahead_ = std::move(frame);
      break;
    }
    const bool is_past = frame->time >= time;
    shown = std::move(frame);
    if (is_past) break;
  }
  // A seek past the end finds nothing in some files; a key frame is always there.
  if (!shown) return key_frame(time);
  return shown;
}

}  // namespace media::video
