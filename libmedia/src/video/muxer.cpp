#include "video/muxer.hpp"

#include <algorithm>
#include <array>
#include <new>
#include <string>
#include <utility>

#include "video/byte_io.hpp"

namespace media::video {
namespace {

/// As much as a message of the cage takes.
constexpr int kBufferBytes = 60 << 10;

}  // namespace

/// Where the bytes go, for FFmpeg's callbacks, through which nothing may be thrown.
struct Muxer::Target {
  const PutBytes& put;
  std::uint64_t position = 0;
  std::uint64_t size = 0;
  std::optional<Error> error{};

#if LIBAVFORMAT_VERSION_MAJOR >= 61
  using Written = const std::uint8_t;
#else
  using Written = std::uint8_t;
#endif

  static int write(void* opaque, Written* bytes, int count) noexcept {
    auto& self = *static_cast<Target*>(opaque);
    if (self.error) return AVERROR(EIO);
    try {
      const auto length = static_cast<std::size_t>(std::max(count, 0));
      auto done = self.put(self.position, {reinterpret_cast<const std::byte*>(bytes), length});
      if (!done) {
        self.error = std::move(done).error();
        return AVERROR(EIO);
      }
      self.position += length;
      self.size = std::max(self.size, self.position);
      return count;
    } catch (const std::bad_alloc&) {
      return AVERROR(ENOMEM);
    }
  }

  static std::int64_t seek(void* opaque, std::int64_t offset, int whence) noexcept {
    auto& self = *static_cast<Target*>(opaque);
    return seek_to(self.position, self.size, offset, whence);
  }
};

Muxer::Muxer(const image::Control& control) : control_(control) {}
Muxer::~Muxer() = default;

Error Muxer::failure(int code) const {
  if (auto stopped = control_.check(); !stopped) return std::move(stopped).error();
  if (target_->error) return *target_->error;
  if (code == AVERROR(ENOMEM)) return Error{Errc::too_large, "writing the video takes more memory than the budget allows"};
  std::array<char, AV_ERROR_MAX_STRING_SIZE> text{};
  av_strerror(code, text.data(), text.size());
  return Error{Errc::internal, std::string("the video cannot be written: ") + text.data()};
}

Result<std::unique_ptr<Muxer>> Muxer::open(Format format, const PutBytes& put, const image::Control& control) {
  std::unique_ptr<Muxer> muxer(new Muxer(control));
  muxer->target_ = std::make_unique<Target>(Target{put});
  AVFormatContext* context = nullptr;
  const char* const name = format == Format::webm ? "webm" : "mp4";
  if (avformat_alloc_output_context2(&context, nullptr, name, nullptr) < 0 || context == nullptr) {
    return Error{Errc::unsupported, std::string("this build of FFmpeg does not write ") + name};
  }
  muxer->format_.reset(context);
  auto* const buffer = static_cast<std::uint8_t*>(av_malloc(kBufferBytes));
  if (buffer == nullptr) return muxer->failure(AVERROR(ENOMEM));
  muxer->avio_.reset(avio_alloc_context(buffer, kBufferBytes, 1, muxer->target_.get(), nullptr, Target::write, Target::seek));
  if (!muxer->avio_) {
    av_free(buffer);
    return muxer->failure(AVERROR(ENOMEM));
  }
  context->pb = muxer->avio_.get();
  // The same source makes the same bytes: no versions, no random ids.
  context->flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_BITEXACT;
  context->io_open = refuse_to_open;
  return muxer;
}

bool Muxer::wants_global_headers() const noexcept { return (format_->oformat->flags & AVFMT_GLOBALHEADER) != 0; }

Result<int> Muxer::add(const AVCodecContext& codec) {
  AVStream* const stream = avformat_new_stream(format_.get(), nullptr);
  if (stream == nullptr || avcodec_parameters_from_context(stream->codecpar, &codec) < 0) return failure(AVERROR(ENOMEM));
  stream->codecpar->codec_tag = 0;
  stream->time_base = codec.time_base;
  stream->avg_frame_rate = codec.framerate;
  return stream->index;
}

Result<void> Muxer::start() {
  const int started = avformat_write_header(format_.get(), nullptr);
  if (started < 0) return failure(started);
  return {};
}

Result<void> Muxer::write(AVPacket& packet, int stream, AVRational time_base) {
  MEDIA_TRY(control_.check());
  packet.stream_index = stream;
  av_packet_rescale_ts(&packet, time_base, format_->streams[stream]->time_base);
  const int written = interleaves_ ? av_interleaved_write_frame(format_.get(), &packet) : av_write_frame(format_.get(), &packet);
  if (written < 0 || target_->error) return failure(written);
  return {};
}

Result<void> Muxer::end_interleaving() {
  const int written = av_interleaved_write_frame(format_.get(), nullptr);
  if (written < 0 || target_->error) return failure(written);
  interleaves_ = false;
  return {};
}

Result<void> Muxer::finish() {
  const int ended = av_write_trailer(format_.get());
  if (ended < 0) return failure(ended);
  avio_flush(avio_.get());
  if (target_->error) return failure(AVERROR(EIO));
  return {};
}

}  // namespace media::video
