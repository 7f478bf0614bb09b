#include "video/encode.hpp"

extern "C" {
#include <libavutil/mathematics.h>
}

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "inspect/web_ready.hpp"
#include "video/pictures.hpp"
#include "video/sound.hpp"

namespace media::video {
namespace {

/// A player that seeks decodes from the key frame before: no further away than this.
constexpr std::int64_t kKeyFrameSeconds = 2;
/// Of 1280 x 720: above it a scene costs quality rather than bytes.
constexpr double kMaxBits = 4'000'000;
constexpr double kMaxBitsOf = 1280.0 * 720;
constexpr std::int64_t kLeastMaxBits = 400'000;
/// What encoders keep for each pixel: x264's frames in wait and their smaller copies, libvpx's in wait and for reference.
constexpr std::uint64_t kEncoderBytes = 160;
/// Of sound that is lost: encoders fill up, and clocks are rounded. Less is not told.
constexpr std::int64_t kUntoldMicroseconds = 2'000'000;
/// Until it is whole it is not done.
constexpr double kShareBeforeEnd = 0.99;

/// All frames are alike and of our own making: what an encoder fails at, in words of its own, is finding memory for the next one.
Error not_encoded() { return Error{Errc::too_large, "a frame cannot be encoded in the memory that the budget leaves"}; }

Error no_memory() { return Error{Errc::too_large, "encoding takes more memory than the budget allows"}; }

/// Of an encoder and of each frame alike: square pixels, BT.709, as `open_pictures` makes them.
template <class Described>
void describe_pixels(Described& described) {
  described.sample_aspect_ratio = {1, 1};
  described.color_range = AVCOL_RANGE_MPEG;
  described.colorspace = AVCOL_SPC_BT709;
  described.color_primaries = AVCOL_PRI_BT709;
  described.color_trc = AVCOL_TRC_BT709;
}

class Encoding {
 public:
  Encoding(const ByteReader& source, const Transform& transform, const image::Control& control, const PutBytes& put)
      : source_(source), transform_(transform), control_(control), put_(put) {}

  Result<EncodedVideo> run() {
    MEDIA_TRY_ASSIGN(pictures_, open_pictures(source_, transform_, control_));
    MEDIA_TRY_ASSIGN(auto held, pictures_->next());
    if (!held) return Error{Errc::corrupt, "the video has no frame that can be decoded"};
    MEDIA_TRY_ASSIGN(muxer_, Muxer::open(transform_.format, put_, control_));
    packet_.reset(av_packet_alloc());
    if (!packet_) return no_memory();
    MEDIA_TRY(open_encoder());
    if (pictures_->has_sound()) {
      auto opened = Sound::open(source_, transform_.format, *pictures_, *muxer_, control_);
      MEDIA_TRY(do_without(opened));
      if (opened) sound_ = std::move(*opened);
    }
    goes_on_ = sound_ != nullptr;
    MEDIA_TRY(muxer_->start());
    std::int64_t step = static_cast<std::int64_t>(kTicks / pictures_->rate());
    std::int64_t pictures_end = 0;
    for (;;) {
      MEDIA_TRY_ASSIGN(auto next, pictures_->next());
      if (next) step = next->time - held->time;
      if (!next && pictures_->end() > held->time) step = pictures_->end() - held->time;
      if (goes_on_) MEDIA_TRY(do_without(sound_->write_until(static_cast<double>(held->time) / kTicks)));
      pictures_end = held->time + step;
      MEDIA_TRY(encode(std::move(*held), step));
      control_.report(std::min(pictures_->share_done(), kShareBeforeEnd));
      if (!next) break;
      held = std::move(next);
    }
    MEDIA_TRY(drain());
    MEDIA_TRY(muxer_->end_interleaving());
    if (goes_on_) MEDIA_TRY(do_without(sound_->finish()));
    MEDIA_TRY_ASSIGN(const std::chrono::microseconds lost, lost_sound(pictures_end));
    MEDIA_TRY(muxer_->finish());
    control_.report(1);
    return EncodedVideo{pictures_->info(), pictures_->size(), std::chrono::duration_cast<std::chrono::milliseconds>(lost)};
  }

 private:
  /// A film without its sound, or with as much of it as can be decoded, is worth more than none: `lost_sound` and the tracks tell.
  template <class Outcome>
  Result<void> do_without(const Outcome& outcome) {
    if (outcome) return {};
    const Errc code = outcome.error().code;
    if (code != Errc::unsupported && code != Errc::corrupt) return outcome.error();
    goes_on_ = false;
    return {};
  }

  /// What the source has of sound in the gaps of ours, and behind its end up to the end of the pictures, which is in ticks.
  Result<std::chrono::microseconds> lost_sound(std::int64_t pictures_end) {
    if (!sound_) return std::chrono::microseconds(0);
    std::int64_t lost = sound_->lost_in_between();
    const std::int64_t end = sound_->end();
    const std::int64_t until = av_rescale(pictures_end, 1'000'000, kTicks);
    // Else too little is to be found, and the rest of the file need not be read.
    if (until > end && av_sat_add64(lost, until - end) >= kUntoldMicroseconds) {
      MEDIA_TRY_ASSIGN(const auto source, sound_->end_of_source());
      lost = av_sat_add64(lost, std::max<std::int64_t>(std::min(until, source.value_or(0)) - end, 0));
    }
    return std::chrono::microseconds(lost < kUntoldMicroseconds ? 0 : lost);
  }

  Result<void> open_encoder() {
    const bool is_vp9 = transform_.format == Format::webm;
    const char* const name = is_vp9 ? "libvpx-vp9" : "libx264";
    const AVCodec* const codec = avcodec_find_encoder_by_name(name);
    if (codec == nullptr) return Error{Errc::unsupported, std::string("this build of FFmpeg has no encoder ") + name};
    const image::Size size = pictures_->size();
    MEDIA_TRY(control_.check_memory(size.pixels() * kEncoderBytes, "encoding"));
    encoder_.reset(avcodec_alloc_context3(codec));
    if (!encoder_) return no_memory();
    AVCodecContext& encoder = *encoder_;
    encoder.width = static_cast<int>(size.width);
    encoder.height = static_cast<int>(size.height);
    encoder.pix_fmt = AV_PIX_FMT_YUV420P;
    describe_pixels(encoder);
    encoder.time_base = {1, kTicks};
    encoder.framerate = av_d2q(pictures_->rate(), 100'000);
    encoder.gop_size = std::max(1, static_cast<int>(std::lround(pictures_->rate() * static_cast<double>(kKeyFrameSeconds))));
    // One: the same source makes the same bytes on every machine, and a job does not take another's processor.
    encoder.thread_count = 1;
    encoder.flags |= AV_CODEC_FLAG_BITEXACT;
    encoder.flags |= static_cast<int>(AV_CODEC_FLAG_CLOSED_GOP);
    if (muxer_->wants_global_headers()) encoder.flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    const auto most = std::max(kLeastMaxBits, static_cast<std::int64_t>(kMaxBits * static_cast<double>(size.pixels()) / kMaxBitsOf));
    AVDictionary* settings = nullptr;
    if (is_vp9) {
      // Constrained quality: 33 is what its makers recommend for 720p, and the rate is a limit.
      encoder.bit_rate = most * 3 / 4;
      av_dict_set(&settings, "crf", "33", 0);
      av_dict_set(&settings, "deadline", "good", 0);
      av_dict_set(&settings, "cpu-used", "5", 0);
      av_dict_set(&settings, "lag-in-frames", "16", 0);
    } else {
      encoder.rc_max_rate = most;
      encoder.rc_buffer_size = static_cast<int>(most * 2);
      av_dict_set(&settings, "preset", "veryfast", 0);
      av_dict_set(&settings, "crf", "23", 0);
      av_dict_set(&settings, "profile", "high", 0);
      // A key frame that is asked for is one that a player may begin at.
      av_dict_set(&settings, "forced-idr", "1", 0);
    }
    const int opened = avcodec_open2(&encoder, codec, &settings);
    av_dict_free(&settings);
    if (opened == AVERROR(ENOMEM)) return no_memory();
    if (opened < 0) return Error{Errc::internal, std::string("the encoder ") + name + " does not start"};
    MEDIA_TRY_ASSIGN(stream_, muxer_->add(encoder));
    return {};
  }

  Result<void> encode(Picture picture, std::int64_t step) {
    AVFrame& frame = *picture.frame;
    frame.pts = picture.time;
    // By time and not by their number: a slideshow has a frame in some seconds.
    const bool is_key = !last_key_ || picture.time - *last_key_ >= kKeyFrameSeconds * kTicks;
    if (is_key) last_key_ = picture.time;
    frame.pict_type = is_key ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
    describe_pixels(frame);
    steps_[picture.time] = step;
    const int sent = avcodec_send_frame(encoder_.get(), &frame);
    if (sent < 0) return not_encoded();
    return take_packets();
  }

  Result<void> drain() {
    // Here it begins on frames that it only held before, and here alone it says that it cannot.
    if (const int sent = avcodec_send_frame(encoder_.get(), nullptr); sent < 0 && sent != AVERROR_EOF) return not_encoded();
    return take_packets();
  }

  Result<void> take_packets() {
    for (;;) {
      const int got = avcodec_receive_packet(encoder_.get(), packet_.get());
      if (got == AVERROR(EAGAIN) || got == AVERROR_EOF) return {};
      if (got < 0) return not_encoded();
      // Encoders do not all say it, and without it the last frame's time is guessed.
      if (const auto step = steps_.find(packet_->pts); step != steps_.end()) {
        packet_->duration = step->second;
        steps_.erase(step);
      }
      MEDIA_TRY(muxer_->write(*packet_, stream_, encoder_->time_base));
    }
  }

  const ByteReader& source_;
  const Transform& transform_;
  const image::Control& control_;
  const PutBytes& put_;
  std::unique_ptr<Pictures> pictures_;
  std::unique_ptr<Muxer> muxer_;
  std::unique_ptr<Sound> sound_;
  bool goes_on_ = false;  ///< The sound, which is given up at its first error.
  CodecHandle encoder_;
  PacketHandle packet_;
  int stream_ = -1;
  std::optional<std::int64_t> last_key_{};
  std::map<std::int64_t, std::int64_t> steps_;  ///< Of frames that the encoder holds: how long each is shown.
};

}  // namespace

Result<EncodedVideo> encode(const ByteReader& source, const Transform& transform, const DeriveOptions& options, image::Decoders decoders,
                            const PutBytes& put) {
  if (!encodes_video(transform)) return Error{Errc::invalid_argument, "transform: no video is encoded for it"};
  const Transform meant = canonical(transform);
  const image::Control control(options, decoders);
  // FFmpeg would leave out the track, or show what happens to lie here.
  MEDIA_TRY(inspect::refuse_other_files(source));
  return Encoding(source, meant, control, put).run();
}

}  // namespace media::video
