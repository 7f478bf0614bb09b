/// FFmpeg's objects, which free themselves; its errors as ours.
#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/audio_fifo.h>
#include <libavutil/frame.h>
#include <libswresample/swresample.h>
#include <libswscale/swscale.h>
}

#include <memory>

namespace media::video {

struct FreeFormat {
  void operator()(AVFormatContext* context) const noexcept { avformat_close_input(&context); }
};
struct FreeAvio {
  void operator()(AVIOContext* context) const noexcept {
    av_freep(&context->buffer);  // FFmpeg may have replaced the one that it was given.
    avio_context_free(&context);
  }
};
struct FreeCodec {
  void operator()(AVCodecContext* context) const noexcept { avcodec_free_context(&context); }
};
struct FreePacket {
  void operator()(AVPacket* packet) const noexcept { av_packet_free(&packet); }
};
struct FreeFrame {
  void operator()(AVFrame* frame) const noexcept { av_frame_free(&frame); }
};
struct FreeScaler {
  void operator()(SwsContext* context) const noexcept { sws_freeContext(context); }
};
struct FreeDictionary {
  void operator()(AVDictionary* dictionary) const noexcept { av_dict_free(&dictionary); }
};

struct FreeOutput {
  void operator()(AVFormatContext* context) const noexcept { avformat_free_context(context); }
};
struct FreeResampler {
  void operator()(SwrContext* context) const noexcept { swr_free(&context); }
};
struct FreeAudioFifo {
  void operator()(AVAudioFifo* fifo) const noexcept { av_audio_fifo_free(fifo); }
};

using FormatHandle = std::unique_ptr<AVFormatContext, FreeFormat>;
using AvioHandle = std::unique_ptr<AVIOContext, FreeAvio>;
using CodecHandle = std::unique_ptr<AVCodecContext, FreeCodec>;
using PacketHandle = std::unique_ptr<AVPacket, FreePacket>;
using FrameHandle = std::unique_ptr<AVFrame, FreeFrame>;
using OutputHandle = std::unique_ptr<AVFormatContext, FreeOutput>;
using ResamplerHandle = std::unique_ptr<SwrContext, FreeResampler>;
using AudioFifoHandle = std::unique_ptr<AVAudioFifo, FreeAudioFifo>;
using ScalerHandle = std::unique_ptr<SwsContext, FreeScaler>;

}  // namespace media::video
