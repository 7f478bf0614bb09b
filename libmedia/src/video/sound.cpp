#include "video/sound.hpp"

extern "C" {
#include <libavutil/channel_layout.h>
#include <libavutil/mathematics.h>
#include <libavutil/samplefmt.h>
}

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <utility>

namespace media::video {
namespace {

/// What both encoders take, and every browser plays.
constexpr int kRate = 48'000;
constexpr std::int64_t kBitsPerChannel = 64'000;
/// Clocks that differ by less are left alone: filling up and leaving out is heard.
constexpr std::int64_t kTolerance = kRate / 10;
constexpr std::int64_t kMicroseconds = 1'000'000;
constexpr int kMaxPackets = 20'000;
constexpr int kMaxChannels = 64;
constexpr int kMaxRate = 768'000;
/// Of a frame, in and out together: no codec of ours has so many.
constexpr int kMaxSamples = 1 << 22;

Error no_memory() { return Error{Errc::too_large, "the video's sound takes more memory than the budget allows"}; }

}  // namespace

Result<std::unique_ptr<Sound>> Sound::open(const ByteReader& source, Format format, const Pictures& pictures, Muxer& muxer,
                                           const image::Control& control) {
  std::unique_ptr<Sound> sound(new Sound(pictures, muxer, control));
  MEDIA_TRY_ASSIGN(sound->container_, Container::open(source, control, Track::sound));
  sound->packet_.reset(av_packet_alloc());
  if (!sound->packet_) return no_memory();
  MEDIA_TRY(sound->open_decoder());
  MEDIA_TRY(sound->open_encoder(format));
  return sound;
}

Result<void> Sound::open_decoder() {
  const AVStream& stream = container_->stream();
  decoder_.reset(avcodec_alloc_context3(&container_->decoder()));
  if (!decoder_ || avcodec_parameters_to_context(decoder_.get(), stream.codecpar) < 0) return no_memory();
  decoder_->pkt_timebase = stream.time_base;
  decoder_->thread_count = 1;
  if (const int opened = avcodec_open2(decoder_.get(), &container_->decoder(), nullptr); opened < 0) {
    if (opened == AVERROR(ENOMEM)) return no_memory();
    return Error{Errc::corrupt,
                 std::string("the sound's ") + container_->decoder().name + " decoder does not accept what the file says of it"};
  }
  return {};
}

Result<void> Sound::open_encoder(Format format) {
  const bool is_opus = format == Format::webm;
  const char* const name = is_opus ? "libopus" : "aac";
  const AVCodec* const codec = avcodec_find_encoder_by_name(name);
  if (codec == nullptr) return Error{Errc::unsupported, std::string("this build of FFmpeg has no encoder ") + name};
  encoder_.reset(avcodec_alloc_context3(codec));
  if (!encoder_) return no_memory();
  const int channels = container_->stream().codecpar->ch_layout.nb_channels == 1 ? 1 : 2;
  encoder_->sample_rate = kRate;
  encoder_->sample_fmt = is_opus ? AV_SAMPLE_FMT_FLT : AV_SAMPLE_FMT_FLTP;
  av_channel_layout_default(&encoder_->ch_layout, channels);
  encoder_->bit_rate = kBitsPerChannel * channels;
  encoder_->time_base = {1, kRate};
  encoder_->thread_count = 1;
  encoder_->flags |= AV_CODEC_FLAG_BITEXACT;
  if (muxer_.wants_global_headers()) encoder_->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  if (avcodec_open2(encoder_.get(), codec, nullptr) < 0)
    return Error{Errc::internal, std::string("the encoder ") + name + " does not start"};
  if (encoder_->frame_size > 0) frame_samples_ = encoder_->frame_size;
  queue_.reset(av_audio_fifo_alloc(encoder_->sample_fmt, channels, 4 * frame_samples_));
  if (!queue_) return no_memory();
  MEDIA_TRY_ASSIGN(stream_, muxer_.add(*encoder_));
  return {};
}

Result<FrameHandle> Sound::decode() {
  FrameHandle frame(av_frame_alloc());
  if (!frame) return no_memory();
  for (int packets = 0; packets < kMaxPackets; ++packets) {
    MEDIA_TRY(control_.check());
    const int got = avcodec_receive_frame(decoder_.get(), frame.get());
    if (got >= 0) return frame;
    if (got == AVERROR(ENOMEM)) return no_memory();
    const auto is_damage = [](int code) { return code < 0 && code != AVERROR(EAGAIN) && code != AVERROR_EOF; };
    if (is_damage(got)) undecoded_ = av_sat_add64(undecoded_, packet_duration_);
    if (drained_) break;
    MEDIA_TRY_ASSIGN(const bool more, read_packet());
    drained_ = !more;
    const int sent = avcodec_send_packet(decoder_.get(), more ? packet_.get() : nullptr);
    if (sent == AVERROR(ENOMEM)) return no_memory();
    if (is_damage(sent)) undecoded_ = av_sat_add64(undecoded_, packet_duration_);
  }
  return FrameHandle();
}

Result<bool> Sound::read_packet() {
  MEDIA_TRY_ASSIGN(const bool more, container_->read(*packet_));
  packet_duration_ = 0;
  // What an edit list leaves out is not meant to be heard.
  if (!more || packet_->pts == AV_NOPTS_VALUE || (packet_->flags & AV_PKT_FLAG_DISCARD) != 0) return more;
  const std::int64_t end = av_sat_add64(packet_->pts, std::max<std::int64_t>(packet_->duration, 0));
  const std::int64_t time = av_rescale_q(end, container_->stream().time_base, {1, kMicroseconds});
  source_end_ = std::max(source_end_.value_or(time), time);
  packet_duration_ = av_rescale_q(std::max<std::int64_t>(packet_->duration, 0), container_->stream().time_base, {1, kMicroseconds});
  return true;
}

Result<void> Sound::prepare_resampler(const AVFrame& frame) {
  const int channels = frame.ch_layout.nb_channels;
  if (resampler_ && frame.sample_rate == in_rate_ && frame.format == in_format_ && channels == in_channels_) return {};
  if (frame.sample_rate < 1 || frame.sample_rate > kMaxRate || channels < 1 || channels > kMaxChannels || frame.nb_samples > kMaxSamples) {
    return Error{Errc::corrupt, "the sound is of a shape that no sound has"};
  }
  if (resampler_) MEDIA_TRY(take_in(nullptr));
  AVChannelLayout layout{};
  // What does not say where its channels are heard is taken to be as usual.
  if (frame.ch_layout.order == AV_CHANNEL_ORDER_UNSPEC) {
    av_channel_layout_default(&layout, channels);
  } else if (av_channel_layout_copy(&layout, &frame.ch_layout) < 0) {
    return no_memory();
  }
  SwrContext* made = nullptr;
  const int set = swr_alloc_set_opts2(&made, &encoder_->ch_layout, encoder_->sample_fmt, kRate, &layout,
                                      static_cast<AVSampleFormat>(frame.format), frame.sample_rate, 0, nullptr);
  av_channel_layout_uninit(&layout);
  resampler_.reset(made);
  if (set < 0 || swr_init(resampler_.get()) < 0) return Error{Errc::unsupported, "the sound's channels cannot be brought to two"};
  in_rate_ = frame.sample_rate;
  in_format_ = frame.format;
  in_channels_ = channels;
  return {};
}

Result<bool> Sound::settle_place(const AVFrame& frame) {
  if (frame.best_effort_timestamp == AV_NOPTS_VALUE) return true;
  const std::int64_t time =
      av_sat_sub64(av_rescale_q(frame.best_effort_timestamp, container_->stream().time_base, {1, kMicroseconds}), pictures_.begin());
  const auto place = pictures_.cuts().place_of(time);
  if (!place) {
    undecoded_ = 0;
    return false;
  }
  const std::int64_t by_clock = av_rescale(*place, kRate, kMicroseconds);
  const std::int64_t next = av_sat_sub64(heard_, dropped_);
  // One frame that was out of its time, and not a clock that was set back.
  if (before_back_ && std::abs(av_sat_sub64(av_sat_add64(by_clock, *before_back_), next)) <= kTolerance) shift_ = *before_back_;
  before_back_.reset();
  if (last_time_ && time < *last_time_) {
    before_back_ = shift_;
    shift_ = av_sat_sub64(next, by_clock);
  }
  last_time_ = time;
  const std::int64_t off = av_sat_sub64(av_sat_add64(by_clock, shift_), next);
  const std::int64_t due = av_sat_add64(next, off);
  // Where it begins nothing is heard of a clock that is set right.
  const std::int64_t tolerance = std::exchange(is_first_, false) ? 0 : kTolerance;
  if (off > tolerance) {
    // What was heard before the gap has to be out before the place moves.
    MEDIA_TRY(write_queue(true));
    heard_ = written_ = std::max(written_, due);
    dropped_ = 0;
    lost_ = av_sat_add64(lost_, std::min(av_rescale(off, kMicroseconds, kRate), undecoded_));
  } else if (off < -tolerance) {
    dropped_ = av_sat_sub64(dropped_, off);
  }
  // What was missing before this place is settled: a gap to come is another's.
  undecoded_ = 0;
  return true;
}

Result<void> Sound::take_in(const AVFrame* frame) {
  const int in_samples = frame != nullptr ? frame->nb_samples : 0;
  const int most = swr_get_out_samples(resampler_.get(), in_samples);
  if (most < 0 || most > kMaxSamples) return no_memory();
  if (most == 0) return {};
  const FrameHandle out(av_frame_alloc());
  if (!out) return no_memory();
  out->format = encoder_->sample_fmt;
  out->nb_samples = most;
  if (av_channel_layout_copy(&out->ch_layout, &encoder_->ch_layout) < 0 || av_frame_get_buffer(out.get(), 0) < 0) return no_memory();
  const auto* const* const in = frame != nullptr ? const_cast<const std::uint8_t* const*>(frame->extended_data) : nullptr;
  const int made = swr_convert(resampler_.get(), out->data, most, const_cast<const std::uint8_t**>(in), in_samples);
  if (made < 0) return Error{Errc::corrupt, "the sound cannot be resampled"};
  const auto left_out = static_cast<int>(std::clamp<std::int64_t>(dropped_, 0, made));
  dropped_ -= left_out;
  const int kept = made - left_out;
  if (kept == 0) return {};
  const int channels = encoder_->ch_layout.nb_channels;
  const bool planar = av_sample_fmt_is_planar(encoder_->sample_fmt) != 0;
  const std::size_t sample_bytes =
      static_cast<std::size_t>(av_get_bytes_per_sample(encoder_->sample_fmt)) * (planar ? 1U : static_cast<std::size_t>(channels));
  std::array<void*, 2> planes{};
  for (std::size_t i = 0; i < (planar ? static_cast<std::size_t>(channels) : 1U); ++i) {
    planes[i] = out->data[i] + static_cast<std::size_t>(left_out) * sample_bytes;
  }
  if (av_audio_fifo_write(queue_.get(), planes.data(), kept) < kept) return no_memory();
  heard_ += kept;
  return {};
}

Result<void> Sound::write_queue(bool all) {
  for (;;) {
    const int waiting = av_audio_fifo_size(queue_.get());
    if (waiting == 0 || (waiting < frame_samples_ && !all)) return {};
    const int count = std::min(waiting, frame_samples_);
    const FrameHandle frame(av_frame_alloc());
    if (!frame) return no_memory();
    frame->format = encoder_->sample_fmt;
    frame->sample_rate = kRate;
    frame->nb_samples = frame_samples_;
    if (av_channel_layout_copy(&frame->ch_layout, &encoder_->ch_layout) < 0 || av_frame_get_buffer(frame.get(), 0) < 0) return no_memory();
    if (av_audio_fifo_read(queue_.get(), reinterpret_cast<void**>(frame->data), count) < count) return no_memory();
    if (count < frame_samples_) {
      av_samples_set_silence(frame->data, count, frame_samples_ - count, encoder_->ch_layout.nb_channels, encoder_->sample_fmt);
    }
    frame->pts = written_;
    written_ += frame_samples_;
    heard_ = std::max(heard_, written_);
    MEDIA_TRY(encode(frame.get()));
  }
}

Result<void> Sound::encode(const AVFrame* frame) {
  const int sent = avcodec_send_frame(encoder_.get(), frame);
  if (sent < 0)
    return sent == AVERROR(ENOMEM) ? Result<void>(no_memory()) : Result<void>(Error{Errc::internal, "the sound cannot be encoded"});
  for (;;) {
    const int got = avcodec_receive_packet(encoder_.get(), packet_.get());
    if (got == AVERROR(EAGAIN) || got == AVERROR_EOF) return {};
    if (got < 0) return Error{Errc::internal, "the sound cannot be encoded"};
    MEDIA_TRY(muxer_.write(*packet_, stream_, encoder_->time_base));
  }
}

Result<void> Sound::write_until(double seconds) {
  while (!ended_ && static_cast<double>(heard_) < seconds * kRate) {
    MEDIA_TRY_ASSIGN(const FrameHandle frame, decode());
    if (!frame) {
      ended_ = true;
      return {};
    }
    MEDIA_TRY(prepare_resampler(*frame));
    MEDIA_TRY_ASSIGN(const bool is_heard, settle_place(*frame));
    if (!is_heard) continue;
    MEDIA_TRY(take_in(frame.get()));
    MEDIA_TRY(write_queue(false));
  }
  return {};
}

Result<void> Sound::finish() {
  while (!ended_) MEDIA_TRY(write_until(static_cast<double>(heard_) / kRate + 1));
  if (resampler_) MEDIA_TRY(take_in(nullptr));
  MEDIA_TRY(write_queue(true));
  return encode(nullptr);
}

std::int64_t Sound::end() const noexcept { return av_rescale(written_, kMicroseconds, kRate); }

Result<std::optional<std::int64_t>> Sound::end_of_source() {
  while (!drained_) {
    MEDIA_TRY_ASSIGN(const bool more, read_packet());
    drained_ = !more;
  }
  if (!source_end_) return std::optional<std::int64_t>();
  return pictures_.cuts().place_of(av_sat_sub64(*source_end_, pictures_.begin()));
}

}  // namespace media::video
