#include "video/process.hpp"

extern "C" {
#include <libavutil/channel_layout.h>
#include <libavutil/cpu.h>
#include <libavutil/log.h>
#include <libavutil/mem.h>
}

#include <array>
#include <string>
#include <string_view>

#include "video/handles.hpp"

namespace media::video {
namespace {

/// One plane of the largest frame, and more than any packet: what asks for more is lying.
constexpr std::size_t kMaxAllocation = std::size_t{512} << 20U;

void open_once(AVCodecID id) noexcept {
  const AVCodec* const codec = avcodec_find_decoder(id);
  if (codec == nullptr) return;
  const CodecHandle context(avcodec_alloc_context3(codec));
  if (!context) return;
  context->thread_count = 1;
  context->width = 64;
  context->height = 64;
  // Some will not without the file's own headers: their tables are made all the same.
  static_cast<void>(avcodec_open2(context.get(), codec, nullptr));
}

void open_encoder_once(const char* name) noexcept {
  const AVCodec* const codec = avcodec_find_encoder_by_name(name);
  if (codec == nullptr) return;
  const CodecHandle context(avcodec_alloc_context3(codec));
  if (!context) return;
  context->thread_count = 1;
  context->time_base = {1, 48'000};
  if (codec->type == AVMEDIA_TYPE_VIDEO) {
    context->width = context->height = 64;
    context->pix_fmt = AV_PIX_FMT_YUV420P;
  } else {
    context->sample_rate = 48'000;
    context->sample_fmt = std::string_view(name) == "aac" ? AV_SAMPLE_FMT_FLTP : AV_SAMPLE_FMT_FLT;
    av_channel_layout_default(&context->ch_layout, 2);
  }
  static_cast<void>(avcodec_open2(context.get(), codec, nullptr));
}

}  // namespace

void get_ready() noexcept {
  av_log_set_level(AV_LOG_QUIET);
  av_max_alloc(kMaxAllocation);
  static_cast<void>(av_get_cpu_flags());
  static_cast<void>(av_cpu_count());
  for (const AVCodecID id : {AV_CODEC_ID_H264, AV_CODEC_ID_HEVC, AV_CODEC_ID_AV1, AV_CODEC_ID_VP8, AV_CODEC_ID_VP9, AV_CODEC_ID_MPEG4,
                             AV_CODEC_ID_H263, AV_CODEC_ID_MPEG2VIDEO, AV_CODEC_ID_MJPEG, AV_CODEC_ID_THEORA, AV_CODEC_ID_PRORES}) {
    open_once(id);
  }
  for (const char* const name : {"libx264", "libvpx-vp9", "aac", "libopus"}) open_encoder_once(name);
  const ScalerHandle scaler(sws_getContext(64, 64, AV_PIX_FMT_YUV420P, 32, 32, AV_PIX_FMT_RGB24, SWS_AREA, nullptr, nullptr, nullptr));
}

std::string library_versions() {
  const auto spelled = [](const char* name, unsigned version) {
    return std::string(name) + ' ' + std::to_string(version >> 16U) + '.' + std::to_string(version >> 8U & 0xffU) + '.' +
           std::to_string(version & 0xffU);
  };
  return spelled("libavformat", avformat_version()) + ", " + spelled("libavcodec", avcodec_version()) + ", " +
         spelled("libavutil", avutil_version()) + ", " + spelled("libswresample", swresample_version()) + ", " +
         spelled("libswscale", swscale_version());
}

}  // namespace media::video
